"""Filter columns: which rows a subscriber asked for, and that the column is in the log."""

import pyarrow as pa
import pytest
from delphic.harness.conform.wal.disk import ImageDisk
from delphic.impl.client.errors import RequestError
from delphic.impl.raft.messages import Entry, Kind
from delphic.impl.stream.broker import Ask, Broker
from delphic.impl.stream.commands import FilterColumn, TableOptions, encode
from delphic.impl.stream.filtering import VALUES_MAX, Values, Wanted, wanted
from delphic.impl.stream.schema import to_bytes
from delphic.impl.stream.tables import Tables
from delphic.impl.wire import Ended, Rows
from hand_clock import HandClock

SCHEMA = pa.schema(
    [("id", pa.int64()), ("device", pa.string()), ("at", pa.timestamp("ns")), ("small", pa.int8())]
)


def batch(*rows: tuple[int, str | None]) -> bytes:
    ids = [row for row, _ in rows]
    columns = [ids, [device for _, device in rows], ids, [row % 100 for row in ids]]
    arrays = [pa.array(c, f.type) for c, f in zip(columns, SCHEMA, strict=True)]
    return bytes(pa.RecordBatch.from_arrays(arrays, schema=SCHEMA).serialize())


def ids(bodies: tuple[bytes, ...]) -> list[list[int]]:
    return [
        pa.ipc.read_record_batch(pa.py_buffer(body), SCHEMA).column(0).to_pylist()
        for body in bodies
    ]


def refusal(column: str, values: Values) -> str:
    with pytest.raises(RequestError) as caught:
        wanted(SCHEMA, column, values)
    assert (caught.value.name, caught.value.definite) == ("BadRequest", True)
    return caught.value.message


@pytest.mark.parametrize(
    ("column", "values", "left"),
    [
        ("device", ("a",), [[1, 3]]),
        ("device", ("a", "b"), [[1, 2, 3], [4]]),
        ("device", ("c",), []),
        ("device", (), []),
        ("id", (2, 4, 99), [[2], [4]]),
        ("at", (3,), [[3]]),
        ("small", (5,), [[5]]),
    ],
)
def test_rows_with_one_of_the_values_are_left_in_order(
    column: str, values: Values, left: list[list[int]]
) -> None:
    """Nulls are nobody's."""
    bodies = (batch((1, "a"), (2, "b"), (3, "a")), batch((4, "b"), (5, None)))
    found: Wanted = wanted(SCHEMA, column, values)
    assert ids(found.among(bodies)) == left


def test_both_zeros_are_equal() -> None:
    schema = pa.schema([("k", pa.float64())])
    body = pa.record_batch([[0.0, -0.0, 1.0, float("nan")]], schema=schema).serialize().to_pybytes()
    for zero in (0.0, -0.0, 0):
        (left,) = wanted(schema, "k", (zero,)).among([body])
        assert pa.ipc.read_record_batch(pa.py_buffer(left), schema).num_rows == 2


def test_values_that_the_column_cannot_have_are_refused() -> None:
    assert "no values of column id" in refusal("id", ("x",))
    assert "no values of column small" in refusal("small", (1000,))
    assert "no values of column id" in refusal("id", (1 << 70,))
    assert "no values of column device" in refusal("device", (1.5,))
    assert f"at most {VALUES_MAX} values" in refusal("id", tuple(range(VALUES_MAX + 1)))
    assert "no filter column" in refusal("", (1,))


@pytest.mark.parametrize("kind", [pa.float16(), pa.decimal32(5), pa.list_(pa.int8())])
@pytest.mark.parametrize("values", [(), (1,)])
def test_a_column_that_arrow_does_not_compare_is_refused(kind: pa.DataType, values: Values) -> None:
    """Else the first frame would end the leader, and the next one."""
    with pytest.raises(RequestError, match="no values of column c"):
        wanted(pa.schema([("c", kind)]), "c", values)


class Member:
    """A log of one member, and tables that apply it."""

    def __init__(self) -> None:
        self.disk = ImageDisk()
        self.log: list[Entry] = []
        self.tables = Tables(self.disk, "/2")
        self.take(Kind.CREATE_TABLE, self.tables.creation("t", to_bytes(SCHEMA), TableOptions()))

    def take(self, kind: Kind, payload: bytes) -> object:
        self.log.append(Entry(1, kind, payload))
        return self.tables.apply(len(self.log), self.log[-1])

    def choose(self, column: str) -> object:
        return self.take(Kind.FILTER_COLUMN, self.tables.filtering("t", column))

    def restart(self) -> None:
        """The log redoes what comes after the checkpoint."""
        self.tables.flush()
        self.tables.close()
        self.tables = Tables(self.disk, "/2")
        first = self.tables.applied.index
        for index, entry in enumerate(self.log[first:], start=first + 1):
            self.tables.apply(index, entry)


class Here:
    """A worker that does its jobs at once."""

    def submit(self, job, done) -> None:  # type: ignore[no-untyped-def]
        job()
        done(None)

    async def close(self) -> None:
        """Nothing is under way."""


@pytest.mark.parametrize("saves", [False, True])
def test_a_filter_column_outlives_a_restart(saves: bool) -> None:
    """From the log, or from a checkpoint behind which the log was cut (promise HS-18)."""
    member = Member()
    assert member.tables.table("t").filter_column == ""
    assert member.choose("device") is None
    if saves:
        assert member.tables.checkpoint(Here(), lambda error: None)
        assert member.tables.checkpointed.index == 2
    member.restart()
    assert member.tables.table("t").filter_column == "device"
    assert member.choose("device") is None


def test_a_filter_column_is_one_of_the_table_and_stays() -> None:
    member = Member()
    with pytest.raises(RequestError, match="there is no column colour"):
        member.choose("colour")
    with pytest.raises(RequestError, match="there is no table u"):
        member.tables.filtering("u", "id")
    late = member.tables.filtering("t", "id")
    assert member.choose("device") is None
    with pytest.raises(RequestError, match="the filter column is device, and stays so"):
        member.choose("id")
    outcome = member.take(Kind.FILTER_COLUMN, late)
    assert isinstance(outcome, RequestError), "what was logged in between came first"
    assert member.tables.table("t").filter_column == "device"
    gone = member.take(Kind.FILTER_COLUMN, encode(FilterColumn("t", 99, "id")))
    assert isinstance(gone, RequestError)


class Wire:
    """A connection; `frames` is what a subscriber was sent."""

    peer = "here:1"
    is_open = is_writable = True

    def __init__(self) -> None:
        self.frames: list[Rows | Ended] = []

    def push(self, frame: Rows | Ended) -> None:
        self.frames.append(frame)


def test_a_frame_counts_the_rows_that_were_left_out() -> None:
    """Promise HS-13: offsets are those of the table, and gaps are no losses."""
    member, wire = Member(), Wire()
    member.choose("device")
    table = member.tables.table("t")
    broker = Broker(HandClock(), member.tables)
    begun = broker.subscribe(wire, Ask(1, "t", "a", 0, 4, 4, "s", 1, ("a",)), term=3)
    assert begun["start"] == 0
    for number, device in enumerate("abba"):
        table.append(1, memoryview(batch((number, device))), 0)
        broker.publish()
    sent = [(f.offset, f.count, ids(f.batches)) for f in wire.frames if isinstance(f, Rows)]
    assert sent == [(0, 1, [[0]]), (1, 1, []), (2, 1, []), (3, 1, [[3]])]
    with pytest.raises(RequestError, match="no values of column device"):
        broker.subscribe(wire, Ask(2, "t", "b", 0, 4, 4, "s", 1, (7,)), term=3)
