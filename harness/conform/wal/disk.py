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
        for write in self.writes:
            apply(self.durable, write)
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

    def __init__(self, disk: "ImageDisk", inode: Inode) -> None:
        self._disk = disk
        self._inode = inode

    def size(self) -> int:
        return len(self._inode.now)

    def read(self, at: int, size: int) -> bytes:
        return bytes(self._inode.now[at : at + size])

    def append(self, *pieces: bytes | memoryview) -> None:
        self._inode.write(Put(len(self._inode.now), b"".join(pieces)))

    def rewrite(self, at: int, data: bytes | memoryview) -> None:
        self._inode.write(Put(at, bytes(data)))

    def truncate(self, size: int) -> None:
        self._inode.write(Cut(size))

    def sync(self) -> None:
        self._disk.about_to_sync()
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
        self.watched: list[Left] | None = None
        """What a power cut could have left before each sync, if that is to be kept."""

    def open(self, path: str) -> File:
        return ImageFile(self, self.files.setdefault(path, Inode()))

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

    def remove_folder(self, folder: str) -> None:
        """Folders are where their files are."""

    def sync_folder(self, folder: str) -> None:
        self.about_to_sync()
        start = f"{folder}/"
        kept = {path: i for path, i in self._named.items() if not path.startswith(start)}
        mine = {path: i for path, i in self.files.items() if path.startswith(start)}
        self._named = kept | mine

    def about_to_sync(self) -> None:
        """All that was written since the last sync stands on one side of it."""
        if self.watched is not None and not self.settled:
            self.watched += self.beginnings()

    # What a power cut leaves.

    @property
    def settled(self) -> bool:
        """Whether a power cut takes nothing."""
        lasting = self._named == self.files
        return lasting and all(i.durable == i.now for i in self.files.values())

    def fail_sync(self) -> None:
        """A sync fails: the kernel takes what was written for written, and it is not."""
        for inode in self.files.values():
            inode.writes.clear()

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
            for content in _beginnings(inode, ends):
                left[path] = content
                yield tuple(left.items())

    def unsynced_sectors(self) -> list[tuple[str, int]]:
        """The sectors, with their files, that are not as they were when they were synced."""
        return [
            (path, start)
            for path, inode in sorted(self.files.items())
            if inode.durable != inode.now
            for start in range(len(inode.durable) // SECTOR * SECTOR, len(inode.now), SECTOR)
        ]

    def sectors(self) -> Iterator[Left]:
        """Any sectors of the files as they are, the others as they were, or zeros.

        Only for files that have grown since they were synced, and whose names are durable.
        """
        places = self.unsynced_sectors()
        for chosen in product((False, True), repeat=len(places)):
            left = {path: bytearray(inode.durable) for path, inode in sorted(self.files.items())}
            for (path, start), arrived in zip(places, chosen, strict=True):
                if arrived:
                    now = self.files[path].now[start : start + SECTOR]
                    apply(left[path], Put(start, bytes(now)))
            yield tuple((path, bytes(content)) for path, content in left.items())

    def zero_tails(self, ends: Container[int] | None = None) -> Iterator[Left]:
        """The newest file in its full length, with zeros behind any beginning of its bytes."""
        *others, (path, content) = self.now() or (("", b""),)
        for size in range(len(self.files[path].durable) if path else 0, len(content)):
            if ends is None or size in ends:
                yield (*others, (path, content[:size].ljust(len(content), b"\0")))


def _beginnings(inode: Inode, ends: Container[int] | None) -> Iterator[bytes]:
    """Contents that differ from the one before: each write in pieces of all lengths."""
    content = bytearray(inode.durable)
    last = bytes(content)
    for write in inode.writes:
        before = bytes(content)
        apply(content, write)
        for found in _pieces(before, write, ends):
            if found != last:
                last = found
                yield found


def _pieces(before: bytes, write: Put | Cut, ends: Container[int] | None) -> Iterator[bytes]:
    if isinstance(write, Cut):
        yield before[: write.size]
        return
    at, data = write
    if before[at : at + len(data)] == data:
        return
    head = before[:at].ljust(at, b"\0")
    for size in range(1, len(data) + 1):
        if ends is None or max(at + size, len(before)) in ends:
            yield head + data[:size] + before[at + size :]
