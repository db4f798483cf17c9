"""One file of a simulated disk: what the kernel shows, and what a power cut may leave of it.

Between two syncs the kernel may write what it holds in any order and in part. After a power cut
either a beginning of it is there, the last piece perhaps torn, or any of its sectors are, with
zeros where one is missing. The length may be there before the content: then zeros follow, or, where
blocks are not cleared, rubbish. What a completed sync covered is always there, or what was written
over it.
"""

from random import Random
from typing import NamedTuple

from .pending import Pending

SECTOR = 512

_REORDERED = 0.3
"""How often a power cut leaves single sectors instead of a beginning."""

_LENGTH_KEPT = 0.3
"""How often the length is there although content is missing."""

_NOTHING_ARRIVED = 0.2
"""How often nothing at all of a torn piece is there."""


class Put(NamedTuple):
    """Bytes that were written at an offset."""

    at: int
    data: bytes


class Cut(NamedTuple):
    """The length that a file was cut to."""

    size: int


Write = Put | Cut


class Inode:
    """A file without its name."""

    # Invariant: `durable` with `_writes` applied is `now`, unless a sync has failed.

    __slots__ = ("_writes", "durable", "now")

    def __init__(self, data: bytes = b"") -> None:
        """With `data` that is durable."""
        self.now = bytearray(data)
        self.durable = bytearray(data)
        self._writes = Pending[Write]()

    @property
    def count(self) -> int:
        """How many writes there have been."""
        return self._writes.count

    def append(self, data: bytes) -> None:
        self._writes.items.append(Put(len(self.now), data))
        self.now += data

    def rewrite(self, at: int, data: bytes) -> None:
        """Write again what is there."""
        self._writes.items.append(Put(at, data))
        self.now[at : at + len(data)] = data

    def cut(self, size: int) -> None:
        self._writes.items.append(Cut(size))
        del self.now[size:]

    def synced(self, count: int) -> None:
        """The first `count` of all writes are durable."""
        for write in self._writes.take(count):
            apply(self.durable, write)

    def forget(self, count: int) -> None:
        """The kernel failed to write the first `count`, and takes their content for written: no
        later sync tries again. That the file was cut is in the journal, with the names.
        """
        cuts = [write for write in self._writes.take(count) if isinstance(write, Cut)]
        self._writes.put_back(cuts)

    def power_cut(self, chance: Random) -> None:
        """Be what the disk holds now."""
        left, writes = bytearray(self.durable), self._writes.take(self.count)
        puts = [write for write in writes if isinstance(write, Put)]
        if len(puts) == len(writes) and chance.random() < _REORDERED:
            _some_sectors(left, puts, bytes(self.now), chance)
        else:
            _a_beginning(left, writes, chance)
        self.now, self.durable = left, bytearray(left)

    def flip(self, chance: Random) -> int:
        """Turn one bit of a file that is not empty, wherever it is kept; the byte's offset."""
        at, bit = chance.randrange(len(self.now)), 1 << chance.randrange(8)
        self.now[at] ^= bit
        writes = self._writes.items
        writes[:] = [_flipped(write, at, bit) for write in writes]
        if at < len(self.durable):
            self.durable[at] ^= bit
        return at

    def end_at(self, size: int) -> None:
        """Lose what stands behind, wherever it is kept: no write is left that would bring it."""
        del self.now[size:], self.durable[size:]
        writes = self._writes.items
        writes[:] = [_ended(write, size) for write in writes]


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


def _ended(write: Write, size: int) -> Write:
    if isinstance(write, Cut):
        return write
    return Put(min(write.at, size), write.data[: max(0, size - write.at)])


def _a_beginning(data: bytearray, writes: list[Write], chance: Random) -> None:
    """Some of the first writes, and perhaps a piece of the next one."""
    count = chance.randint(0, len(writes))
    for write in writes[:count]:
        apply(data, write)
    torn = writes[count] if count < len(writes) else None
    if not isinstance(torn, Put):
        return
    nothing = chance.random() < _NOTHING_ARRIVED
    kept = 0 if nothing else chance.randint(0, len(torn.data))
    rest = b""
    if chance.random() < _LENGTH_KEPT:
        size = len(torn.data) - kept
        rest = bytes(size) if chance.random() < 0.5 else chance.randbytes(size)
        # Where a file is written again, what was there stays until it is overwritten.
        at = torn.at + kept
        before = bytes(data[at : at + size])
        rest = before + rest[len(before) :]
    apply(data, Put(torn.at, torn.data[:kept] + rest))


def _some_sectors(data: bytearray, puts: list[Put], now: bytes, chance: Random) -> None:
    """Any sector may be as it was or as it is: each is written whole, with all that is in it."""
    touched = set[int]()
    for at, piece in puts:
        touched.update(range(at // SECTOR * SECTOR, at + len(piece), SECTOR))
    for start in sorted(touched):
        if chance.random() < 0.5:
            apply(data, Put(start, now[start : start + SECTOR]))
    if chance.random() < _LENGTH_KEPT:
        data += bytes(max(0, len(now) - len(data)))
