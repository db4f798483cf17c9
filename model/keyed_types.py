"""The nouns of the key column's model: batches in a log, replicas of their table, producers.

Of a row only its key matters: a table is the sequence of its rows' keys, by offset.
"""

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import NamedTuple

NOBODY = -1

Keys = tuple[int, ...]
"""Of rows, in order: one after the other in a batch, in a table, in a window."""


class Phase(StrEnum):
    """IDLE: has been answered. WAITING: has sent a batch. UNSURE: and will send it again."""

    IDLE = "idle"
    WAITING = "waiting"
    UNSURE = "unsure"


class Entry(NamedTuple):
    """A batch in the log: whose, which of its batches, and the rows that are logged."""

    producer: int
    batch: int
    keys: Keys

    def __str__(self) -> str:
        return f"batch {self.batch} of producer {self.producer} with {list(self.keys)}"


Log = tuple[Entry, ...]


class Replica(NamedTuple):
    """One member's table, `applied` entries of the log; `saved` entries and rows are durable.

    `loaded`: so many rows were read from the disk at the last restart. `window`: the keys by which
    a leader judges, the oldest first; None: it has not made any.
    """

    rows: Keys = ()
    applied: int = 0
    saved: tuple[int, int] = (0, 0)
    loaded: int = 0
    window: Keys | None = None

    def __str__(self) -> str:
        window = "" if self.window is None else f", window {list(self.window)}"
        return f"{list(self.rows)} of {self.applied}, {self.saved[0]} saved{window}"


class Producer(NamedTuple):
    """Has begun so many batches; `keys` are those of the last one."""

    begun: int = 0
    keys: Keys = ()
    phase: Phase = Phase.IDLE

    def __str__(self) -> str:
        return f"{self.phase}, {self.begun} begun, last {list(self.keys)}"


class Group(NamedTuple):
    """The leader with its log, of which `commit` entries are committed; and who is around it.

    The leader serves when it has applied `serves_from` entries: all that were there when it was
    elected. `acknowledged`: the keys of which producers know that they are in the table.
    """

    log: Log
    commit: int
    leader: int
    serves_from: int
    replicas: tuple[Replica, ...]
    producers: tuple[Producer, ...]
    acknowledged: frozenset[int]


@dataclass(frozen=True, slots=True)
class Send:
    """A producer sends a new batch, or its last one again, to the leader, which logs it."""

    producer: int
    keys: Keys

    def __str__(self) -> str:
        return f"producer {self.producer} sends {list(self.keys)}"


@dataclass(frozen=True, slots=True)
class TimeOut:
    """A producer waits no longer, whatever has become of its batch."""

    producer: int

    def __str__(self) -> str:
        return f"producer {self.producer} has waited long enough"


@dataclass(frozen=True, slots=True)
class Apply:
    """A member executes the next committed entry; a leader then answers."""

    member: int

    def __str__(self) -> str:
        return f"member {self.member} applies an entry"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A member makes durable what it has applied."""

    member: int

    def __str__(self) -> str:
        return f"member {self.member} makes a checkpoint"


@dataclass(frozen=True, slots=True)
class Restart:
    """A member ends and comes back, with what its last checkpoint says and the log."""

    member: int

    def __str__(self) -> str:
        return f"member {self.member} restarts"


@dataclass(frozen=True, slots=True)
class Elect:
    """A member becomes leader that has so many of the entries that are not committed."""

    member: int
    held: int

    def __str__(self) -> str:
        return f"member {self.member} is elected, with {self.held} of the entries that wait"


class Own(Enum):
    """What the group does."""

    COMMIT = "the leader commits an entry"


Event = Own | Send | TimeOut | Apply | Checkpoint | Restart | Elect


def rows_of(log: Log) -> Keys:
    """The rows that these entries make."""
    return tuple(key for entry in log for key in entry.keys)
