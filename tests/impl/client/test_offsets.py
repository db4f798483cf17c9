"""Stored offsets, on a disk that loses what was not synced."""

import asyncio
import errno
from collections.abc import Awaitable, Callable

import pytest
from delphic.impl.client.offsets import FILE_BYTES_MAX, RECORD_BYTES, Offsets, Recorded
from delphic.impl.raft.disk import File
from memory_disk import Inode, MemoryDisk, MemoryFile, nothing, prefix

TOPIC = "readings/an action"
TABLE = (2, 17)


class AtOnce:
    """A `Worker` that does its jobs at once."""

    def submit(self, job: Callable[[], None], done: Callable[[OSError | None], None]) -> None:
        try:
            job()
        except OSError as error:
            done(error)
        else:
            done(None)

    async def close(self) -> None:
        """Nothing is under way."""


def done(work: Awaitable[None]) -> None:
    async def run() -> None:
        await work

    asyncio.run(run())


def offsets(disk: MemoryDisk) -> Offsets:
    return Offsets(disk, AtOnce(), "/offsets")


def test_the_last_one_stored_is_found_after_a_power_cut() -> None:
    """Promise HS-14."""
    disk = MemoryDisk()
    first = offsets(disk)
    assert first.load(TOPIC) is None
    for row in (-1, 4, 9):
        done(first.store(TOPIC, row, TABLE))
    done(first.store("readings/other", 1, TABLE))
    found = offsets(disk.power_cut(nothing))
    assert found.load(TOPIC) == Recorded(9, TABLE)
    assert found.load("readings/other") == Recorded(1, TABLE)


@pytest.mark.parametrize("kept", range(RECORD_BYTES))
def test_a_record_that_was_cut_off_is_not_believed_and_what_follows_it_is(kept: int) -> None:
    disk = MemoryDisk()
    done(offsets(disk).store(TOPIC, 3, TABLE))
    file = disk.open("/offsets/readings%2Fan%20action.offset")
    file.append(b"\x01" * RECORD_BYTES)
    torn = disk.power_cut(prefix(kept))
    again = offsets(torn)
    assert again.load(TOPIC) == Recorded(3, TABLE)
    done(again.store(TOPIC, 8, TABLE))
    assert offsets(torn.power_cut(nothing)).load(TOPIC) == Recorded(8, TABLE)


def test_a_long_file_is_written_anew() -> None:
    disk = MemoryDisk()
    found = offsets(disk)
    count = FILE_BYTES_MAX // RECORD_BYTES + 3
    for row in range(count):
        done(found.store(TOPIC, row, TABLE))
    assert len(disk.read("/offsets/readings%2Fan%20action.offset") or b"") < 100
    assert offsets(disk.power_cut(nothing)).load(TOPIC) == Recorded(count - 1, TABLE)
    found.close()


def test_a_removed_topic_is_gone_for_ever() -> None:
    disk = MemoryDisk()
    found = offsets(disk)
    done(found.store(TOPIC, 3, TABLE))
    done(found.remove(TOPIC))
    done(found.remove(TOPIC))
    assert found.load(TOPIC) is None
    assert offsets(disk.power_cut(nothing)).load(TOPIC) is None
    done(found.store(TOPIC, 1, TABLE))
    assert found.load(TOPIC) == Recorded(1, TABLE)


class FullDisk(MemoryDisk):
    """While it is full half of what is appended is written."""

    def __init__(self) -> None:
        super().__init__()
        self.is_full = False

    def open(self, path: str) -> File:
        return HalfFile(self, self.files.setdefault(path, Inode()))


class HalfFile(MemoryFile):
    """A handle on a `FullDisk`."""

    def append(self, *pieces: bytes | memoryview) -> None:
        data = b"".join(pieces)
        assert isinstance(self._disk, FullDisk)
        if self._disk.is_full:
            super().append(data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "no space left on device")
        super().append(data)


def test_after_a_store_that_failed_halfway_what_is_stored_is_found() -> None:
    """Promise HS-14: behind half a record nothing would ever be read."""
    disk = FullDisk()
    found = offsets(disk)
    done(found.store(TOPIC, 4, TABLE))
    disk.is_full = True
    for _ in range(2):
        with pytest.raises(OSError, match="no space left"):
            done(found.store(TOPIC, 5, TABLE))
    disk.is_full = False
    assert found.load(TOPIC) == Recorded(4, TABLE)
    for row in (5, 6):
        done(found.store(TOPIC, row, TABLE))
    assert found.load(TOPIC) == Recorded(6, TABLE)
    assert offsets(disk.power_cut(nothing)).load(TOPIC) == Recorded(6, TABLE)
    found.close()


def test_a_record_whose_sync_failed_is_written_anew() -> None:
    """Another sync may say that all is well, although the first record never reached the disk."""
    disk = MemoryDisk()
    found = offsets(disk)
    for row in range(5):
        done(found.store(TOPIC, row, TABLE))
    disk.fails = "sync"
    with pytest.raises(OSError, match="sync failed"):
        done(found.store(TOPIC, 5, TABLE))
    disk.fails = None
    done(found.store(TOPIC, 6, TABLE))
    assert len(disk.read("/offsets/readings%2Fan%20action.offset") or b"") == 2 * RECORD_BYTES
    assert offsets(disk.power_cut(nothing)).load(TOPIC) == Recorded(6, TABLE)
