"""The members' side: the broker makes the steps of `model/subscription_publisher.py`."""

from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from ....impl.bugs import PUBLISH_WRITTEN
from ....impl.client.errors import (
    HAS_SUBSCRIPTIONS,
    NO_SUCH_TABLE,
    OFFSET_PURGED,
    OVERLOADED,
    RequestError,
    not_leader,
)
from ....impl.runtime import Alarm
from ....impl.site import Site
from ....impl.stream.broker import WINDOW_MAX, Ask, Broker
from ....impl.stream.checks import missing
from ....impl.stream.commands import AppendRows, encode
from ....impl.stream.table import StreamTable
from ....impl.wire import Ended, Rows
from ....model.actor import Receive
from ....model.subscription_publisher import log_of
from ....model.subscription_rules import Options
from ....model.subscription_types import (
    Drop,
    Frame,
    Gone,
    Group,
    Publish,
    Role,
    StepDown,
    Subscribe,
    Subscribed,
    Write,
    has_drop,
    rows_of,
)

TABLE = "t"
SCHEMA = pa.schema([("row", pa.int64())])
ELSEWHERE = not_leader(Site("n1", 1, "n1"))

Found = list[tuple[str, Any, Any]]


@dataclass(eq=False)
class Wire:
    """A connection that keeps what a subscriber is sent."""

    frames: list[Rows | Ended] = field(default_factory=list)
    peer: str = ""
    is_open: bool = True
    is_writable: bool = True

    def push(self, frame: Rows | Ended) -> None:
        self.frames.append(frame)

    @property
    def rows(self) -> list[tuple[int, int]]:
        return [(frame.offset, frame.count) for frame in self.frames if isinstance(frame, Rows)]


class NoTime:
    """A clock that stands still: the model has no beats."""

    def now_ns(self) -> int:
        return 0

    def wall_ns(self) -> int:
        return 0

    def call_soon(self, callback: Any) -> None:
        raise AssertionError("a broker waits for nothing")

    def call_later(self, delay_s: float, callback: Any) -> Alarm:
        return Never()


class Never:
    """An alarm of such a clock."""

    def cancel(self) -> None:
        """There is nothing to forget."""


class Kept(StreamTable):
    """A table of which retention has left the rows from an offset on."""

    earliest = 0

    @property
    def disk_offset(self) -> int:
        return self.earliest


class Committed:
    """One table of so many rows, published so many at once; or none, where it `is_dropped`."""

    is_dropped = False

    def __init__(self, rows: int, earliest: int, frame: int) -> None:
        self._table = Kept(TABLE, SCHEMA)
        self._frame = frame
        if rows:
            body = pa.record_batch([list(range(rows))], schema=SCHEMA).serialize()
            self._table.append(rows, memoryview(body), 0)
        self._table.earliest = earliest

    def table(self, name: str) -> Kept:
        if self.is_dropped:
            raise missing(name)
        return self._table

    def piece(self, name: str, start: int, bytes_max: int) -> tuple[int, tuple[bytes, ...]]:
        if start < min(self._table.disk_offset, self._table.rows):
            raise RequestError(OFFSET_PURGED, True, f"row {start} is kept no more")
        return max(0, min(self._frame, self._table.rows - start)), ()


