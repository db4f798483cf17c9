"""One stream table: clients append batches of unique rows and poll, mostly near the end."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from ...impl.stream.checks import CACHE_LIMIT_MIN, NUMBER_MAX
from ..checkers import LOG_CHECKERS
from ..language.complaints import Complaint
from ..language.selector import closest
from ..language.units import Duration, spell
from .workload import CLIENTS_MAX, Generator, Options, Scripted, Step, Workload

TABLE = "readings"

_NEAR = 20
"""How far before the end a poll may start: few rows, so that a stale or lost tail shows at once."""

_POLL_MAX = (5, 20, 100)
"""How many rows a poll may ask for."""

_ANYWHERE_SHARE, _WHOLE_SHARE = 0.05, 0.01
"""Of the reads: those that start anywhere, and those of the whole log."""

_WHOLE_ROWS_MAX = 5_000
"""A longer log is read whole only at the end of the run; more would measure JSON, not the log."""


BATCH_ROWS_MAX = 10_000
"""So many rows a connection can make at once."""


class Batch(BaseModel):
    """How many rows one append writes: a number drawn between the two."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    min: int = Field(default=1, ge=1, le=BATCH_ROWS_MAX)
    max: int = Field(default=8, ge=1, le=BATCH_ROWS_MAX)

    @model_validator(mode="after")
    def _ordered(self) -> "Batch":
        if self.min > self.max:
            raise ValueError(f"min ({self.min}) is above max ({self.max})")
        return self


def _cacheable(rows: int) -> int:
    if 0 < rows < CACHE_LIMIT_MIN:
        raise ValueError(f"must be 0 or at least {CACHE_LIMIT_MIN}, not {rows}")
    return rows


CacheLimit = Annotated[
    int,
    Field(
        ge=0,
        le=NUMBER_MAX,
        description=f"Rows that members keep in memory, at least {CACHE_LIMIT_MIN}; 0: all.",
    ),
    AfterValidator(_cacheable),
]


def limited(limit: int) -> dict[str, Any]:
    """What plan.json has of it: nothing where all rows stay in memory."""
    return {"cache_limit": limit} if limit else {}


def _pollable(value: list[int | None]) -> list[int | None]:
    start, limit = value
    if start is None or start < 0 or (limit is not None and limit < 1):
        raise ValueError(f"must be an offset, and how many rows or null, not {value}")
    return value


