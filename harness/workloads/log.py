"""One stream table: clients append batches of unique rows and poll, mostly near the end."""

import random
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..checkers import LOG_CHECKERS
from .workload import Generator, Options, Step, Workload

TABLE = "readings"

_NEAR = 20
"""How far before the end a poll may start: few rows, so that a stale or lost tail shows at once."""

_POLL_MAX = (5, 20, 100)
"""How many rows a poll may ask for."""

_ANYWHERE_SHARE, _WHOLE_SHARE = 0.05, 0.01
"""Of the reads: those that start anywhere, and those of the whole log."""

_WHOLE_ROWS_MAX = 5_000
"""A longer log is read whole only at the end of the run; more would measure JSON, not the log."""


class Batch(BaseModel):
    """How many rows one append writes: a number drawn between the two."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    min: int = Field(default=1, ge=1, le=10_000)
    max: int = Field(default=8, ge=1, le=10_000)

    @model_validator(mode="after")
    def _ordered(self) -> "Batch":
        if self.min > self.max:
            raise ValueError(f"min ({self.min}) is above max ({self.max})")
        return self


class LogOptions(Options):
    """Appends of unique rows to one table, and polls of it."""

    named: ClassVar[str] = "log"

    name: Literal["log"] = "log"
    batch: Batch = Field(default_factory=Batch)
    read_share: float = Field(default=0.4, ge=0, lt=1)

    def planned(self) -> dict[str, Any]:
        return {
            **super().planned(),
            "batch": [self.batch.min, self.batch.max],
            "read_share": self.read_share,
        }


@dataclass(slots=True)
class Tail:
    """Where the log ended when a client last saw its end; all clients of a run share it."""

    rows: int = 0

    def at_least(self, rows: int) -> None:
        self.rows = max(self.rows, rows)


@dataclass(slots=True)
class LogGenerator:
    """One client's appends and polls. Its row ids are `client + n * clients`: unique in the run."""

    random: random.Random
    tail: Tail
    next_id: int
    stride: int
    batch: tuple[int, int]
    read_share: float

    def next(self) -> Step:
        if self.random.random() < self.read_share:
            return "read", self._poll()
        count = self.random.randint(*self.batch)
        first = self.next_id
        self.next_id += count * self.stride
        return "append", list(range(first, self.next_id, self.stride))

    def completed(self, step: Step, value: Any) -> None:
        f, asked = step
        if f == "append":
            self.tail.at_least(value + len(asked))
        elif value:
            self.tail.at_least(asked[0] + len(value))

    def _poll(self) -> list[int | None]:
        kind = self.random.random()
        rows = self.tail.rows
        if kind < _WHOLE_SHARE and rows <= _WHOLE_ROWS_MAX:
            return [0, None]
        limit = self.random.choice(_POLL_MAX)
        if kind < _WHOLE_SHARE + _ANYWHERE_SHARE:
            return [self.random.randint(0, rows), limit]
        return [max(0, rows - self.random.randint(0, _NEAR)), limit]


def generators(options: dict[str, Any], seed: int) -> list[Generator]:
    """One generator a client, each with its own stream of chance."""
    clients = options["clients"]
    low, high = options["batch"]
    tail = Tail()
    return [
        LogGenerator(
            random.Random(f"{seed}/client/{number}"),
            tail,
            number,
            clients,
            (low, high),
            options["read_share"],
        )
        for number in range(clients)
    ]


LOG = Workload(
    name="log",
    options=LogOptions,
    checkers=LOG_CHECKERS,
    key=TABLE,
    setup=(("create", None),),
    generators=generators,
    proof="append",
    final=(("read", [0, None]),),
)
