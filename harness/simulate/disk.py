"""A simulated disk: it forgets at a power cut what was not synced, fills up, slows down, fails.

It outlives the processes of its host. A process sees it through a handle, so that every effect is
one of that process, and none happens once it is dead.
"""

import errno
import os
import posixpath
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from random import Random
from typing import NamedTuple

from ..targets.faults import TAIL_BYTES_MAX, CutFile, DiskState
from .inode import Inode
from .pending import Pending
from .process import Process

PARTLY_TAKEN = 0.5
"""How often a write that fails was taken in part."""


class Naming(NamedTuple):
    """A change of the names in one folder: what is known by a name from now on, None for nothing.

    A rename is one change of two names: both happen, or none.
    """

    names: tuple[tuple[str, Inode | None], ...]


class SimDisk:
    """See the file. Folders themselves are durable as soon as they are made.

    Names are kept in a journal, as ext4 and xfs do: what a failed sync did not write is not
    forgotten, as content is, but a later one writes it.
    """

    def __init__(self) -> None:
        self.state = DiskState()
        self._files: dict[str, Inode] = {}
        self._durable: dict[str, Inode] = {}
        self._namings: defaultdict[str, Pending[Naming]] = defaultdict(Pending[Naming])
        """Changes of names that no sync of their folder has covered, by folder."""
        self._folders = {"/"}
        self.locked: tuple[str, ...] = ()
        """Folders in which nothing may be opened for writing, renamed or removed."""
        self.block: Callable[[], None] | None = None
        """Inside a worker's job: what lets the time of a sync pass."""

    # For the world.

    def handle(self, process: Process) -> "DiskHandle":
        """The `Disk` of one process."""
        return DiskHandle(self, process)

    def set(self, state: DiskState) -> None:
        """Behave so from now on."""
        self.state = state

    def lock(self, folders: Iterable[str]) -> None:
        """Take the permission to write in these folders away, and give it for all others."""
        self.locked = tuple(folders)

    def write_file(self, path: str, data: bytes) -> None:
        """A file that is there, durably."""
        self._files[path] = self._durable[path] = Inode(data)

    def tree(self) -> dict[str, bytes]:
        """Every file, as the kernel shows it."""
        return {path: bytes(inode.now) for path, inode in self._files.items()}

    def content(self, path: str) -> bytes:
        """One file, as the kernel shows it; empty if there is none."""
        inode = self._files.get(path)
        return b"" if inode is None else bytes(inode.now)

    def export(self, folder: str, to: Path) -> None:
        """Write what is below a folder to the real file system. Raises OSError."""
        for path, inode in sorted(self._files.items()):
            if path.startswith(f"{folder}/"):
                place = to / posixpath.relpath(path, folder)
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(inode.now)

    def power_cut(self, chance: Random) -> None:
        """Keep what was synced, and of the rest what chance leaves."""
        for folder in sorted(self._namings):
            namings = self._namings[folder].items
            self._settle(namings[: chance.randint(0, len(namings))])
        self._namings.clear()
        self._files = dict(sorted(self._durable.items()))
        for inode in self._files.values():
            inode.power_cut(chance)

    def flip(self, chance: Random, folders: list[str]) -> tuple[str, int] | None:
        """Turn one bit below these folders, any of them: path and byte; None if there is none."""
        path = self._any_file(chance, folders)
        return None if path is None else (path, self._files[path].flip(chance))

    def cut_tail(self, chance: Random, folders: list[str], size: int | None) -> CutFile | None:
        """Take the end of a file in these folders, wherever it is kept; None if there is none."""
        path = self._any_file(chance, folders)
        if path is None:
            return None
        was = len(self._files[path].now)
        left = max(0, was - (size or chance.randint(1, min(was, TAIL_BYTES_MAX))))
        self._files[path].end_at(left)
        return CutFile(path, was, left)

    def _any_file(self, chance: Random, folders: list[str]) -> str | None:
        """A file below these folders, the more likely the longer it is."""
        starts = tuple(f"{folder}/" for folder in folders)
        full = sorted(p for p, i in self._files.items() if p.startswith(starts) and i.now)
        if not full:
            return None
        (path,) = chance.choices(full, [len(self._files[path].now) for path in full])
        return path

    def clear(self, folder: str) -> int:
        """Somebody removes all files below a folder, for good; how many there were.

        Nor does a later sync of their names bring one back.
        """
        gone = [path for path in self._files if path.startswith(f"{folder}/")]
        for path in gone:
            del self._files[path]
            self._durable.pop(path, None)
        for place, namings in self._namings.items():
            if f"{place}/".startswith(f"{folder}/"):
                namings.items = [_without_files(naming) for naming in namings.items]
        return len(gone)

    # For handles.

    def find(self, path: str) -> Inode | None:
        """The file of that name."""
        return self._files.get(path)

    def name(self, *names: tuple[str, Inode | None]) -> None:
        """Change names in one folder; a sync of it makes it last."""
        for path, inode in names:
            if inode is None:
                self._files.pop(path, None)
            else:
                self._files[path] = inode
        folder = posixpath.dirname(names[0][0])
        self._namings[folder].items.append(Naming(names))

    def below(self, folder: str) -> list[str]:
        """The names in a folder, sorted."""
        start = f"{folder.rstrip('/')}/"
        paths = [*self._files, *self._folders]
        return sorted({p[len(start) :].partition("/")[0] for p in paths if p.startswith(start)})

    def make_folder(self, folder: str) -> None:
        """Make it, unless it is there. Raises OSError."""
        if folder not in self._folders:
            self.check_permission(folder)
            self._folders.add(folder)

    def remove_folder(self, folder: str) -> None:
        """Remove it, if it is there. Raises OSError, also where something is in it."""
        self.check_permission(folder)
        if self.below(folder):
            raise _error(errno.ENOTEMPTY, folder)
        self._folders.discard(folder)

    def sync_folder(self, folder: str) -> None:
        """Make the names in a folder last, as they are when it begins. Raises OSError."""
        namings = self._namings[folder]
        count = namings.count
        self._pass_time()
        self.check_writable()
        if self.state.fail_sync:
            raise _error(errno.EIO)
        self._settle(namings.take(count))

    def sync(self, inode: Inode) -> None:
        """Make a file's content last, as it is when it begins. Raises OSError."""
        count = inode.count
        self._pass_time()
        self.check_writable()
        if self.state.fail_sync:
            inode.forget(count)
            raise _error(errno.EIO)
        inode.synced(count)

    def refusal(self) -> OSError | None:
        """What whoever writes is told where nothing can be written."""
        if self.state.read_only:
            return _error(errno.EROFS)
        if self.state.fail_write:
            return _error(errno.EIO)
        return _error(errno.ENOSPC) if self.state.full else None

    def check_room(self) -> None:
        """Raises OSError where nothing can be written."""
        error = self.refusal()
        if error is not None:
            raise error

    def is_locked(self, path: str) -> bool:
        """Whether nobody may write there, but who has the file open."""
        return any(f"{path}/".startswith(f"{one}/") for one in self.locked)

    def check_permission(self, path: str) -> None:
        """Raises OSError where nobody may write."""
        self.check_writable()
        if self.is_locked(path):
            raise _error(errno.EACCES, path)

    def check_writable(self) -> None:
        """Raises OSError where the file system is read-only, even for who has a file open."""
        if self.state.read_only:
            raise _error(errno.EROFS)

    def _pass_time(self) -> None:
        if self.block is not None:
            self.block()

    def _settle(self, namings: list[Naming]) -> None:
        for naming in namings:
            for path, inode in naming.names:
                if inode is None:
                    self._durable.pop(path, None)
                else:
                    self._durable[path] = inode


