"""Brokers and subscribers make the model's steps; mistakes in them are seen without a network."""

import pytest
from delphic.harness.conform.binding import Bounds, Conformance
from delphic.harness.conform.subscription.bind import SMALL, SubscriptionBinding
from delphic.impl.bugs import BUGS
from delphic.impl.client.cursor import Cursor
from delphic.impl.stream.broker import Broker

SUBSCRIPTION = SubscriptionBinding()
LEAST = SMALL[-1]
DROPPED = Bounds.of("a table that is dropped", rows=1, terms=1, crashes=0, drops=1)


def conform(bugs: frozenset[str] = frozenset(), bounds: Bounds = LEAST) -> Conformance:
    return SUBSCRIPTION.conform(bounds, bugs=bugs, first=True)


@pytest.mark.slow
@pytest.mark.parametrize("bounds", SMALL, ids=lambda bounds: bounds.title)
def test_both_sides_make_the_models_steps(bounds: Bounds) -> None:
    """Promises HS-8, HS-12, HS-13 and HS-14: what holds in the model's states holds here."""
    found = SUBSCRIPTION.conform(bounds)
    assert found.conforms, found.divergences[0]
    assert found.cores > found.pairs.total() > 500
    assert found.pairs.keys() >= {"try", "receive subscribed", "receive frame", "handle", "publish"}
    assert not found.pairs.keys() & {"fail", "kill", "elect"}


@pytest.mark.slow
@pytest.mark.parametrize("bug", sorted(SUBSCRIPTION.bugs))
def test_a_seeded_bug_diverges_with_no_cluster_started(bug: str) -> None:
    assert bug in BUGS
    assert not conform(frozenset({bug})).conforms


@pytest.mark.slow
def test_a_start_that_is_not_recorded_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise HS-14."""
    live = Cursor.live

    def forgets(self: Cursor, start: int) -> None:
        live(self, start)

    monkeypatch.setattr(Cursor, "live", forgets)
    (first, *_) = conform().divergences
    assert (first.event, first.field, first.expected) == ("receive subscribed", "to record", -1)


@pytest.mark.slow
def test_a_drop_makes_the_models_steps() -> None:
    """Promise HS-17."""
    found = SUBSCRIPTION.conform(DROPPED)
    assert found.conforms, found.divergences[0]
    assert found.pairs["drop"] >= 10


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mistaken", "fields"),
    [
        ("refuse_subscribed", {("drop", "refusal")}),
        ("fence", {("drop", "refusal of a subscription"), ("receive subscribe", "positions")}),
    ],
)
def test_a_drop_that_asks_less_is_seen(
    mistaken: str, fields: set[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Promise HS-17: nobody looks at the subscriptions, or one may begin while it is under way."""
    monkeypatch.setattr(Broker, mistaken, lambda self, table: None)
    found = SUBSCRIPTION.conform(DROPPED)
    assert {(each.event, each.field) for each in found.divergences} >= fields


@pytest.mark.slow
def test_a_leader_that_sends_more_than_there_is_room_for_is_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    publish = Broker.credit

    def twice(self: Broker, link: object, subscription: int, frames: int) -> None:
        publish(self, link, subscription, frames + 1)  # type: ignore[arg-type]

    monkeypatch.setattr(Broker, "credit", twice)
    (first, *_) = conform().divergences
    assert (first.event, first.field) == ("publish", "rows sent")
