"""The rows of one stream table in memory: appended as bytes, read as Arrow batches by offset.

Appending is what happens most, so that it only keeps the bytes. Reading decodes what was appended
since the last read and merges small batches by size, like a binary counter: each row is copied
O(log n) times in all, and a read of the whole table meets few batches. Batches of BLOCK_ROWS rows
and more are never copied.
"""

import hashlib
from bisect import bisect_right

import pyarrow as pa

from . import batch_bytes
from .schema import fingerprint

BLOCK_ROWS = 65_536


class BatchError(Exception):
    """Bytes that are no batch of this table."""


class StreamTable:
    """Rows have absolute offsets from 0 on; a row never changes (promise HS-5)."""

    # Invariant: the blocks hold the first rows without gap, the tail all others as bytes.

    def __init__(self, name: str, schema: pa.Schema) -> None:
        self.name = name
        self.schema = schema
        self.fingerprint = fingerprint(schema)
        self.rows = 0
        self._starts: list[int] = []
        self._blocks: list[pa.RecordBatch] = []
        self._tail: list[memoryview] = []
        self._digest = b""

    @property
    def digest(self) -> str:
        """Equal on two replicas that appended the same batches in the same order.

        A chain of the checksums that the data file needs anyway: hashing every byte a second time
        cost more than everything else that a follower does with a batch.
        """
        return self._digest.hex()

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
        self._tail.append(body)
        link = self._digest + crc.to_bytes(4, "big") + rows.to_bytes(4, "big")
        self._digest = hashlib.blake2b(link, digest_size=16).digest()
        self.rows += rows
        return start

    def read(self, start: int, limit: int | None, bytes_max: int) -> list[pa.RecordBatch]:
        """Rows from `start` on: at most `limit`, and only about as many as `bytes_max` holds.

        At least one row is given if there is one.
        """
        assert start >= 0
        self._settle()
        end = self.rows if limit is None else min(self.rows, start + limit)
        batches: list[pa.RecordBatch] = []
        at = max(0, bisect_right(self._starts, start) - 1)
        while start < end:
            wanted = self._blocks[at].slice(start - self._starts[at], end - start)
            piece, size = _fitting(wanted, bytes_max)
            if not piece.num_rows and not batches:
                piece = wanted.slice(0, 1)
            if piece.num_rows:
                batches.append(piece)
            if piece.num_rows < wanted.num_rows:
                break
            bytes_max -= size
            start += piece.num_rows
            at += 1
        return batches

    def _settle(self) -> None:
        """Decode what was appended since the last read."""
        run: list[pa.RecordBatch] = []
        run_rows = 0
        for body in self._tail:
            batch = pa.ipc.read_record_batch(pa.py_buffer(body), self.schema)
            if run_rows + batch.num_rows > BLOCK_ROWS:
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
            if older > rows or older + rows > BLOCK_ROWS:
                break
            rows += older
            first -= 1
        blocks = _merge([*self._blocks[first:], *run])
        del self._blocks[first:], self._starts[first:]
        for block in blocks:
            self._starts.append(self._blocks_end())
            self._blocks.append(block)

    def _blocks_end(self) -> int:
        return self._starts[-1] + int(self._blocks[-1].num_rows) if self._blocks else 0


def _merge(batches: list[pa.RecordBatch]) -> list[pa.RecordBatch]:
    """The same rows in one batch, or in few if a column would outgrow its offsets."""
    if len(batches) < 2:
        return batches
    try:
        return [pa.concat_batches(batches)]
    except pa.ArrowInvalid:
        merged: list[pa.RecordBatch] = pa.Table.from_batches(batches).combine_chunks().to_batches()
        return merged


def _fitting(batch: pa.RecordBatch, bytes_max: int) -> tuple[pa.RecordBatch, int]:
    """The longest prefix found in few steps whose bytes are at most `bytes_max`, and its bytes."""
    size = 0
    while batch.num_rows:
        size = pa.ipc.get_record_batch_size(batch)
        if size <= bytes_max:
            break
        batch = batch.slice(0, batch.num_rows * max(0, bytes_max) // (size + 1))
    return batch, size
