"""What the clients of workload `batch` do."""

from typing import Any

from delphic.harness.workloads import WORKLOADS
from delphic.harness.workloads.batch import BatchOptions
from delphic.harness.workloads.workload import Generator, Step

BATCH = WORKLOADS["batch"]


def generators(**options: Any) -> list[Generator]:
    return BATCH.generators(BatchOptions(name="batch", **options).planned(), 7, ("n1", "n2", "n3"))


def test_the_same_seed_gives_the_same_operations() -> None:
    first, again = generators(), generators()
    assert [[g.next() for _ in range(200)] for g in first] == [
        [g.next() for _ in range(200)] for g in again
    ]


def test_batches_have_several_rows_that_nobody_else_appends() -> None:
    steps = [g.next() for g in generators(clients=4) for _ in range(300)]
    batches = [step.value for step in steps if step.f == "append"]
    rows = [row for batch in batches for row in batch]
    assert min(map(len, batches)) == 2
    assert max(map(len, batches)) == 40
    assert len(rows) == len(set(rows))


def test_reads_end_where_the_table_ends_or_anywhere_in_a_batch() -> None:
    (generator,) = generators(clients=1, read_share=0.99)
    generator.completed(Step("append", [1, 2, 3]), 997)
    reads = [step.value for step in (generator.next() for _ in range(500)) if step.f == "read"]
    assert all(920 <= start <= 1000 for start, _ in reads)
    assert {limit is None for _, limit in reads} == {True, False}
