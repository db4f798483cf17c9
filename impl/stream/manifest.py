"""What a checkpoint says: the tables after one entry of the log, and how much of them is durable.

A small file, written aside, synced and renamed: a crash leaves the old one or the new one.
"""

import posixpath
import zlib

import msgspec

from ..raft.disk import Disk
from ..raft.terms import Position
from .commands import TableOptions
from .record import DataFileError

MANIFEST_FILE = "checkpoint"

_CRC_BYTES = 4


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """What of a table's files is durable: rows from `first_row` to before `rows`.

    They begin with the file `first_file` and end in the file `file` at byte `at`, with the record
    of that LSN and term. `ages_s`: how long ago each file before `file` was finished.
    """

    first_file: int = 0
    first_row: int = 0
    file: int = 0
    at: int = 0
    rows: int = 0
    lsn: int = 0
    term: int = 0
    ages_s: tuple[int, ...] = ()


NOTHING_KEPT = Kept()


class KeptTable(msgspec.Struct, frozen=True, array_like=True):
    """A table with its durable rows: `digest` is the chain over all that ever were.

    `folder` is where its files are, below the group's.
    """

    name: str
    id: int
    folder: str
    schema: bytes
    options: TableOptions
    digest: str
    files: Kept


class Manifest(msgspec.Struct, frozen=True, array_like=True):
    """The tables after the entry `index` of that term, and nothing of what comes after."""

    index: int = 0
    term: int = 0
    tables: tuple[KeptTable, ...] = ()

    @property
    def position(self) -> Position:
        """The last entry whose effect is in it."""
        return Position(self.index, self.term)


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Manifest)


def encode_manifest(manifest: Manifest) -> bytes:
    """Its bytes, with a checksum."""
    body = _encoder.encode(manifest)
    return zlib.crc32(body).to_bytes(_CRC_BYTES, "little") + body


def decode_manifest(data: bytes, where: str) -> Manifest:
    """Undo `encode_manifest`; raises DataFileError, which says `where`."""
    body = data[_CRC_BYTES:]
    if zlib.crc32(body).to_bytes(_CRC_BYTES, "little") != data[:_CRC_BYTES]:
        raise DataFileError(where, 0, "the checksum of the checkpoint does not fit")
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DataFileError(where, 0, f"no checkpoint: {error}") from None


def read_manifest(disk: Disk, folder: str) -> Manifest:
    """The last checkpoint of a group's tables, empty if there was none; raises DataFileError."""
    path = posixpath.join(folder, MANIFEST_FILE)
    data = disk.read(path)
    return Manifest() if data is None else decode_manifest(data, path)


def write_manifest(disk: Disk, folder: str, manifest: Manifest) -> None:
    """Make it the last checkpoint, durably; may run on another thread. Raises OSError.

    What it names must be durable already.
    """
    path = posixpath.join(folder, MANIFEST_FILE)
    fresh = path + ".new"
    file = disk.open(fresh)
    try:
        file.truncate(0)
        file.append(encode_manifest(manifest))
        file.sync()
    finally:
        file.close()
    disk.rename(fresh, path)
    disk.sync_folder(folder)
