"""Explains what a member did by steps of the model, one after the other, without a search.

The implementation may do several of the model's steps at once and chooses when to send. Its cause
names the steps to begin with; what it sent gives away the rest: a leader's request must be a
stretch of its log, and one that asks a new round means that a read has begun.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from ....model.actor import Receive, Step
from ....model.raft_built import BuiltMember, built_rules
from ....model.raft_types import (
    NOBODY,
    Append,
    AppendReply,
    Ask,
    Compact,
    Disk,
    Event,
    Fsync,
    Log,
    Member,
    Message,
    Offer,
    Options,
    Own,
    Role,
    Send,
    Snapshot,
    TakeBack,
)
from .terms import log_of

UNBOUNDED = 1 << 60


class Timer(NamedTuple):
    """One of the core's timers fired: election, lease, heartbeat, quorum."""

    name: str


class Proposed(NamedTuple):
    """Clients' entries, so many."""

    entries: int


class ReadsAsked(NamedTuple):
    """Clients want to read."""


class Compacted(NamedTuple):
    """The tables' files hold durably what the entries up to `at` did."""

    at: int


class Synced(NamedTuple):
    """A sync ended that covers so many of the oldest decisions (steps that wrote or held)."""

    decisions: int


Cause = Timer | Receive | Proposed | ReadsAsked | Compacted | Synced


class Saved(NamedTuple):
    """What a step writes: term and vote or None, where it cuts the log or None, entries' terms.

    `base`: what the log begins behind from now on; it `installs` if nothing of the old log stays.
    """

    hard_state: tuple[int, int] | None
    truncate_from: int | None
    entries: Log
    base: Log | None = None
    installs: bool = False


class Post(NamedTuple):
    """What a member says of itself after a step."""

    term: int
    vote: int
    role: Role
    commit: int
    last_index: int
    last_term: int


class Did(NamedTuple):
    """One step of the implementation in the model's words.

    `answers`: the index at which each round of reads was confirmed; None where that is not known.
    `lost`: the peer of whom a leader has learned that its disk lost entries, if it has.
    """

    cause: Cause
    out: tuple[Message, ...]
    held: tuple[Message, ...]
    saved: Saved | None
    post: Post
    answers: tuple[int, ...] | None = None
    lost: int | None = None


class Explained(NamedTuple):
    """The model's steps that say the same, in order; none if nothing changed."""

    steps: tuple[tuple[Event, Step], ...]
    state: Member


@dataclass
class Diverged(Exception):
    """What the model does not do: in which field, what it would say, what was found instead."""

    field: str
    expected: Any
    found: Any
    before: Member
    steps: tuple[tuple[Event, Step], ...] = ()

    def __str__(self) -> str:
        return f"{self.field}: the model says {self.expected}, the implementation {self.found}"


class Unbounded(BuiltMember):
    """A member without the bounds of exploration."""

    def _has_room(self, s: Member) -> bool:
        return True


def unbounded(members: int) -> Unbounded:
    """The rules for a group of this size."""
    options = Options(
        members, UNBOUNDED, UNBOUNDED, prevote=True, quorum=True, reads=UNBOUNDED, sync=True
    )
    rules = replace(
        built_rules(), scanned=_ends_of_logs, requested=lambda s: s.log + log_of((s.term,))
    )
    return Unbounded(options, rules, UNBOUNDED)


def _ends_of_logs(s: Member) -> Iterable[int]:
    """Where a majority may end: only where somebody's log does. The model tries every index."""
    ends = {len(s.disk.log), *s.match}
    return sorted((end for end in ends if end > s.commit), reverse=True)


class Refiner:
    """One member of the implementation, replayed in the model, in time linear in its steps."""

    # Invariant: the sum of _decisions is the length of the state's queue.

    def __init__(self, members: int, node: int) -> None:
        self._actor = unbounded(members)
        self._node = node
        self.state: Member = self._actor.recover(node, Disk(0, NOBODY, log_of(())))
        self._decisions: deque[int] = deque()

    def boot(self, disk: Disk) -> None:
        """The member starts with this on its disk, all of it durable."""
        self.state = self._actor.recover(self._node, disk._replace(log=log_of(disk.log)))
        self._decisions.clear()

    def put(self, state: Member) -> None:
        """Go on from this state, in which every write of the queue is a decision."""
        self.state = state
        self._decisions = deque([1] * len(state.queue))

    def writes(self, decisions: int) -> int:
        """How many of the state's oldest writes so many of the oldest decisions are."""
        return sum(self._decisions[n] for n in range(decisions))

    def step(self, did: Did) -> Explained:
        """Explain one step. Raises Diverged, and stays where it was."""
        attempt = _Attempt(self._actor, self.state)
        synced = 0
        if isinstance(did.cause, Synced):
            if did.cause.decisions > len(self._decisions):
                found = did.cause.decisions
                attempt.diverge("decisions synced", f"at most {len(self._decisions)}", found)
            for n in range(did.cause.decisions):
                synced += self._decisions[n]
        attempt.cause(did.cause, synced)
        attempt.noticed(did)
        attempt.sent(did)
        attempt.confirmed(did)
        attempt.written(did)
        attempt.compare(did)
        if isinstance(did.cause, Synced):
            for _ in range(did.cause.decisions):
                self._decisions.popleft()
        if did.saved is not None or did.held:
            self._decisions.append(attempt.writes)
        self.state = attempt.state
        return Explained(tuple(attempt.steps), attempt.state)


