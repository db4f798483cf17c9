"""A disk in memory that knows what was synced, so that a power cut can take the rest."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from delphic.impl.raft.disk import Disk, File

Keep = Callable[[bytes, Sequence[bytes]], bytes]
"""What a power cut leaves of a file: from its synced bytes and the appends since."""


def nothing(synced: bytes, appends: Sequence[bytes]) -> bytes:
    """Every append since the last sync is lost."""
    return synced


def prefix(size: int) -> Keep:
    """The first bytes written since the last sync are kept, the rest is lost."""

    def keep(synced: bytes, appends: Sequence[bytes]) -> bytes:
        return synced + b"".join(appends)[:size]

    return keep


def some(kept: Sequence[bool]) -> Keep:
    """Some appends are kept; what is lost before one of them reads as zeros."""

    def keep(synced: bytes, appends: Sequence[bytes]) -> bytes:
        parts = [a if k else bytes(len(a)) for a, k in zip(appends, kept, strict=False)]
        while parts and not kept[len(parts) - 1]:
            parts.pop()
        return synced + b"".join(parts)

    return keep


def sectors(kept: Callable[[int], bool], sector_bytes: int) -> Keep:
    """Whole sectors are kept or lost, in any order; lost ones hold what was synced, then zeros."""

    def keep(synced: bytes, appends: Sequence[bytes]) -> bytes:
        data = synced + b"".join(appends)
        after, size = synced, len(synced)
        for start in range(len(synced) // sector_bytes * sector_bytes, len(data), sector_bytes):
            end = start + sector_bytes
            part = data[start:end]
            if kept(start // sector_bytes):
                size = max(size, start + len(part))
            else:
                part = synced[start:end].ljust(len(part), b"\0")
            after = after[:start] + part
        return after[:size]

    return keep


@dataclass(slots=True)
class Inode:
    """A file, whatever it is called."""

    data: bytes = b""
    synced: bytes = b""
    appends: list[bytes] = field(default_factory=list)


class MemoryFile:
    """A handle on an inode."""

    def __init__(self, disk: "MemoryDisk", inode: Inode) -> None:
        self._disk = disk
        self._inode = inode
        self._is_open = True

    def size(self) -> int:
        return len(self._inode.data)

    def read(self, at: int, size: int) -> bytes:
        return self._inode.data[at : at + size]

    def append(self, *pieces: bytes | memoryview) -> None:
        assert self._is_open
        data = b"".join(pieces)
        self._disk.attempt("append")
        self._inode.data += data
        self._inode.appends.append(data)

    def rewrite(self, at: int, data: bytes | memoryview) -> None:
        assert self._is_open
        assert self._inode.data[at : at + len(data)] == bytes(data)

    def truncate(self, size: int) -> None:
        assert self._is_open
        assert size <= len(self._inode.data)
        self._inode.data = self._inode.data[:size]
        self._inode.appends.clear()

    def sync(self) -> None:
        assert self._is_open
        self._disk.attempt("sync")
        self._disk.sync_count += 1
        self._inode.synced = self._inode.data
        self._inode.appends.clear()

    def close(self) -> None:
        assert self._is_open, "closed twice"
        self._is_open = False


class MemoryDisk:
    """Files by path; a name is durable only once its folder was synced."""

    def __init__(self) -> None:
        self.files: dict[str, Inode] = {}
        self.named: dict[str, Inode] = {}
        self.sync_count = 0
        self.fails: str | None = None

    def attempt(self, what: str) -> None:
        """Raise OSError if this is what the disk was told to fail at."""
        if what == self.fails:
            raise OSError(5, f"{what} failed")

    def open(self, path: str) -> File:
        self.attempt("open")
        return MemoryFile(self, self.files.setdefault(path, Inode()))

    def read(self, path: str) -> bytes | None:
        return self.files[path].data if path in self.files else None

    def names(self, folder: str) -> list[str]:
        return sorted(p.removeprefix(folder + "/") for p in self.files if p.startswith(folder))

    def make_folder(self, folder: str) -> None:
        """Folders are where their files are."""

    def rename(self, old: str, new: str) -> None:
        self.files[new] = self.files.pop(old)

    def remove(self, path: str) -> None:
        del self.files[path]

    def remove_folder(self, folder: str) -> None:
        """Folders are where their files are."""

    def sync_folder(self, folder: str) -> None:
        self.attempt("sync_folder")
        kept = {p: i for p, i in self.named.items() if not p.startswith(folder)}
        self.named = kept | {p: i for p, i in self.files.items() if p.startswith(folder)}

    def power_cut(self, keep: Keep = nothing) -> "MemoryDisk":
        """What is found at the next start; this disk stays as it is."""
        after = MemoryDisk()
        for path, inode in self.named.items():
            data = keep(inode.synced, inode.appends)
            after.files[path] = after.named[path] = Inode(data, data)
        return after

    def copy(self) -> "MemoryDisk":
        """The same bytes, all of them durable."""
        after = MemoryDisk()
        for path, inode in self.files.items():
            after.files[path] = after.named[path] = Inode(inode.data, inode.data)
        return after


def is_a_disk(disk: MemoryDisk) -> Disk:
    """The type checker's word that a MemoryDisk is a Disk."""
    return disk
