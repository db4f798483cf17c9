"""What the clients of workload `subscribe` do."""

from typing import Any

import pytest
from delphic.harness.workloads import WORKLOADS
from delphic.harness.workloads.subscribe import SubscribeOptions
from delphic.harness.workloads.workload import Generator, Step

SUBSCRIBE = WORKLOADS["subscribe"]
MEMBERS = ("n1", "n2", "n3")


def generators(**options: Any) -> list[Generator]:
    planned = SubscribeOptions(name="subscribe", **options).planned()
    return SUBSCRIBE.generators(planned, 7, MEMBERS)


def test_the_same_seed_gives_the_same_operations() -> None:
    first, again = generators(), generators()
    assert [[g.next() for _ in range(50)] for g in first] == [
        [g.next() for _ in range(50)] for g in again
    ]


def test_the_last_clients_subscribe_and_every_second_of_them_stores_its_offset() -> None:
    found = generators(clients=7, subscribers=3)
    planned = SubscribeOptions(name="subscribe", clients=7, subscribers=3).planned()
    assert list(SUBSCRIBE.roaming(planned)) == [4, 5, 6]
    assert [g.next().f == "subscribe" for g in found] == [False] * 4 + [True] * 3
    assert [g.next().value["persist"] for g in found[4:]] == [True, False, True]


def test_a_subscriber_receives_once_it_is_live_and_goes_on_from_what_it_stored() -> None:
    stores = generators(clients=2, subscribers=1, crashes=0.3, disconnects=0.3)[1]
    asked = stores.next()
    assert asked.value["offset"] in (0, -1, -3)
    stores.completed(asked, [["live", 0, "n1", 1]])
    later = [stores.next() for _ in range(100)]
    assert {step.f for step in later} == {"receive", "crash", "disconnect"}
    stores.completed(Step("crash"), [])
    assert stores.next().value["offset"] == -2


def test_a_subscription_that_ended_is_asked_for_again() -> None:
    plain = generators(clients=3, subscribers=2)[2]
    plain.completed(plain.next(), [["live", 0, "n1", 1]])
    plain.completed(Step("receive"), [["ended", "no such table"]])
    assert plain.next().f == "subscribe"


def test_somebody_must_produce() -> None:
    with pytest.raises(ValueError, match="leave no producer"):
        SubscribeOptions(name="subscribe", clients=2, subscribers=2)


def test_half_of_filtered_subscribers_choose_rows_for_the_whole_run() -> None:
    found = generators(clients=9, subscribers=4, filtered=True)[5:]
    asked = [g.next().value.get("places") for g in found]
    assert asked == [[0], None, None, [1, 2]]
    assert [g.next().value.get("places") for g in found] == asked
    assert all("places" not in g.next().value for g in generators()[4:])


def test_the_table_is_made_as_the_scenario_wants_it() -> None:
    def steps(**options: Any) -> list[tuple[str, Any]]:
        planned = SubscribeOptions(name="subscribe", **options).planned()
        return [(step.f, step.value) for step in SUBSCRIBE.setup(planned)]

    assert steps() == [("create", None)]
    assert steps(cache_limit=1000) == [("create", {"cache_limit": 1000})]
    assert steps(filtered=True) == [("create", None), ("filter", "device")]
