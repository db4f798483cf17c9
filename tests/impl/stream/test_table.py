"""Rows in memory: offsets, reads, merging, digests, refusals."""

import random
import tempfile
import zlib
from pathlib import Path

import pyarrow as pa
import pytest
from delphic.impl.runtime_disk import RealDisk
from delphic.impl.stream.datafile import DataFiles
from delphic.impl.stream.table import BLOCK_ROWS, BatchError, StreamTable
from hypothesis import given
from hypothesis import strategies as st

SCHEMA = pa.schema([("id", pa.int64()), ("name", pa.string())])


def batch(ids: list[int]) -> pa.RecordBatch:
    return pa.record_batch([ids, [f"row{i}" for i in ids]], schema=SCHEMA)


def body(ids: list[int]) -> memoryview:
    return memoryview(batch(ids).serialize().to_pybytes())


def add(table: StreamTable, ids: list[int]) -> int:
    data = body(ids)
    return table.append(len(ids), data, zlib.crc32(data))


def ids_of(batches: list[pa.RecordBatch]) -> list[int]:
    return [i for part in batches for i in part.column("id").to_pylist()]


def test_offsets_count_rows_from_zero() -> None:
    table = StreamTable("t", SCHEMA)
    assert [add(table, list(range(n))) for n in (3, 1, 5)] == [0, 3, 4]
    assert table.rows == 9


@given(
    st.lists(st.tuples(st.integers(1, 30), st.booleans()), max_size=60),
    st.lists(st.tuples(st.integers(0, 700), st.one_of(st.none(), st.integers(0, 700)))),
)
def test_a_read_gives_exactly_the_rows_asked_for_however_reads_and_appends_mix(
    appends: list[tuple[int, bool]], reads: list[tuple[int, int | None]]
) -> None:
    table = StreamTable("t", SCHEMA)
    for count, read_between in appends:
        add(table, list(range(table.rows, table.rows + count)))
        if read_between:
            table.read(0, None, 1 << 30)
    rows = list(range(table.rows))
    for start, limit in [(0, None), *reads]:
        end = None if limit is None else start + limit
        assert ids_of(table.read(start, limit, 1 << 30)) == rows[start:end]


def test_many_small_batches_are_read_as_few() -> None:
    table = StreamTable("t", SCHEMA)
    for i in range(1000):
        add(table, [i])
        table.read(i, None, 1 << 30)
    assert len(table.read(0, None, 1 << 30)) <= 10


def test_blocks_stop_growing_at_their_limit() -> None:
    table = StreamTable("t", pa.schema([("id", pa.int64())]))
    big = pa.record_batch([list(range(BLOCK_ROWS))], schema=table.schema)
    small = pa.record_batch([list(range(1000))], schema=table.schema)
    for part in (big, small, big, small, small):
        table.append(part.num_rows, memoryview(part.serialize().to_pybytes()), 0)
    sizes = [part.num_rows for part in table.read(0, None, 1 << 30)]
    assert sum(sizes) == table.rows
    assert max(sizes) == BLOCK_ROWS


def test_a_read_stops_at_its_bytes_but_gives_at_least_one_row() -> None:
    table = StreamTable("t", SCHEMA)
    add(table, list(range(1000)))
    some = table.read(0, None, 4000)
    assert 0 < sum(part.num_rows for part in some) < 1000
    assert sum(pa.ipc.get_record_batch_size(part) for part in some) <= 4000
    assert ids_of(table.read(5, None, 0)) == [5]


def test_digests_are_equal_exactly_for_equal_batches_in_equal_order() -> None:
    tables = [StreamTable("t", SCHEMA) for _ in range(3)]
    for table in tables[:2]:
        add(table, [1, 2])
        add(table, [3])
    add(tables[2], [3])
    add(tables[2], [1, 2])
    assert tables[0].digest == tables[1].digest
    assert tables[0].digest != tables[2].digest


def test_bytes_that_are_no_batch_of_the_table_are_refused() -> None:
    table = StreamTable("t", SCHEMA)
    good = bytes(body(list(range(50))))
    assert table.decode(good).num_rows == 50
    other = pa.record_batch([[1.5]], names=["x"]).serialize().to_pybytes()
    for bad in (b"", b"x" * 100, good[:40], good[: len(good) // 2], other):
        with pytest.raises(BatchError, match="no batch of table t"):
            table.decode(bad)


def test_a_damaged_batch_is_refused_or_still_a_valid_batch() -> None:
    table = StreamTable("t", SCHEMA)
    good = bytes(body(list(range(50))))
    dice = random.Random(7)
    refused = 0
    for _ in range(500):
        damaged = bytearray(good)
        for _ in range(dice.randrange(1, 4)):
            damaged[dice.randrange(len(damaged))] = dice.randrange(256)
        try:
            table.decode(bytes(damaged)).to_pylist()
        except BatchError:
            refused += 1
    assert refused > 50


def filed(tmp_path: Path, limit: int) -> tuple[StreamTable, DataFiles]:
    files = DataFiles(RealDisk(), str(tmp_path))
    return StreamTable("t", SCHEMA, files, cache_limit=limit), files


def store(table: StreamTable, files: DataFiles, ids: list[int]) -> None:
    """As a member does with a committed batch."""
    data = body(ids)
    lsn = files.lsn + 1
    table.append(len(ids), data, files.write(lsn, 1, table.rows, len(ids), data))
    files.settle(lsn)
    files.flush()
    table.evict()


@given(
    st.lists(st.tuples(st.integers(1, 1500), st.booleans()), min_size=1, max_size=25),
    st.lists(st.tuples(st.integers(0, 9000), st.one_of(st.none(), st.integers(0, 9000)))),
)
def test_rows_in_memory_are_bounded_and_all_rows_are_read(
    appends: list[tuple[int, bool]], reads: list[tuple[int, int | None]]
) -> None:
    """HS-21, C1: at most the limit, at least about half of it unless a batch is long."""
    with tempfile.TemporaryDirectory() as folder:
        table, files = filed(Path(folder), 1000)
        for count, read_between in appends:
            store(table, files, list(range(table.rows, table.rows + count)))
            in_memory = table.rows - table.memory_offset
            assert in_memory <= 1000
            assert in_memory >= min(table.rows, 500 - max(count for count, _ in appends))
            if read_between:
                table.read(table.memory_offset, None, 1 << 30)
        rows = list(range(table.rows))
        for start, limit in [(0, None), *reads]:
            end = None if limit is None else start + limit
            assert ids_of(table.read(start, limit, 1 << 30)) == rows[start:end]
        files.close()


def test_a_read_of_old_rows_stops_at_its_bytes_but_gives_at_least_one_row(tmp_path: Path) -> None:
    table, files = filed(tmp_path, 1000)
    for i in range(30):
        store(table, files, list(range(i * 100, i * 100 + 100)))
    assert table.memory_offset > 1000
    some = table.read(0, None, 40_000)
    assert 0 < sum(part.num_rows for part in some) < 3000
    assert sum(pa.ipc.get_record_batch_size(part) for part in some) <= 40_000
    assert ids_of(table.read(5, None, 0)) == [5]
    assert ids_of(table.read(995, 10, 1 << 20)) == list(range(995, 1005))
    files.close()


def test_without_a_limit_nothing_is_forgotten(tmp_path: Path) -> None:
    table, files = filed(tmp_path, 0)
    for i in range(5):
        store(table, files, list(range(i * 1000, i * 1000 + 1000)))
    assert table.memory_offset == 0
    files.close()
