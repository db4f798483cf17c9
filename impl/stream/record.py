"""One record of a data file: a batch, the log entry that it came with, and a checksum of both."""

import struct
import zlib
from typing import NamedTuple

from ..raft.machine import MachineError

HEADER = struct.Struct("<IIQQQI")
CRC_BYTES = 4


class DataFileError(MachineError):
    """A data file that cannot be trusted: file, byte offset and reason. The member must stop."""

    def __init__(self, file: str, offset: int, reason: str) -> None:
        super().__init__(file, offset, reason)
        self.file = file
        self.offset = offset
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.file}: corrupt at byte {self.offset}: {self.reason}"


class Record(NamedTuple):
    """What the file says of one batch: its header.

    LSN and term name the log entry; `start` is the offset of the first row, so that rows have one
    place only, however often they are written.
    """

    crc: int
    body_bytes: int
    lsn: int
    term: int
    start: int
    rows: int

    @property
    def end(self) -> int:
        """The offset behind its last row."""
        return self.start + self.rows

    @property
    def size(self) -> int:
        """How many bytes it takes in the file."""
        return HEADER.size + self.body_bytes


class Written(NamedTuple):
    """A record and where it begins."""

    record: Record
    file: int
    at: int


def is_whole(record: Record, body: bytes | memoryview) -> bool:
    """Whether header and body are what was written."""
    return zlib.crc32(body, zlib.crc32(HEADER.pack(*record)[CRC_BYTES:])) == record.crc


def follows(record: Record, lsn: int, term: int, rows: int) -> bool:
    """Whether it may come behind a record of that LSN and term, which ended before row `rows`."""
    in_order = record.lsn > lsn and record.term >= term
    return in_order and record.start == rows and record.rows > 0
