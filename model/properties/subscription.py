"""What subscribers are promised: HS-8, HS-12, HS-13, HS-14, HS-15, HS-24.

Some promises span breaks, crashes and restarts: for these a ledger follows each subscriber.
"""

from typing import Any, NamedTuple

from ..actor import Broken, Kind, Property, Receive, Scope, Step
from ..subscription_rules import Options
from ..subscription_types import (
    EARLIEST,
    LATEST,
    NOBODY,
    Drop,
    Elect,
    Frame,
    Gone,
    Group,
    Note,
    NotLeader,
    Own,
    Phase,
    Role,
    State,
    StepDown,
    Subscribe,
    Subscribed,
    What,
    has_drop,
)

IN_ORDER = Property("rows-in-order", Kind.ALWAYS, Scope.OBSERVER, None, ("HS-13",), "S4 §3.2")
NO_GAP = Property("no-row-skipped", Kind.ALWAYS, Scope.OBSERVER, None, ("HS-13",), "S4 §3.2")
RESTARTS = Property("restart-skips-nothing", Kind.ALWAYS, Scope.OBSERVER, None, ("HS-14",), "S4 §4")
RECORDED = Property("recorded-is-processed", Kind.ALWAYS, Scope.OBSERVER, None, ("HS-14",), "S4 §4")
REPEATS = Property("repeats-have-a-failure", Kind.ALWAYS, Scope.OBSERVER, None, ("HS-14",), "S4 §4")


class Account(NamedTuple):
    """What a subscriber was promised, and got. Rows are named by the one behind the last.

    `start`: where its subscription began; None: it has none. `need`: the next row that it may not
    miss. `at`: the next of the current subscription. `done`: all before it are processed; `ahead`:
    rows processed behind that. `recorded`: all before it are recorded. `since`: all before it were
    processed since anything failed. `fresh`: it has restarted and is not yet subscribed.
    """

    start: int | None = None
    need: int = 0
    at: int = 0
    done: int = 0
    ahead: frozenset[int] = frozenset()
    recorded: int = 0
    since: int = 0
    fresh: bool = False


class Ledger:
    """Follows one subscriber by its notes."""

    def __init__(self, options: Options, subscriber: int) -> None:
        self.name = f"ledger of subscriber {subscriber}"
        self.options = options
        self.subscriber = subscriber

    def initial(self) -> Account:
        return Account()

    def observe(self, a: Account, note: Note) -> Account | Broken:
        if note.subscriber != self.subscriber:
            return a
        match note.what:
            case What.LIVE:
                return self._live(a, note.offset)
            case What.TAKEN:
                return self._taken(a, note)
            case What.HANDLED:
                return self._handled(a, note)
            case What.RECORDED:
                return self._recorded(a, note.offset)
            case What.FAILED | What.LOST:
                return a._replace(since=0)
            case What.CRASHED | What.KEPT if self.options.persist:
                return a._replace(need=a.done, at=0, since=0, fresh=a.start is not None)
        return Account()

    def _live(self, a: Account, start: int) -> Account | Broken:
        """The subscription begins, or goes on: not behind a row that it needs."""
        if a.start is None:
            return Account(start, start, start, start)
        if start > a.need:
            name = RESTARTS.name if a.fresh else NO_GAP.name
            return Broken(name, f"Row {a.need} is skipped.")
        return a._replace(at=start, fresh=False)

    def _taken(self, a: Account, note: Note) -> Account | Broken:
        if note.offset != a.at:
            return Broken(IN_ORDER.name, f"Row {note.offset} comes where {a.at} is next.")
        at = a.at + note.count
        return a._replace(at=at, need=max(a.need, at))

    def _handled(self, a: Account, note: Note) -> Account | Broken:
        for row in range(note.offset, note.offset + note.count):
            known = row < a.done or row in a.ahead
            if self.options.persist and known and row < max(a.recorded, a.since):
                why = "recorded" if row < a.recorded else "processed, and nothing failed since"
                return Broken(REPEATS.name, f"Row {row} is processed again; it was {why}.")
            ahead = set(a.ahead) | ({row} if row >= a.done else set())
            done = a.done
            while done in ahead:
                ahead.remove(done)
                done += 1
            a = a._replace(done=done, ahead=frozenset(ahead), since=row + 1)
        return a

    def _recorded(self, a: Account, offset: int) -> Account | Broken:
        if offset + 1 > a.done:
            return Broken(RECORDED.name, f"Row {a.done} is not processed.")
        return a._replace(recorded=max(a.recorded, offset + 1))


