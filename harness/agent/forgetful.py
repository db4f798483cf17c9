"""The process that is a disk: a file system in user space that forgets what was not synced.

Below its place are `live`, all that whoever uses the disk sees; `kept`, what was synced, to which
nothing else ever comes; and `files`, which has every file that is kept once more, by the number of
the live one. What is mounted at `root` passes everything on to `live`. A sync copies what was
written to the file since the last one, and first does to `kept`, in their order, all changes of
names up to the last one that concerned the file or folder: as a journal would. When the process
has ended, and so when the power failed, `live` is made anew of what is kept.

It is mounted by mfusepy, which needs libfuse; that ends with its input.
"""

import errno
import json
import os
import resource
import select
import shutil
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .tool import NOT_INSTALLED

ROOT = "root"

SYNC, FULL, READ_ONLY = (f"user.delphic.{word}" for word in ("sync", "full", "read-only"))
"""Attributes that, set anywhere on the disk, say what it is to be or do."""

_BLOCK = 4096

_HIDDEN = ".fuse_hidden"
"""How libfuse calls a file that was removed while somebody has it open."""

_NOW, _OMIT = (1 << 30) - 1, (1 << 30) - 2
"""What stands for a time (utimensat(2))."""

_OPTIONS = {
    "foreground": True,
    "nothreads": True,
    "allow_other": True,
    "default_permissions": True,
}

Act = Callable[[str], None]
"""Does something to the names below a folder."""


@dataclass(frozen=True, slots=True)
class _Change:
    """Of names or modes: done to what is live, and still to be done to what is kept."""

    act: Act
    concerns: frozenset[int]
    made: tuple[tuple[int, str], ...]
    gone: tuple[int, ...]


@dataclass(slots=True)
class _Unsynced:
    """What was written to a file since its last sync."""

    blocks: set[int] = field(default_factory=set)
    least: int | None = None
    """The smallest size that it was cut to."""


