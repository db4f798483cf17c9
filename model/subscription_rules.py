"""How rows may reach subscribers: the bounds of the model, its switches, and what they decide.

Every switch has as its default what keeps the promises: what semantics.md §6 recommends, and where
that was not enough, what is. The others are what a document says when it is taken by the letter, or
what a programmer might think is enough.
"""

from dataclasses import dataclass
from enum import StrEnum

from .subscription_types import EARLIEST, LATEST, State


class Offset(StrEnum):
    """What the program asks for at its first subscription (B10)."""

    LATEST = "-1"
    STORED = "-2"
    EARLIEST = "-3"
    ZERO = "0"
    ONE = "1"


class Publishing(StrEnum):
    """HS-12: subscribers get what is written, or what is committed."""

    WRITTEN = "written"
    COMMITTED = "committed"


class Closing(StrEnum):
    """HS-8: what a step-down does to subscriptions.

    It closes all, or the first; it leaves them; or it stops sending and leaves the connections.
    """

    ALL = "all"
    FIRST = "first"
    NONE = "none"
    SILENT = "silent"


class Purged(StrEnum):
    """B12: rows that are asked for and not there any more.

    The subscriber is told; a new subscription begins at the first row that is left; one that lags
    goes on there.
    """

    TOLD = "told"
    MOVED = "moved"
    SKIPPED = "skipped"


class Beyond(StrEnum):
    """An offset that the leader does not know of yet: the subscription waits, or is refused."""

    WAITS = "waits"
    REFUSED = "refused"


class Dropping(StrEnum):
    """HS-17, V14: what a drop of the table asks of its subscriptions.

    FENCED: there is none, and none begins until the drop is applied, whoever leads by then.
    UNGUARDED: nothing. UNFENCED: there is none as it is logged. FORGOTTEN: as FENCED, but only the
    leader that has logged it lets none begin.
    """

    FENCED = "fenced"
    UNGUARDED = "unguarded"
    UNFENCED = "unfenced"
    FORGOTTEN = "forgotten"


class Resume(StrEnum):
    """B8: after a break ask behind the last row received, or handled; or as at first."""

    RECEIVED = "received"
    HANDLED = "handled"
    ASKED = "asked"


class Missing(StrEnum):
    """V9: −2 without a stored offset is an error (the program then asks as at first), or −1."""

    ERROR = "error"
    LATEST = "latest"


class Topic(StrEnum):
    """V10: an offset is stored for the table of the group, or of the node."""

    GROUP = "group"
    NODE = "node"


class Stored(StrEnum):
    """V18: −2 continues behind the stored row, or at it; or is taken for −1."""

    NEXT = "next"
    SAME = "same"
    IGNORED = "ignored"


class Recording(StrEnum):
    """B9: a row is recorded after its handler, or as it is received."""

    HANDLED = "handled"
    RECEIVED = "received"


class Failure(StrEnum):
    """V21: what the failure of a handler does to the stored offset.

    HOLD: it stays before that row until the next subscription, which begins there. PASS: it stays,
    and the next batch that succeeds is recorded. ADVANCE: it is recorded as if it had succeeded.
    AGAIN: as HOLD, and the subscriber subscribes anew at once.
    """

    HOLD = "hold"
    SKIP = "skip"
    ADVANCE = "advance"
    AGAIN = "again"


class Unsubscribed(StrEnum):
    """What unsubscribing does to rows that wait: they are forgotten, or recorded as well."""

    FORGOTTEN = "forgotten"
    RECORDED = "recorded"


@dataclass(frozen=True)
class Options:
    """Bounds (how many of each), then what the program asks for, then switches.

    `connections`: of each subscriber. `frame`: rows of one at most. `batch`: rows that the handler
    waits for (`throttle`: not for ever). `kills`: of members; `crashes`: of subscribers;
    `failures`: of the handler; `drops`: of the table. `anchor`: a first subscription records where
    it begins. `whole`: a batch is all that waits, else its first rows. `counted`: a frame is as
    many offsets as rows, else one. `own`: frames count on the connection that they were asked for
    on. `ring`: a subscriber that fails at one member asks another, else the first one again.
    `keeps`: rows that wait for the handler outlive the connection.
    """

    members: int = 2
    rows: int = 2
    terms: int = 2
    subscribers: int = 1
    connections: int = 2
    frame: int = 2
    batch: int = 1
    crashes: int = 1
    kills: int = 0
    purges: int = 0
    failures: int = 0
    unsubscribes: int = 0
    drops: int = 0
    offset: Offset = Offset.ZERO
    persist: bool = True
    throttle: bool = True
    publish: Publishing = Publishing.COMMITTED
    closing: Closing = Closing.ALL
    purged: Purged = Purged.TOLD
    beyond: Beyond = Beyond.WAITS
    dropping: Dropping = Dropping.FENCED
    resume: Resume = Resume.RECEIVED
    missing: Missing = Missing.ERROR
    topic: Topic = Topic.GROUP
    stored: Stored = Stored.NEXT
    recording: Recording = Recording.HANDLED
    failure: Failure = Failure.HOLD
    unsubscribed: Unsubscribed = Unsubscribed.FORGOTTEN
    anchor: bool = True
    whole: bool = True
    counted: bool = True
    own: bool = True
    ring: bool = True
    keeps: bool = True

    @property
    def topics(self) -> int:
        """How many offsets a subscriber may have stored."""
        return self.members if self.topic is Topic.NODE else 1

    @property
    def subscribes(self) -> bool:
        """Whether a subscription can ever begin."""
        return self.offset is not Offset.STORED or self.missing is Missing.LATEST

    @property
    def receives(self) -> bool:
        """Whether there can be rows in it."""
        return self.subscribes and (self.offset is not Offset.ONE or self.rows > 1)

    @property
    def records(self) -> bool:
        """Whether recording a row is a step of its own."""
        return self.persist and self.recording is Recording.HANDLED


def topic(options: Options, site: int) -> int:
    """For which topic a subscription at this member stores its offset."""
    return site if options.topic is Topic.NODE else 0


def wanted(options: Options, s: State) -> int | None:
    """The offset that a subscriber asks for; None: it has none, and that is an error.

    A program that ran before asks for −2 and, where that is an error, as at first.
    """
    if s.next is not None:
        return int(options.offset) if options.resume is Resume.ASKED else s.next
    if options.offset is Offset.STORED or (options.persist and s.ran):
        stored = s.stored[topic(options, s.site)]
        if stored is not None and options.stored is not Stored.IGNORED:
            return stored + (options.stored is Stored.NEXT)
        if options.missing is Missing.LATEST or stored is not None:
            return LATEST
        if options.offset is Offset.STORED:
            return None
    return int(options.offset)


def begins(options: Options, offset: int, known: int, earliest: int) -> int | None:
    """Where a leader that knows of so many rows begins a subscription; None: not available."""
    if offset == LATEST:
        return known
    if offset == EARLIEST:
        return earliest
    if offset < earliest:
        return earliest if options.purged is Purged.MOVED else None
    return None if offset > known and options.beyond is Beyond.REFUSED else offset