class Operation(BaseModel):
    """One operation of a script: a client, a moment, and either rows to append or a poll."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    client: int = Field(ge=0, lt=CLIENTS_MAX)
    at: Duration = Field(description="From the start of the run, or when the client is free.")
    node: str | None = Field(
        default=None, description="Who is asked: n1, leader, or a name that a step gives (`as`)."
    )
    append: int | None = Field(
        default=None, ge=1, le=BATCH_ROWS_MAX, description="So many new rows."
    )
    read: (
        Annotated[list[int | None], Field(min_length=2, max_length=2), AfterValidator(_pollable)]
        | None
    ) = Field(default=None, description="[offset, most], or [offset, null] to the end.")

    @model_validator(mode="after")
    def _one_thing(self) -> "Operation":
        if (self.append is None) == (self.read is None):
            raise ValueError("says one of append, read")
        return self


_NOT_SCRIPTED = ("rate", "batch", "read_share")


class LogOptions(Options):
    """Appends of unique rows to one table, and polls of it; or a script of both."""

    named: ClassVar[str] = "log"

    name: Literal["log"] = "log"
    batch: Batch = Field(default_factory=Batch)
    read_share: float = Field(default=0.4, ge=0, lt=1)
    cache_limit: CacheLimit = 0
    retention_minutes: int = Field(
        default=0,
        ge=0,
        le=NUMBER_MAX,
        description="How long members keep data files of old rows; 0: a day.",
    )
    ops: list[Operation] | None = Field(
        default=None, description="A script: exactly these operations, instead of chance."
    )

    @model_validator(mode="after")
    def _script_or_chance(self) -> "LogOptions":
        if self.ops is not None:
            for word in _NOT_SCRIPTED:
                if word in self.model_fields_set:
                    raise ValueError(f"`ops` says all that clients do; remove `{word}`")
        return self

    @property
    def _clients(self) -> int:
        """A script without `clients` has as many as it names."""
        if self.ops is None or "clients" in self.model_fields_set:
            return self.clients
        return 1 + max((op.client for op in self.ops), default=0)

    def planned(self) -> dict[str, Any]:
        planned = {**super().planned(), "clients": self._clients, **limited(self.cache_limit)}
        if self.retention_minutes:
            planned["retention_minutes"] = self.retention_minutes
        if self.ops is not None:
            script = [msgspec.to_builtins(op) for op in scripted(self.ops, self._clients)]
            return {**planned, "rate": 0.0, "ops": script}
        return {
            **planned,
            "batch": [self.batch.min, self.batch.max],
            "read_share": self.read_share,
        }

    def problems(self, words: Sequence[str], duration_s: float) -> Iterator[Complaint]:
        before: dict[int, float] = {}
        for number, op in enumerate(self.ops or ()):
            path = ("ops", number)
            if op.client >= self._clients:
                yield path, f"there is no client {op.client}: `clients` is {self._clients}"
            if op.at >= duration_s:
                ends = f"the run ends at {spell(duration_s)} (`duration`)"
                yield path, f"begins at {spell(op.at)}, but {ends}"
            if op.at < before.get(op.client, 0.0):
                yield path, f"client {op.client} has something later to do above; put it in order"
            if op.node is not None and op.node not in words:
                yield path, f"{op.node!r} is no member{closest(op.node, words)}"
            before[op.client] = op.at


def scripted(ops: Sequence[Operation], clients: int) -> Iterator[Scripted]:
    """The script as planned, with ids for the rows: those of `client` are its number modulo all."""
    written = [0] * max(clients, 1 + max((op.client for op in ops), default=0))
    for op in ops:
        if op.append is None:
            yield Scripted(op.client, op.at, "read", op.read, op.node)
        else:
            first = op.client + written[op.client] * clients
            written[op.client] += op.append
            rows = list(range(first, op.client + written[op.client] * clients, clients))
            yield Scripted(op.client, op.at, "append", rows, op.node)


def proofs(options: dict[str, Any]) -> Iterator[Step]:
    """Appends of one row each, with ids above all of the script's."""
    script = msgspec.convert(options.get("ops", []), list[Scripted])
    rows = [row for op in script if op.f == "append" for row in op.value]
    return (Step("append", [row]) for row in count(max(rows, default=-1) + 1))


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
            return Step("read", self._poll())
        count = self.random.randint(*self.batch)
        first = self.next_id
        self.next_id += count * self.stride
        return Step("append", list(range(first, self.next_id, self.stride)))

    def completed(self, step: Step, value: Any) -> None:
        if step.f == "append":
            self.tail.at_least(value + len(step.value))
        elif value:
            self.tail.at_least(step.value[0] + len(value))

    def _poll(self) -> list[int | None]:
        kind = self.random.random()
        rows = self.tail.rows
        if kind < _WHOLE_SHARE and rows <= _WHOLE_ROWS_MAX:
            return [0, None]
        limit = self.random.choice(_POLL_MAX)
        if kind < _WHOLE_SHARE + _ANYWHERE_SHARE:
            return [self.random.randint(0, rows), limit]
        return [max(0, rows - self.random.randint(0, _NEAR)), limit]


def generators_of(
    kind: type[LogGenerator],
) -> Callable[[dict[str, Any], int, Sequence[str]], list[Generator]]:
    """One generator of that kind a client, each with its own stream of chance."""

    def generators(options: dict[str, Any], seed: int, _: Sequence[str] = ()) -> list[Generator]:
        clients = options["clients"]
        low, high = options["batch"]
        tail = Tail()
        return [
            kind(
                random.Random(f"{seed}/client/{number}"),
                tail,
                number,
                clients,
                (low, high),
                options["read_share"],
            )
            for number in range(clients)
        ]

    return generators


def created(options: dict[str, Any]) -> tuple[Step, ...]:
    """The table, as the scenario wants it."""
    wanted = {
        word: options[word] for word in ("cache_limit", "retention_minutes") if word in options
    }
    return (Step("create", wanted or None),)


def whole(_: dict[str, Any]) -> tuple[Step, ...]:
    """All rows there are."""
    return (Step("read", [0, None]),)


def onward(_: Step, kept_from: int) -> Step:
    """All rows that retention has left."""
    return Step("read", [kept_from, None])


LOG = Workload(
    name="log",
    options=LogOptions,
    checkers=LOG_CHECKERS,
    key=TABLE,
    setup=created,
    generators=generators_of(LogGenerator),
    proof="append",
    proofs=proofs,
    final=whole,
    onward=onward,
    is_scripted=True,
)