class Forgetful:
    """The operations, as mfusepy calls them; paths begin with a slash."""

    use_ns = True

    def __init__(self, place: Path, caller: Callable[[], tuple[int, int]]) -> None:
        """`caller`: user and group of whoever asks for what is being done."""
        self._caller = caller
        self._place = place
        self._live, self._kept = str(place / "live"), str(place / "kept")
        self._changes: list[_Change] = []
        self._unsynced: dict[int, _Unsynced] = {}
        self._open: dict[int, tuple[int, bool]] = {}
        """Of each handle, the file's number, and whether every write is a sync."""
        self._is_full = False
        self._is_read_only = False

    def begin(self) -> None:
        """Make what is live of what is kept."""
        for path in (self._live, self._place / "files"):
            shutil.rmtree(path, ignore_errors=True)
        for name in ("kept", "files", ROOT):
            (self._place / name).mkdir(exist_ok=True)
        for path in Path(self._kept).rglob(f"{_HIDDEN}*"):
            path.unlink()
        copies: dict[int, str] = {}
        shutil.copytree(
            self._kept,
            self._live,
            symlinks=True,
            copy_function=lambda kept, live: self._copy(kept, live, copies),
        )
        for folder, _, _ in os.walk(self._kept):
            seen = os.lstat(folder)
            os.chown(self._live + folder[len(self._kept) :], seen.st_uid, seen.st_gid)

    def _copy(self, kept: str, live: str, copies: dict[int, str]) -> None:
        seen = os.lstat(kept)
        if seen.st_ino in copies:
            os.link(copies[seen.st_ino], live)
            return
        if stat.S_ISREG(seen.st_mode):
            shutil.copy2(kept, live)
        else:
            os.mknod(live, seen.st_mode, seen.st_rdev)
        os.lchown(live, seen.st_uid, seen.st_gid)
        copies[seen.st_ino] = live
        os.link(kept, self._file(os.lstat(live).st_ino))

    # What only asks.

    def init(self, _: str) -> None:
        """It is mounted, and the kernel has asked for the first time."""
        print(json.dumps({"mounted": True}), flush=True)  # noqa: T201 - the agent waits for it

    def getattr(self, path: str, handle: int | None = None) -> dict[str, int]:
        seen = os.lstat(self._live + path) if handle is None else os.fstat(handle)
        words = ("mode", "nlink", "uid", "gid", "size", "blocks", "blksize", "rdev")
        found = {f"st_{word}": getattr(seen, f"st_{word}") for word in words}
        times = ("st_atime", "st_mtime", "st_ctime")
        return found | {each: getattr(seen, f"{each}_ns") for each in times}

    def readdir(self, path: str, _: int) -> Iterable[str]:
        return [".", "..", *(n for n in os.listdir(self._live + path) if not n.startswith(_HIDDEN))]

    def readlink(self, path: str) -> str:
        return os.readlink(self._live + path)

    def statfs(self, path: str) -> dict[str, int]:
        seen = os.statvfs(self._live + path)
        words = ("bsize", "frsize", "blocks", "bfree", "bavail", "files", "ffree", "namemax")
        found = {f"f_{word}": getattr(seen, f"f_{word}") for word in words}
        return found | ({"f_bfree": 0, "f_bavail": 0} if self._is_full else {})

    def read(self, _: str, size: int, offset: int, handle: int) -> bytes:
        return os.pread(handle, size, offset)

    # Names and modes.

    def mkdir(self, path: str, mode: int) -> None:
        self._make(path, lambda made: os.mkdir(made, mode))

    def mknod(self, path: str, mode: int, device: int) -> None:
        self._make(path, lambda made: os.mknod(made, mode, device))

    def symlink(self, path: str, to: str) -> None:
        self._make(path, lambda made: os.symlink(to, made))

    def create(self, path: str, mode: int, flags: int) -> int:
        self._make(path, lambda made: os.mknod(made, mode | stat.S_IFREG))
        return self.open(path, flags & ~os.O_EXCL)

    def link(self, path: str, to: str) -> None:
        self._change(lambda top: os.link(top + to, top + path), to, path)

    def unlink(self, path: str) -> None:
        self._change(lambda top: os.unlink(top + path), path)

    def rmdir(self, path: str) -> None:
        self._change(lambda top: os.rmdir(top + path), path)

    def rename(self, old: str, new: str) -> None:
        self._change(lambda top: os.rename(top + old, top + new), old, new)

    def chmod(self, path: str, mode: int) -> None:
        self._change(lambda top: os.chmod(top + path, mode), path)

    def chown(self, path: str, user: int, group: int) -> None:
        self._change(lambda top: os.lchown(top + path, user, group), path)

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> None:
        seen, now = os.lstat(self._live + path), time.time_ns()
        was = (seen.st_atime_ns, seen.st_mtime_ns)
        asked = zip(times or (_NOW, _NOW), was, strict=True)
        one, other = ({_NOW: now, _OMIT: old}.get(new, new) for new, old in asked)
        self._change(lambda top: os.utime(top + path, ns=(one, other), follow_symlinks=False), path)

    # What is in files.

    def open(self, path: str, flags: int) -> int:
        writes = flags & os.O_ACCMODE != os.O_RDONLY
        if writes or flags & os.O_TRUNC:
            self._may_write()
        access = os.O_RDWR if writes else os.O_RDONLY
        handle = os.open(self._live + path, access | os.O_NOFOLLOW | os.O_CLOEXEC)
        number = os.fstat(handle).st_ino
        self._open[handle] = number, bool(flags & os.O_DSYNC)
        if flags & os.O_TRUNC:
            self._resize(handle, number, 0)
        return handle

    def write(self, _: str, data: bytes, offset: int, handle: int) -> int:
        self._may_write()
        number, is_synced = self._open[handle]
        if self._is_full and offset + len(data) > os.fstat(handle).st_size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = os.pwrite(handle, data, offset)
        if written:
            blocks = range(offset // _BLOCK, (offset + written - 1) // _BLOCK + 1)
            self._new(number).blocks.update(blocks)
        if is_synced:
            self._sync(number, handle)
        return written

    def truncate(self, path: str, length: int, handle: int | None = None) -> None:
        self._may_write()
        own = os.open(self._live + path, os.O_RDWR | os.O_CLOEXEC) if handle is None else handle
        try:
            self._resize(own, os.fstat(own).st_ino, length)
        finally:
            if handle is None:
                os.close(own)

    def fsync(self, _: str, __: int, handle: int) -> None:
        self._may_write()
        number, _is_synced = self._open[handle]
        self._sync(number, handle)

    def fsyncdir(self, path: str, _: int, __: int) -> None:
        self._may_write()
        self._keep_changes(os.lstat(self._live + path).st_ino)

    def release(self, _: str, handle: int) -> None:
        del self._open[handle]
        os.close(handle)

    def setxattr(self, _: str, name: str, value: bytes, __: int) -> None:
        """What the agent has to say."""
        if name == FULL:
            self._is_full = value == b"1"
        elif name in (SYNC, READ_ONLY):
            self._may_write()
            self._sync_all()
            self._is_read_only = name == READ_ONLY
        else:
            raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    # How it is done.

    def _may_write(self) -> None:
        if self._is_read_only:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    def _file(self, number: int) -> Path:
        return self._place / "files" / str(number)

    def _new(self, number: int) -> _Unsynced:
        return self._unsynced.setdefault(number, _Unsynced())

    def _resize(self, handle: int, number: int, length: int) -> None:
        if self._is_full and length > os.fstat(handle).st_size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.ftruncate(handle, length)
        new = self._new(number)
        new.least = length if new.least is None else min(new.least, length)

    def _make(self, path: str, make: Callable[[str], None]) -> None:
        user, group = self._caller()

        def act(top: str) -> None:
            make(top + path)
            os.lchown(top + path, user, group)

        self._change(act, path)

    def _change(self, act: Act, *paths: str) -> None:
        self._may_write()
        before = dict(self._numbers(paths))
        folders = {os.lstat(self._live + os.path.dirname(path)).st_ino for path in paths}
        act(self._live)
        after = dict(self._numbers(paths))
        made = tuple(
            (number, path)
            for number, (path, seen) in after.items()
            if number not in before and stat.S_ISREG(seen.st_mode)
        )
        gone = tuple(
            number
            for number, (_, seen) in before.items()
            if number not in after and seen.st_nlink == 1
        )
        for number in (*gone, *(number for number, _ in made)):
            self._unsynced.pop(number, None)
        concerns = frozenset((*before, *after, *folders))
        self._changes.append(_Change(act, concerns, made, gone))

    def _numbers(self, paths: Iterable[str]) -> Iterator[tuple[int, tuple[str, os.stat_result]]]:
        for path in paths:
            try:
                seen = os.lstat(self._live + path)
            except FileNotFoundError:
                continue
            yield seen.st_ino, (path, seen)

    def _keep_changes(self, number: int) -> None:
        """All up to the last one that concerns it."""
        counts = (at for at, each in enumerate(self._changes, 1) if number in each.concerns)
        self._keep(max(counts, default=0))

    def _keep(self, count: int) -> None:
        for _ in range(count):
            change = self._changes[0]
            change.act(self._kept)
            for number in change.gone:
                self._file(number).unlink(missing_ok=True)
            for number, path in change.made:
                self._file(number).unlink(missing_ok=True)
                os.link(self._kept + path, self._file(number))
            del self._changes[0]

    def _sync(self, number: int, handle: int) -> None:
        self._keep_changes(number)
        new = self._unsynced.get(number)
        if new is None:
            return
        size = os.fstat(handle).st_size
        with self._file(number).open("r+b", buffering=0) as kept:
            if new.least is not None:
                kept.truncate(min(new.least, os.fstat(kept.fileno()).st_size))
            kept.truncate(size)
            for block in sorted(new.blocks):
                os.pwrite(kept.fileno(), os.pread(handle, _BLOCK, block * _BLOCK), block * _BLOCK)
        del self._unsynced[number]

    def _sync_all(self) -> None:
        self._keep(len(self._changes))
        for path in Path(self._live).rglob("*"):
            number = path.lstat().st_ino
            if number in self._unsynced:
                with path.open("rb") as file:
                    self._sync(number, file.fileno())


class _Trial(Forgetful):
    def init(self, _: str) -> None:
        os._exit(0)


def forget(place: Path, *, is_trial: bool) -> None:
    """Be a disk until the input ends."""
    # Without it the binding would look for the older one first, by asking a compiler.
    os.environ.setdefault("FUSE_LIBRARY_NAME", "fuse3")
    try:
        import mfusepy
    except OSError:
        sys.exit(f"libfuse3 {NOT_INSTALLED}: apt-get install fuse3")

    class Mount(mfusepy.FUSE):  # type: ignore[misc, unused-ignore]
        """What the binding would ignore is refused."""

        def rename_fuse_3(self, old: bytes, new: bytes, flags: int) -> int:
            return -errno.EINVAL if flags else super().rename_fuse_3(old, new, flags) or 0

    os.umask(0)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    kind = _Trial if is_trial else Forgetful
    disk = kind(place, lambda: mfusepy.fuse_get_context()[:2])
    disk.begin()
    if not is_trial:
        # Who is not there any more has nobody undo what would now be mounted.
        if select.select([0], [], [], 0)[0]:
            sys.exit("nobody needs a disk any more")
        threading.Thread(target=_end_with_input, daemon=True).start()
    try:
        Mount(disk, str(place / ROOT), fsname="delphic", **_OPTIONS)
    except RuntimeError:
        sys.exit(1)  # libfuse has said why.


def _end_with_input() -> None:
    sys.stdin.buffer.read()
    os._exit(0)
