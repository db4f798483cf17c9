"""A group in memory: a network that loses, doubles and reorders; disks that forget; any timers."""

import random
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from delphic.impl.bugs import ACK_BEFORE_FSYNC
from delphic.impl.raft.messages import AppendRequest, Kind, Message, VoteRequest
from delphic.impl.raft.progress import Window
from delphic.impl.raft.ready import (
    Event,
    Persisted,
    Proposed,
    ReadRequested,
    Ready,
    Received,
    Role,
    Timer,
    TimerFired,
)
from member import Member
from watch import INSIDE, OUTSIDE, Watch

TICK_ROUNDS = 10
PERIODS = {Timer.HEARTBEAT: 1, Timer.LEASE: TICK_ROUNDS, Timer.QUORUM: TICK_ROUNDS}
NETWORK_MAX = 100
ATTIC_MAX = 100
"""Copies that are delivered long after."""


@dataclass(frozen=True)
class Weather:
    """How badly things go: shares of messages and of choices."""

    lost: float = 0.05
    entries_lost: float = 0.05
    doubled: float = 0.1
    overtaken: float = 0.2
    ancient: float = 0.02
    restless: float = 0.06
    crashes: float = 0.003
    cuts: float = 0.003


def any_message(_: Message) -> bool:
    """Lets every message pass."""
    return True


def within(*aliases: str) -> Callable[[Message], bool]:
    """Lets messages pass between these members only."""
    return lambda m: m.src in aliases and m.dst in aliases