def only_leaders_publish(locals_: tuple[Any, ...]) -> bool:
    """HS-8: "once a node is follower it publishes nothing for that group: all its subscriptions
    for all tables of the group are closed"."""
    group: Group = locals_[0]
    return all(
        seat.role is Role.LEADER or all(each.mute for each in seat.subscriptions)
        for seat in group.seats
    )


def published_rows_are_committed(message: Any, before: Group, after: Group) -> bool:
    """HS-12: published ⊆ committed; "subscribers receive only rows that remain in the table"."""
    if not isinstance(message, Frame):
        return True
    return message.rows == after.log[: after.committed][message.offset :][: len(message.rows)]


def starts_where_asked(message: Any, before: Group, after: Group) -> bool:
    """HS-13, B10: who starts at offset o receives row o first, or is told that it is not there.

    −1 is behind the last row that the leader knows to be committed, −3 the first that is left.
    """
    if not isinstance(message, Subscribed):
        return True
    if message.offset == LATEST:
        (known,) = (
            seat.known
            for seat in after.seats
            for each in seat.subscriptions
            if each.subscriber == message.dst
        )
        return message.start == known
    return message.start == (after.earliest if message.offset == EARLIEST else message.offset)


def dropped_is_unsubscribed(locals_: tuple[Any, ...]) -> bool:
    """HS-17: "succeeds only when the table has no subscription", of those that the leader has.

    A deposed leader does not know of the drop; its subscriptions end when it steps down (V14).
    """
    group: Group = locals_[0]
    is_dropped = has_drop(group.log[: group.committed])
    return not is_dropped or group.leader == NOBODY or not group.seats[group.leader].subscriptions


def receives_everything(locals_: tuple[Any, ...]) -> bool:
    """HS-24: every committed row is received, but by those whom retention or a drop has overtaken.

    A program that asks for −2 and has no stored offset is refused.
    """
    group: Group = locals_[0]
    return group.committed == len(group.log) and all(_has_all(group, s) for s in locals_[1:])


def _has_all(group: Group, s: State) -> bool:
    if has_drop(group.log):
        return s.phase in (Phase.GONE, Phase.REFUSED)
    if s.phase is Phase.GONE:
        return s.next is not None and s.next < group.earliest
    received = s.phase is Phase.LIVE and s.next is not None and s.next >= group.committed
    return received or s.phase is Phase.REFUSED


def processes_everything(locals_: tuple[Any, ...]) -> bool:
    """HS-14: every row received is processed and recorded; what its handler failed on is held."""
    return receives_everything(locals_) and all(_is_done(s) for s in locals_[1:])


def _is_done(s: State) -> bool:
    """Nothing waits, and no row that was received was left out."""
    left_out = s.phase is Phase.LIVE and s.held is None and s.handled < (s.next or 0)
    return not s.queue and s.due is None and not left_out


RECEIVES = Property(
    "every row is received", Kind.EVENTUALLY, Scope.TUPLE, receives_everything, ("HS-24",),
    "S4 §1, §3.2",
)  # fmt: skip
PROCESSES = Property(
    "every row is processed", Kind.EVENTUALLY, Scope.TUPLE, processes_everything, ("HS-14",),
    "S4 §4",
)  # fmt: skip


def properties(options: Options) -> tuple[Property, ...]:
    """The promises, and what must be reachable within these bounds."""
    found = [
        Property(
            "only-leaders-publish", Kind.ALWAYS, Scope.TUPLE, only_leaders_publish, ("HS-8",),
            "S4 §1, §3.2",
        ),
        Property(
            "published-rows-are-committed", Kind.ALWAYS, Scope.MESSAGE,
            published_rows_are_committed, ("HS-12",), "V2",
        ),
        Property(
            "starts-where-asked", Kind.ALWAYS, Scope.MESSAGE, starts_where_asked, ("HS-13",), "B12"
        ),
        IN_ORDER,
        NO_GAP,
    ]  # fmt: skip
    if options.drops:
        found.append(
            Property(
                "dropped-is-unsubscribed", Kind.ALWAYS, Scope.TUPLE, dropped_is_unsubscribed,
                ("HS-17",), "S4 §2.5, V14",
            )
        )  # fmt: skip
    if options.persist:
        found += [REPEATS, RESTARTS, RECORDED]
    return (*found, *_sometimes(options), RECEIVES, PROCESSES)


