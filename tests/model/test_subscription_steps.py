"""A group as a publisher, a subscriber, and the ledger that follows it, step by step."""

from typing import Any

import pytest
from delphic.model.actor import Broken, Receive, Step
from delphic.model.properties.subscription import Account, Ledger
from delphic.model.subscription import Subscriber
from delphic.model.subscription_group import is_dead
from delphic.model.subscription_publisher import Publisher
from delphic.model.subscription_rules import (
    Beyond,
    Closing,
    Missing,
    Offset,
    Options,
    Purged,
    Resume,
    Stored,
    Topic,
    begins,
    wanted,
)
from delphic.model.subscription_types import (
    NOBODY,
    Commit,
    Drop,
    Elect,
    Frame,
    Gone,
    Group,
    Kill,
    Note,
    NotLeader,
    Own,
    Phase,
    Publish,
    Purge,
    State,
    StepDown,
    Subscribe,
    Subscribed,
    What,
    Write,
    has_drop,
)

# What is asked for, and where that begins.


def subscriber(**fields: Any) -> State:
    return Subscriber(Options()).initial(1)._replace(**fields)


@pytest.mark.parametrize(
    ("options", "state", "offset"),
    [
        (Options(), {}, 0),
        (Options(offset=Offset.EARLIEST), {}, -3),
        (Options(), {"next": 2}, 2),
        (Options(offset=Offset.LATEST, resume=Resume.ASKED), {"next": 2}, -1),
        (Options(), {"ran": True, "stored": (1,)}, 2),
        (Options(), {"stored": (1,)}, 0),
        (Options(stored=Stored.SAME), {"ran": True, "stored": (1,)}, 1),
        (Options(stored=Stored.IGNORED), {"ran": True, "stored": (1,)}, -1),
        (Options(persist=False), {"ran": True, "stored": (1,)}, 0),
        (Options(), {"ran": True}, 0),
        (Options(missing=Missing.LATEST), {"ran": True}, -1),
        (Options(offset=Offset.STORED), {"stored": (1,)}, 2),
        (Options(offset=Offset.STORED), {}, None),
        (Options(topic=Topic.NODE), {"ran": True, "stored": (1, None), "site": 1}, 0),
    ],
)
def test_what_a_subscriber_asks_for(
    options: Options, state: dict[str, Any], offset: int | None
) -> None:
    """V9, V10, V18: −2 is behind the stored row of the group's topic, an error without one."""
    assert wanted(options, subscriber(**state)) == offset


@pytest.mark.parametrize(
    ("options", "offset", "start"),
    [
        (Options(), -1, 4),
        (Options(), -3, 2),
        (Options(), 3, 3),
        (Options(), 9, 9),
        (Options(), 1, None),
        (Options(beyond=Beyond.REFUSED), 9, None),
        (Options(purged=Purged.MOVED), 1, 2),
    ],
)
def test_where_a_leader_begins(options: Options, offset: int, start: int | None) -> None:
    """It knows of 4 rows, of which the first 2 are purged."""
    assert begins(options, offset, known=4, earliest=2) == start


# The group.


def after(group: Group, *events: Any, options: Options | None = None) -> Step:
    """The last of these events, each after the one before."""
    publisher = Publisher(options or Options())
    step = Step(group)
    for event in events:
        found = publisher.step(step.state, event)  # type: ignore[arg-type]
        assert found is not None, event
        step = found
    return step


FIRST = Publisher(Options()).initial(0)


def asks(member: int, connection: int = 1, offset: int = 0) -> Receive:
    return Receive(Subscribe(1, 0, member, connection, offset))


def test_a_follower_names_the_leader_and_itself_where_there_is_none() -> None:
    """HS-7."""
    assert after(FIRST, asks(1)).sends == (NotLeader(0, 1, 1, 0, site=0),)
    assert after(FIRST, StepDown(0), asks(1)).sends == (NotLeader(0, 1, 1, 0, site=1),)


def test_a_leader_publishes_what_it_knows_to_be_committed_and_no_more() -> None:
    """HS-12."""
    step = after(FIRST, Write(0), Write(0), Commit(0), asks(0), Publish(0, 1))
    assert step.sends == (Frame(0, 1, 1, 1, 0, (1,)),)
    assert Publisher(Options()).step(step.state, Publish(0, 1)) is None  # type: ignore[arg-type]


