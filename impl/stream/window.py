"""Reading a data file: a piece of it at a time, and nothing believed that is not whole."""

from ..raft.disk import Disk
from .record import HEADER, DataFileError, Record, is_whole

WINDOW_BYTES = 256 << 10


class Window:
    """One file, open for reading until `close`."""

    def __init__(self, disk: Disk, path: str, *, only: bool = False) -> None:
        """`only`: for a single record's header. Raises OSError."""
        self._path = path
        self._file = disk.open(path)
        self._step = HEADER.size if only else WINDOW_BYTES
        self._at = 0
        self._bytes = b""
        self.size = self._file.size()

    def record(self, at: int) -> Record:
        """The header that stands there; raises DataFileError where none does."""
        header = self._read(at, HEADER.size)
        if len(header) < HEADER.size:
            raise self.damage(at, f"{len(header)} bytes of a header")
        record = Record(*HEADER.unpack(header))
        if at + record.size > self.size:
            raise self.damage(at, f"a record of {record.size} bytes, beyond the file's end")
        return record

    def body(self, at: int, record: Record) -> bytes:
        """The batch of a record; raises DataFileError if it is not what was written."""
        body = self._read(at + HEADER.size, record.body_bytes)
        if not is_whole(record, body):
            raise self.damage(at, "the checksum does not fit")
        return body

    def damage(self, at: int, reason: str) -> DataFileError:
        """What is wrong there."""
        return DataFileError(self._path, at, reason)

    def close(self) -> None:
        """Give the file back."""
        self._file.close()

    def _read(self, at: int, count: int) -> bytes:
        if not self._at <= at <= at + count <= self._at + len(self._bytes):
            self._at = at
            self._bytes = self._file.read(at, max(count, self._step))
        return self._bytes[at - self._at : at - self._at + count]