def _sometimes(options: Options) -> list[Property]:
    several, again = options.terms > 1, options.connections > 1
    drops = options.subscribes and options.drops > 0
    restarts = again and options.persist and options.crashes > 0
    gets = options.receives and options.rows >= options.batch
    beyond = gets and several and again
    wanted: list[tuple[str, bool, Any, tuple[str, ...]]] = [
        ("a row is handled", gets, handles, ()),
        ("a row is processed twice", gets and restarts, processed_twice, ("HS-15",)),
        ("a restart goes on behind what was recorded", gets and restarts, goes_on, ()),
        ("a step-down ends a subscription", options.subscribes, ends_one, ()),
        ("a subscriber is redirected", options.subscribes and several, redirected, ()),
        ("an uncommitted row is dropped", several, drops_a_row, ()),
        ("a subscription begins beyond what is known", beyond, begins_beyond, ()),
        ("a purged offset is refused", gets and options.purges > 0, is_gone, ()),
        ("a drop is refused", drops, refuses_drop, ("HS-17",)),
        ("a dropped table is refused", drops, is_dropped, ("HS-17",)),
        ("a subscription waits for a drop", drops, waits_for_drop, ()),
        ("a drop under a deposed leader", drops and several, drops_under, ()),
    ]
    return [
        Property(name, Kind.SOMETIMES, Scope.STEP, holds, ids)
        for name, asked, holds, ids in wanted
        if asked
    ]


def handles(s: Any, event: Any, step: Step) -> bool:
    """The handler of a subscriber succeeds."""
    return event is Own.HANDLE


def processed_twice(s: Any, event: Any, step: Step) -> bool:
    """HS-15: with persistOffset there is an execution in which a row is processed twice."""
    return event is Own.HANDLE and s.queue[0] < s.handled


def ends_one(s: Any, event: Any, step: Step) -> bool:
    """A leader that steps down had a subscription."""
    return isinstance(event, StepDown) and bool(s.seats[event.member].subscriptions)


def redirected(s: Any, event: Any, step: Step) -> bool:
    """HS-7: a follower names the leader."""
    return any(isinstance(m, NotLeader) and m.site == s.leader for m in step.sends)


def drops_a_row(s: Any, event: Any, step: Step) -> bool:
    """An election leaves a row out that a deposed leader logged."""
    return isinstance(event, Elect) and event.keep < len(s.log)


def begins_beyond(s: Any, event: Any, step: Step) -> bool:
    """A new leader is asked for more than it knows to be committed."""
    if not isinstance(event, Receive) or not isinstance(event.message, Subscribe):
        return False
    answered = any(isinstance(m, Subscribed) for m in step.sends)
    return answered and event.message.offset > s.seats[event.message.member].known


def goes_on(s: Any, event: Any, step: Step) -> bool:
    """A restarted subscriber asks for more than the first row."""
    return event is Own.TRY and s.next is None and any(m.offset > 0 for m in step.sends)


def is_gone(s: Any, event: Any, step: Step) -> bool:
    """A leader says that an offset is not there any more."""
    return any(isinstance(m, Gone) for m in step.sends) and not has_drop(s.log)


def refuses_drop(s: Any, event: Any, step: Step) -> bool:
    """A leader does not drop a table that has subscriptions."""
    return isinstance(event, Drop) and step.state == s


def is_dropped(s: Any, event: Any, step: Step) -> bool:
    """A leader says that the table is not there any more."""
    return any(isinstance(m, Gone) for m in step.sends) and has_drop(s.log)


def waits_for_drop(s: Any, event: Any, step: Step) -> bool:
    """A leader answers nothing while a drop is under way."""
    asked = isinstance(event, Receive) and isinstance(event.message, Subscribe)
    return asked and not step.sends


def drops_under(s: Any, event: Any, step: Step) -> bool:
    """The newest leader drops a table to which a deposed one still has a subscription."""
    drops = isinstance(event, Drop) and step.state != s
    return drops and any(seat.subscriptions for seat in s.seats)