def test_a_step_down_closes_all_subscriptions() -> None:
    """HS-8."""
    group: Any = after(FIRST, asks(0), StepDown(0)).state
    assert group.leader == NOBODY
    assert not any(seat.subscriptions for seat in group.seats)
    left: Any = after(FIRST, asks(0), StepDown(0), options=Options(closing=Closing.NONE)).state
    assert left.seats[0].subscriptions


def test_a_deposed_leader_keeps_its_log_and_its_rows_are_never_committed() -> None:
    group: Any = after(FIRST, Write(0), Elect(1, 0, 0), Write(1), Write(0)).state
    assert group.log == (2,)
    assert group.seats[0].log == (1, 1)
    assert Publisher(Options()).step(group, Commit(0)) is None


def test_a_subscription_of_an_older_connection_is_not_taken() -> None:
    group: Any = after(FIRST, asks(0, connection=2)).state
    assert Publisher(Options()).step(group, asks(0, connection=1)) is None


def test_a_subscription_that_retention_overtakes_is_closed_and_its_offset_is_gone() -> None:
    """B12."""
    options = Options(purges=1)
    step = after(FIRST, Write(0), Commit(0), asks(0), Purge(), Publish(0, 1), options=options)
    assert step.sends == ()
    assert after(step.state, asks(0, 2), options=options).sends == (Gone(0, 1, 2, 0, 0),)  # type: ignore[arg-type]


def test_a_table_with_a_subscription_is_not_dropped() -> None:
    """HS-17."""
    subscribed = after(FIRST, asks(0))
    assert after(subscribed.state, Drop(0)) == Step(subscribed.state)  # type: ignore[arg-type]
    dropped: Any = after(FIRST, Write(0), Drop(0)).state
    assert dropped.log == (1, -1)
    assert has_drop(dropped.log)
    for event in (Write(0), Drop(0)):
        assert Publisher(Options()).step(dropped, event) is None


def test_while_a_drop_is_under_way_no_subscription_begins_and_then_the_table_is_gone() -> None:
    """V14: also not with a new leader that has yet to apply it."""
    dropped = after(FIRST, Write(0), Drop(0), asks(0))
    assert dropped.sends == ()
    committed: Any = after(dropped.state, Commit(0), Commit(0)).state  # type: ignore[arg-type]
    gone = after(committed, asks(0, 2))
    assert gone.sends == (Gone(0, 1, 2, 0, 0),)
    assert after(committed, Elect(1, 2, 1), asks(1, 2)).sends == ()
    assert after(FIRST, Drop(0), Elect(1, 0, 0), asks(1)).sends != ()


# A subscriber.


def follow(state: State, *events: Any, options: Options | None = None) -> State:
    found: Any = state
    for event in events:
        step = Subscriber(options or Options()).step(found, event)
        assert step is not None, event
        found = step.state
    return found  # type: ignore[no-any-return]


def frame(number: int, offset: int, rows: int = 1, connection: int = 1) -> Receive:
    return Receive(Frame(0, 1, connection, number, offset, (1,) * rows))


LIVE = follow(subscriber(), Own.TRY, Receive(Subscribed(0, 1, 1, 0, offset=0, start=0)))


def test_a_connection_brings_its_messages_in_their_order_and_once() -> None:
    actor = Subscriber(Options())
    assert actor.step(LIVE, frame(2, 1)) is None
    taken = follow(LIVE, frame(1, 0))
    assert actor.step(taken, frame(1, 0)) is None
    assert actor.step(taken, frame(2, 1, connection=7)) is None
    assert follow(taken, frame(2, 1)).queue == (0, 1)


def test_a_batch_is_a_threshold_and_not_a_cut() -> None:
    """B15."""
    options = Options(batch=2)
    few, more = follow(LIVE, frame(1, 0)), follow(LIVE, frame(1, 0), frame(2, 1, rows=2))
    assert Subscriber(options).step(few, Own.HANDLE) is None
    assert follow(few, Own.THROTTLE, options=options).due == 0
    assert follow(more, Own.HANDLE, options=options)[6:8] == ((), 2)


def test_after_a_failure_nothing_is_recorded_until_the_rows_come_again() -> None:
    """V21, HS-14."""
    failed = follow(LIVE, frame(1, 0), Own.FAIL, frame(2, 1), Own.HANDLE)
    assert (failed.held, failed.due, failed.stored) == (0, None, (-1,))
    again = follow(failed, Own.LOSE)
    assert (again.held, again.next, again.queue) == (None, 0, ())


