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
    """A timer that the core had armed."""

    timer: Timer


@dataclass(frozen=True, slots=True)
class Received:
    """A message for this member."""

    message: Message


@dataclass(frozen=True, slots=True)
class Proposed:
    """Clients' entries: kind and payload of each."""

    entries: tuple[tuple[Kind, bytes], ...]


@dataclass(frozen=True, slots=True)
class ReadRequested:
    """Clients want to read; the tokens come back when the reads are safe."""

    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Persisted:
    """Entries up to `index`, whose term is `term`, are durable here."""

    index: int
    term: int


Event = TimerFired | Received | Proposed | ReadRequested | Persisted


@dataclass(slots=True)
class Ready:
    """What one step asks for, in this order.

    1. Drop the log from `truncate_from` on, append `entries` from `first_index` on, keep
       `hard_state`: on disk. 2. Meanwhile send `messages`. 3. Only when 1 is durable: send
    `after_persist`, and step `Persisted`. 4. Apply up to `commit`, answer `reads` whose index is
    applied, refuse `reads_refused`. 5. Set and clear timers.
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
