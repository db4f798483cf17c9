"""What a leader publishes: the committed rows of a group's tables, pushed to subscriptions.

Rule 1: only what is applied is published, from the table itself, so that subscribers get only rows
that stay (promise HS-12); a subscription is a position and has no rows of its own.
Rule 2: a subscription belongs to one term of one leader (V6). Whoever stops leading ends them all,
and says so: a quiet connection would look like a table into which nobody writes (promise HS-8).
Rule 3: where a frame has fewer rows than it counts, the others were not asked for.
Rule 4: nobody waits for a slow subscriber. It is sent as many frames as it has room for; a slower
one is sent larger frames, and one that gives no sign of life loses its subscription.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from ..bugs import SUBSCRIPTIONS_SURVIVE
from ..client.errors import (
    BAD_REQUEST,
    FRAME_TOO_LARGE,
    HAS_SUBSCRIPTIONS,
    OVERLOADED,
    TIMEOUT,
    TOPIC_EXISTS,
    RequestError,
    offset_purged,
)
from ..runtime import Alarm, Clock
from ..wire import Ended, FrameTooLargeError, Rows
from .commands import decode_append
from .filtering import Values, Wanted, wanted
from .schema import to_bytes
from .table import StreamTable

LATEST, STORED, EARLIEST = -1, -2, -3
"""Offsets that ask for a place (B10): behind the last row; behind the row that the subscriber has
recorded, which only it knows; the first row that there is."""

FRAME_BYTES = 256 << 10
"""Rows in one frame, about."""

WINDOW_MAX = 64
"""Frames under way to one subscription, at most."""

SUBSCRIPTIONS_MAX = 10_000
"""Of one group; more are refused as Overloaded."""

BEAT_S = 0.5
"""How often a leader tells its subscribers that it is there."""

BEATS_MAX = 6
"""A subscriber that let so many of them pass without an answer is gone."""


class Link(Protocol):
    """The connection of a subscriber."""

    @property
    def is_open(self) -> bool:
        """Whether anything sent may still arrive."""

    @property
    def peer(self) -> str:
        """The other side's address, for people."""

    @property
    def is_writable(self) -> bool:
        """Whether the other side reads as fast as we write."""

    def push(self, frame: Rows | Ended) -> None:
        """Send a frame; one to a connection that has ended goes nowhere.

        Raises FrameTooLargeError.
        """


class Published(Protocol):
    """The tables of a group, as far as they are committed."""

    def table(self, name: str) -> StreamTable:
        """A table; raises RequestError if there is none."""

    def piece(self, name: str, start: int, bytes_max: int) -> tuple[int, tuple[bytes, ...]]:
        """How many rows from `start` on are in the batches given; raises RequestError."""


class Ask(msgspec.Struct, frozen=True, array_like=True):
    """What a subscriber wants.

    `subscription` is its number for it on this connection, `window` how many frames it has room
    for at most, `room` for how many now. `subscriber` and `attempt`: who asks, and the how manieth
    time; a later attempt of the same one takes the place of an earlier one, whose connection may
    seem to be alive. With a `filter` only rows come that have one of these values in the table's
    filter column.
    """

    subscription: int
    table: str
    action: str
    offset: int
    window: int
    room: int
    subscriber: str
    attempt: int
    filter: Values | None = None


@dataclass(slots=True, eq=False)
class Subscription:
    """Where one subscriber is. Invariant: rows before `next` were sent, in order."""

    link: Link
    ask: Ask
    term: int
    next: int
    room: int
    wanted: Wanted | None
    beats: int = 0

    @property
    def topic(self) -> tuple[str, str]:
        return self.ask.table, self.ask.action


