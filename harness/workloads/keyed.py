"""Producers that send again what was not answered, and what others have sent, to a keyed table."""

import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pydantic import Field

from ..checkers import GROUP_CHECKERS
from ..checkers.keyed import KEYED as CHECKER
from .log import BATCH_ROWS_MAX, Batch, Tail, proofs, whole
from .log_poll import polled
from .workload import Generator, Options, Step, Workload

TABLE = "keyed_readings"

_RECENT = 50
"""Of so many acknowledged batches one is sent again."""

_NEAR = 20


class KeyedOptions(Options):
    """Appends of keyed rows, again and again until they are answered; and reads."""

    named: ClassVar[str] = "keyed"

    name: Literal["keyed"]
    batch: Batch = Field(default_factory=lambda: Batch(min=1, max=4))
    read_share: float = Field(default=0.2, ge=0, lt=1)
    again_share: float = Field(
        default=0.25, ge=0, lt=1, description="Of the appends: rows that were acknowledged before."
    )

    def planned(self) -> dict[str, Any]:
        return {
            **super().planned(),
            "batch": [self.batch.min, self.batch.max],
            "read_share": self.read_share,
            "again_share": self.again_share,
        }


@dataclass(slots=True)
class KeyedGenerator:
    """One client. Its new row ids are `client + n * clients`; an id is its row's key."""

    random: random.Random
    tail: Tail
    recent: deque[list[int]]
    next_id: int
    stride: int
    batch: tuple[int, int]
    read_share: float
    again_share: float
    unanswered: list[int] | None = None

    def next(self) -> Step:
        if self.unanswered is None:
            if self.random.random() < self.read_share:
                start = max(0, self.tail.rows - self.random.randint(0, _NEAR))
                return Step("read", [start, None])
            self.unanswered = self._rows()
        return Step("append", self.unanswered)

    def completed(self, step: Step, value: Any) -> None:
        if step.f == "read":
            if value:
                self.tail.at_least(step.value[0] + len(value))
            return
        self.unanswered = None
        self.recent.append(step.value)
        self.tail.at_least(sum(value))

    def _rows(self) -> list[int]:
        """New ones, known ones, or some of both."""
        known: list[int] = []
        if self.recent and self.random.random() < self.again_share:
            known = self.random.choice(self.recent)
            if self.random.random() < 0.5:
                return known
        count = self.random.randint(*self.batch)
        # Known batches hold known rows themselves: without a bound they would grow and grow.
        known = known[: BATCH_ROWS_MAX - count]
        first = self.next_id
        self.next_id += count * self.stride
        return [*known, *range(first, self.next_id, self.stride)]


def generators(options: dict[str, Any], seed: int, _: Sequence[str] = ()) -> list[Generator]:
    """One generator a client, each with its own stream of chance; all know what was answered."""
    clients, (low, high) = options["clients"], options["batch"]
    tail, recent = Tail(), deque[list[int]](maxlen=_RECENT)
    return [
        KeyedGenerator(
            random.Random(f"{seed}/client/{number}"),
            tail,
            recent,
            number,
            clients,
            (low, high),
            options["read_share"],
            options["again_share"],
        )
        for number in range(clients)
    ]


KEYED = Workload(
    name="keyed",
    options=KeyedOptions,
    checkers=(CHECKER.name, *GROUP_CHECKERS),
    key=TABLE,
    setup=lambda _: (Step("create", {"key_columns": ["id"]}),),
    generators=generators,
    proof="append",
    proofs=proofs,
    final=whole,
    everywhere=polled,
)
