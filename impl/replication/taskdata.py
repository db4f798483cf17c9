"""What a master keeps of its writes until all slaves have it: one file each, <tid>.task.

A file is written aside, synced and renamed, and then the folder is synced: what has its name and a
right checksum is whole. All of that is a worker's: what comes while it writes it then writes
together, with one sync of the folder. Until it is done the data is in memory only, and a slave that
asks is told to wait (F5); a crash takes it, and the next process knows nothing of it.
"""

import logging
import posixpath
import re
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import Enum

from ..bugs_of_replication import TASK_DATA_UNCHECKED
from ..raft.disk import Disk
from ..runtime import Worker

MAGIC = b"DTASK\x01"
_HEADER_BYTES = len(MAGIC) + 8 + 4

TOGETHER_MAX = 256
"""So many files are written before their savers are told."""

WAITING_BYTES_MAX = 256 << 20
"""Data that is not written yet; beyond, `has_room` says no."""

_NAME = re.compile(r"([0-9]{1,19})\.task\Z")
_FRESH = ".new"

Done = Callable[[OSError | None], None]

log = logging.getLogger("delphic.replication")


class Lack(Enum):
    """Why there is no data."""

    NOT_PERSISTED = "not persisted yet"
    MISSING = "Missing taskData"


class TaskDataStore:
    """The files of one data node. All calls belong to the node's event loop."""

    def __init__(
        self, disk: Disk, folder: str, worker: Worker, bugs: frozenset[str] = frozenset()
    ) -> None:
        self._bugs = bugs
        self._disk = disk
        self._folder = folder
        self._worker = worker
        self._waiting: dict[int, bytes] = {}
        self._next: list[tuple[int, Done]] = []
        """Those of the waiting that nobody writes yet."""
        self._is_writing = False
        self._waiting_bytes = 0
        self._deleted: dict[int, None] = {}
        self._tids: dict[int, None] = {}

    def open(self) -> None:
        """Find what there is, and remove what was never finished. Raises OSError."""
        self._disk.make_folder(self._folder)
        for name in self._disk.names(self._folder):
            match = _NAME.match(name)
            if match is not None:
                self._tids[int(match[1])] = None
            elif name.endswith(_FRESH):
                self._disk.remove(posixpath.join(self._folder, name))

    @property
    def has_room(self) -> bool:
        """Whether more may be saved; otherwise whoever writes waits."""
        return self._waiting_bytes < WAITING_BYTES_MAX

    @property
    def tids(self) -> list[int]:
        """Of what there are data, durable ones and others, in order."""
        return sorted(self._tids | self._waiting)

    def save(self, tid: int, data: bytes, done: Done) -> None:
        """Keep it; `done` is told when it is durable, or what went wrong (S01035)."""
        assert tid not in self._waiting
        self._waiting[tid] = data
        self._waiting_bytes += len(data)
        self._next.append((tid, done))
        self._write()

    def fetch(self, tid: int) -> bytes | Lack:
        """What was saved. Raises OSError where a file cannot be read (S01037)."""
        if tid in self._waiting:
            return Lack.NOT_PERSISTED
        path = self._path(tid)
        try:
            framed = self._disk.read(path)
        except OSError as error:
            log.error("S01037 task data %s cannot be opened: %s", path, error)
            raise
        if framed is None:
            log.error("S01040 task data %s is absent", path)
            return Lack.MISSING
        if TASK_DATA_UNCHECKED in self._bugs:
            return framed[_HEADER_BYTES:]
        data = unframed(tid, framed)
        if data is None:
            log.error("S01042 task data %s is damaged", path)
            return Lack.MISSING
        return data

    def delete(self, tid: int) -> None:
        """No slave needs it any more. A file that cannot be removed is tried again at the next."""
        if tid in self._waiting:
            self._deleted[tid] = None
            return
        if tid not in self._tids:
            return
        path = self._path(tid)
        try:
            self._disk.remove(path)
        except FileNotFoundError:
            pass
        except OSError as error:
            log.warning("S01036 task data %s cannot be removed: %s", path, error)
            return
        self._tids.pop(tid)

    def _write(self) -> None:
        """Let the worker write what waits, unless it writes."""
        if self._is_writing or not self._next:
            return
        batch, self._next = self._next[:TOGETHER_MAX], self._next[TOGETHER_MAX:]
        files = [(tid, self._waiting[tid]) for tid, _ in batch]
        failed: dict[int, OSError] = {}
        self._is_writing = True

        def written(error: OSError | None) -> None:
            self._is_writing = False
            for tid, done in batch:
                self._saved(tid, error or failed.get(tid), done)
            self._write()

        self._worker.submit(lambda: write(self._disk, self._folder, files, failed), written)

    def _saved(self, tid: int, error: OSError | None, done: Done) -> None:
        self._waiting_bytes -= len(self._waiting.pop(tid))
        if error is None:
            self._tids[tid] = None
        else:
            log.error("S01035 task data %s cannot be written: %s", self._path(tid), error)
        if self._deleted.pop(tid, 0) is None:
            self.delete(tid)
        done(error)

    def _path(self, tid: int) -> str:
        return posixpath.join(self._folder, f"{tid}.task")


def write(
    disk: Disk, folder: str, files: Sequence[tuple[int, bytes]], failed: dict[int, OSError]
) -> None:
    """Make them durable under their names; may run on another thread. Raises OSError, of all.

    What went wrong with one of them alone is in `failed`.
    """
    for tid, data in files:
        path = posixpath.join(folder, f"{tid}.task")
        try:
            _write(disk, path + _FRESH, framed(tid, data))
            disk.rename(path + _FRESH, path)
        except OSError as error:
            failed[tid] = error
            with suppress(OSError):
                disk.remove(path + _FRESH)
    disk.sync_folder(folder)


def _write(disk: Disk, path: str, data: bytes) -> None:
    file = disk.open(path)
    try:
        file.truncate(0)
        file.append(data)
        file.sync()
    finally:
        file.close()


def framed(tid: int, data: bytes) -> bytes:
    """The bytes of a file: what it is, whose, a checksum of both and of the data, the data."""
    head = MAGIC + tid.to_bytes(8, "little")
    return b"".join((head, zlib.crc32(data, zlib.crc32(head)).to_bytes(4, "little"), data))


def unframed(tid: int, found: bytes) -> bytes | None:
    """Undo `framed`; None if anything is not as it was."""
    head = MAGIC + tid.to_bytes(8, "little")
    data = found[_HEADER_BYTES:]
    crc = zlib.crc32(data, zlib.crc32(head)).to_bytes(4, "little")
    return data if found[:_HEADER_BYTES] == head + crc else None