def test_a_crash_leaves_what_is_stored_and_unsubscribing_may_not() -> None:
    """HS-14."""
    recorded = follow(LIVE, frame(1, 0), Own.HANDLE, Own.RECORD, frame(2, 1))
    for event, stored in ((Own.CRASH, (0,)), (Own.KEEP, (0,)), (Own.REMOVE, (None,))):
        left = follow(recorded, event)
        assert (left.phase, left.next, left.queue) == (Phase.SEEKING, None, ())
        assert left.stored == stored


def test_a_connection_is_dead_when_what_comes_next_neither_is_on_its_way_nor_will_be() -> None:
    asked = follow(subscriber(), Own.TRY)
    request = Subscribe(1, 0, 0, 1, 0)
    heard: Any = after(FIRST, Receive(request)).state
    answer = Subscribed(0, 1, 1, 0, 0, 0)
    down: Any = after(FIRST, Kill(0)).state
    assert not is_dead(FIRST, asked, (request,))
    assert is_dead(FIRST, asked, ())
    assert is_dead(down, asked, (request,))
    assert not is_dead(heard, asked, (answer,))
    assert is_dead(heard, asked, ())
    assert not is_dead(heard, LIVE, ())
    assert is_dead(FIRST, LIVE, ())


# The ledger.


def told(*notes: tuple[What, int, int], options: Options | None = None) -> Account | Broken:
    ledger = Ledger(options or Options(), 1)
    account: Account | Broken = ledger.initial()
    for what, offset, count in notes:
        assert isinstance(account, Account)
        account = ledger.observe(account, Note(1, what, offset, count))
    return account


BEGUN = (What.LIVE, 0, 0)
TOOK = (What.TAKEN, 0, 2)
DID = (What.HANDLED, 0, 1)
FELL = (What.CRASHED, 0, 0)
LOST = (What.LOST, 0, 0)


@pytest.mark.parametrize(
    ("notes", "broken"),
    [
        ((BEGUN, (What.TAKEN, 1, 1)), "rows-in-order"),
        ((BEGUN, TOOK, LOST, (What.LIVE, 3, 0)), "no-row-skipped"),
        ((BEGUN, TOOK, FELL, (What.LIVE, 1, 0)), "restart-skips-nothing"),
        ((BEGUN, TOOK, (What.KEPT, 0, 0), (What.LIVE, 1, 0)), "restart-skips-nothing"),
        ((BEGUN, TOOK, DID, (What.RECORDED, 1, 0)), "recorded-is-processed"),
        ((BEGUN, TOOK, DID, DID), "repeats-have-a-failure"),
        ((BEGUN, TOOK, DID, (What.RECORDED, 0, 0), FELL, BEGUN, DID), "repeats-have-a-failure"),
    ],
)
def test_the_ledger_finds(notes: tuple[tuple[What, int, int], ...], broken: str) -> None:
    """HS-13, HS-14."""
    found = told(*notes)
    assert isinstance(found, Broken)
    assert found.property == broken


@pytest.mark.parametrize(
    "notes",
    [
        (BEGUN, TOOK, LOST, (What.LIVE, 0, 0), TOOK),
        (BEGUN, TOOK, LOST, (What.LIVE, 2, 0), (What.TAKEN, 2, 1)),
        (BEGUN, TOOK, DID, FELL, BEGUN, TOOK, DID),
        (BEGUN, TOOK, (What.REMOVED, 0, 0), (What.LIVE, 5, 0)),
        (BEGUN, TOOK, (What.HANDLED, 1, 1), DID, (What.RECORDED, 1, 0)),
    ],
    ids=["repeated", "resumed", "in the window", "a new subscription", "out of order"],
)
def test_the_ledger_lets_pass(notes: tuple[tuple[What, int, int], ...]) -> None:
    assert isinstance(told(*notes), Account)


def test_without_a_stored_offset_a_promise_ends_with_its_process() -> None:
    ends = told(BEGUN, TOOK, FELL, (What.LIVE, 5, 0), options=Options(persist=False))
    assert isinstance(ends, Account)
    assert ends.start == 5


def test_the_ledger_of_one_subscriber_hears_of_no_other() -> None:
    ledger = Ledger(Options(), 1)
    assert ledger.observe(ledger.initial(), Note(2, What.LIVE, 3)) == ledger.initial()
