"""A disk in memory that can list whatever a power cut may leave of it, byte by byte."""

from collections.abc import Container, Iterator
from itertools import product
from typing import NamedTuple

from ....impl.raft.disk import File
from ....impl.raft.segment import SECTOR_BYTES as SECTOR

Left = tuple[tuple[str, bytes], ...]
"""What is found on a disk: paths and contents, in the order of their paths."""


class Put(NamedTuple):
    """Bytes that were written at an offset."""

    at: int
    data: bytes


class Cut(NamedTuple):
    """The length that a file was cut to."""

    size: int


class Inode:
    """A file without its name: what is durable, and the writes since."""

    def __init__(self, data: bytes = b"") -> None:
        self.now = bytearray(data)
        self.durable = bytearray(data)
        self.writes: list[Put | Cut] = []

    def write(self, write: Put | Cut) -> None:
        self.writes.append(write)
        apply(self.now, write)

    def sync(self) -> None:
        self.durable[:] = self.now
        self.writes.clear()


def apply(data: bytearray, write: Put | Cut) -> None:
    """Do one write; a gap before it reads as zeros."""
    if isinstance(write, Cut):
        del data[write.size :]
        return
    data += bytes(max(0, write.at - len(data)))
    data[write.at : write.at + len(write.data)] = write.data


class ImageFile:
    """An open file: a `File`."""

    def __init__(self, inode: Inode) -> None:
        self._inode = inode

    def size(self) -> int:
        return len(self._inode.now)

    def read(self, at: int, size: int) -> bytes:
        return bytes(self._inode.now[at : at + size])

    def append(self, data: bytes | memoryview) -> None:
        self._inode.write(Put(len(self._inode.now), bytes(data)))

    def rewrite(self, at: int, data: bytes | memoryview) -> None:
        self._inode.write(Put(at, bytes(data)))

    def truncate(self, size: int) -> None:
        self._inode.write(Cut(size))

    def sync(self) -> None:
        self._inode.sync()

    def close(self) -> None:
        """Handles cost nothing."""


class ImageDisk:
    """Files by path: a `Disk`. Folders are durable as soon as they are made, names are not."""

    def __init__(self, left: Left = ()) -> None:
        """With what a crash left, all of it durable."""
        self.files = {path: Inode(data) for path, data in left}
        self._named = dict(self.files)
        """The names that last, and which files they are of."""

    def open(self, path: str) -> File:
        return ImageFile(self.files.setdefault(path, Inode()))

    def read(self, path: str) -> bytes | None:
        inode = self.files.get(path)
        return None if inode is None else bytes(inode.now)

    def names(self, folder: str) -> list[str]:
        start = f"{folder}/"
        return sorted(path.removeprefix(start) for path in self.files if path.startswith(start))

    def make_folder(self, folder: str) -> None:
        """Folders are where their files are."""

    def rename(self, old: str, new: str) -> None:
        self.files[new] = self.files.pop(old)

    def remove(self, path: str) -> None:
        del self.files[path]

    def sync_folder(self, folder: str) -> None:
        start = f"{folder}/"
        kept = {path: i for path, i in self._named.items() if not path.startswith(start)}
        mine = {path: i for path, i in self.files.items() if path.startswith(start)}
        self._named = kept | mine

    # What a power cut leaves.

    @property
    def settled(self) -> bool:
        """Whether a power cut takes nothing."""
        return self._named == self.files and not any(i.writes for i in self.files.values())

    def now(self) -> Left:
        """Everything: what a killed process leaves."""
        return tuple((path, bytes(self.files[path].now)) for path in sorted(self.files))

    def only(self, path: str) -> "ImageDisk":
        """The disk as if there were no other file."""
        alone = ImageDisk()
        if path in self.files:
            alone.files[path] = self.files[path]
        if path in self._named:
            alone._named[path] = self._named[path]
        return alone

    def beginnings(self, ends: Container[int] | None = None) -> Iterator[Left]:
        """Every beginning of what was written since the last sync, by bytes, the shortest first.

        A file whose name was not synced may be gone. With `ends`, files end there alone.
        """
        left = {path: bytes(inode.durable) for path, inode in sorted(self._named.items())}
        yield tuple(left.items())
        for path, inode in sorted(self.files.items()):
            if path not in self._named:
                left[path] = bytes(inode.durable)
                yield tuple(left.items())
            for content in _beginnings(inode):
                if ends is None or len(content) in ends:
                    left[path] = content
                    yield tuple(left.items())

    def unsynced_sectors(self) -> int:
        """How many sectors of the last file are not as they were when it was synced."""
        inode = self.files[max(self.files)] if self.files else Inode()
        return -(-len(inode.now) // SECTOR) - len(inode.durable) // SECTOR

    def sectors(self) -> Iterator[Left]:
        """Any sectors of the last file as they are, the others as they were, or zeros.

        Only for files that have grown since they were synced, and whose names are durable.
        """
        if not self.files:
            return
        *others, (path, inode) = sorted(self.files.items())
        kept = [(name, bytes(other.now)) for name, other in others]
        now = bytes(inode.now)
        starts = range(len(inode.durable) // SECTOR * SECTOR, len(now), SECTOR)
        for chosen in product((False, True), repeat=len(starts)):
            content = bytearray(inode.durable)
            for start, arrived in zip(starts, chosen, strict=True):
                if arrived:
                    apply(content, Put(start, now[start : start + SECTOR]))
            yield (*kept, (path, bytes(content)))


def _beginnings(inode: Inode) -> Iterator[bytes]:
    """Contents that differ from the one before: each write in pieces of all lengths."""
    content = bytearray(inode.durable)
    for write in inode.writes:
        if isinstance(write, Cut):
            apply(content, write)
            yield bytes(content)
            continue
        for size in range(1, len(write.data) + 1):
            at = write.at + size - 1
            if at < len(content) and content[at] == write.data[size - 1]:
                continue
            apply(content, Put(at, write.data[size - 1 : size]))
            yield bytes(content)
