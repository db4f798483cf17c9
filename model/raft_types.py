"""The nouns of the Raft model: a member's state, its disk, its messages and events.

Messages and events are dataclasses: NamedTuples of different classes with equal fields are equal.
"""

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from .actor import Receive

NOBODY = -1
Log = tuple[int, ...]


class Role(Enum):
    """What a member is in its term."""

    FOLLOWER = "follower"
    PRECANDIDATE = "precandidate"
    CANDIDATE = "candidate"
    LEADER = "leader"


class Disk(NamedTuple):
    """All that survives a crash (Figure 2, persistent state)."""

    term: int = 1
    vote: int = NOBODY
    log: Log = ()
    snap: int = 0


class Write(NamedTuple):
    """What one step put on the disk, not yet synced, and the replies that wait for it."""

    disk: Disk
    replies: frozenset["Message"]


class Read(NamedTuple):
    """A linearizable read in progress: its index, its round, and who confirmed the leader."""

    at: int
    round: int
    acks: frozenset[int]


class Member(NamedTuple):
    """One member's state. `votes`: who voted for it. `pending`: replies that wait for the disk.

    `queue`: writes that no sync has covered yet, oldest first, where the model tells them apart.
    """

    me: int
    term: int
    vote: int
    role: Role
    log: Log
    snap: int
    commit: int
    votes: tuple[int, ...]
    next: tuple[int, ...]
    match: tuple[int, ...]
    fresh: bool
    heard: frozenset[int]
    rounds: int
    read: Read | None
    disk: Disk
    pending: frozenset["Message"]
    queue: tuple[Write, ...] = ()


@dataclass(frozen=True, slots=True)
class PreVote:
    """§9.6: would you vote for me in `term`? Changes nobody's term."""

    src: int
    dst: int
    term: int
    last_term: int
    last_index: int


@dataclass(frozen=True, slots=True)
class PreVoteReply:
    src: int
    dst: int
    term: int
    granted: bool


@dataclass(frozen=True, slots=True)
class Vote:
    """§5.2, §5.4.1: RequestVote."""

    src: int
    dst: int
    term: int
    last_term: int
    last_index: int


@dataclass(frozen=True, slots=True)
class VoteReply:
    src: int
    dst: int
    term: int
    granted: bool


@dataclass(frozen=True, slots=True)
class Append:
    """§5.3: AppendEntries; empty it is a heartbeat; `round` asks to confirm a read (§6.4)."""

    src: int
    dst: int
    term: int
    prev: int
    prev_term: int
    entries: Log
    commit: int
    round: int


@dataclass(frozen=True, slots=True)
class AppendReply:
    """`match`: where the logs agree; in a refusal, where to try next."""

    src: int
    dst: int
    term: int
    success: bool
    match: int
    round: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """§7: InstallSnapshot; `prefix` stands for the tables' content up to its length."""

    src: int
    dst: int
    term: int
    prefix: Log


Message = PreVote | PreVoteReply | Vote | VoteReply | Append | AppendReply | Snapshot


class Own(Enum):
    """Events of a member itself."""

    TIMEOUT = "timeout"
    LAPSE = "lapse"
    REQUEST = "request"
    READ = "read"
    QUORUM = "quorum"
    FSYNC = "fsync"
    CHECKPOINT = "checkpoint"


@dataclass(frozen=True, slots=True)
class Replicate:
    """The leader sends what `peer` lacks; nothing, where it lacks nothing."""

    peer: int


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The leader sends nothing, from where `peer` is known to agree."""

    peer: int


@dataclass(frozen=True, slots=True)
class Send:
    """The leader sends `count` entries behind `prev`, or says only that it leads."""

    peer: int
    prev: int
    count: int


@dataclass(frozen=True, slots=True)
class Fsync:
    """A sync ends that covers the oldest `writes` of the queue."""

    writes: int


@dataclass(frozen=True, slots=True)
class Crash:
    """The member ends, and restarts with this on its disk."""

    found: Disk


@dataclass(frozen=True, slots=True)
class Compact:
    """The tables hold durably what the entries up to `at` did: the log begins behind it."""

    at: int


@dataclass(frozen=True, slots=True)
class Offer:
    """The leader sends `peer` a snapshot up to where its log begins."""

    peer: int


@dataclass(frozen=True, slots=True)
class Ask:
    """The leader begins a round that no read waits for, to tell answers to it from older ones."""


@dataclass(frozen=True, slots=True)
class TakeBack:
    """The leader takes nothing any more for certain of what `peer` has acknowledged."""

    peer: int


Event = (
    Own | Replicate | Heartbeat | Send | Compact | Offer | Fsync | Crash | Ask | TakeBack | Receive
)


@dataclass(frozen=True)
class Options:
    """Bounds and features. `sync`: fsync is a step of its own, and replies wait for it."""

    members: int = 3
    terms: int = 2
    entries: int = 1
    batch: int = 1
    prevote: bool = False
    quorum: bool = False
    heartbeats: bool = False
    reads: int = 0
    checkpoints: int = 0
    sync: bool = False


def term_at(log: Log, index: int) -> int:
    return log[index - 1] if index else 0


def last_term(log: Log) -> int:
    return log[-1] if log else 0


def with_vote(s: Member, voter: int) -> tuple[int, ...]:
    """Who voted, in order, each once."""
    return tuple(sorted({*s.votes, voter}))


def majority(members: int) -> int:
    return members // 2 + 1
