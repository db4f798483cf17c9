"""Producers of batches: each of several rows, all of which are in the table or none (V20)."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from ..checkers import LOG_CHECKERS
from ..checkers.batches import BATCHES
from .log import BATCH_ROWS_MAX, TABLE, Batch, LogGenerator, created, generators_of, proofs, whole
from .workload import Options, Workload


class SeveralRows(Batch):
    """How many rows one append writes: at least two, for one row has no parts."""

    min: int = Field(default=2, ge=2, le=BATCH_ROWS_MAX)
    max: int = Field(default=40, ge=2, le=BATCH_ROWS_MAX)


class BatchOptions(Options):
    """Batches of at least two rows, and reads that would show a part of one."""

    named: ClassVar[str] = "batch"

    name: Literal["batch"]
    batch: SeveralRows = Field(default_factory=SeveralRows)
    read_share: float = Field(default=0.5, ge=0, lt=1)

    def planned(self) -> dict[str, Any]:
        batch = [self.batch.min, self.batch.max]
        return {**super().planned(), "batch": batch, "read_share": self.read_share}


class BatchGenerator(LogGenerator):
    """As of `log`, with polls that would show a part of a batch."""

    def _poll(self) -> list[int | None]:
        """From about two batches before the end to the end, or a page that cuts batches."""
        largest = self.batch[1]
        start = max(0, self.tail.rows - self.random.randint(0, 2 * largest))
        if self.random.random() < 0.5:
            return [start, None]
        return [start, self.random.randint(1, 2 * largest)]


BATCH = Workload(
    name="batch",
    options=BatchOptions,
    checkers=(LOG_CHECKERS[0], BATCHES.name, *LOG_CHECKERS[1:]),
    key=TABLE,
    setup=created,
    generators=generators_of(BatchGenerator),
    proof="append",
    proofs=proofs,
    final=whole,
)
