"""What may happen to a core, and what it then asks of its driver."""

from enum import StrEnum
from functools import lru_cache

import msgspec

from .messages import Entry, HardState, Kind, Message
from .terms import Runs, end_of


class Role(StrEnum):
    """What a member is in its term."""

    FOLLOWER = "follower"
    PRECANDIDATE = "precandidate"
    CANDIDATE = "candidate"
    LEADER = "leader"


class Timer(StrEnum):
    """ELECTION: random in [tick, 2 tick]. LEASE, QUORUM: one tick. HEARTBEAT: a tenth of one."""

    ELECTION = "election"
    LEASE = "lease"
    HEARTBEAT = "heartbeat"
    QUORUM = "quorum"


@lru_cache
def in_order(timers: frozenset[Timer]) -> tuple[Timer, ...]:
    """Sorted: the order of a set of strings differs from process to process."""
    return tuple(sorted(timers))


class TimerFired(msgspec.Struct, frozen=True):
    """A timer that the core had armed. One that fires late, when nobody needs it, does no harm."""

    timer: Timer


class Received(msgspec.Struct, frozen=True):
    """A message for this member."""

    message: Message


class Proposed(msgspec.Struct, frozen=True):
    """Clients' entries, at least one: kind and payload of each."""

    entries: tuple[tuple[Kind, bytes], ...]


class ReadRequested(msgspec.Struct, frozen=True):
    """Clients want to read; the tokens come back when the reads are safe, or refused."""

    tokens: tuple[int, ...]


class Persisted(msgspec.Struct, frozen=True):
    """Entries up to `index`, whose term is `term`, are durable here.

    Reported in the order in which the entries were handed out; later reports cover earlier ones.
    """

    index: int
    term: int


class Compacted(msgspec.Struct, frozen=True):
    """The tables' files hold durably what the entries up to `index` did: the log may forget them.

    No further than what is committed, and durable here.
    """

    index: int


Event = TimerFired | Received | Proposed | ReadRequested | Persisted | Compacted


class Lost(msgspec.Struct, frozen=True):
    """A peer's disk lost entries: it had `acknowledged` all up to that one, and lacks that one now.

    At most those up to `left` are still there.
    """

    member: str
    acknowledged: int
    left: int


class Ready(msgspec.Struct):
    """What one step asks for, in this order. The core has given it away and keeps no part of it.

    1. On disk, in one piece: keep `hard_state`, drop the log from `truncate_from` on, append
       `entries` from `first_index` on (0 if there are none). Or, with neither: let the log begin
       behind `base`; where it `installs` no entry of the old one stays. Meanwhile send `messages`.
    2. When that and all of the steps before are durable: put the snapshot up to `base` in the
       tables' place if it `installs`, send `after_persist`, step `Persisted` (a base that was
       installed counts as an entry).
    3. Apply up to `commit`; answer each of `reads` (token, index) once its index is applied, and
       refuse `reads_refused`. `proposed` are the first and last index that the proposals got;
       `refused`: they got none, for this member does not lead.
    4. Set and clear timers; to arm one that runs is to set it anew.
    5. Tell people of a peer that has `lost` what it had acknowledged: it gets that once more, but
       its disk is not to be trusted.

    `role_changed`: the role, the term or the known leader is not what it was before the step.
    """

    hard_state: HardState | None = None
    truncate_from: int | None = None
    first_index: int = 0
    entries: tuple[Entry, ...] = ()
    base: Runs | None = None
    installs: bool = False
    messages: list[Message] = []
    after_persist: list[Message] = []
    commit: int = 0
    commit_advanced: bool = False
    reads: list[tuple[int, int]] = []
    reads_refused: list[int] = []
    proposed: tuple[int, int] | None = None
    refused: bool = False
    arm: frozenset[Timer] = frozenset()
    disarm: frozenset[Timer] = frozenset()
    role_changed: bool = False
    lost: Lost | None = None

    @property
    def writes(self) -> bool:
        """Whether there is anything to put on disk."""
        return bool(
            self.entries
            or self.hard_state
            or self.truncate_from is not None
            or self.base is not None
        )

    @property
    def last(self) -> tuple[int, int] | None:
        """Index and term of the last entry to be written, or that a snapshot stands for."""
        if self.entries:
            return self.first_index + len(self.entries) - 1, self.entries[-1].term
        return end_of(self.base) if self.base is not None and self.installs else None

    def start(self, timers: frozenset[Timer]) -> None:
        """Ask for these timers, set anew."""
        self.arm = self.arm | timers if self.arm else timers
        if self.disarm:
            self.disarm -= timers

    def stop(self, timers: frozenset[Timer]) -> None:
        """Ask for none of these timers."""
        self.disarm = self.disarm | timers if self.disarm else timers
        if self.arm:
            self.arm -= timers
