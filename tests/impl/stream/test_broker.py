"""The broker of a leader, with connections that write down what they are sent."""

from dataclasses import dataclass, field

import pyarrow as pa
import pytest
from delphic.impl.client.errors import RequestError, not_leader
from delphic.impl.site import Site
from delphic.impl.stream.broker import (
    BEAT_S,
    BEATS_MAX,
    EARLIEST,
    LATEST,
    STORED,
    SUBSCRIPTIONS_MAX,
    Ask,
    Broker,
)
from delphic.impl.stream.table import StreamTable
from delphic.impl.wire import Ended, FrameTooLargeError, Rows
from hand_clock import HandClock

SCHEMA = pa.schema([("id", pa.int64())])


@dataclass(eq=False)
class Wire:
    """A connection; `frames` is what a subscriber was sent."""

    frames: list[Rows | Ended] = field(default_factory=list)
    peer: str = "here:1"
    is_open: bool = True
    is_writable: bool = True

    def push(self, frame: Rows | Ended) -> None:
        self.frames.append(frame)

    @property
    def offsets(self) -> list[tuple[int, int]]:
        return [(f.offset, f.count) for f in self.frames if isinstance(f, Rows) and f.count]

    @property
    def beats(self) -> int:
        return sum(isinstance(f, Rows) and not f.count for f in self.frames)

    @property
    def ends(self) -> list[str]:
        return [f.name for f in self.frames if isinstance(f, Ended)]


class Tables:
    """Tables that a test fills; a `Published`."""

    def __init__(self, *names: str) -> None:
        self.tables = {name: StreamTable(name, SCHEMA) for name in names}

    def table(self, name: str) -> StreamTable:
        if name not in self.tables:
            raise RequestError("NoSuchTable", True, name)
        return self.tables[name]

    def piece(self, name: str, start: int, bytes_max: int) -> tuple[int, tuple[bytes, ...]]:
        table = self.table(name)
        batches = table.read(start, None, bytes_max)
        return sum(b.num_rows for b in batches), tuple(b.serialize().to_pybytes() for b in batches)

    def commit(self, name: str, count: int) -> None:
        table = self.tables[name]
        ids = list(range(table.rows, table.rows + count))
        body = pa.record_batch([ids], schema=SCHEMA).serialize()
        table.append(count, memoryview(body), 0)


@dataclass
class Scene:
    clock: HandClock
    tables: Tables
    broker: Broker

    def subscribe(
        self, wire: Wire, offset: int = 0, *, number: int = 1, table: str = "t", **more: object
    ) -> int:
        ask = {"action": "a", "window": 4, "room": 4, "subscriber": "s", "attempt": 1} | more
        begun = self.broker.subscribe(
            wire, Ask(subscription=number, table=table, offset=offset, **ask), term=3
        )
        self.broker.publish(link=wire)
        start: int = begun["start"]
        return start


@pytest.fixture
def scene() -> Scene:
    clock, tables = HandClock(), Tables("t", "u")
    return Scene(clock, tables, Broker(clock, tables))


def failure(call: object) -> str:
    with pytest.raises(RequestError) as caught:
        call()  # type: ignore[operator]
    assert caught.value.definite
    return caught.value.name


def test_rows_are_pushed_in_order_from_the_start_on(scene: Scene) -> None:
    """Promise HS-13."""
    wire = Wire()
    scene.tables.commit("t", 3)
    assert scene.subscribe(wire, 1) == 1
    scene.tables.commit("t", 2)
    scene.tables.commit("u", 7)
    scene.broker.publish()
    assert wire.offsets == [(1, 2), (3, 2)]
    assert {frame.term for frame in wire.frames if isinstance(frame, Rows)} == {3}


@pytest.mark.parametrize(("asked", "start"), [(LATEST, 5), (EARLIEST, 0), (2, 2), (9, 9)])
def test_the_answer_settles_where_a_subscription_begins(
    scene: Scene, asked: int, start: int
) -> None:
    scene.tables.commit("t", 5)
    assert scene.subscribe(Wire(), asked) == start


def test_a_row_that_is_not_written_yet_is_waited_for(scene: Scene) -> None:
    wire = Wire()
    scene.tables.commit("t", 1)
    scene.subscribe(wire, 3)
    scene.tables.commit("t", 2)
    scene.broker.publish()
    assert wire.offsets == []
    scene.tables.commit("t", 2)
    scene.broker.publish()
    assert wire.offsets == [(3, 2)]


def test_what_makes_no_sense_is_refused(scene: Scene) -> None:
    assert failure(lambda: scene.subscribe(Wire(), STORED)) == "BadRequest"
    assert failure(lambda: scene.subscribe(Wire(), window=0)) == "BadRequest"
    assert failure(lambda: scene.subscribe(Wire(), table="none")) == "NoSuchTable"
    wire = Wire()
    scene.subscribe(wire)
    assert failure(lambda: scene.subscribe(wire, action="b")) == "BadRequest"
    assert SUBSCRIPTIONS_MAX > 1_000


def test_a_topic_has_one_subscriber_whose_later_attempt_replaces_its_earlier_one(
    scene: Scene,
) -> None:
    old, new = Wire(), Wire()
    scene.subscribe(old, attempt=2)
    assert failure(lambda: scene.subscribe(new, subscriber="other", attempt=9)) == "TopicExists"
    assert failure(lambda: scene.subscribe(new, attempt=2)) == "TopicExists"
    scene.subscribe(new, attempt=3)
    scene.tables.commit("t", 1)
    scene.broker.publish()
    assert old.ends == ["TopicExists"]
    assert (old.offsets, new.offsets) == ([], [(0, 1)])


