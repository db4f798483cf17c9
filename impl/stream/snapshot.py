"""A checkpoint on its way to another member: one run of bytes, out of data files and into new ones.

The bytes are: length of the head and its CRC-32 (u32 each), the head, and the data files that it
lists, whose records have checksums of their own. A snapshot is staged in a file of its own; once it
is durable there, and the log begins behind it, whatever happens ends with the tables that it holds.
"""

import errno
import posixpath
import struct
import zlib
from collections.abc import Iterator

import msgspec

from ..raft.disk import Disk, File
from ..raft.staging import StagingFile
from ..raft.terms import Position, Runs, end_of
from .manifest import Manifest, read_manifest, write_manifest
from .record import DataFileError

FILE = "incoming"
"""No table's folder is called so: there is a dot in its name."""

PIECE_BYTES = 1 << 20
_PREFIX = struct.Struct("<II")


class Head(msgspec.Struct, frozen=True, array_like=True):
    """What is in a snapshot; `sizes` of the data files of all tables, in order."""

    manifest: Manifest
    sizes: tuple[int, ...]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Head)


def data_files(folder: str, manifest: Manifest) -> list[str]:
    """The data files that a checkpoint names, in order."""
    return [
        posixpath.join(folder, table.folder, f"data{number}.log")
        for table in manifest.tables
        for number in range(table.files.first_file, table.files.file + 1)
    ]


def _is_durable(manifest: Manifest) -> Iterator[int | None]:
    """How many bytes of each data file a checkpoint names; None for all of them."""
    for table in manifest.tables:
        for number in range(table.files.first_file, table.files.file + 1):
            yield table.files.at if number == table.files.file else None


class Outgoing:
    """Reads a checkpoint from where it is; an `Export`."""

    def __init__(self, disk: Disk, folder: str, manifest: Manifest) -> None:
        """Raises OSError."""
        self._manifest = manifest
        self._files = [disk.open(path) for path in data_files(folder, manifest)]
        limits = list(_is_durable(manifest))
        sizes = tuple(
            file.size() if limit is None else limit
            for file, limit in zip(self._files, limits, strict=True)
        )
        head = _encoder.encode(Head(manifest, sizes))
        self._head = _PREFIX.pack(len(head), zlib.crc32(head)) + head
        self._starts: list[int] = []
        at = len(self._head)
        for size in sizes:
            self._starts.append(at)
            at += size
        self._end = at
        if any(f.size() < size for f, size in zip(self._files, sizes, strict=True)):
            self.close()
            raise OSError(errno.EIO, f"{folder}: data files are shorter than the checkpoint says")

    @property
    def position(self) -> Position:
        return self._manifest.position

    @property
    def size(self) -> int:
        return self._end

    def read(self, at: int, size: int) -> bytes:
        end = min(at + size, self._end)
        parts = [self._head[at:end]]
        stops = [*self._starts, self._end][1:]
        for start, stop, file in zip(self._starts, stops, self._files, strict=True):
            if start < end and stop > at:
                first = max(at, start)
                parts.append(file.read(first - start, min(end, stop) - first))
        return b"".join(parts)

    def close(self) -> None:
        for file in self._files:
            file.close()


def staging(disk: Disk, folder: str) -> StagingFile:
    """Collects the bytes of a snapshot that arrives."""
    return StagingFile(disk, folder, FILE, _checked)


def catch_up(disk: Disk, folder: str, base: Runs) -> None:
    """Finish what a crash interrupted: the log begins behind `base`, and the tables do not.

    Raises DataFileError, or OSError.
    """
    if end_of(base)[0] > read_manifest(disk, folder).index:
        unpack(disk, folder, base)


def unpack(disk: Disk, folder: str, terms: Runs) -> None:
    """Make data files and a checkpoint of the snapshot that was staged for these entries.

    May be done again from the start after a crash at any moment. Raises DataFileError if what is
    staged is something else or not whole, and OSError.
    """
    path = posixpath.join(folder, FILE)
    file = disk.open(path)
    try:
        head, at = _checked(file, path)
        if head.manifest.position != Position(*end_of(terms)):
            raise DataFileError(path, 0, "a snapshot of other entries than the log begins behind")
        for table in head.manifest.tables:
            disk.make_folder(posixpath.join(folder, table.folder))
        for target, size in zip(data_files(folder, head.manifest), head.sizes, strict=True):
            _copy(disk, file, at, size, target)
            at += size
    finally:
        file.close()
    write_manifest(disk, folder, head.manifest)


def _checked(file: File, path: str) -> tuple[Head, int]:
    """The head, and where the first data file begins; raises DataFileError."""
    prefix = file.read(0, _PREFIX.size)
    if len(prefix) < _PREFIX.size:
        raise DataFileError(path, 0, "no snapshot: it has no beginning")
    size, crc = _PREFIX.unpack(prefix)
    data = file.read(_PREFIX.size, min(size, file.size()))
    if zlib.crc32(data) != crc:
        raise DataFileError(path, 0, "no snapshot: the checksum of its head does not match")
    try:
        head = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DataFileError(path, 0, f"no snapshot: {error}") from None
    start = _PREFIX.size + size
    if len(head.sizes) != len(data_files("", head.manifest)):
        raise DataFileError(path, 0, "no snapshot: it has other data files than its checkpoint")
    if start + sum(head.sizes) != file.size():
        raise DataFileError(path, 0, f"no whole snapshot: {start + sum(head.sizes)} bytes belong")
    return head, start


def _copy(disk: Disk, source: File, start: int, size: int, path: str) -> None:
    """Put a piece of a file in the place of another file, durably and at once."""
    fresh = f"{path}.new"
    target = disk.open(fresh)
    try:
        target.truncate(0)
        for piece in _pieces(source, start, start + size):
            target.append(piece)
        target.sync()
    finally:
        target.close()
    disk.rename(fresh, path)
    disk.sync_folder(posixpath.dirname(path))


def _pieces(file: File, start: int, end: int) -> Iterator[bytes]:
    while start < end:
        piece = file.read(start, min(PIECE_BYTES, end - start))
        if not piece:
            return
        yield piece
        start += len(piece)
