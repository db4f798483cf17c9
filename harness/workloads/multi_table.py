"""Many tables of one group, made, filled, looked at and dropped by all clients at once."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, ClassVar, Literal

from pydantic import Field

from ..checkers import GROUP_CHECKERS
from ..checkers.tables import TABLES
from .log import Batch
from .workload import Generator, Options, Step, Workload

_MAKE, _DROP, _SCAN = 0.08, 0.14, 0.40
"""Of the operations below the first share, a table is made; below the next, dropped; scanned. The
others append."""


class MultiTableOptions(Options):
    """Tables that come and go, each with rows of its own."""

    named: ClassVar[str] = "multi-table"

    name: Literal["multi-table"]
    tables: int = Field(default=6, ge=1, le=64, description="Names; a table may have each once.")
    batch: Batch = Field(default_factory=lambda: Batch(min=1, max=4))

    def planned(self) -> dict[str, Any]:
        batch = [self.batch.min, self.batch.max]
        return {**super().planned(), "tables": self.tables, "batch": batch}


def names(options: dict[str, Any]) -> list[str]:
    """The tables' names."""
    return [f"t{number}" for number in range(options["tables"])]


@dataclass(slots=True)
class MultiTableGenerator:
    """One client. Numbers of makings and ids of rows are its own: `client + n * clients`."""

    random: random.Random
    names: Sequence[str]
    known: dict[str, int]
    """By name the making that some client met last; all clients share it."""
    next_making: int
    next_id: int
    stride: int
    batch: tuple[int, int]

    def next(self) -> Step:
        name, kind = self.random.choice(self.names), self.random.random()
        made = self.known.get(name)
        if made is None or kind < _MAKE:
            self.next_making += self.stride
            return Step("make", self.next_making - self.stride, name)
        if kind < _DROP:
            return Step("drop", None, name)
        if kind < _SCAN:
            return Step("scan", None, name)
        first = self.next_id
        self.next_id += self.random.randint(*self.batch) * self.stride
        rows = list(range(first, self.next_id, self.stride))
        return Step("append", {"made": made, "rows": rows}, name)

    def completed(self, step: Step, value: Any) -> None:
        if step.f == "make":
            self.known[step.key] = step.value
        elif step.f == "drop" or (step.f == "scan" and value is None):
            self.known.pop(step.key, None)
        elif step.f == "scan":
            self.known[step.key] = value["made"]


def generators(options: dict[str, Any], seed: int, _: Sequence[str] = ()) -> list[Generator]:
    """One generator a client, each with its own stream of chance."""
    clients, (low, high) = options["clients"], options["batch"]
    known: dict[str, int] = {}
    return [
        MultiTableGenerator(
            random.Random(f"{seed}/client/{number}"),
            names(options),
            known,
            number,
            number,
            clients,
            (low, high),
        )
        for number in range(clients)
    ]


def proofs(_: dict[str, Any]) -> Iterator[Step]:
    """Appends to the table that is always there. Where nothing is scripted, nobody asks."""
    return (Step("append", {"made": 0, "rows": [row]}, "t0") for row in count())


def scans(options: dict[str, Any]) -> tuple[Step, ...]:
    """A look at every table."""
    return tuple(Step("scan", None, name) for name in names(options))


def listed(_: dict[str, Any]) -> tuple[Step, ...]:
    """Which tables a member has, and how many rows of each."""
    return (Step("tables", None, "all"),)


MULTI_TABLE = Workload(
    name="multi-table",
    options=MultiTableOptions,
    checkers=(TABLES.name, *GROUP_CHECKERS),
    key=None,
    setup=lambda _: (Step("create", None, "always"),),
    generators=generators,
    proof="append",
    proofs=proofs,
    final=scans,
    everywhere=listed,
)
