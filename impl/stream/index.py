"""Where rows are in the data files of a table: some places, to begin a search from.

`index.log` helps and decides nothing. It is written and never synced: an entry that is torn,
missing, or of rows that were rolled back is found out when the index is opened, by its checksum and
by a look at the record that it names, and the entries behind it go with it.
"""

import struct
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from typing import NamedTuple

from ..raft.disk import Disk
from .record import Record

INDEX_FILE = "index.log"

ENTRY = struct.Struct("<IQQQQQ")

PLACE_ROWS = 65_536
PLACE_BYTES = 1 << 20
"""So far apart are places at most, but for a record that is longer (D2)."""


class Place(NamedTuple):
    """Where a record begins: its first row, and its LSN and term; the file's number, the byte."""

    row: int
    lsn: int
    term: int
    file: int
    at: int


class RowIndex:
    """The places of one table, ascending.

    # Invariant: behind `_gone` entries the file has those of `places`, once `flush` is over.
    """

    def __init__(
        self, disk: Disk, path: str, first_file: int, is_right: Callable[[Place], bool]
    ) -> None:
        """Read what is there of files from the first on, as far as `is_right`; raises OSError."""
        self._file = disk.open(path)
        self.places: list[Place] = []
        self._unwritten: list[bytes] = []
        self._gone = 0
        data = self._file.read(0, self._file.size())
        for at in range(0, len(data) - ENTRY.size + 1, ENTRY.size):
            crc, *fields = ENTRY.unpack_from(data, at)
            place = Place(*fields)
            if crc != zlib.crc32(data[at + 4 : at + ENTRY.size]) or not self._may_follow(place):
                break
            if place.file < first_file:
                self._gone += 1
                continue
            if not is_right(place):
                break
            self.places.append(place)
        if self._bytes(len(self.places)) < len(data):
            self._file.truncate(self._bytes(len(self.places)))

    def wants(self, row: int, file: int, at: int) -> bool:
        """Whether the last place is far enough away, or in another file."""
        if not self.places:
            return True
        last = self.places[-1]
        if last.file != file:
            return True
        return row > last.row and (row - last.row >= PLACE_ROWS or at - last.at >= PLACE_BYTES)

    def note(self, record: Record, file: int, at: int) -> None:
        """A record begins there; it is remembered if that is wanted."""
        if not self.wants(record.start, file, at):
            return
        place = Place(record.start, record.lsn, record.term, file, at)
        self.places.append(place)
        body = ENTRY.pack(0, *place)[4:]
        self._unwritten.append(zlib.crc32(body).to_bytes(4, "little") + body)

    def find(self, row: int) -> Place | None:
        """The last place that is not behind a row."""
        at = bisect_right(self.places, row, key=lambda place: place.row)
        return self.places[at - 1] if at else None

    def first_in(self, file: int) -> Place | None:
        """The place at the beginning of a file."""
        return next((place for place in self.places if place.file == file), None)

    def cut(self, row: int) -> None:
        """Forget the places from a row on: the rows are rolled back."""
        self._keep(bisect_left(self.places, row, key=lambda place: place.row))

    def cut_behind(self, file: int, at: int) -> None:
        """Forget the places from there on: the file, or the end of one, may be of other rows."""
        end = file, at
        self._keep(bisect_left(self.places, end, key=lambda place: (place.file, place.at)))

    def _keep(self, kept: int) -> None:
        self.flush()
        if kept < len(self.places):
            del self.places[kept:]
            self._file.truncate(self._bytes(kept))

    def drop_before(self, file: int) -> None:
        """Forget the places in files that are no more."""
        kept = bisect_left(self.places, file, key=lambda place: place.file)
        self._gone += kept
        del self.places[:kept]

    def flush(self) -> None:
        """Write what is new; raises OSError."""
        if self._unwritten:
            self._file.append(b"".join(self._unwritten))
            self._unwritten.clear()

    def close(self) -> None:
        """Give the file back."""
        self._file.close()

    def _bytes(self, places: int) -> int:
        return (self._gone + places) * ENTRY.size

    def _may_follow(self, place: Place) -> bool:
        if not self.places:
            return True
        last = self.places[-1]
        return place.row > last.row and (place.file, place.at) > (last.file, last.at)
