"""The nouns of the subscription model: a group's table, its subscribers, and what they say.

A row is known by its offset and the term in which it was written; a log is the row of those terms,
and perhaps the table's drop behind them: minus the term in which that was logged.
A connection is known by its number, and what is sent on it by a second one: the network may do what
it likes, a connection brings everything in its order or nothing more (TCP).
"""

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import NamedTuple

NOBODY = -1
LATEST, EARLIEST = -1, -3
"""Offsets that ask for a place: behind the last row, and at the first that is left (B10)."""

Log = tuple[int, ...]


def rows_of(log: Log) -> Log:
    """The rows, without a drop behind them."""
    return log[:-1] if has_drop(log) else log


def has_drop(log: Log) -> bool:
    """Whether the table is dropped by it, as soon as that is committed."""
    return bool(log) and log[-1] < 0


class Role(StrEnum):
    """What a member takes itself for. A leader may have been deposed and not know it."""

    LEADER = "leader"
    FOLLOWER = "follower"
    DOWN = "down"


class Subscription(NamedTuple):
    """A member publishes to a subscriber: on which connection, and from which row on.

    `sent`: messages so far. `mute`: the connection is kept and nothing is sent any more.
    """

    subscriber: int
    connection: int
    sent: int
    position: int
    mute: bool = False

    def __str__(self) -> str:
        how = "(mute)" if self.mute else f"from {self.position}"
        return f"subscriber {self.subscriber} {how}"


class Seat(NamedTuple):
    """One member. `known`: entries that it knows to be committed. `log` None: as its group's."""

    role: Role
    known: int
    log: Log | None
    subscriptions: tuple[Subscription, ...]

    def __str__(self) -> str:
        if self.role is not Role.LEADER and not self.subscriptions:
            return self.role.value
        own = "" if self.log is None else f" of {list(self.log)}"
        parts = (f"{self.known} committed{own}", *map(str, self.subscriptions))
        return f"{self.role} ({'; '.join(parts)})"


class Group(NamedTuple):
    """The group: the newest leader and its log, how much of it is committed, and its members.

    `earliest`: the first row that retention has left. `heard`: of each subscriber the newest
    connection; the older ones are closed.
    """

    term: int
    leader: int
    log: Log
    committed: int
    earliest: int
    seats: tuple[Seat, ...]
    heard: tuple[int, ...]


class Phase(StrEnum):
    """Where a subscriber stands.

    SEEKING: it has no connection. ASKING: it waits for an answer. GONE: what it asked for is not
    there any more. REFUSED: it asks for −2, and there is no stored offset.
    """

    SEEKING = "seeking"
    ASKING = "asking"
    LIVE = "live"
    GONE = "gone"
    REFUSED = "refused"


class State(NamedTuple):
    """A subscriber.

    `site`: the member that it asks. `took`: messages taken from the connection. `next`: the row
    that it asks for after a break, once it knows. `queue`: rows that wait for the handler. `due`:
    the last row processed, to be recorded. `held`: the first row whose handler failed; nothing is
    recorded behind it. On disk: `stored`, the last row recorded of each topic, and `ran`: whether
    the program subscribed before. Outside: `handled`: of all rows before it the handler has seen
    to; those before the first one that it was to get count as well.
    """

    me: int
    phase: Phase
    site: int
    connection: int
    took: int
    next: int | None
    queue: tuple[int, ...]
    due: int | None
    held: int | None
    topic: int
    stored: tuple[int | None, ...]
    ran: bool
    handled: int


# Messages.


@dataclass(frozen=True, slots=True)
class Subscribe:
    """To a member: publish to me, from this offset on."""

    src: int
    dst: int
    member: int
    connection: int
    offset: int

    def __str__(self) -> str:
        return f"Subscribe(connection {self.connection}, n{self.member}, offset {self.offset})"


@dataclass(frozen=True, slots=True)
class Subscribed:
    """From a leader: the first row will be `start`; `offset` is what was asked for."""

    src: int
    dst: int
    connection: int
    number: int
    offset: int
    start: int

    def __str__(self) -> str:
        return f"Subscribed(connection {self.connection}, from {self.start})"