def test_a_slow_subscriber_gets_larger_frames_and_holds_up_nobody(scene: Scene) -> None:
    slow, fast = Wire(), Wire()
    scene.subscribe(slow, window=2, room=2)
    scene.subscribe(fast, action="b")
    for _ in range(4):
        scene.tables.commit("t", 1)
        scene.broker.publish()
    assert slow.offsets == [(0, 1), (1, 1)]
    assert len(fast.offsets) == 4
    scene.broker.credit(slow, 1, 1)
    assert slow.offsets[2:] == [(2, 2)]


def test_nothing_is_written_to_a_connection_that_is_not_read(scene: Scene) -> None:
    wire = Wire(is_writable=False)
    scene.tables.commit("t", 1)
    scene.subscribe(wire)
    scene.clock.advance(BEAT_S)
    assert wire.frames == []
    wire.is_writable = True
    scene.broker.publish(link=wire)
    assert wire.offsets == [(0, 1)]


def test_who_gives_no_sign_of_life_loses_its_subscription(scene: Scene) -> None:
    gone, alive = Wire(), Wire()
    scene.subscribe(gone)
    scene.subscribe(alive, action="b")
    for _ in range(BEATS_MAX + 1):
        scene.clock.advance(BEAT_S)
        scene.broker.credit(alive, 1, 0)
    assert gone.ends == ["Timeout"]
    assert alive.beats == BEATS_MAX + 1


def test_a_step_down_ends_every_subscription_and_names_the_leader(scene: Scene) -> None:
    """Promise HS-8."""
    one, two = Wire(), Wire()
    scene.subscribe(one)
    scene.subscribe(two, table="u")
    scene.broker.end_all(not_leader(Site("h", 7, "n2")))
    scene.tables.commit("t", 1)
    scene.broker.publish()
    assert one.frames == [Ended(1, "NotLeader", "<NotLeader>h:7:n2")]
    assert two.ends == ["NotLeader"]
    scene.clock.advance(10)
    assert scene.clock.alarms == []


def test_a_fenced_table_takes_no_subscription_and_one_with_subscriptions_no_fence(
    scene: Scene,
) -> None:
    """Promise HS-17."""
    wire = Wire()
    scene.subscribe(wire)
    assert failure(lambda: scene.broker.refuse_subscribed("t")) == "HasSubscriptions"
    scene.broker.left(wire)
    scene.broker.refuse_subscribed("t")
    scene.broker.fence("t")
    assert failure(lambda: scene.subscribe(wire)) == "Overloaded"
    scene.broker.unfence("t")
    assert scene.subscribe(wire) == 0


def test_a_dropped_table_ends_its_subscriptions(scene: Scene) -> None:
    wire = Wire()
    scene.subscribe(wire)
    del scene.tables.tables["t"]
    scene.broker.publish()
    assert wire.ends == ["NoSuchTable"]


def test_unsubscribing_and_leaving_forget(scene: Scene) -> None:
    wire = Wire()
    scene.subscribe(wire)
    scene.subscribe(wire, number=2, table="u")
    scene.broker.unsubscribe("t", "a")
    scene.broker.unsubscribe("t", "a")
    assert not scene.broker.has_subscriptions("t")
    assert scene.broker.has_subscriptions("u")
    scene.broker.left(wire)
    assert not scene.broker.has_subscriptions("u")
    assert wire.frames == []


class Purged(StreamTable):
    """A table of which retention has taken the first three rows."""

    @property
    def disk_offset(self) -> int:
        return 3


def test_rows_that_are_kept_no_more_are_refused_not_skipped(scene: Scene) -> None:
    """B12: the subscriber is told."""
    scene.tables.tables["t"] = Purged("t", SCHEMA)
    scene.tables.commit("t", 5)
    assert failure(lambda: scene.subscribe(Wire(), 2)) == "OffsetPurged"
    assert scene.broker.subscribe(Wire(), Ask(1, "t", "b", EARLIEST, 1, 0, "s", 1), 3)["start"] == 3


class Narrow(Wire):
    """A connection that takes no frame with rows."""

    def push(self, frame: Rows | Ended) -> None:
        if isinstance(frame, Rows) and frame.count:
            raise FrameTooLargeError("9 bytes, at most 8 are allowed")
        super().push(frame)


def test_a_row_that_fits_into_no_frame_ends_the_subscription_and_nothing_else(scene: Scene) -> None:
    """Else it would end the leader's process, and then the next one's."""
    narrow, wire = Narrow(), Wire()
    scene.subscribe(narrow, action="a")
    scene.subscribe(wire, action="b")
    scene.tables.commit("t", 2)
    scene.broker.publish()
    assert narrow.ends == ["FrameTooLarge"]
    assert wire.offsets == [(0, 2)]
    assert list(scene.broker.positions) == [("t", "b")]


def test_a_frame_holds_about_as_much_as_it_may(scene: Scene) -> None:
    broker = Broker(scene.clock, scene.tables, bytes_max=2_000)
    wire = Wire()
    scene.tables.commit("t", 1_000)
    Scene(scene.clock, scene.tables, broker).subscribe(wire)
    assert len(wire.offsets) == 4
    assert all(f.count and len(f.batches[0]) <= 2_000 for f in wire.frames if isinstance(f, Rows))
