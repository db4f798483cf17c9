"""The rows of one stream table: appended as bytes, read as Arrow batches by offset.

Appending is what happens most, so that it only keeps the bytes. Reading decodes what was appended
since the last read and merges small batches by size, like a binary counter: each row is copied
O(log n) times in all, and a read of the whole table meets few batches. Batches of BLOCK_ROWS rows
and more are never copied.

The newest rows are in memory, all that are kept in the data files. `evict` forgets the oldest in
memory once there are more than the limit, down to half of it (C1). So in memory are at most
`cache_limit` rows and those appended since the last `evict` (promise HS-21).
"""

import hashlib
from bisect import bisect_right
from collections.abc import Callable, Iterator

import pyarrow as pa

from ..client.errors import INDETERMINATE, RequestError, offset_purged
from . import batch_bytes
from .datafile import DataFileError, DataFiles
from .schema import fingerprint

BLOCK_ROWS = 65_536

PIECES = 8
"""Of so many blocks at least consists what is kept in memory, so that few rows go at once."""


class BatchError(Exception):
    """Bytes that are no batch of this table."""


class StreamTable:
    """Rows have absolute offsets from 0 on; a row never changes (promise HS-5)."""

    # Invariant: the blocks hold the rows from `memory_offset` on without gap, the tail all others
    # as bytes.

    def __init__(
        self,
        name: str,
        schema: pa.Schema,
        files: DataFiles | None = None,
        *,
        cache_limit: int = 0,
        filter_column: str = "",
        rows: int = 0,
        digest: str = "",
        damaged: Callable[[Exception], None] = lambda error: None,
    ) -> None:
        """With `rows` in the files; without files or a limit nothing is ever forgotten.

        `damaged` is told why rows that are in the files cannot be read.
        """
        assert files is not None or not (cache_limit or rows)
        self.name = name
        self.schema = schema
        self.fingerprint = fingerprint(schema)
        self.filter_column = filter_column
        self.rows = rows
        self.memory_offset = rows
        """The offset of the first row in memory."""
        self._files = files
        self._damaged = damaged
        self._limit = cache_limit
        self._block_rows = min(BLOCK_ROWS, cache_limit // PIECES or BLOCK_ROWS)
        self._starts: list[int] = []
        self._blocks: list[pa.RecordBatch] = []
        self._tail: list[tuple[int, memoryview]] = []
        self._digest = bytes.fromhex(digest)

    @property
    def digest(self) -> str:
        """Equal on two replicas that appended the same batches in the same order.

        A chain of the checksums that the data file needs anyway: hashing every byte a second time
        cost more than everything else that a follower does with a batch.
        """
        return self._digest.hex()

    @property
    def disk_offset(self) -> int:
        """The offset of the first row that is kept anywhere; it grows when old files go (C2)."""
        return 0 if self._files is None else self._files.first_row

    def decode(self, body: bytes | memoryview) -> pa.RecordBatch:
        """The batch in `body`, with every value checked; raises BatchError."""
        complaint = batch_bytes.complaint(body)
        if complaint is not None:
            raise BatchError(f"no batch of table {self.name}: {complaint}")
        try:
            batch = pa.ipc.read_record_batch(pa.py_buffer(body), self.schema)
            batch.validate(full=True)
        except (pa.ArrowException, OSError, EOFError) as error:
            raise BatchError(f"no batch of table {self.name}: {error}") from None
        return batch

    def append(self, rows: int, body: memoryview, crc: int) -> int:
        """Take a batch that `decode` accepted; gives the offset of its first row."""
        assert rows > 0
        start = self.rows
        self._tail.append((rows, body))
        link = self._digest + crc.to_bytes(4, "big") + rows.to_bytes(4, "big")
        self._digest = hashlib.blake2b(link, digest_size=16).digest()
        self.rows += rows
        return start

    def evict(self) -> None:
        """Forget old rows in memory if there are too many; they must be in the files."""
        if not self._limit or self.rows - self.memory_offset <= self._limit:
            return
        keep_from = self.rows - self._limit // 2
        count = offset = 0
        for block in self._blocks:
            offset = self._starts[count]
            if offset >= keep_from:
                break
            self.memory_offset = offset + int(block.num_rows)
            count += 1
        del self._blocks[:count], self._starts[:count]
        if self._blocks:
            return
        count = 0
        while self.memory_offset < keep_from:
            self.memory_offset += self._tail[count][0]
            count += 1
        del self._tail[:count]

    def read(self, start: int, limit: int | None, bytes_max: int) -> list[pa.RecordBatch]:
        """Rows from `start` on: at most `limit`, and only about as many as `bytes_max` holds.

        At least one row is given if there is one. Rows that are not in memory are read from the
        files, in this very call. Raises RequestError: OffsetPurged for rows that are kept no more,
        Indeterminate where files are damaged or fail.
        """
        assert start >= 0
        end = self.rows if limit is None else min(self.rows, start + limit)
        batches: list[pa.RecordBatch] = []
        if start >= end:
            return batches
        if start < self.disk_offset:
            raise offset_purged(self.name, self.disk_offset, start)
        for wanted in self._pieces(start, end, bytes_max):
            piece, size = fitting(wanted, bytes_max)
            if not piece.num_rows and not batches:
                piece = wanted.slice(0, 1)
            if piece.num_rows:
                batches.append(piece)
            if piece.num_rows < wanted.num_rows:
                break
            bytes_max -= size
        return batches

    def _pieces(self, start: int, end: int, bytes_max: int) -> Iterator[pa.RecordBatch]:
        """Rows from `start` to before `end`, as far as they are found with little effort."""
        if start < self.memory_offset:
            stop = min(end, self.memory_offset)
            older = self._older(start, stop, bytes_max)
            yield from older
            start += sum([batch.num_rows for batch in older])
            if start < stop:
                return
        if start == end:
            return
        self._decode_tail()
        at = max(0, bisect_right(self._starts, start) - 1)
        while start < end:
            piece = self._blocks[at].slice(start - self._starts[at], end - start)
            yield piece
            start += piece.num_rows
            at += 1

    def _older(self, start: int, stop: int, bytes_max: int) -> list[pa.RecordBatch]:
        """Rows that are in the files alone."""
        assert self._files is not None
        found: list[pa.RecordBatch] = []
        try:
            records = self._files.read(start, stop, max(1, bytes_max))
        except (OSError, DataFileError) as error:
            self._damaged(error)
            message = f"this member cannot read table {self.name}, and stops"
            raise RequestError(INDETERMINATE, False, message) from None
        for record, body in records:
            batch = pa.ipc.read_record_batch(pa.py_buffer(body), self.schema)
            found.append(batch.slice(start - record.start, min(stop, record.end) - start))
            start = min(stop, record.end)
        return _merge(found)

    def _decode_tail(self) -> None:
        """Decode what was appended since the last read."""
        run: list[pa.RecordBatch] = []
        run_rows = 0
        for _, body in self._tail:
            batch = pa.ipc.read_record_batch(pa.py_buffer(body), self.schema)
            if run_rows + batch.num_rows > self._block_rows:
                self._push(run)
                run, run_rows = [], 0
            run.append(batch)
            run_rows += batch.num_rows
        self._push(run)
        self._tail = []
        assert self._blocks_end() == self.rows

    def _push(self, run: list[pa.RecordBatch]) -> None:
        """Add the rows of `run` as one block, together with older ones of its size."""
        rows = sum([batch.num_rows for batch in run])
        first = len(self._blocks)
        while run and first:
            older = self._blocks[first - 1].num_rows
            if older > rows or older + rows > self._block_rows:
                break
            rows += older
            first -= 1
        blocks = _merge([*self._blocks[first:], *run])
        del self._blocks[first:], self._starts[first:]
        for block in blocks:
            self._starts.append(self._blocks_end())
            self._blocks.append(block)

    def _blocks_end(self) -> int:
        if not self._blocks:
            return self.memory_offset
        return self._starts[-1] + int(self._blocks[-1].num_rows)


def _merge(batches: list[pa.RecordBatch]) -> list[pa.RecordBatch]:
    """The same rows in one batch, or in few if a column would outgrow its offsets."""
    if len(batches) < 2:
        return batches
    try:
        return [pa.concat_batches(batches)]
    except pa.ArrowInvalid:
        merged: list[pa.RecordBatch] = pa.Table.from_batches(batches).combine_chunks().to_batches()
        return merged


def fitting(batch: pa.RecordBatch, bytes_max: int) -> tuple[pa.RecordBatch, int]:
    """The longest prefix found in few steps whose bytes are at most `bytes_max`, and its bytes."""
    size = 0
    while batch.num_rows:
        size = pa.ipc.get_record_batch_size(batch)
        if size <= bytes_max:
            break
        batch = batch.slice(0, batch.num_rows * max(0, bytes_max) // (size + 1))
    return batch, size
