"""The data files of one table: batches in order, in data0.log, data1.log, ... by size.

A record (`record.py`) is written once the log entry that it came with is in the own synced log, and
not synced itself: the log is (V19). Rule 1: what a checkpoint calls durable (`Kept`) is never cut;
if it is not whole it is damaged, and no row of it is served. Rule 2: whatever lies behind may be
torn, or of entries that were overruled since: it is cut at the first record that is not whole,
behind the last that the log has, and at the first that the log does not have so, with this LSN,
this term and these bytes. The log redoes the rest. So rows and LSN are one write, compared for
equality (V4, findings 1 to 7).
"""

import posixpath
import re
import zlib
from collections import deque
from collections.abc import Callable

from ..checksum import crc32
from ..raft.disk import Disk, File
from .index import INDEX_FILE, Place, RowIndex
from .manifest import NOTHING_KEPT, Kept
from .record import CRC_BYTES, HEADER, DataFileError, Record, Written, follows
from .window import WINDOW_BYTES, Window

__all__ = ["DataFileError", "DataFiles"]

FILE_BYTES = 64 << 20
"""A file that has grown to this is followed by another."""

_NAME = re.compile(r"data(\d+)\.log")


class DataFiles:
    """Opens and repairs the files; then takes every batch of the table that comes after them.

    Promise HS-9: after recovery each logged row is in the files exactly once.
    """

    # Invariant: records have growing LSNs and cover the rows from `first_row` on without gap.
    # Invariant: `_unsettled` are the last records of the files, then `_recovered`, in order.

    def __init__(
        self, disk: Disk, folder: str, kept: Kept = NOTHING_KEPT, *, file_bytes: int = FILE_BYTES
    ) -> None:
        """Raises OSError, or DataFileError if durable rows are missing or damaged."""
        self._disk = disk
        self.folder = folder
        self._file_bytes = file_bytes
        self.first_file, self.first_row = kept.first_file, kept.first_row
        self._number, self._at = kept.file, kept.at
        self.rows, self.lsn, self.term = kept.rows, kept.lsn, kept.term
        self._kept = kept
        self._last: Written | None = None
        """The last record that is settled, unless it was durable from the start."""
        self._unsettled: deque[Written] = deque()
        self._pending: list[bytes | memoryview] = []
        self._unsynced: list[File] = []
        self._retired: list[File] = []
        self._is_listed = False
        self._is_dirty = True
        self._last_read: Place | None = None
        self.redoes_equal = False
        """Seeded bug: the record with the file's own LSN is not known to be there."""
        self._numbers = self._found_numbers()
        for number in [n for n in self._numbers if n < kept.first_file]:
            self._disk.remove(self._path(number))
        self._index = RowIndex(
            disk, posixpath.join(folder, INDEX_FILE), kept.first_file, self._is_right
        )
        self._index.cut(kept.rows)
        self._index.cut_behind(kept.file, kept.at)
        self._check_durable(kept)
        self._recovered = deque(self._scan())
        for number in [n for n in self._numbers if n > self._number]:
            self._disk.remove(self._path(number))
        self._file = disk.open(self._path(self._number))
        if self._file.size() > self._at:
            self._file.truncate(self._at)
        self._write_again()
        self._index.flush()

    def write(self, lsn: int, term: int, start: int, rows: int, body: memoryview) -> int:
        """Take the batch of one log entry; `flush` puts it into the file. Gives its checksum."""
        tail = HEADER.pack(0, len(body), lsn, term, start, rows)[CRC_BYTES:]
        crc = crc32(body, zlib.crc32(tail))
        if self._recovered:
            known = self._recovered[0]
            if known.record == Record(crc, len(body), lsn, term, start, rows):
                if self.redoes_equal and lsn == self.lsn:
                    return self._written_twice(lsn, term, rows, body)
                self._unsettled.append(self._recovered.popleft())
                return crc
            self._cut(known)
        assert start == self.rows
        assert lsn > self.lsn
        if self._at >= self._file_bytes:
            self._roll()
        record = Record(crc, len(body), lsn, term, start, rows)
        if self._index.wants(start, self._number, self._at):
            self._index.note(record, self._number, self._at)
        self._unsettled.append(Written(record, self._number, self._at))
        self._pending += (crc.to_bytes(CRC_BYTES, "little") + tail, body)
        self._at += HEADER.size + len(body)
        self.rows, self.lsn, self.term = start + rows, lsn, term
        return crc

    def _written_twice(self, lsn: int, term: int, rows: int, body: memoryview) -> int:
        self._unsettled.append(self._recovered.popleft())
        self.lsn -= 1
        return self.write(lsn, term, self.rows, rows, body)

    @property
    def next_row(self) -> int:
        """Where the next batch belongs: behind those that the log has said since the start."""
        return self._recovered[0].record.start if self._recovered else self.rows

    def flush(self) -> None:
        """Write what was taken since the last time; raises OSError."""
        if not self._pending:
            return
        self._is_dirty = True
        self._file.append(*self._pending)
        self._pending.clear()
        self._index.flush()

    def settle(self, lsn: int) -> None:
        """Records up to that LSN are committed: they are never rolled back."""
        unsettled = self._unsettled
        while unsettled and unsettled[0].record.lsn <= lsn:
            self._last = unsettled.popleft()

    def roll_back(self, lsn: int) -> None:
        """Records from that LSN on were overruled: cut them off (HS-11). Raises OSError."""
        first = None
        while self._unsettled and self._unsettled[-1].record.lsn >= lsn:
            first = self._unsettled.pop()
        if first is not None:
            self._cut(first)

    def cut_found(self, holds: Callable[[int, int], bool]) -> bool:
        """Cut off what the start found at the end and the log does not have; true if more is left.

        `holds`: whether the log has an entry of this index and term. Raises OSError.
        """
        first = None
        while self._recovered and not holds(*self._recovered[-1].record[2:4]):
            first = self._recovered.pop()
        if first is not None:
            self._cut(first)
        return bool(self._recovered)

    def read(self, start: int, stop: int, bytes_max: int) -> list[tuple[Record, bytes]]:
        """The records with rows from `start` to before `stop`, in order, about `bytes_max` long.

        The rows must be there. Raises DataFileError where a record is not whole, and OSError.
        """
        assert self.first_row <= start <= stop <= self.rows
        self.flush()
        found: list[tuple[Record, bytes]] = []
        row, number, at = self._near(start)
        window: Window | None = None
        try:
            while row < stop and bytes_max > 0:
                window = window or Window(self._disk, self._path(number))
                if at >= window.size and number < self._number:
                    window.close()
                    window, number, at = None, number + 1, 0
                    continue
                record = window.record(at)
                if record.start != row or not record.rows:
                    raise window.damage(at, f"rows from {record.start} on, where {row} belongs")
                if record.end > start:
                    found.append((record, window.body(at, record)))
                    bytes_max -= record.size
                    self._last_read = Place(row, record.lsn, record.term, number, at)
                row, at = record.end, at + record.size
        finally:
            if window is not None:
                window.close()
        return found

    # Checkpoints.

    @property
    def settled(self) -> Kept:
        """What is committed of what is written; the caller says what is kept, and since when."""
        if self._last is None:
            return self._kept
        record, file, at = self._last
        return Kept(0, 0, file, at + record.size, record.end, record.lsn, record.term)

    def first_row_in(self, file: int) -> int:
        """The offset of the first row in a file that has one."""
        place = self._index.first_in(file)
        assert place is not None
        return place.row

    @property
    def newest_file(self) -> int:
        """The number of the file that is written to."""
        return self._number

    def begin_sync(self) -> tuple[list[File], str | None]:
        """What another thread has to sync, files and perhaps their folder; then `end_sync`.

        Until then no file is closed. Raises OSError.
        """
        self.flush()
        files = [*self._unsynced, self._file] if self._is_dirty else []
        folder = None if self._is_listed else self.folder
        self._retired += self._unsynced
        self._unsynced = []
        self._is_dirty = False
        self._is_listed = True
        return files, folder

    def end_sync(self) -> None:
        """All of it was synced."""
        for file in self._retired:
            file.close()
        self._retired.clear()

    def drop_before(self, file: int) -> None:
        """Remove the files before this one, whose rows a checkpoint no longer names."""
        if file > self.first_file:
            self.first_row = self.first_row_in(file)
            for number in range(self.first_file, file):
                self._disk.remove(self._path(number))
            self.first_file = file
            self._index.drop_before(file)
            self._last_read = None

    def remove(self) -> None:
        """Delete the files: the table is no more. Raises OSError."""
        self.close()
        remove_table(self._disk, self.folder)

    def close(self) -> None:
        """Give the files back."""
        self.end_sync()
        for file in [*self._unsynced, self._file]:
            file.close()
        self._index.close()

    # What the files hold.

    def _path(self, number: int) -> str:
        return posixpath.join(self.folder, f"data{number}.log")

    def _found_numbers(self) -> list[int]:
        names = map(_NAME.fullmatch, self._disk.names(self.folder))
        return sorted(int(name[1]) for name in names if name)

    def _write_again(self) -> None:
        """Write what lies behind the durable rows once more.

        After a failed sync the kernel shows bytes that it will never try to write again.
        """
        for number in range(self._kept.file, self._number + 1):
            file = self._file
            if number < self._number:
                file = self._disk.open(self._path(number))
                self._unsynced.append(file)
            at = self._kept.at if number == self._kept.file else 0
            while piece := file.read(at, WINDOW_BYTES):
                file.rewrite(at, piece)
                at += len(piece)

    def _is_right(self, place: Place) -> bool:
        """Whether the record that a place names is there."""
        if place.file not in self._numbers:
            return False
        window = Window(self._disk, self._path(place.file), only=True)
        try:
            record = window.record(place.at)
        except DataFileError:
            return False
        finally:
            window.close()
        return (record.start, record.lsn, record.term) == (place.row, place.lsn, place.term)

    def _check_durable(self, kept: Kept) -> None:
        """Go from the last known place to where the durable rows end; raises DataFileError."""
        if kept.rows == kept.first_row:
            return
        row, number, at = self._near(kept.rows)
        while (number, at) < (kept.file, kept.at):
            window = Window(self._disk, self._path(number))
            try:
                stop = kept.at if number == kept.file else window.size
                while at < stop:
                    record = window.record(at)
                    if record.start != row or at + record.size > stop:
                        raise window.damage(at, f"{record}, where row {row} belongs")
                    self._index.note(record, number, at)
                    row, at = record.end, at + record.size
                if number == kept.file and window.size < kept.at:
                    raise window.damage(window.size, "durable rows are missing")
            finally:
                window.close()
            if number < kept.file:
                number, at = number + 1, 0
        if row != kept.rows:
            raise DataFileError(
                self._path(number), at, f"{row} rows, where {kept.rows} are durable"
            )

    def _scan(self) -> list[Written]:
        """The whole records behind the durable ones; what follows them is not believed."""
        found: list[Written] = []
        number, at = self._number, self._at
        while True:
            window = Window(self._disk, self._path(number))
            try:
                while (record := self._whole(window, at)) is not None:
                    found.append(Written(record, number, at))
                    self._index.note(record, number, at)
                    at += record.size
                    self._number, self._at = number, at
                    self.rows, self.lsn, self.term = record.end, record.lsn, record.term
                is_over = at < window.size or number + 1 not in self._numbers
            finally:
                window.close()
            if is_over or number > self._number:
                return found
            number, at = number + 1, 0

    def _whole(self, window: Window, at: int) -> Record | None:
        try:
            record = window.record(at)
            if not follows(record, self.lsn, self.term, self.rows):
                return None
            window.body(at, record)
        except DataFileError:
            return None
        return record

    def _near(self, row: int) -> tuple[int, int, int]:
        """A record at or before the row: its first row, its file, where it begins."""
        place = self._index.find(row)
        last = self._last_read
        if last is not None and last.row <= row and (place is None or last.row > place.row):
            place = last
        if place is None:
            return self.first_row, self.first_file, 0
        return place.row, place.file, place.at

    def _roll(self) -> None:
        """Begin the next file; a power cut may bring back what was removed under its name."""
        self.flush()
        self._unsynced.append(self._file)
        self._number += 1
        self._at = 0
        self._is_listed = False
        self._file = self._disk.open(self._path(self._number))
        if self._file.size():
            self._file.truncate(0)

    def _cut(self, first: Written) -> None:
        """Cut a record off with all that follows: the log does not have it so."""
        self.flush()
        settled = self.settled
        assert (first.file, first.at) >= (settled.file, settled.at)
        while self._recovered and self._recovered[-1][1:] >= first[1:]:
            self._recovered.pop()
        if first.file < self._number:
            # Not closed: another thread may be syncing it.
            self._retired.append(self._file)
            for number in range(first.file + 1, self._number + 1):
                self._disk.remove(self._path(number))
            self._file = self._disk.open(self._path(first.file))
        self._file.truncate(first.at)
        self._index.cut(first.record.start)
        self._is_dirty = True
        self._number, self._at = first.file, first.at
        if before := self._recovered or self._unsettled:
            self.lsn, self.term = before[-1].record.lsn, before[-1].record.term
        else:
            self.lsn, self.term = settled.lsn, settled.term
        self.rows = first.record.start
        if self._last_read is not None and self._last_read.row >= self.rows:
            self._last_read = None


def remove_table(disk: Disk, folder: str) -> None:
    """Delete a table's folder with what is in it."""
    names = disk.names(folder)
    for name in names:
        disk.remove(posixpath.join(folder, name))
    if names:
        disk.sync_folder(folder)
    disk.remove_folder(folder)