def _without_files(naming: Naming) -> Naming:
    """The same change, of which no file is left that it gave a name."""
    return Naming(tuple((path, None) for path, _ in naming.names))


def _error(number: int, path: str | None = None) -> OSError:
    return OSError(number, os.strerror(number), path)


class DiskHandle:
    """The disk as one process has it: a `Disk`."""

    def __init__(self, disk: SimDisk, process: Process) -> None:
        self._disk = disk
        self._process = process

    def open(self, path: str) -> "FileHandle":
        inode = self._disk.find(path)
        if inode is None:
            inode = Inode()
            self._process.effect("open", path, partial(self._create, path, inode))
        elif self._disk.is_locked(path) or self._disk.state.read_only:
            self._process.effect("open", path, partial(self._disk.check_permission, path))
        return FileHandle(self._disk, self._process, path, inode)

    def read(self, path: str) -> bytes | None:
        inode = self._disk.find(path)
        return None if inode is None else bytes(inode.now)

    def names(self, folder: str) -> list[str]:
        return self._disk.below(folder)

    def make_folder(self, folder: str) -> None:
        self._process.effect("make_folder", folder, partial(self._disk.make_folder, folder))

    def rename(self, old: str, new: str) -> None:
        self._process.effect("rename", new, partial(self._rename, old, new))

    def remove(self, path: str) -> None:
        self._process.effect("remove", path, partial(self._remove, path))

    def remove_folder(self, folder: str) -> None:
        self._process.effect("remove_folder", folder, partial(self._disk.remove_folder, folder))

    def sync_folder(self, folder: str) -> None:
        self._process.effect("sync_folder", folder, partial(self._disk.sync_folder, folder))

    # As part of an effect: to the dead no disk is full, and no file is missing.

    def _create(self, path: str, inode: Inode) -> None:
        self._disk.check_permission(path)
        self._disk.check_room()
        self._disk.name((path, inode))

    def _rename(self, old: str, new: str) -> None:
        self._disk.check_permission(old)
        self._disk.name((old, None), (new, self._existing(old)))

    def _remove(self, path: str) -> None:
        self._disk.check_permission(path)
        self._existing(path)
        self._disk.name((path, None))

    def _existing(self, path: str) -> Inode:
        inode = self._disk.find(path)
        if inode is None:
            raise _error(errno.ENOENT, path)
        return inode