@dataclass(frozen=True, slots=True)
class NotLeader:
    """From a member that does not lead: ask `site`; its own where it knows no leader (HS-7)."""

    src: int
    dst: int
    connection: int
    number: int
    site: int

    def __str__(self) -> str:
        return f"NotLeader(connection {self.connection}, n{self.site})"


@dataclass(frozen=True, slots=True)
class Gone:
    """From a leader: what was asked for is not available (B12)."""

    src: int
    dst: int
    connection: int
    number: int
    offset: int

    def __str__(self) -> str:
        return f"Gone(connection {self.connection}, offset {self.offset})"


@dataclass(frozen=True, slots=True)
class Frame:
    """From a publisher: rows from `offset` on, each by its term."""

    src: int
    dst: int
    connection: int
    number: int
    offset: int
    rows: Log

    def __str__(self) -> str:
        rows = ", ".join(f"{at}.{term}" for at, term in enumerate(self.rows, start=self.offset))
        return f"Frame(connection {self.connection}, {self.number}: rows {rows})"


Answer = Subscribed | NotLeader | Gone | Frame


# Events of the group; a number is a member's.


@dataclass(frozen=True, slots=True)
class Write:
    """A leader logs a row."""

    member: int

    def __str__(self) -> str:
        return f"n{self.member} logs a row"


@dataclass(frozen=True, slots=True)
class Drop:
    """A leader is asked to drop the table: it logs that, or refuses."""

    member: int

    def __str__(self) -> str:
        return f"n{self.member} is asked to drop the table"


@dataclass(frozen=True, slots=True)
class Commit:
    """The newest leader learns that one more entry is committed, if need be because it now is."""

    member: int

    def __str__(self) -> str:
        return f"n{self.member} commits an entry"


@dataclass(frozen=True, slots=True)
class Elect:
    """A new leader: of `keep` entries, all committed ones among them; it knows `known` to be."""

    member: int
    keep: int
    known: int

    def __str__(self) -> str:
        return f"n{self.member} is elected with {self.keep} entries, knows {self.known} committed"


@dataclass(frozen=True, slots=True)
class StepDown:
    """A leader becomes a follower."""

    member: int

    def __str__(self) -> str:
        return f"n{self.member} steps down"


@dataclass(frozen=True, slots=True)
class Publish:
    """A member sends its next rows to one of its subscribers."""

    member: int
    subscriber: int

    def __str__(self) -> str:
        return f"n{self.member} publishes to subscriber {self.subscriber}"


@dataclass(frozen=True, slots=True)
class Kill:
    """A member's process ends; its connections break."""

    member: int

    def __str__(self) -> str:
        return f"n{self.member} is killed"


@dataclass(frozen=True, slots=True)
class Restart:
    """A killed member comes back."""

    member: int

    def __str__(self) -> str:
        return f"n{self.member} restarts"


@dataclass(frozen=True, slots=True)
class Purge:
    """Retention removes the first row that is left."""

    def __str__(self) -> str:
        return "purges its first row"


GroupEvent = Write | Drop | Commit | Elect | StepDown | Publish | Kill | Restart | Purge


class Own(Enum):
    """Events of a subscriber."""

    TRY = "asks a member"
    LOSE = "finds its connection broken"
    HANDLE = "handles a batch"
    THROTTLE = "handles less than a batch: time is up"
    FAIL = "handles a batch, and the handler fails"
    RECORD = "records the last row processed"
    CRASH = "crashes"
    KEEP = "is unsubscribed, its offset kept"
    REMOVE = "is unsubscribed, its offset removed"


# Notes for the ledger.


@dataclass(frozen=True, slots=True)
class Note:
    """What befell a subscriber. `offset` and `count`: of rows; of a subscription, its start."""

    subscriber: int
    what: "What"
    offset: int = 0
    count: int = 0


class What(StrEnum):
    """Kinds of notes."""

    LIVE = "live"
    TAKEN = "taken"
    HANDLED = "handled"
    FAILED = "failed"
    RECORDED = "recorded"
    LOST = "lost"
    CRASHED = "crashed"
    KEPT = "kept"
    REMOVED = "removed"
