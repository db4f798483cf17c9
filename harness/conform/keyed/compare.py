"""One step of a group with a key column against the model: of the member that makes it.

A member is put into a state in three ways: by the group's own steps along a shortest path; by the
log alone, as one that was there all the time; and as one that was restarted meanwhile, so that most
of its rows are on disk only.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from ....impl.raft.messages import Entry
from ....model.explore.pairs import Pairs
from ....model.keyed import Keyed
from ....model.keyed_rules import Options
from ....model.keyed_types import (
    NOBODY,
    Apply,
    Checkpoint,
    Elect,
    Event,
    Group,
    Keys,
    Log,
    Replica,
    Restart,
    Send,
)
from .seats import Rows, Seat, entry_of, rows_in


class Way(StrEnum):
    """How a member has come to be where it is."""

    STEPS = "by the group's own steps"
    LOG = "from its log"
    DISK = "since a restart"


class View(NamedTuple):
    """What a step of one member depends on: `judged` entries are its own, behind `log`."""

    replica: Replica
    log: Log
    judged: Log


class Difference(NamedTuple):
    """Where a step differs; `guess`: how the member has come there."""

    field: str
    expected: object
    found: object
    guess: str


class Live:
    """A group in use: members, and the log of the leader."""

    def __init__(self, options: Options, bugs: frozenset[str]) -> None:
        self.seats = [Seat(options.window, bugs) for _ in range(options.members)]
        self.log: list[Entry] = []

    def do(self, s: Group, event: Event) -> None:
        """The implementation's step for the model's."""
        match event:
            case Send(_, keys):
                self.log.append(self.seats[s.leader].judge(keys)[0])
            case Apply(member):
                self.seats[member].apply(self.log[s.replicas[member].applied])
            case Checkpoint(member):
                self.seats[member].save()
            case Restart(member):
                self.seats[member].restart()
            case Elect(member, held):
                del self.log[s.commit + held :]
                for each in {member, s.leader} - {NOBODY}:
                    self.seats[each].tables.role_changed()


class Comparison:
    """Compares steps within these bounds; what many pairs share is done once."""

    def __init__(self, pairs: Pairs, options: Options, bugs: frozenset[str]) -> None:
        self.steps = 0
        self._options = options
        self._bugs = bugs
        self._pairs = pairs
        self._actor = Keyed(options)
        self._known: dict[tuple[object, ...], Difference | None] = {}

    def step(self, s: Group, event: Event, then: Group) -> Difference | None:
        """The member's step, in every way in which it can be in this state."""
        member = acting(s, event)
        assert member is not None
        view = _view(s, member)
        sent = event.keys if isinstance(event, Send) else None
        entry = s.log[view.replica.applied] if isinstance(event, Apply) else None
        for way in Way:
            # What a leader has judged before, and forgotten, is in no view.
            whole = s if sent is not None and way is Way.STEPS else None
            key = (way, view, type(event), sent, entry, whole)
            if key not in self._known:
                self._known[key] = self._compare(s, event, then, member, way)
            if self._known[key] is not None:
                return self._known[key]
        return None

    def replay(self, end: Group, known: set[Group]) -> Iterator[tuple[Group, Difference | None]]:
        """The states on the way to this one that are not known yet, and what differs there."""
        live = Live(self._options, self._bugs)
        s = self._actor.initial(0)
        for event in [None, *self._pairs.path(0, end)]:
            if event is not None:
                s = self._follow(live, s, event)
            if s not in known:
                known.add(s)
                yield s, self._whole(live, s)

    def _whole(self, live: Live, s: Group) -> Difference | None:
        """Whether the group is in this state: the log, tables, how far they are."""
        logged = [[key for key, _ in rows_in(entry)] for entry in live.log]
        expected = [list(entry.keys) for entry in s.log]
        if logged != expected:
            return Difference("log", expected, logged, Way.STEPS)
        for seat, replica in zip(live.seats, s.replicas, strict=True):
            difference = self._table(seat, replica, Way.STEPS)
            if difference is not None:
                return difference
        return None

    def _follow(self, live: Live, s: Group, event: Event) -> Group:
        self.steps += 1
        live.do(s, event)
        step = self._actor.step(s, event)
        assert step is not None
        assert isinstance(step.state, Group)
        return step.state

    def live(self, end: Group) -> Live:
        """A group that has come to this state by its own steps."""
        live = Live(self._options, self._bugs)
        s = self._actor.initial(0)
        for event in self._pairs.path(0, end):
            s = self._follow(live, s, event)
        return live

    def _compare(
        self, s: Group, event: Event, then: Group, member: int, way: Way
    ) -> Difference | None:
        self.steps += 1
        if way is Way.STEPS:
            seat, following = self._by_steps(s, member)
        else:
            seat, following = self._from_log(_view(s, member), reopened=way is Way.DISK)
        difference = self._do(seat, following, s, event, then, way)
        return difference or self._table(seat, then.replicas[member], way)

    def _by_steps(self, s: Group, member: int) -> tuple[Seat, Entry]:
        live, at = self.live(s), s.replicas[member].applied
        return live.seats[member], live.log[at] if at < len(live.log) else entry_of(())

    def _from_log(self, view: View, *, reopened: bool) -> tuple[Seat, Entry]:
        """A leader's first batch of its term makes the window, of what it has applied by then."""
        replica, log, judged = view
        seat = Seat(self._options.window, self._bugs)
        entries = [*map(entry_of, (entry.keys for entry in log))]
        before = min(replica.applied, len(log))
        _apply(seat, entries[:before], replica.saved[0])
        if reopened:
            seat.restart()
            _apply(seat, entries[:before], replica.saved[0])
        seat.tables.role_changed()
        for mine in judged:
            entries.append(seat.judge(mine.keys or _known(entries))[0])
        _apply(seat, entries[: replica.applied], replica.saved[0])
        at = replica.applied
        return seat, entries[at] if at < len(entries) else entry_of(())

    def _do(
        self, seat: Seat, following: Entry, s: Group, event: Event, then: Group, way: Way
    ) -> Difference | None:
        match event:
            case Send(_, keys):
                logged, insertion = seat.judge(keys)
                expected = _first_of(then.log[-1].keys, keys)
                if rows_in(logged) != expected:
                    return Difference("rows to log", expected, rows_in(logged), way)
                count = len(expected)
                answer, told = [7 if count else -1, count], insertion.told(7)
                return None if told == answer else Difference("answer", answer, told, way)
            case Apply(member):
                expected_offset = len(s.replicas[member].rows)
                offset = seat.apply(following)
                if offset != expected_offset:
                    return Difference("offset", expected_offset, offset, way)
            case Checkpoint():
                seat.save()
            case Restart():
                seat.restart()
            case Elect():
                seat.tables.role_changed()
        return None

    def _table(self, seat: Seat, replica: Replica, way: Way) -> Difference | None:
        expected = (replica.rows, replica.applied)
        found = (seat.keys(), seat.applied)
        return None if found == expected else Difference("table", expected, found, way)


def acting(s: Group, event: Event) -> int | None:
    """The member whose step it is; None where it is nobody's in particular."""
    match event:
        case Send():
            return s.leader
        case Apply(member) | Checkpoint(member) | Restart(member) | Elect(member, _):
            return member
    return None


def _view(s: Group, member: int) -> View:
    replica = s.replicas[member]
    if member == s.leader and replica.window is not None:
        return View(replica, s.log[: s.serves_from], s.log[s.serves_from :])
    return View(replica, s.log[: replica.applied + 1], ())


def _apply(seat: Seat, entries: list[Entry], saved: int) -> None:
    """All of them that the member has not applied yet; with its checkpoint where it belongs."""
    for entry in entries[seat.applied :]:
        seat.apply(entry)
        if seat.applied == saved:
            seat.save()


def _known(entries: list[Entry]) -> Keys:
    """A key of which nothing is new: the last one that was logged."""
    return next((rows_in(e)[-1][0],) for e in reversed(entries) if rows_in(e))


def _first_of(accepted: Keys, sent: Keys) -> Rows:
    """The rows that are logged: of each key the first one that was sent (X2)."""
    return [(key, sent.index(key)) for key in accepted]
