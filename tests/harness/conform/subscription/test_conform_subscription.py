"""Brokers and subscribers make the model's steps; mistakes in them are seen without a network."""

from collections.abc import Callable

import pytest
from delphic.harness.conform.binding import Bounds, Conformance
from delphic.harness.conform.subscription.bind import SMALL, SubscriptionBinding
from delphic.impl.bugs import BUGS
from delphic.impl.client.cursor import Cursor
from delphic.impl.client.errors import OVERLOADED, RequestError
from delphic.impl.stream.broker import Ask, Broker, Subscription
from delphic.impl.wire import Rows

SUBSCRIPTION = SubscriptionBinding()
LEAST = SMALL[-1]
FEW = Bounds.of("one connection", terms=1, rows=2, crashes=0, connections=1)
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
@pytest.mark.parametrize("misses", [-1, 1])
def test_rows_that_are_not_the_next_ones_must_be_refused(
    misses: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cursor that takes rows twice, or with a gap before them: no frame of the model shows it."""
    takes = Cursor.take

    def lax(self: Cursor, rows: Rows, leader: str) -> None:
        if self._next is not None and rows.offset == self._next + misses:
            self._next = rows.offset
        takes(self, rows, leader)

    monkeypatch.setattr(Cursor, "take", lax)
    found = conform()
    assert not found.conforms
    assert found.divergences[0].field.startswith("rows that are not row")


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
    assert ("publish", "rows sent") in SUBSCRIPTION.conform(LEAST).diverged


_publish, _end = Broker._publish, Broker._end


def _stays(self: Broker, found: Subscription) -> None:
    before = found.next
    _publish(self, found)
    found.next = before


def _leaves_a_row_out(self: Broker, found: Subscription) -> None:
    before = found.next
    _publish(self, found)
    found.next += found.next != before


def _has_room_for_ever(self: Broker, found: Subscription) -> None:
    before = found.room
    _publish(self, found)
    found.room = before


def _says_something_else(self: Broker, found: Subscription, error: RequestError) -> None:
    _end(self, found, RequestError("Whatever", error.definite, error.message))


def _leaves_one_out(self: Broker, link: object, ask: Ask, term: int) -> object:
    started = _subscribe(self, link, ask, term)  # type: ignore[arg-type]
    self._topics[ask.table, ask.action].next += 1
    return started


def _refuses(self: Broker, link: object, ask: Ask, term: int) -> object:
    if ask.offset > 0:
        raise RequestError(OVERLOADED, True, "no")
    return _subscribe(self, link, ask, term)  # type: ignore[arg-type]


def _fails(self: Broker, link: object, ask: Ask, term: int) -> object:
    raise AssertionError("a mistake")


_subscribe = Broker.subscribe


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "mistake", "divergence"),
    [
        ("_publish", _stays, ("publish", "positions")),
        ("_publish", _leaves_a_row_out, ("publish", "positions")),
        ("_publish", _has_room_for_ever, ("publish", "room")),
        ("_end", _says_something_else, ("stepdown", "connections told")),
        ("subscribe", _leaves_one_out, ("publish", "positions at first")),
        ("subscribe", _refuses, ("publish", "refusal")),
        ("subscribe", _fails, ("publish", "assertion")),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_where_a_publish_leaves_a_subscription_is_compared(
    name: str,
    mistake: Callable[..., object],
    divergence: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Promises HS-12 to HS-14: the same rows again, rows left out, more than there is room for."""
    assert SUBSCRIPTION.conform(FEW).conforms
    monkeypatch.setattr(Broker, name, mistake)
    assert divergence in SUBSCRIPTION.conform(FEW).diverged
