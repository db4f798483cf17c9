"""What the clients of workload `log` do."""

from typing import Any

from delphic.harness.workloads import WORKLOADS
from delphic.harness.workloads.log import LogOptions
from delphic.harness.workloads.workload import Generator, Step

LOG = WORKLOADS["log"]


def planned(**options: Any) -> dict[str, Any]:
    return LogOptions(**options).planned()


def steps(generator: Generator, count: int) -> list[tuple[str, Any]]:
    return [(s.f, s.value) for s in (generator.next() for _ in range(count))]


def test_the_same_seed_gives_the_same_operations() -> None:
    first, again = (LOG.generators(planned(), 7) for _ in range(2))
    assert [steps(g, 200) for g in first] == [steps(g, 200) for g in again]
    assert steps(LOG.generators(planned(), 8)[0], 200) != steps(
        LOG.generators(planned(), 7)[0], 200
    )


def test_row_ids_are_unique_over_all_clients() -> None:
    generators = LOG.generators(planned(clients=5), 7)
    ids = [row for g in generators for f, value in steps(g, 500) if f == "append" for row in value]
    assert len(ids) == len(set(ids)) > 5_000


def test_batches_are_as_large_as_asked_for() -> None:
    generator = LOG.generators(planned(batch={"min": 3, "max": 5}), 7)[0]
    sizes = {len(value) for f, value in steps(generator, 500) if f == "append"}
    assert sizes == {3, 4, 5}


def test_the_share_of_reads_is_as_asked_for() -> None:
    generator = LOG.generators(planned(read_share=0.25), 7)[0]
    reads = sum(f == "read" for f, _ in steps(generator, 4_000))
    assert 900 < reads < 1_100
    generator = LOG.generators(planned(read_share=0.0), 7)[0]
    assert {f for f, _ in steps(generator, 100)} == {"append"}


def test_polls_are_near_the_end_that_any_client_has_seen() -> None:
    first, other = LOG.generators(planned(clients=2, read_share=0.9), 7)
    first.completed(Step("append", [1, 2, 3]), 997)
    polls = [value for f, value in steps(other, 2_000) if f == "read"]
    near = [start for start, _ in polls if 980 <= start <= 1000]
    assert len(near) > 0.9 * len(polls)
    assert [0, None] in polls
    assert all(0 <= start <= 1000 for start, _ in polls)


def test_a_read_that_found_rows_moves_the_end_but_never_back() -> None:
    generator = LOG.generators(planned(clients=1, read_share=0.99), 7)[0]
    generator.completed(Step("read", [100, 20]), [7] * 20)
    generator.completed(Step("read", [0, 5]), [7] * 5)
    generator.completed(Step("read", [500, 5]), [])
    starts = [value[0] for f, value in steps(generator, 300) if f == "read"]
    assert max(starts) == 120


def test_a_long_log_is_not_read_whole_again_and_again() -> None:
    generator = LOG.generators(planned(clients=1, read_share=0.99), 7)[0]
    generator.completed(Step("read", [1_000_000, 1]), [7])
    assert [0, None] not in [value for _, value in steps(generator, 2_000)]


def test_a_log_of_which_rows_may_be_gone_is_read_from_where_rows_are_kept() -> None:
    (final,) = LOG.final(planned(retention_minutes=1))
    assert final.value == [0, None]
    assert LOG.onward is not None
    assert LOG.onward(final, 120) == Step("read", [120, None])
    (created,) = LOG.setup(planned(retention_minutes=1, cache_limit=1000))
    assert created.value == {"cache_limit": 1000, "retention_minutes": 1}
