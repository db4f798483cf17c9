"""Producers of batches: each of several rows, all of which are in the table or none (V20)."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pydantic import Field

from ..checkers import LOG_CHECKERS
from ..checkers.batches import BATCHES
from .log import TABLE, Batch, Tail, proofs, whole
from .workload import Generator, Options, Step, Workload


class BatchOptions(Options):
    """Batches of at least two rows, and reads that would show a part of one."""

    named: ClassVar[str] = "batch"

    name: Literal["batch"]
    batch: Batch = Field(default_factory=lambda: Batch(min=2, max=40))
    read_share: float = Field(default=0.5, ge=0, lt=1)

    def planned(self) -> dict[str, Any]:
        batch = [self.batch.min, self.batch.max]
        return {**super().planned(), "batch": batch, "read_share": self.read_share}


@dataclass(slots=True)
class BatchGenerator:
    """One client's batches and reads. Its row ids are `client + n * clients`: unique in the run."""

    random: random.Random
    tail: Tail
    next_id: int
    stride: int
    batch: tuple[int, int]
    read_share: float

    def next(self) -> Step:
        if self.random.random() < self.read_share:
            return Step("read", self._read())
        first = self.next_id
        self.next_id += self.random.randint(*self.batch) * self.stride
        return Step("append", list(range(first, self.next_id, self.stride)))

    def completed(self, step: Step, value: Any) -> None:
        if step.f == "append":
            self.tail.at_least(value + len(step.value))
        elif value:
            self.tail.at_least(step.value[0] + len(value))

    def _read(self) -> list[int | None]:
        """From about two batches before the end to the end, or a page that cuts batches."""
        largest = self.batch[1]
        start = max(0, self.tail.rows - self.random.randint(0, 2 * largest))
        if self.random.random() < 0.5:
            return [start, None]
        return [start, self.random.randint(1, 2 * largest)]


def generators(options: dict[str, Any], seed: int, _: Sequence[str] = ()) -> list[Generator]:
    """One generator a client, each with its own stream of chance."""
    clients, (low, high) = options["clients"], options["batch"]
    tail = Tail()
    return [
        BatchGenerator(
            random.Random(f"{seed}/client/{number}"),
            tail,
            number,
            clients,
            (low, high),
            options["read_share"],
        )
        for number in range(clients)
    ]


BATCH = Workload(
    name="batch",
    options=BatchOptions,
    checkers=(LOG_CHECKERS[0], BATCHES.name, *LOG_CHECKERS[1:]),
    key=TABLE,
    setup=(Step("create"),),
    generators=generators,
    proof="append",
    proofs=proofs,
    final=whole,
)
