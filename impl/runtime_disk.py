"""Real files: the `Disk` of a process."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from .raft.disk import File

LOCK_FILE = ".lock"
"""No table can be called so: its folder may be the neighbour."""


PIECES_MAX = 512
"""Written at once; the kernel takes 1024."""


class InUseError(Exception):
    """A folder that another process has claimed."""


class RealFile:
    """One file descriptor in append mode."""

    def __init__(self, path: str) -> None:
        self._path = path
        # Rows and password hashes are nobody else's.
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def size(self) -> int:
        return os.fstat(self._fd).st_size

    def read(self, at: int, size: int) -> bytes:
        parts = []
        while size:
            # The kernel gives at most 2 GiB at once, and less where it likes.
            part = os.pread(self._fd, size, at)
            if not part:
                break
            parts.append(part)
            at += len(part)
            size -= len(part)
        return b"".join(parts)

    def append(self, *pieces: bytes | memoryview) -> None:
        for at in range(0, len(pieces), PIECES_MAX):
            some = pieces[at : at + PIECES_MAX]
            written = os.writev(self._fd, some)
            for piece in some:
                if written < len(piece):
                    rest = memoryview(piece)[written:]
                    while rest:
                        # Another try tells why the first one stopped: a full disk raises here.
                        rest = rest[os.write(self._fd, rest) :]
                    written = 0
                else:
                    written -= len(piece)

    def rewrite(self, at: int, data: bytes | memoryview) -> None:
        # Not through our own descriptor: one in append mode writes at the end, wherever it is told.
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            rest = memoryview(data)
            while rest:
                written = os.pwrite(descriptor, rest, at)
                at, rest = at + written, rest[written:]
        finally:
            os.close(descriptor)

    def truncate(self, size: int) -> None:
        os.ftruncate(self._fd, size)

    def sync(self) -> None:
        os.fdatasync(self._fd)

    def close(self) -> None:
        os.close(self._fd)


class RealDisk:
    """The file system of this machine."""

    def open(self, path: str) -> File:
        return RealFile(path)

    def read(self, path: str) -> bytes | None:
        try:
            with open(path, "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None

    def names(self, folder: str) -> list[str]:
        try:
            return sorted(os.listdir(folder))
        except FileNotFoundError:
            return []

    def make_folder(self, folder: str) -> None:
        above = os.path.dirname(folder)
        if above == folder:
            return
        was_there = os.path.isdir(folder)
        if not was_there:
            self.make_folder(above)
            try:
                os.mkdir(folder)
            except FileExistsError:
                # Another node of this host was quicker.
                if not os.path.isdir(folder):
                    raise
        try:
            # Also if it was there: whoever made it may have been killed before he synced.
            self.sync_folder(above)
        except PermissionError:
            # An operator made it where we see nothing else.
            if not was_there:
                raise

    def rename(self, old: str, new: str) -> None:
        os.replace(old, new)

    def remove(self, path: str) -> None:
        os.remove(path)

    def remove_folder(self, folder: str) -> None:
        with suppress(FileNotFoundError):
            os.rmdir(folder)

    def sync_folder(self, folder: str) -> None:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def claimed(disk: RealDisk, folder: str) -> Iterator[None]:
    """Keep other processes from using a folder; raises InUseError, or OSError.

    The kernel lets go of the lock when the process ends, however it ends.
    """
    disk.make_folder(folder)
    path = os.path.join(folder, LOCK_FILE)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InUseError(f"{folder} is in use by another process") from None
        yield
    finally:
        os.close(descriptor)
