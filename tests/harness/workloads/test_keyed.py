"""What the clients of workload `keyed` do."""

from typing import Any

from delphic.harness.workloads import WORKLOADS
from delphic.harness.workloads.keyed import KeyedOptions
from delphic.harness.workloads.log import Batch
from delphic.harness.workloads.workload import Generator, Step

KEYED = WORKLOADS["keyed"]


def generators(**options: Any) -> list[Generator]:
    return KEYED.generators(KeyedOptions(name="keyed", **options).planned(), 7, ("n1",))


def test_what_was_not_answered_is_sent_again() -> None:
    (generator,) = generators(clients=1, read_share=0.0)
    first = generator.next()
    assert [generator.next() for _ in range(5)] == [first] * 5
    generator.completed(first, [0, len(first.value)])
    assert generator.next() != first


def test_what_was_answered_is_sent_again_by_others_too_now_and_then() -> None:
    one, other = generators(clients=2, read_share=0.0, again_share=0.9)
    first = one.next()
    one.completed(first, [0, len(first.value)])
    sent = []
    for _ in range(50):
        step = other.next()
        other.completed(step, [-1, 0])
        sent.append(step.value)
    assert any(set(first.value) & set(rows) for rows in sent)
    assert all(len(set(rows)) == len(rows) for rows in sent)


def test_no_batch_outgrows_what_a_connection_can_make() -> None:
    batch = Batch(min=4000, max=8000)
    (generator,) = generators(clients=1, read_share=0.0, again_share=0.9, batch=batch)
    sizes = []
    for _ in range(60):
        step = generator.next()
        generator.completed(step, [0, 1])
        sizes.append(len(step.value))
    assert max(sizes) == 10_000
    assert min(sizes) >= 4000


def test_reads_are_near_the_end() -> None:
    (generator,) = generators(clients=1, read_share=0.9)
    generator.completed(Step("append", [5]), [99, 1])
    reads = [step.value for step in (generator.next() for _ in range(9)) if step.f == "read"]
    assert reads
    assert all(80 <= start <= 100 and limit is None for start, limit in reads)
