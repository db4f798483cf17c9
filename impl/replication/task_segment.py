"""Files with the data of many tasks, one behind the other: records that tell what they are.

A record is, little-endian: marker (4 bytes), tid (u64), where in the file it begins (u64), size of
the data (u64), CRC-32 of the data (u32), CRC-32 of all that (u32), data. A process goes on in no
file of an earlier one: what a crash tore is at a file's end. Behind damage whole records are looked
for, and believed if they say that they are where they are: data may look like a record, too.
"""

import errno
import posixpath
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from ..raft.disk import Disk, File

SEGMENT_BYTES = 16 << 20
"""A file that has so many gets no more; files are removed whole."""

MARKER = b"\xd7DT\x01"
_HEAD = struct.Struct("<4sQQQI")
_CRC = struct.Struct("<I")
HEAD_BYTES = _HEAD.size + _CRC.size

TRIES = 2


@dataclass(frozen=True, slots=True)
class Place:
    """Where the data of a task is: the number of its file, and where there its record begins."""

    segment: int
    at: int
    size: int
    """Of the data."""


def segment_name(number: int) -> str:
    """What the file is called."""
    return f"{number:010}.tasks"


def packed(tid: int, at: int, data: bytes) -> tuple[bytes, bytes]:
    """A record's bytes, in pieces: data is not copied."""
    head = _HEAD.pack(MARKER, tid, at, len(data), zlib.crc32(data))
    return head + _CRC.pack(zlib.crc32(head)), data


def unpacked(tid: int, at: int, found: bytes) -> bytes | None:
    """The data of the record that these bytes are; None if anything is not as it was."""
    data = found[HEAD_BYTES:]
    return data if found[:HEAD_BYTES] == packed(tid, at, data)[0] else None


def records(file: File, segment: int) -> Iterator[tuple[int, Place]]:
    """What seems to be in a file, by tid; raises OSError. Who fetches data checks it."""
    at, end = 0, file.size()
    while at < end:
        found = _head(file.read(at, HEAD_BYTES), at, end)
        if found is None:
            at = _nearest(file.read(at, end - at), at, end)
        else:
            tid, size = found
            yield tid, Place(segment, at, size)
            at += HEAD_BYTES + size


def _nearest(rest: bytes, start: int, end: int) -> int:
    """Where a record begins behind `start`, of a file whose rest this is; its end if none does."""
    at = rest.find(MARKER, 1)
    while at >= 0:
        if _head(rest[at : at + HEAD_BYTES], start + at, end) is not None:
            return start + at
        at = rest.find(MARKER, at + 1)
    return end


def _head(found: bytes, at: int, end: int) -> tuple[int, int] | None:
    """Tid and size of the data of a record that begins there, if one does that is not cut off."""
    if len(found) < HEAD_BYTES:
        return None
    marker, tid, its_at, size, _ = _HEAD.unpack_from(found)
    (crc,) = _CRC.unpack_from(found, _HEAD.size)
    is_whole = marker == MARKER and its_at == at and zlib.crc32(found[: _HEAD.size]) == crc
    return (tid, size) if is_whole and at + HEAD_BYTES + size <= end else None


class SegmentWriter:
    """Writes at the end of the newest file, durably. Belongs to the worker while that writes."""

    def __init__(self, disk: Disk, folder: str, number: int) -> None:
        """All files so far have numbers up to this one."""
        self._disk = disk
        self._folder = folder
        self._number = number
        self._file: File | None = None
        self._size = 0

    def write(self, batch: Sequence[tuple[int, bytes]]) -> list[Place]:
        """Make all of it durable, with one sync; says where it is. Raises OSError: of all."""
        for _ in range(TRIES):
            places = self._append(batch)
            is_there = segment_name(self._number) in self._disk.names(self._folder)
            if self._size >= SEGMENT_BYTES or not is_there:
                self.close()
            if is_there:
                return places
        # Somebody empties the folder: what is in a file without a name is lost.
        raise OSError(errno.ENOENT, "the file was removed", segment_name(self._number))

    def leave(self, number: int) -> None:
        """Write nothing more to this file."""
        if number == self._number:
            self.close()

    def close(self) -> None:
        """Give the file back; what is written next begins another one."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _append(self, batch: Sequence[tuple[int, bytes]]) -> list[Place]:
        is_new = self._file is None
        if self._file is None:
            self._number += 1
            self._file = self._disk.open(self._path)
            self._size = 0
        places: list[Place] = []
        pieces: list[bytes] = []
        size = self._size
        for tid, data in batch:
            places.append(Place(self._number, size, len(data)))
            pieces += packed(tid, size, data)
            size += HEAD_BYTES + len(data)
        try:
            self._file.append(*pieces)
            self._file.sync()
            if is_new:
                self._disk.sync_folder(self._folder)
        except OSError:
            # What the file holds behind its size nobody knows.
            self.close()
            if is_new:
                with suppress(OSError):
                    self._disk.remove(self._path)
            raise
        self._size = size
        return places

    @property
    def _path(self) -> str:
        return posixpath.join(self._folder, segment_name(self._number))