class FileHandle:
    """An open file of one process: a `File`."""

    __slots__ = ("_disk", "_inode", "_path", "_process")

    def __init__(self, disk: SimDisk, process: Process, path: str, inode: Inode) -> None:
        self._disk = disk
        self._process = process
        self._path = path
        self._inode = inode

    def size(self) -> int:
        return len(self._inode.now)

    def read(self, at: int, size: int) -> bytes:
        return bytes(self._inode.now[at : at + size])

    def append(self, *pieces: bytes | memoryview) -> None:
        self._process.effect("append", self._path, partial(self._append, b"".join(pieces)))

    def rewrite(self, at: int, data: bytes | memoryview) -> None:
        self._process.effect("rewrite", self._path, partial(self._rewrite, at, bytes(data)))

    def truncate(self, size: int) -> None:
        self._process.effect("truncate", self._path, partial(self._cut, size))

    def sync(self) -> None:
        self._process.effect("sync", self._path, partial(self._disk.sync, self._inode))

    def close(self) -> None:
        """Handles cost nothing."""

    def _append(self, data: bytes) -> None:
        error = self._disk.refusal()
        if error is None:
            self._inode.append(data)
            return
        # A kernel takes what it has room for, and refuses the rest.
        chance = self._process.chance
        if data and chance.random() < PARTLY_TAKEN:
            self._inode.append(data[: chance.randrange(len(data))])
        raise error

    def _cut(self, size: int) -> None:
        self._disk.check_writable()
        self._inode.cut(size)

    def _rewrite(self, at: int, data: bytes) -> None:
        self._disk.check_permission(self._path)
        self._disk.check_room()
        self._inode.rewrite(at, data)
