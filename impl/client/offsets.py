"""Stored offsets: the row processed last of each topic, on the subscriber's own disk.

A topic has one file, to which a record of fixed size is appended and synced each time: one sync,
no rename. What a crash left incomplete at the end is not believed and cut off. A file that has
grown long, or to which a write failed, is written anew beside the old one and put in its place.
"""

import asyncio
import posixpath
import struct
import zlib
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import quote

from ..raft.disk import Disk, File
from ..runtime import Worker
from .functions import TableId

_BODY = struct.Struct(">qqq")
_RECORD = struct.Struct(">qqqI")
RECORD_BYTES = _RECORD.size

FILE_BYTES_MAX = 64 << 10
"""A longer file is written anew."""

SUFFIX, FRESH = ".offset", ".new"


class Recorded(NamedTuple):
    """A row, and of which table it is: another one may have the name by now."""

    offset: int
    table: TableId


class Offsets:
    """The stored offsets of one subscriber. Failures are OSError; nothing is half stored."""

    def __init__(self, disk: Disk, worker: Worker, folder: str) -> None:
        self._disk = disk
        self._worker = worker
        self._folder = folder
        self._files: dict[str, File] = {}
        disk.make_folder(folder)

    def load(self, topic: str) -> Recorded | None:
        """The row recorded last; None if there is none."""
        return _last(self._disk.read(self._path(topic)) or b"")

    async def store(self, topic: str, offset: int, table: TableId) -> None:
        """Record a row; it outlives a power cut once this returns."""
        await self._beside(lambda: self._append(topic, Recorded(offset, table)))

    async def remove(self, topic: str) -> None:
        """Forget the topic; harmless if nothing is stored."""
        await self._beside(lambda: self._remove(topic))

    def close(self) -> None:
        """Give the files back."""
        for file in self._files.values():
            file.close()
        self._files.clear()

    async def _beside(self, job: Callable[[], None]) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def ended(error: OSError | None) -> None:
            if done.done():
                return
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(error)

        self._worker.submit(job, ended)
        await done

    def _append(self, topic: str, row: Recorded) -> None:
        file = self._files.get(topic)
        if file is None or file.size() >= FILE_BYTES_MAX:
            file = self._renew(topic)
        try:
            file.append(_record(row))
            file.sync()
        except OSError:
            # Part of it may be there, or its sync be lost: what follows would not be found.
            self._files.pop(topic).close()
            raise

    def _renew(self, topic: str) -> File:
        """A file with nothing but the last record, in the place of what is there."""
        path = self._path(topic)
        found = _last(self._disk.read(path) or b"")
        fresh = self._disk.open(path + FRESH)
        try:
            fresh.truncate(0)
            if found is not None:
                fresh.append(_record(found))
            fresh.sync()
        finally:
            fresh.close()
        self._disk.rename(path + FRESH, path)
        self._disk.sync_folder(self._folder)
        old = self._files.pop(topic, None)
        if old is not None:
            old.close()
        self._files[topic] = self._disk.open(path)
        return self._files[topic]

    def _remove(self, topic: str) -> None:
        file = self._files.pop(topic, None)
        if file is not None:
            file.close()
        path = self._path(topic)
        if self._disk.read(path) is not None:
            self._disk.remove(path)
            self._disk.sync_folder(self._folder)

    def _path(self, topic: str) -> str:
        return posixpath.join(self._folder, quote(topic, safe="") + SUFFIX)


def _record(row: Recorded) -> bytes:
    values = (row.offset, *row.table)
    return _RECORD.pack(*values, zlib.crc32(_BODY.pack(*values)))


def _last(data: bytes) -> Recorded | None:
    """The last row before the first record that is none."""
    found = None
    for at in range(0, len(data) - RECORD_BYTES + 1, RECORD_BYTES):
        offset, group, number, crc = _RECORD.unpack_from(data, at)
        if crc != zlib.crc32(_BODY.pack(offset, group, number)):
            break
        found = Recorded(offset, (group, number))
    return found
