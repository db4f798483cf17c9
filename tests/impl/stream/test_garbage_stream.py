"""Batches, schemas and commands that lie: each is refused with the one error that says so."""

import random
import struct

import msgspec
import pyarrow as pa
import pytest
from delphic.impl.stream.commands import (
    AppendRows,
    CommandError,
    CreateTable,
    TableOptions,
    decode_append,
    decode_create,
    encode,
)
from delphic.impl.stream.schema import SchemaError, from_bytes, to_bytes
from delphic.impl.stream.table import BatchError, StreamTable
from garbage import damaged, values
from hypothesis import given, settings

CLAIMED = 123_457
"""Rows of a batch, and no other number in its bytes."""

NESTED = pa.schema(
    [
        ("id", pa.int64()),
        ("name", pa.string()),
        ("list", pa.list_(pa.int32())),
        ("map", pa.map_(pa.string(), pa.int32())),
        ("view", pa.string_view()),
        ("pair", pa.list_(pa.int16(), 2)),
        ("record", pa.struct([("x", pa.binary())])),
        ("runs", pa.run_end_encoded(pa.int32(), pa.int64())),
        ("nothing", pa.null()),
    ]
)


def nested(count: int) -> pa.RecordBatch:
    ids = range(count)
    ends, runs = pa.array([count], pa.int32()), pa.array([1], pa.int64())
    columns = [
        pa.array(ids),
        pa.array([str(i) for i in ids]),
        pa.array([[i, i] for i in ids], pa.list_(pa.int32())),
        pa.array([[(str(i), i)] for i in ids], pa.map_(pa.string(), pa.int32())),
        pa.array(["long enough for a buffer" * (i % 2) for i in ids], pa.string_view()),
        pa.array([[i, i] for i in ids], pa.list_(pa.int16(), 2)),
        pa.array([{"x": b"y"} for _ in ids], pa.struct([("x", pa.binary())])),
        pa.RunEndEncodedArray.from_arrays(ends, runs),
        pa.nulls(count),
    ]
    return pa.record_batch(columns, schema=NESTED)


def test_a_damaged_batch_is_refused_or_can_be_read() -> None:
    chance = random.Random(6)
    good = nested(6).serialize().to_pybytes()
    accepted = 0
    for _ in range(400):
        body = damaged(good, chance)
        table = StreamTable("t", NESTED)
        try:
            batch = table.decode(body)
        except BatchError:
            continue
        assert 0 < batch.num_rows < 1000
        table.append(batch.num_rows, memoryview(body), 1)
        table.append(6, memoryview(good), 2)
        found = table.read(0, None, 1 << 20)
        assert sum(part.num_rows for part in found) == batch.num_rows + 6
        assert all(part.serialize().size for part in found)
        accepted += 1
    assert 20 < accepted < 300


@pytest.mark.parametrize("rows", [2**31, 2**32, 2**62, 0, -1])
@pytest.mark.parametrize(
    ("kind", "column"),
    [
        (pa.null(), pa.nulls(CLAIMED)),
        (pa.struct([]), pa.array([{}] * CLAIMED, pa.struct([]))),
        (pa.binary(0), pa.array([b""] * CLAIMED, pa.binary(0))),
    ],
    ids=["null", "empty record", "no bytes"],
)
def test_rows_that_cost_no_bytes_are_counted_before_they_are_logged(
    rows: int, kind: pa.DataType, column: pa.Array
) -> None:
    """What the data file has no room for in its record would end every member, for ever."""
    schema = pa.schema([("c", kind)])
    body = pa.record_batch([column], schema=schema).serialize().to_pybytes()
    claimed = struct.pack("<q", CLAIMED)
    assert body.count(claimed) >= 2
    table = StreamTable("t", schema)
    assert table.decode(body).num_rows == CLAIMED
    with pytest.raises(BatchError, match=f"from 1 to 2147483647 rows, not {rows}"):
        table.decode(body.replace(claimed, struct.pack("<q", rows)))


@pytest.mark.parametrize("codec", ["zstd", "lz4"])
def test_a_compressed_batch_is_refused_before_it_becomes_large(codec: str) -> None:
    """40 kB of zeros, well packed, are gigabytes."""
    schema = pa.schema([("c", pa.int64())])
    batch = pa.record_batch([pa.array([0] * 100_000)], schema=schema)
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=codec)
    with pa.ipc.new_stream(sink, schema, options=options) as stream:
        stream.write_batch(batch)
    messages = pa.ipc.MessageReader.open_stream(sink.getvalue())
    body = [messages.read_next_message() for _ in range(2)][1].serialize().to_pybytes()
    assert len(body) < 8000
    with pytest.raises(BatchError, match="compressed batches are not supported"):
        StreamTable("t", schema).decode(body)


def test_a_schema_or_a_dictionary_is_no_batch() -> None:
    schema = pa.schema([("c", pa.int64())])
    with pytest.raises(BatchError, match="it is no batch"):
        StreamTable("t", schema).decode(to_bytes(schema))
    for cut in (b"", b"\xff" * 4, b"\xff" * 12, b"\xff\xff\xff\xff\x08\0\0\0\xff\xff\xff\x7f"):
        with pytest.raises(BatchError, match=r"it is cut off, or none at all|does not begin"):
            StreamTable("t", schema).decode(cut)


def test_a_damaged_schema_is_refused_or_is_another_one() -> None:
    """Names that are no UTF-8 included: they raised what nobody expected."""
    chance = random.Random(6)
    good = to_bytes(pa.schema([field for field in NESTED if field.name not in ("view", "runs")]))
    accepted = 0
    for _ in range(3000):
        try:
            schema = from_bytes(damaged(good, chance))
        except SchemaError:
            continue
        assert str(schema)
        accepted += 1
    assert 30 < accepted < 2500


def test_a_name_that_is_no_text_is_refused_at_any_depth() -> None:
    for schema in (
        pa.schema([("name", pa.int64())]),
        pa.schema([("a", pa.struct([("name", pa.int64())]))]),
        pa.schema([("a", pa.timestamp("s", "name"))]),
    ):
        with pytest.raises(SchemaError, match="utf-8"):
            from_bytes(to_bytes(schema).replace(b"name", b"\xff\xfe\xfd\xfc"))


@settings(derandomize=True, max_examples=200, deadline=None)
@given(values())
def test_a_command_is_one_or_is_refused(value: object) -> None:
    payload = msgspec.msgpack.encode(value)
    for decode in (decode_create, decode_append):
        with pytest.raises(CommandError):
            decode(payload)


def test_a_damaged_command_is_another_one_or_is_refused() -> None:
    chance = random.Random(6)
    create = encode(CreateTable("t", b"schema", TableOptions()))
    append = encode(AppendRows("t", 1, 3, memoryview(b"body" * 10)))
    for _ in range(1000):
        for decode, good in ((decode_create, create), (decode_append, append)):
            try:
                command = decode(damaged(good, chance))
            except CommandError:
                continue
            assert isinstance(command, CreateTable | AppendRows)
            if isinstance(command, AppendRows):
                assert 0 <= command.rows < 2**31
