"""The catalog as the machine of the controllers' group: saved as a whole, sent, and replaced.

A checkpoint is one file: a CRC-32 and the catalog with its position, written aside, synced and
renamed. It is small beside what a data node holds, so that the newest one is kept in memory, too.
"""

import errno
import posixpath
import zlib
from collections.abc import Callable
from typing import Any

import msgspec

from ..raft.disk import Disk, File
from ..raft.machine import Export, Job, MachineError, Staging
from ..raft.messages import Entry, Kind
from ..raft.staging import StagingFile
from ..raft.terms import Position, Runs, end_of
from ..runtime import Worker
from .catalog import Catalog, SeatOf
from .commands import Command, decode

FILE = "catalog"
INCOMING = "incoming"
CRC_BYTES = 4


class CatalogFileError(MachineError):
    """A saved catalog that cannot be trusted. The member must stop."""


class Saved(msgspec.Struct, frozen=True, array_like=True):
    """A catalog after the entry `index` of that term."""

    index: int = 0
    term: int = 0
    catalog: bytes = b""

    @property
    def position(self) -> Position:
        """The last entry that it stands for."""
        return Position(self.index, self.term)


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Saved)


class CatalogMachine:
    """A `Machine`: entries of kind CATALOG are its commands; others change nothing."""

    # Invariant: checkpointed <= applied.

    what = "catalog"

    def __init__(self, disk: Disk, folder: str, seat_of: SeatOf, base: Runs = ()) -> None:
        """Load what was saved; raises OSError, or CatalogFileError.

        The log begins behind `base`: if the newest checkpoint does not go so far, a snapshot does
        that was staged.
        """
        self._disk = disk
        self._folder = folder
        self._seat_of = seat_of
        self.heard: Callable[[Command, Any], None] = lambda command, outcome: None
        """Who hears every command when it was applied, and what came of it."""
        disk.make_folder(folder)
        self._incoming = StagingFile(disk, folder, INCOMING, _checked)
        if end_of(base)[0] > self._read(FILE).index:
            self._unpack(base)
        self._bytes = self._read_bytes(FILE)
        self._put(self._read(FILE))
        self._incoming.begin()
        self._is_saving = False

    def _put(self, saved: Saved) -> None:
        self._saved = saved
        self._index, self._term = saved.index, saved.term
        try:
            self.catalog = (
                Catalog.load(saved.catalog, self._seat_of)
                if saved.catalog
                else Catalog(seat=self._seat_of(b""))
            )
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise CatalogFileError(f"{self._folder}: no catalog: {error}") from None

    @property
    def applied(self) -> Position:
        return Position(self._index, self._term)

    @property
    def checkpointed(self) -> Position:
        return self._saved.position

    def apply(self, index: int, entry: Entry) -> Any:
        self._index, self._term = index, entry.term
        if entry.kind is not Kind.CATALOG:
            return None
        command = decode(entry.payload)
        outcome = self.catalog.apply(command)
        self.heard(command, outcome)
        return outcome

    def flush(self) -> None:
        """All there is is in memory, and in the log."""

    def checkpoint(self, worker: Worker, done: Callable[[OSError | None], None]) -> bool:
        if self._is_saving:
            return False
        self._is_saving = True
        saved = Saved(self._index, self._term, self.catalog.dump())
        data = _framed(saved)

        def ended(error: OSError | None) -> None:
            self._is_saving = False
            if error is None and saved.index > self._saved.index:
                self._saved, self._bytes = saved, data
            done(error)

        worker.submit(lambda: self._write(data), ended)
        return True

    def export(self) -> Export | None:
        return Outgoing(self._saved.position, self._bytes) if self._saved.index else None

    @property
    def staging(self) -> Staging:
        return self._incoming

    def install(self, terms: Runs) -> Job:
        def job() -> None:
            try:
                self._unpack(terms)
            except CatalogFileError as error:
                raise OSError(errno.EIO, str(error)) from None

        return job

    def install_done(self) -> None:
        self._bytes = self._read_bytes(FILE)
        self._put(self._read(FILE))
        self._incoming.clear()

    def close(self) -> None:
        self._incoming.close()

    def _unpack(self, terms: Runs) -> None:
        """Put what was staged for these entries in the place of the newest checkpoint."""
        if self._read(INCOMING).position != Position(*end_of(terms)):
            raise CatalogFileError(
                f"{self._folder}: a snapshot of other entries than the log needs"
            )
        self._write(self._read_bytes(INCOMING))

    def _write(self, data: bytes) -> None:
        path = posixpath.join(self._folder, FILE)
        fresh = path + ".new"
        file = self._disk.open(fresh)
        try:
            file.truncate(0)
            file.append(data)
            file.sync()
        finally:
            file.close()
        self._disk.rename(fresh, path)
        self._disk.sync_folder(self._folder)

    def _read_bytes(self, name: str) -> bytes:
        return self._disk.read(posixpath.join(self._folder, name)) or b""

    def _read(self, name: str) -> Saved:
        data = self._read_bytes(name)
        return unframed(data, posixpath.join(self._folder, name)) if data else Saved()


class Outgoing:
    """A checkpoint on its way; an `Export`."""

    def __init__(self, position: Position, data: bytes) -> None:
        self._position = position
        self._data = data

    @property
    def position(self) -> Position:
        return self._position

    @property
    def size(self) -> int:
        return len(self._data)

    def read(self, at: int, size: int) -> bytes:
        return self._data[at : at + size]

    def close(self) -> None:
        """Nothing is open."""


def _framed(saved: Saved) -> bytes:
    body = _encoder.encode(saved)
    return zlib.crc32(body).to_bytes(CRC_BYTES, "little") + body


def _checked(file: File, path: str) -> None:
    unframed(file.read(0, file.size()), path)


def unframed(data: bytes, where: str) -> Saved:
    """A saved catalog from its bytes; raises CatalogFileError, which says `where`."""
    body = data[CRC_BYTES:]
    if zlib.crc32(body).to_bytes(CRC_BYTES, "little") != data[:CRC_BYTES]:
        raise CatalogFileError(f"{where}: the checksum does not fit")
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CatalogFileError(f"{where}: no saved catalog: {error}") from None
