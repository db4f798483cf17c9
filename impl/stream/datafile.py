"""The data file of one table: committed batches in order, each with its LSN and a checksum.

A record is `crc32, body bytes, LSN, first row, rows`, then the body. It is written when its log
entry commits and not fsynced: the log is (V19). After a crash the file is cut at the first record
that is not whole, and the log redoes the rest. A log entry is skipped iff its LSN is at most the
file's (V4), and then must be what the file holds.
"""

import struct
import zlib
from collections import deque
from dataclasses import dataclass

from ..raft.disk import Disk

HEADER = struct.Struct("<IIQQI")
CRC_BYTES = 4
WINDOW_BYTES = 4 << 20
WRITTEN_ALONE_BYTES = 64 << 10
"""Copying a part this long costs more than a write of its own."""


class DataFileError(Exception):
    """A data file that contradicts the Raft log."""


@dataclass(frozen=True, slots=True)
class Record:
    """What the file says of one batch."""

    crc: int
    body_bytes: int
    lsn: int
    start: int
    rows: int


class DataFile:
    """Opens and repairs the file; then takes every committed batch of the table from the first on.

    Promise HS-9: after recovery each logged row is in the file exactly once.
    """

    # Invariant: records have growing LSNs and cover the rows from 0 on without gap.

    def __init__(self, disk: Disk, path: str) -> None:
        self._path = path
        self._file = disk.open(path)
        self._recovered = deque(self._scan())
        self._pending: list[bytes | memoryview] = []
        self.lsn = self._recovered[-1].lsn if self._recovered else 0

    def write(self, lsn: int, start: int, rows: int, body: memoryview) -> int:
        """Take the batch of one log entry; `flush` puts it into the file. Gives its checksum."""
        tail = HEADER.pack(0, len(body), lsn, start, rows)[CRC_BYTES:]
        crc = zlib.crc32(body, zlib.crc32(tail))
        if lsn <= self.lsn:
            self._skip(Record(crc, len(body), lsn, start, rows))
            return crc
        assert not self._recovered
        self._pending += (crc.to_bytes(CRC_BYTES, "little") + tail, body)
        self.lsn = lsn
        return crc

    def flush(self) -> None:
        """Write what was taken since the last time; raises OSError."""
        small: list[bytes | memoryview] = []
        for part in self._pending:
            small.append(part)
            if len(part) >= WRITTEN_ALONE_BYTES:
                self._file.append(b"".join(small[:-1]))
                self._file.append(part)
                small.clear()
        if small:
            self._file.append(b"".join(small))
        self._pending.clear()

    def close(self) -> None:
        """Give the file back."""
        self._file.close()

    def _skip(self, record: Record) -> None:
        known = self._recovered.popleft() if self._recovered else None
        if record != known:
            raise DataFileError(f"{self._path} holds {known}, but the log says {record}")

    def _scan(self) -> list[Record]:
        """The whole records from the start on; cuts off what follows them."""
        records: list[Record] = []
        size = self._file.size()
        at = window_at = 0
        window = b""

        def bytes_at(start: int, count: int) -> bytes:
            nonlocal window, window_at
            if not window_at <= start <= start + count <= window_at + len(window):
                window_at = start
                window = self._file.read(start, max(count, WINDOW_BYTES))
            return window[start - window_at : start - window_at + count]

        lsn = row = 0
        while at + HEADER.size <= size:
            header = bytes_at(at, HEADER.size)
            record = Record(*HEADER.unpack(header))
            end = at + HEADER.size + record.body_bytes
            if end > size or record.lsn <= lsn or record.start != row or not record.rows:
                break
            body = bytes_at(at + HEADER.size, record.body_bytes)
            if zlib.crc32(body, zlib.crc32(header[CRC_BYTES:])) != record.crc:
                break
            records.append(record)
            lsn, row, at = record.lsn, record.start + record.rows, end
        if at < size:
            self._file.truncate(at)
        return records