class _Attempt:
    """The model's steps for one step of the implementation."""

    def __init__(self, actor: Unbounded, state: Member) -> None:
        self.actor = actor
        self.before = state
        self.state = state
        self.steps: list[tuple[Event, Step]] = []
        self.owed: list[Message] = []
        self.waiting: list[Message] = []
        self.answers: list[int] = []
        self.writes = 0
        self._asks: Event = Own.READ
        """What begins a round of this step: no read begins with a heartbeat."""

    def diverge(self, field: str, expected: Any, found: Any) -> None:
        raise Diverged(field, expected, found, self.before, tuple(self.steps))

    def cause(self, cause: Cause, synced: int) -> None:
        s = self.state
        match cause:
            case Receive():
                self.take(cause)
            case Synced():
                if synced:
                    self.take(Fsync(synced))
            case Timer("lease"):
                self.take(Own.LAPSE)
            case Timer("election") if s.role is not Role.LEADER:
                self.take(Own.LAPSE)
                self.take(Own.TIMEOUT)
            case Timer("heartbeat"):
                self._asks = Ask()
            case Timer("quorum"):
                self.take(Own.QUORUM)
            case Compacted(at):
                self.take(Compact(at))
            case Proposed(entries) if s.role is Role.LEADER:
                for _ in range(entries):
                    self.take(Own.REQUEST)

    def noticed(self, did: Did) -> None:
        """A refusal of what the peer has acknowledged may be a reason to take that back."""
        if did.lost is None:
            return
        match did.cause:
            case Receive(AppendReply(src=did.lost, success=False, match=left)) if (
                left < self.state.match[did.lost]
            ):
                self.take(TakeBack(did.lost))
            case _:
                self.diverge("lost", "nothing", did.lost)

    def take(self, event: Event) -> bool:
        """Make the model's step, if there is one here."""
        step = self.actor.step(self.state, event)
        if step is None:
            return False
        after = step.state
        assert isinstance(after, Member)
        if not isinstance(event, Fsync):
            # What a sync releases is not new: the steps that it covers have held it.
            self.owed += step.sends
            if len(after.queue) > len(self.state.queue):
                for write in after.queue[len(self.state.queue) :]:
                    self.waiting += write.replies
                    self.writes += 1
        if step.notes:
            answers = [n[3] for n in step.notes if isinstance(n, tuple) and n[0] == "answer"]
            self.answers += answers
        self.steps.append((event, step))
        self.state = after
        return True

    def sent(self, did: Did) -> None:
        """What left at once, in order, and what waits: all that the model sends, no more."""
        for m in did.out:
            if m in self.owed:
                self.owed.remove(m)
            elif not (self._is_stretch(m) if isinstance(m, Append) else self._is_offer(m)):
                self.diverge("sent at once", self.owed or "nothing", m)
        for m in did.held:
            if m in self.waiting:
                self.waiting.remove(m)
            elif m in self.owed:
                self.owed.remove(m)
            else:
                self.diverge("sent once durable", self.waiting or "nothing", m)
        if self.owed or self.waiting:
            self.diverge("sent", self.owed + self.waiting, "nothing")

    def confirmed(self, did: Did) -> None:
        """Who is alone asks nobody whether it still leads: no message tells that a read began."""
        if len(self.state.match) == 1 and did.answers:
            self.take(Own.READ)

    def _is_stretch(self, m: Append) -> bool:
        """Whether the leader may send this, now or once it has begun to read."""
        send = Send(m.dst, m.prev, len(m.entries))
        step = self.actor.step(self.state, send)
        if step is None:
            return False
        if step.sends == (m,):
            self.steps.append((send, step))
            return True
        if m.round == self.state.rounds + 1 and self.take(self._asks):
            return self._is_stretch(m)
        return False

    def _is_offer(self, m: Message) -> bool:
        """Whether it is the snapshot that the leader's log begins behind."""
        if not isinstance(m, Snapshot):
            return False
        offer = Offer(m.dst)
        step = self.actor.step(self.state, offer)
        if step is None or step.sends != (m,):
            return False
        self.steps.append((offer, step))
        return True

    def written(self, did: Did) -> None:
        """The disk gets what the model writes."""
        s = self.state
        before = _last_written(self.before)
        after = _last_written(s)
        disk = before if did.saved is None else applied(before, did.saved)
        if disk != after:
            self.diverge("written", after, disk)

    def compare(self, did: Did) -> None:
        s = self.state
        post = Post(s.term, s.vote, s.role, s.commit, len(s.log), s.log[-1] if s.log else 0)
        if post != did.post:
            for field, ours, theirs in zip(Post._fields, post, did.post, strict=True):
                if ours != theirs:
                    self.diverge(field, ours, theirs)
        if did.answers is not None and tuple(self.answers) != did.answers:
            self.diverge("reads answered at", tuple(self.answers), did.answers)


def _last_written(s: Member) -> Disk:
    return s.queue[-1].disk if s.queue else s.disk


def applied(disk: Disk, saved: Saved) -> Disk:
    """The disk after a write."""
    term, vote = saved.hard_state or (disk.term, disk.vote)
    log = disk.log if saved.truncate_from is None else disk.log[: saved.truncate_from - 1]
    snap = disk.snap
    if saved.base is not None:
        snap = len(saved.base)
        log = saved.base if saved.installs else saved.base + log[snap:]
    return Disk(term, vote, log + saved.entries, snap)