class Cluster:
    """Members n1, n2, …, each with a disk whose syncs end some time after they began.

    Everything that happens is a call of this class; `watch` looks at all of it.
    """

    def __init__(
        self,
        size: int,
        *,
        seed: int = 0,
        bugs: Iterable[str] = (),
        window: Window | None = None,
        promises: frozenset[str] = INSIDE | OUTSIDE,
    ) -> None:
        self.chance = random.Random(seed)
        self.bugs = frozenset(bugs)
        aliases = [f"n{number}" for number in range(1, size + 1)]
        self.members = {
            alias: Member(alias, aliases, bugs=self.bugs, window=window) for alias in aliases
        }
        self.watch = Watch(self.members, promises)
        self.network: list[Message] = []
        self.finished: dict[str, deque[tuple[list[Message], Persisted | None]]] = {
            alias: deque() for alias in aliases
        }
        self.attic: list[Message] = []
        self.lonely: str | None = None
        self._tokens = 0
        self._due: dict[tuple[str, Timer], int] = {}
        self._round = 0

    # Single events.

    def step(self, alias: str, event: Event) -> Ready:
        """Let a member take an event; what it may say at once is on its way."""
        member = self.members[alias]
        ready = member.step(event)
        for timer in ready.arm | ready.disarm:
            self._due.pop((alias, timer), None)
        self.network += ready.messages
        self.watch.stepped(member, event, ready)
        if ACK_BEFORE_FSYNC in self.bugs:
            self._release_early(alias, ready)
        return ready

    def fire(self, alias: str, *timers: Timer) -> None:
        """Let timers ring."""
        for timer in timers:
            self.members[alias].armed -= {timer}
            self.step(alias, TimerFired(timer))

    def propose(self, alias: str, payload: bytes = b"x") -> Ready:
        """A client appends."""
        return self.step(alias, Proposed(((Kind.APPEND, payload),)))

    def read(self, alias: str) -> Ready:
        """A client reads."""
        self._tokens += 1
        return self.step(alias, ReadRequested((self._tokens,)))

    def sync(self, alias: str, count: int | None = None) -> None:
        """Make the oldest decisions durable; the member does not know it before `finish`."""
        member = self.members[alias]
        later = member.unsynced[count:] if count is not None else []
        del member.unsynced[len(member.unsynced) - len(later) :]
        released, report = member.sync()
        member.unsynced += later
        if ACK_BEFORE_FSYNC not in self.bugs:
            self.finished[alias].append((released, report))

    def finish(self, alias: str) -> None:
        """Tell a member that its oldest sync has ended."""
        released, report = self.finished[alias].popleft()
        self._release(alias, released, report)

    def crash(self, alias: str, kept: int = 0) -> None:
        """Restart a member whose disk had written `kept` of the unsynced decisions."""
        member = self.members[alias]
        del member.unsynced[kept:]
        member.sync()
        self.finished[alias].clear()
        member.restart()
        for timer in Timer:
            self._due.pop((alias, timer), None)
        self.watch.rests()

    def _release(self, alias: str, messages: list[Message], report: Persisted | None) -> None:
        self.watch.says(self.members[alias], messages)
        self.network += messages
        if report is not None:
            self.step(alias, report)

    def _release_early(self, alias: str, ready: Ready) -> None:
        report = None
        if ready.entries:
            last = ready.first_index + len(ready.entries) - 1
            report = Persisted(last, ready.entries[-1].term)
        self._release(alias, ready.after_persist, report)

    # Directed: everything that follows from what happened.

    def exchange(
        self, passes: Callable[[Message], bool] = any_message, *, keep: bool = False
    ) -> None:
        """Deliver and sync until nothing moves; other messages are lost, or kept for later."""
        kept: list[Message] = []
        for _ in range(10_000):
            messages, self.network = self.network, []
            for message in messages:
                if passes(message):
                    self.step(message.dst, Received(message))
                elif keep:
                    kept.append(message)
            for alias, member in self.members.items():
                if member.unsynced:
                    self.sync(alias)
                while self.finished[alias]:
                    self.finish(alias)
            if not self.network:
                self.network = kept
                return
        raise AssertionError("the members talk without end")

    def elect(self, alias: str, passes: Callable[[Message], bool] = any_message) -> None:
        """Let a member win an election among those whose messages pass."""
        for other in self.members.values():
            if Timer.LEASE in other.armed and passes_between(passes, alias, other.alias):
                self.fire(other.alias, Timer.LEASE)
        member = self.members[alias]
        for _ in range(2):
            # Who was away asks about a term that is over, and learns it from the refusals.
            if member.core.role is not Role.LEADER:
                self.fire(alias, Timer.ELECTION)
                self.exchange(passes)
        assert member.core.role is Role.LEADER

    # Undirected.

    def chaos(self, steps: int, weather: Weather) -> None:
        """Let anything happen, in any order."""
        choose = self.chance.random
        for _ in range(steps):
            what = choose()
            if what < 0.5:
                self._deliver_some(weather)
            elif what < 0.8:
                self._sync_some()
            elif what < 0.92:
                self._fire_some(weather)
            elif what < 0.97:
                self.propose(self._somebody(), b"%d" % self.chance.getrandbits(32))
            else:
                self.read(self._somebody())
            if choose() < weather.crashes:
                alias = self.chance.choice(list(self.members))
                self.crash(alias, self.chance.randint(0, len(self.members[alias].unsynced)))
            if choose() < weather.cuts:
                self.lonely = self.chance.choice([None, self._somebody()])
            if len(self.network) > NETWORK_MAX:
                del self.network[: NETWORK_MAX // 2]

    def _somebody(self) -> str:
        """A member, a leader if possible."""
        leaders = [m.alias for m in self.members.values() if m.core.role is Role.LEADER]
        return self.chance.choice(leaders or list(self.members))

    def _sync_some(self) -> None:
        busy = [alias for alias in self.members if self.finished[alias]]
        if busy and self.chance.random() < 0.6:
            self.finish(self.chance.choice(busy))
        behind = [m for m in self.members.values() if m.unsynced]
        if behind:
            member = self.chance.choice(behind)
            self.sync(member.alias, self.chance.randint(1, len(member.unsynced)))

    def _deliver_some(self, weather: Weather) -> None:
        choose = self.chance.random
        if self.attic and choose() < weather.ancient:
            message = self.chance.choice(self.attic)
            self.step(message.dst, Received(message))
        if not self.network:
            return
        reach = len(self.network) if choose() < weather.overtaken else min(4, len(self.network))
        at = self.chance.randrange(reach)
        message = self.network[at]
        if choose() >= weather.doubled:
            del self.network[at]
        elif len(self.attic) < ATTIC_MAX:
            self.attic.append(message)
        else:
            self.attic[self.chance.randrange(ATTIC_MAX)] = message
        with_entries = isinstance(message, AppendRequest) and message.entries
        lost = choose() < (weather.entries_lost if with_entries else weather.lost)
        if not lost and self.lonely not in (message.src, message.dst):
            self.step(message.dst, Received(message))

    def _fire_some(self, weather: Weather) -> None:
        alias = self.chance.choice(list(self.members))
        timer = self.chance.choice(sorted(self.members[alias].armed))
        is_calm = timer is Timer.HEARTBEAT or timer is Timer.LEASE
        if is_calm or self.chance.random() < weather.restless:
            self.fire(alias, timer)

    # A good phase.

    def rounds(self, count: int, until: Callable[[], bool]) -> int | None:
        """Fair timers and a network without faults; gives the rounds passed until it holds."""
        self.lonely = None
        for passed in range(count):
            self.exchange()
            if until():
                return passed
            self._round += 1
            for alias, member in self.members.items():
                for timer in sorted(member.armed):
                    self._ring_if_due(alias, timer)
        return None

    def _ring_if_due(self, alias: str, timer: Timer) -> None:
        if (alias, timer) not in self._due:
            jitter = self.chance.randint(0, TICK_ROUNDS) if timer is Timer.ELECTION else 0
            self._due[alias, timer] = self._round - 1 + PERIODS.get(timer, TICK_ROUNDS) + jitter
        if self._due[alias, timer] <= self._round and timer in self.members[alias].armed:
            del self._due[alias, timer]
            self.fire(alias, timer)

    def leader(self) -> Member | None:
        """The member that leads in the newest term, if that is led."""
        newest = max(self.members.values(), key=lambda m: (m.core.term, m.core.role is Role.LEADER))
        return newest if newest.core.role is Role.LEADER else None

    def is_settled(self) -> bool:
        """Whether somebody leads and all logs are equal, committed and durable."""
        leader = self.leader()
        if leader is None:
            return False
        log = leader.core.log
        return all(
            m.disk == leader.disk and m.core.commit == log.last_index == len(m.disk)
            for m in self.members.values()
        )


def passes_between(passes: Callable[[Message], bool], one: str, other: str) -> bool:
    """Whether a message could go from one member to the other."""
    return one != other and passes(VoteRequest(one, other, 0, 0, 0, pre=True))
