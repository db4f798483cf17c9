"""One file of a simulated disk: what the kernel shows, and what a power cut may leave of it.

Between two syncs the kernel may write what it holds in any order and in part. After a power cut
either a beginning of it is there, the last piece perhaps torn, or any of its sectors are, with
zeros where one is missing. What a completed sync covered is always there.
"""

from random import Random
from typing import NamedTuple

SECTOR = 512

_REORDERED = 0.3
"""How often a power cut leaves single sectors instead of a beginning."""

_TAIL_KEPT = 0.3
"""How often a torn piece keeps its full length, with zeros or rubbish for what did not arrive."""


class Put(NamedTuple):
    """Bytes that were written at an offset."""

    at: int
    data: bytes


class Cut(NamedTuple):
    """The length that a file was cut to."""

    size: int


Write = Put | Cut


class Inode:
    """A file without its name. `writes` are those that no completed sync has covered."""

    # Invariant: `durable` with `writes` applied is `now`, unless a sync has failed.

    __slots__ = ("_covered", "durable", "now", "writes")

    def __init__(self, data: bytes = b"") -> None:
        """With `data` that is durable."""
        self.now = bytearray(data)
        self.durable = bytearray(data)
        self.writes: list[Write] = []
        self._covered = 0

    @property
    def count(self) -> int:
        """How many writes there have been."""
        return self._covered + len(self.writes)

    def append(self, data: bytes) -> None:
        self.writes.append(Put(len(self.now), data))
        self.now += data

    def rewrite(self, at: int, data: bytes) -> None:
        """Write again what is there."""
        self.writes.append(Put(at, data))
        self.now[at : at + len(data)] = data

    def cut(self, size: int) -> None:
        self.writes.append(Cut(size))
        del self.now[size:]

    def synced(self, count: int) -> None:
        """The first `count` of all writes are durable."""
        for write in self._take(count):
            apply(self.durable, write)

    def forget(self) -> None:
        """The kernel failed to write, and takes it all for written: no later sync tries again."""
        self._take(self.count)

    def _take(self, count: int) -> list[Write]:
        taken = self.writes[: max(0, count - self._covered)]
        del self.writes[: len(taken)]
        self._covered += len(taken)
        return taken

    def power_cut(self, chance: Random) -> None:
        """Be what the disk holds now."""
        left = bytearray(self.durable)
        grew = all(isinstance(write, Put) for write in self.writes)
        if grew and chance.random() < _REORDERED:
            _some_sectors(left, bytes(self.now), chance)
        else:
            _a_beginning(left, self.writes, chance)
        self.now, self.durable = left, bytearray(left)
        self.writes.clear()

    def flip(self, chance: Random) -> int:
        """Turn one bit of a file that is not empty, wherever it is kept; the byte's offset."""
        at, bit = chance.randrange(len(self.now)), 1 << chance.randrange(8)
        self.now[at] ^= bit
        self.writes = [_flipped(write, at, bit) for write in self.writes]
        if at < len(self.durable):
            self.durable[at] ^= bit
        return at


def apply(data: bytearray, write: Write) -> None:
    """Do one write; a gap before it reads as zeros."""
    if isinstance(write, Cut):
        del data[write.size :]
        return
    if write.at > len(data):
        data += bytes(write.at - len(data))
    data[write.at : write.at + len(write.data)] = write.data


def _flipped(write: Write, at: int, bit: int) -> Write:
    if isinstance(write, Cut) or not write.at <= at < write.at + len(write.data):
        return write
    data = bytearray(write.data)
    data[at - write.at] ^= bit
    return Put(write.at, bytes(data))


def _a_beginning(data: bytearray, writes: list[Write], chance: Random) -> None:
    """Some of the first writes, and perhaps a piece of the next one."""
    count = chance.randint(0, len(writes))
    for write in writes[:count]:
        apply(data, write)
    torn = writes[count] if count < len(writes) else None
    if not isinstance(torn, Put):
        return
    kept = chance.randint(0, len(torn.data))
    rest = b""
    if kept and chance.random() < _TAIL_KEPT:
        size = len(torn.data) - kept
        rest = bytes(size) if chance.random() < 0.5 else chance.randbytes(size)
    if kept:
        apply(data, Put(torn.at, torn.data[:kept] + rest))


def _some_sectors(data: bytearray, now: bytes, chance: Random) -> None:
    """Any sector may be as it was or as it is: each is written whole, with all that is in it."""
    for start in range(len(data) // SECTOR * SECTOR, len(now), SECTOR):
        if chance.random() < 0.5:
            apply(data, Put(start, now[start : start + SECTOR]))