class Giver:
    """Puts brokers into the model's states and steps them."""

    def __init__(self, options: Options, bugs: frozenset[str]) -> None:
        self._options = options
        self._bugs = bugs
        self.steps = 0

    def compare(self, state: Group, event: Any, step: Any) -> Found | None:
        """What differs: field, the model's value, the broker's; None where it has no part in it."""
        member = _member(event)
        if member is None or state.seats[member].role is not Role.LEADER:
            return None
        if step is None and isinstance(event, Receive):
            return None
        if _waits(state, member):
            return None
        self.steps += 1
        try:
            return self._compared(state, event, step, member)
        except RequestError as error:
            return [("refusal", None, error.name)]
        except AssertionError as error:
            return [("assertion", "a step", f"the broker refuses: {error}")]

    def _compared(self, state: Group, event: Any, step: Any, member: int) -> Found:
        broker, wires = self._broker(state, member)
        found = _differs("positions at first", _positions(state, member), broker.positions)
        if found:
            return found
        match event:
            case Drop():
                return _drop(broker, step)
            case Receive(Subscribe() as m):
                assert step is not None
                return self._subscribe(broker, m, step, member)
            case Publish(subscriber=subscriber):
                return _published(broker, wires[subscriber], state, event, step)
            case StepDown():
                assert step is not None
                broker.end_all(ELSEWHERE)
                left = _positions(step.state, member)
                frames = [f for wire in wires.values() for f in wire.frames]
                told = [f.name for f in frames if isinstance(f, Ended)]
                expected = [ELSEWHERE.name] * (len(wires) - len(left))
                return _differs("subscriptions", left, broker.positions) + _differs(
                    "connections told", expected, told
                )
            case Write():
                if PUBLISH_WRITTEN in self._bugs:
                    for wire in wires.values():
                        broker.credit(wire, 1, 1)
                    before = [list(wire.rows) for wire in wires.values()]
                    broker.leak([encode(AppendRows(TABLE, 1, 1, memoryview(b"")))])
                    return _differs("rows sent", before, [wire.rows for wire in wires.values()])
        return []

    def _broker(self, state: Group, member: int) -> tuple[Broker, dict[int, Wire]]:
        """A broker that is where the model's member is; nobody has room for a frame yet."""
        seat, log = state.seats[member], log_of(state, member)
        table = Committed(len(rows_of(log[: seat.known])), 0, self._options.frame)
        broker = Broker(NoTime(), table, self._bugs)
        wires: dict[int, Wire] = {}
        for each in seat.subscriptions:
            wires[each.subscriber] = Wire()
            ask = _ask(each.subscriber, each.position, each.connection, room=0)
            broker.subscribe(wires[each.subscriber], ask, state.term)
        table.table(TABLE).earliest = state.earliest
        table.is_dropped = has_drop(log[: seat.known])
        if has_drop(log) and not table.is_dropped:
            broker.fence(TABLE)
        return broker, wires

    def _subscribe(self, broker: Broker, m: Subscribe, step: Any, member: int) -> Found:
        answers = [a.start for a in step.sends if isinstance(a, Subscribed)]
        try:
            ask = _ask(m.src, m.offset, m.connection, room=0)
            starts = [int(broker.subscribe(Wire(), ask, 1)["start"])]
        except RequestError as error:
            return _differs("refusal", _refusal(step), error.name)
        found = _differs("start", answers, starts)
        return found + _differs("positions", _positions(step.state, member), broker.positions)


def _published(broker: Broker, wire: Wire, state: Group, event: Publish, step: Any) -> Found:
    """There is room for one frame: what it has, where the subscription is behind it, and that no
    room is left then.
    """
    broker.credit(wire, 1, 1)
    frames = () if step is None else step.sends
    sent = [(f.offset, len(f.rows)) for f in frames if isinstance(f, Frame)]
    after = _positions(state if step is None else step.state, event.member)
    found = _differs("rows sent", sent, wire.rows)
    found += _differs("positions", after, broker.positions)
    room = [each.room for each in broker.subscriptions if each.link is wire]
    return found + _differs("room", [1 - len(sent)] * len(room), room)


def _positions(state: Group, member: int) -> dict[tuple[str, str], int]:
    """The next row of each subscription of a member, as a broker tells them."""
    return {
        (TABLE, str(each.subscriber)): each.position for each in state.seats[member].subscriptions
    }


def _drop(broker: Broker, step: Any) -> Found:
    """The newest leader is asked for a drop: it refuses, or lets no subscription begin."""
    refusal = None if has_drop(step.state.log) else HAS_SUBSCRIPTIONS
    found = _differs("refusal", refusal, _refused(broker))
    if found or refusal is not None:
        return found
    broker.fence(TABLE)
    try:
        broker.subscribe(Wire(), _ask(0, 0, 1, room=0), 1)
    except RequestError as error:
        return _differs("refusal of a subscription", OVERLOADED, error.name)
    return [("refusal of a subscription", OVERLOADED, None)]


def _refused(broker: Broker) -> str | None:
    try:
        broker.refuse_subscribed(TABLE)
    except RequestError as error:
        return error.name
    return None


def _refusal(step: Any) -> str:
    """What a leader that refuses a subscription says why, by what the model does."""
    if not step.sends:
        return OVERLOADED
    (answer,) = step.sends
    assert isinstance(answer, Gone)
    return NO_SUCH_TABLE if has_drop(step.state.log) else OFFSET_PURGED


def _waits(state: Group, member: int) -> bool:
    """Whether the drop before a leader is its predecessor's: its Raft group lets nobody in yet."""
    log = log_of(state, member)
    return has_drop(log) and state.seats[member].known < len(log) and log[-1] != -state.term


def _ask(subscriber: int, offset: int, connection: int, *, room: int) -> Ask:
    who = str(subscriber)
    return Ask(1, TABLE, who, offset, WINDOW_MAX, room, who, connection)


def _member(event: Any) -> int | None:
    match event:
        case Receive(Subscribe(member=member)):
            return member
        case (
            Publish(member=member)
            | StepDown(member=member)
            | Write(member=member)
            | Drop(member=member)
        ):
            return member
    return None


def _differs(what: str, expected: Any, found: Any) -> Found:
    return [] if expected == found else [(what, expected, found)]
