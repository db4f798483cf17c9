"""What the clients of workload `log-poll` do."""

from typing import Any

from delphic.harness.workloads import WORKLOADS
from delphic.harness.workloads.log_poll import LogPollOptions
from delphic.harness.workloads.workload import Generator, Step

LOG_POLL = WORKLOADS["log-poll"]
MEMBERS = ("n1", "n2", "n3")


def generators(**options: Any) -> list[Generator]:
    return LOG_POLL.generators(LogPollOptions(name="log-poll", **options).planned(), 7, MEMBERS)


def polls(generator: Generator, count: int = 600) -> list[Step]:
    return [step for step in (generator.next() for _ in range(count)) if step.f == "poll"]


def test_the_same_seed_gives_the_same_operations() -> None:
    first, again = generators(), generators()
    assert [[g.next() for _ in range(200)] for g in first] == [
        [g.next() for _ in range(200)] for g in again
    ]


def test_polls_name_a_member_and_appends_do_not() -> None:
    steps = [g.next() for g in generators(clients=3) for _ in range(300)]
    assert {step.node for step in steps if step.f == "poll"} == set(MEMBERS)
    assert {step.node for step in steps if step.f == "append"} == {None}


def test_a_client_goes_on_where_it_has_stopped_at_that_member() -> None:
    (generator,) = generators(clients=1)
    generator.completed(Step("poll", [90, 20], node="n2"), [7] * 10)
    starts = {
        member: [p.value[0] for p in polls(generator) if p.node == member] for member in MEMBERS
    }
    assert starts["n2"].count(100) > 40
    assert starts["n1"].count(0) > 40


def test_every_member_is_polled_in_the_end() -> None:
    assert LOG_POLL.everywhere({}) == (Step("poll", [0, None]),)