class Broker:
    """The subscriptions of one group at one member; only a leader has any."""

    # Invariant: _by_link holds exactly the subscriptions of _topics, and the alarm runs for them.

    def __init__(
        self,
        clock: Clock,
        tables: Published,
        bugs: frozenset[str] = frozenset(),
        *,
        bytes_max: int = FRAME_BYTES,
    ) -> None:
        """Rows of about `bytes_max` in a frame, at most."""
        self._clock = clock
        self._tables = tables
        self._topics: dict[tuple[str, str], Subscription] = {}
        self._by_link: dict[Link, dict[int, Subscription]] = {}
        self._bugs = bugs
        self._bytes_max = bytes_max
        self._fenced: set[str] = set()
        self._leaked: dict[str, int] = {}
        self._alarm: Alarm | None = None

    @property
    def subscriptions(self) -> list[Subscription]:
        """All of them, for functions that look on."""
        return list(self._topics.values())

    # What subscribers do.

    def subscribe(self, link: Link, ask: Ask, term: int) -> dict[str, Any]:
        """Begin a subscription; gives its start. Then `publish`. Raises RequestError."""
        table = self._tables.table(ask.table)
        start = _start(ask, table)
        rows = None
        if ask.filter is not None:
            rows = wanted(table.schema, table.filter_column, ask.filter)
        if not 1 <= ask.window <= WINDOW_MAX:
            message = f"a window is 1 to {WINDOW_MAX} frames, not {ask.window}"
            raise RequestError(BAD_REQUEST, True, message)
        if ask.table in self._fenced:
            raise RequestError(OVERLOADED, True, f"table {ask.table} is being dropped")
        topic = (ask.table, ask.action)
        before = self._topics.get(topic)
        if before is not None:
            if (before.ask.subscriber, before.ask.attempt) >= (ask.subscriber, ask.attempt) or (
                before.ask.subscriber != ask.subscriber
            ):
                message = f"there is already a subscription {ask.table}/{ask.action}"
                raise RequestError(TOPIC_EXISTS, True, message)
            self._end(before, RequestError(TOPIC_EXISTS, True, "replaced by a later attempt"))
        if ask.subscription in self._by_link.get(link, {}):
            message = f"this connection has a subscription {ask.subscription} already"
            raise RequestError(BAD_REQUEST, True, message)
        if len(self._topics) >= SUBSCRIPTIONS_MAX:
            raise RequestError(OVERLOADED, True, f"{SUBSCRIPTIONS_MAX} subscriptions are enough")
        found = Subscription(link, ask, term, start, min(max(ask.room, 0), ask.window), rows)
        self._topics[topic] = found
        self._by_link.setdefault(link, {})[ask.subscription] = found
        if self._alarm is None:
            self._alarm = self._clock.call_later(BEAT_S, self._beat)
        schema = to_bytes(table.schema)
        return {"start": start, "term": term, "beat_s": BEAT_S, "schema": schema}

    def unsubscribe(self, table: str, action: str) -> None:
        """End a subscription from wherever; harmless if there is none."""
        found = self._topics.get((table, action))
        if found is not None:
            self._forget(found)

    def credit(self, link: Link, subscription: int, frames: int) -> None:
        """A subscriber gave a sign of life, and has room for so many more frames."""
        found = self._by_link.get(link, {}).get(subscription)
        if found is not None:
            found.beats = 0
            found.room = min(found.room + frames, found.ask.window)
            self._publish(found)

    def left(self, link: Link) -> None:
        """A connection has ended."""
        for found in list(self._by_link.get(link, {}).values()):
            self._forget(found)

    # What the group does.

    def publish(self, tables: Iterable[str] | None = None, link: Link | None = None) -> None:
        """Send what may be sent: of these tables, or over this connection, or everything."""
        for found in list(self._topics.values()):
            concerned = tables is None or found.ask.table in tables
            if concerned and (link is None or found.link is link):
                self._publish(found)

    def end_all(self, error: RequestError) -> None:
        """This member leads no more, or stops (promise HS-8); `error` says who leads now."""
        for found in list(self._topics.values()):
            if SUBSCRIPTIONS_SURVIVE not in self._bugs:
                self._end(found, error)
        self._fenced.clear()
        self._leaked.clear()

    def close(self) -> None:
        """Do nothing any more; connections end by themselves."""
        self._topics.clear()
        self._by_link.clear()
        self._rest()

    @property
    def positions(self) -> dict[tuple[str, str], int]:
        """The next row of each subscription, by table and action."""
        return {topic: found.next for topic, found in self._topics.items()}

    # What a drop asks (promise HS-17).

    def has_subscriptions(self, table: str) -> bool:
        """Whether anybody is subscribed to it."""
        return any(found.ask.table == table for found in self._topics.values())

    def refuse_subscribed(self, table: str) -> None:
        """Raises RequestError if there is a subscription."""
        if self.has_subscriptions(table):
            raise RequestError(HAS_SUBSCRIPTIONS, True, f"table {table} has subscriptions")

    def fence(self, table: str) -> None:
        """A drop is under way: let no subscription begin until `unfence` (V14)."""
        assert not self.has_subscriptions(table)
        self._fenced.add(table)

    def unfence(self, table: str) -> None:
        """The drop is over: the table is gone, or stays."""
        self._fenced.discard(table)

    # Inside.

    def _publish(self, found: Subscription) -> None:
        link, ask = found.link, found.ask
        while found.room and link.is_writable:
            try:
                count, batches = self._tables.piece(ask.table, found.next, self._bytes_max)
            except RequestError as error:
                self._end(found, error)
                return
            if not count:
                return
            if found.wanted is not None:
                batches = found.wanted.among(batches)
            try:
                link.push(Rows(ask.subscription, found.term, found.next, count, batches))
            except FrameTooLargeError as error:
                # A batch whose columns share bytes is longer as rows than it was in the log.
                self._end(found, RequestError(FRAME_TOO_LARGE, True, str(error)))
                return
            found.next += count
            found.room -= 1

    def leak(self, payloads: Iterable[bytes]) -> None:
        """Seeded bug: publish what was only just logged."""
        for payload in payloads:
            command = decode_append(payload)
            name = command.table
            end = max(self._leaked.get(name, 0), self._tables.table(name).rows)
            self._leaked[name] = end + command.rows
            for found in self._topics.values():
                if found.ask.table == name and found.next == end and found.room:
                    body = (bytes(command.body),)
                    ask = found.ask
                    rows = Rows(ask.subscription, found.term, end, command.rows, body)
                    found.link.push(rows)
                    found.next += command.rows
                    found.room -= 1

    def _beat(self) -> None:
        self._alarm = None
        for found in list(self._topics.values()):
            found.beats += 1
            if found.beats > BEATS_MAX:
                silent_s = BEATS_MAX * BEAT_S
                self._end(found, RequestError(TIMEOUT, True, f"silent for {silent_s:g} s"))
            elif found.link.is_writable:
                found.link.push(Rows(found.ask.subscription, found.term, found.next, 0, ()))
        if self._topics:
            self._alarm = self._clock.call_later(BEAT_S, self._beat)

    def _end(self, found: Subscription, error: RequestError) -> None:
        self._forget(found)
        found.link.push(Ended(found.ask.subscription, error.name, error.message))

    def _forget(self, found: Subscription) -> None:
        del self._topics[found.topic]
        mine = self._by_link[found.link]
        del mine[found.ask.subscription]
        if not mine:
            del self._by_link[found.link]
        self._rest()

    def _rest(self) -> None:
        """No beats without subscriptions."""
        if not self._topics and self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None


def _start(ask: Ask, table: StreamTable) -> int:
    """The first row that a subscription gets; one that is not written yet is waited for."""
    if ask.offset == LATEST:
        return table.rows
    if ask.offset == EARLIEST:
        return table.disk_offset
    if ask.offset < 0:
        message = f"an offset is a row's, {LATEST} or {EARLIEST} here, not {ask.offset}"
        raise RequestError(BAD_REQUEST, True, message)
    if ask.offset < table.disk_offset:
        raise offset_purged(table.name, table.disk_offset, ask.offset)
    return ask.offset
