"""A group as a publisher: leaders that change, a log with a committed prefix, subscriptions.

Raft is abstracted to what it promises: a new leader has every committed row and any number of the
others, and may know of less than is committed. A deposed leader goes on until it steps down; what
it still logs is never committed, and does not come back. A drop is behind all rows of its table.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from .actor import Receive, Step
from .subscription_rules import Closing, Dropping, Options, Publishing, Purged, begins
from .subscription_types import (
    NOBODY,
    Commit,
    Drop,
    Elect,
    Frame,
    Gone,
    Group,
    GroupEvent,
    Kill,
    Log,
    NotLeader,
    Publish,
    Purge,
    Restart,
    Role,
    Seat,
    StepDown,
    Subscribe,
    Subscribed,
    Subscription,
    Write,
    has_drop,
    rows_of,
)

FOLLOWS = Seat(Role.FOLLOWER, 0, None, ())
DOWN = Seat(Role.DOWN, 0, None, ())


@dataclass(frozen=True)
class Publisher:
    """The actor: all members of a group, with their connections' ends."""

    options: Options

    def initial(self, node: int) -> Group:
        leads = Seat(Role.LEADER, 0, None, ())
        seats = (leads, *(FOLLOWS,) * (self.options.members - 1))
        return Group(1, 0, (), 0, 0, seats, (0,) * self.options.subscribers)

    def durable(self, state: Group) -> Group:
        return state

    def recover(self, node: int, durable: Group) -> Group:
        return durable

    def events(self, state: Group) -> Iterator[GroupEvent]:
        for member, seat in enumerate(state.seats):
            if seat.role is Role.LEADER:
                yield from (Write(member), Commit(member), StepDown(member))
                if self.options.drops:
                    yield Drop(member)
            if seat.role is Role.FOLLOWER:
                for keep in range(state.committed, len(state.log) + 1):
                    for known in range(state.earliest, state.committed + 1):
                        yield Elect(member, keep, known)
            yield from (Publish(member, each.subscriber) for each in seat.subscriptions)
            yield Restart(member) if seat.role is Role.DOWN else Kill(member)
        yield Purge()

    def step(self, state: Group, event: GroupEvent | Receive) -> Step | None:
        match event:
            case Receive(message):
                return self._subscribe(state, message)
            case Publish(member, subscriber):
                return self._publish(state, member, subscriber)
            case Write(member):
                return self._write(state, member)
            case Drop(member):
                return self._drop(state, member)
            case Commit(member):
                return self._commit(state, member)
            case Elect():
                return self._elect(state, event)
            case StepDown(member):
                return self._step_down(state, member)
            case Kill(member):
                return Step(_vacant(state, member, DOWN), cost="kills")
            case Restart(member):
                return Step(_seated(state, member, FOLLOWS))
            case Purge():
                if state.earliest >= len(rows_of(state.log[: state.committed])):
                    return None
                return Step(state._replace(earliest=state.earliest + 1), cost="purges")

    # Raft, as far as subscribers can tell.

    def _write(self, s: Group, member: int) -> Step | None:
        log = log_of(s, member)
        if len(log) >= self.options.rows or has_drop(log):
            return None
        if member == s.leader:
            return Step(s._replace(log=(*log, s.term)))
        seat = s.seats[member]
        return Step(_seated(s, member, seat._replace(log=(*log, log[-1] if log else s.term - 1))))

    def _drop(self, s: Group, member: int) -> Step | None:
        """HS-17, V14: the newest leader refuses, or logs. Once is enough."""
        if member != s.leader or has_drop(s.log):
            return None
        if s.seats[member].subscriptions and self.options.dropping is not Dropping.UNGUARDED:
            return Step(s)
        return Step(s._replace(log=(*s.log, -s.term)), cost="drops")

    def _commit(self, s: Group, member: int) -> Step | None:
        seat = s.seats[member]
        if member != s.leader or seat.known >= len(s.log):
            return None
        known = seat.known + 1
        s = s._replace(committed=max(s.committed, known))
        return Step(_seated(s, member, seat._replace(known=known)))

    def _elect(self, s: Group, event: Elect) -> Step | None:
        if s.term >= self.options.terms:
            return None
        if s.leader != NOBODY:  # It is deposed, and does not know it.
            s = _seated(s, s.leader, s.seats[s.leader]._replace(log=s.log))
        leads = Seat(Role.LEADER, event.known, None, s.seats[event.member].subscriptions)
        s = s._replace(term=s.term + 1, leader=event.member, log=s.log[: event.keep])
        return Step(_seated(s, event.member, leads))

    def _step_down(self, s: Group, member: int) -> Step:
        """B3: all subscriptions of all tables of the group are closed."""
        seat = s.seats[member]
        match self.options.closing:
            case Closing.ALL:
                left: tuple[Subscription, ...] = ()
            case Closing.FIRST:
                left = seat.subscriptions[1:]
            case Closing.NONE:
                left = seat.subscriptions
            case Closing.SILENT:
                left = tuple(each._replace(mute=True) for each in seat.subscriptions)
        if not left:
            return Step(_vacant(s, member, FOLLOWS))
        log = log_of(s, member)
        return Step(_vacant(s, member, Seat(Role.FOLLOWER, seat.known, log, left)))

    # Subscriptions.

    def _subscribe(self, s: Group, m: Subscribe) -> Step | None:
        """A member answers; a connection that its subscriber closed since says nothing.

        By now the older ones are found closed, too: what goes into them arrives nowhere.
        """
        nth = m.src - 1
        if s.seats[m.member].role is Role.DOWN or m.connection <= s.heard[nth]:
            return None
        s = s._replace(
            heard=(*s.heard[:nth], m.connection, *s.heard[nth + 1 :]),
            seats=tuple(_without(each, m.src) for each in s.seats),
        )
        seat = s.seats[m.member]
        if seat.role is Role.FOLLOWER:
            site = m.member if s.leader == NOBODY else s.leader
            return Step(s, (NotLeader(m.dst, m.src, m.connection, 0, site),))
        log = log_of(s, m.member)
        is_gone = has_drop(log) and seat.known == len(log)
        if not is_gone and is_fenced(self.options, s, log):
            return Step(s)  # The connection is closed; a subscriber comes back.
        start = begins(self.options, m.offset, seat.known, s.earliest)
        if is_gone or start is None:
            return Step(s, (Gone(m.dst, m.src, m.connection, 0, m.offset),))
        new = Subscription(m.src, m.connection, 1, start)
        subscriptions = tuple(sorted((*seat.subscriptions, new)))
        s = _seated(s, m.member, seat._replace(subscriptions=subscriptions))
        return Step(s, (Subscribed(m.dst, m.src, m.connection, 0, m.offset, start),))

    def _publish(self, s: Group, member: int, subscriber: int) -> Step | None:
        seat = s.seats[member]
        (one,) = (each for each in seat.subscriptions if each.subscriber == subscriber)
        without = _without(seat, subscriber)
        if one.position < s.earliest:  # Retention has overtaken it.
            if self.options.purged is not Purged.SKIPPED:
                return Step(_seated(s, member, without))
            one = one._replace(position=s.earliest)
        log = rows_of(log_of(s, member))
        end = len(log) if self.options.publish is Publishing.WRITTEN else seat.known
        rows = log[one.position : min(end, one.position + self.options.frame)]
        if not rows or one.mute:
            return None
        frame = Frame(0, subscriber, one.connection, one.sent, one.position, rows)
        one = one._replace(sent=one.sent + 1, position=one.position + len(rows))
        subscriptions = tuple(sorted((*without.subscriptions, one)))
        return Step(_seated(s, member, seat._replace(subscriptions=subscriptions)), (frame,))


def log_of(s: Group, member: int) -> Log:
    """The log of a leader, deposed or not."""
    own = s.seats[member].log
    return s.log if own is None else own


def is_fenced(options: Options, s: Group, log: Log) -> bool:
    """V14: whether a leader with this log lets no subscription begin until it has applied it."""
    match options.dropping:
        case Dropping.UNFENCED:
            return False
        case Dropping.FORGOTTEN:
            return has_drop(log) and log[-1] == -s.term
    return has_drop(log)


def _without(seat: Seat, subscriber: int) -> Seat:
    """The member, with the subscription of this one closed."""
    if all(each.subscriber != subscriber for each in seat.subscriptions):
        return seat
    left = tuple(each for each in seat.subscriptions if each.subscriber != subscriber)
    if not left and seat.role is Role.FOLLOWER:
        return FOLLOWS
    return seat._replace(subscriptions=left)


def _seated(s: Group, member: int, seat: Seat) -> Group:
    return s._replace(seats=(*s.seats[:member], seat, *s.seats[member + 1 :]))


def _vacant(s: Group, member: int, seat: Seat) -> Group:
    """The member leads no more."""
    leader = NOBODY if s.leader == member else s.leader
    return _seated(s._replace(leader=leader), member, seat)
