"""What may happen to a core, and what it then asks of its driver."""

from dataclasses import dataclass, field
from enum import StrEnum

from .messages import Entry, HardState, Kind, Message


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


@dataclass(frozen=True, slots=True)
class TimerFired:
    """A timer that the core had armed. One that fires late, when nobody needs it, does no harm."""

    timer: Timer


@dataclass(frozen=True, slots=True)
class Received:
    """A message for this member."""

    message: Message


@dataclass(frozen=True, slots=True)
class Proposed:
    """Clients' entries, at least one: kind and payload of each."""

    entries: tuple[tuple[Kind, bytes], ...]


@dataclass(frozen=True, slots=True)
class ReadRequested:
    """Clients want to read; the tokens come back when the reads are safe, or refused."""

    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Persisted:
    """Entries up to `index`, whose term is `term`, are durable here.

    Reported in the order in which the entries were handed out; later reports cover earlier ones.
    """

    index: int
    term: int


Event = TimerFired | Received | Proposed | ReadRequested | Persisted


@dataclass(slots=True)
class Ready:
    """What one step asks for, in this order. The core has given it away and keeps no part of it.

    1. On disk, in one piece: keep `hard_state`, drop the log from `truncate_from` on, append
       `entries` from `first_index` on (0 if there are none). Meanwhile send `messages`.
    2. When that and all of the steps before are durable: send `after_persist`, step `Persisted`.
    3. Apply up to `commit`; answer each of `reads` (token, index) once its index is applied, and
       refuse `reads_refused`. `proposed` are the first and last index that the proposals got;
       `refused`: they got none, for this member does not lead.
    4. Set and clear timers; to arm one that runs is to set it anew.

    `role_changed`: the role, the term or the known leader is not what it was before the step.
    """

    hard_state: HardState | None = None
    truncate_from: int | None = None
    first_index: int = 0
    entries: tuple[Entry, ...] = ()
    messages: list[Message] = field(default_factory=list)
    after_persist: list[Message] = field(default_factory=list)
    commit: int = 0
    commit_advanced: bool = False
    reads: list[tuple[int, int]] = field(default_factory=list)
    reads_refused: list[int] = field(default_factory=list)
    proposed: tuple[int, int] | None = None
    refused: bool = False
    arm: frozenset[Timer] = frozenset()
    disarm: frozenset[Timer] = frozenset()
    role_changed: bool = False

    def start(self, timers: frozenset[Timer]) -> None:
        """Ask for these timers, set anew."""
        self.arm |= timers
        self.disarm -= timers

    def stop(self, timers: frozenset[Timer]) -> None:
        """Ask for none of these timers."""
        self.disarm |= timers
        self.arm -= timers
