"""Disks of single processes: file systems in files, which forget what was not synced, or are full.

A disk is a sparse image with ext4 on it, below the run's folder; its folders are mounted where the
process looks for them. Power fails by the ioctl that ends a file system without writing anything
more (FS_IOC_SHUTDOWN): what the kernel held back is then gone, and mounting it anew replays the
journal, as after a real failure.
"""

import asyncio
import errno
import fcntl
import os
import pwd
import re
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from . import tool
from .run import Refused, Run, plain
from .undo import What

_BYTES = 1 << 30
"""Of an image: sparse, so that it takes no more than what was written to it."""

_BLOCK = 4096

_SHUTDOWN, _NO_LOG_FLUSH = 0x8004587D, 2

_MAKE = ("mkfs.ext4", "-q", "-F", "-m", "0")
_MAKE_OPTIONS = "lazy_itable_init=1,lazy_journal_init=1,nodiscard"
_MOUNT = ("mount", "-n", "-t", "ext4", "-o", "loop,noinit_itable,nosuid,nodev,errors=remount-ro")
_ABORT = ("mount", "-n", "-o", "remount,abort")
"""As if the file system had found an error in itself: who has files open is no hindrance."""

_BUSY_TRIES, _BUSY_S = 40, 0.05
"""What has just been killed may hold its files a little longer."""

_FULL_BYTES = 1 << 16
"""A disk with less than this is full: the rest is in blocks that files have already."""

_PROBE_BYTES = 8 << 20

_ALONE = "none in user space (FUSE) stands in for it"


@dataclass(slots=True)
class _Disk:
    image: Path
    root: Path
    folders: Mapping[str, Path]
    """Folders of the image by name, and where each is seen."""
    is_full: bool = False
    is_read_only: bool = False

    @property
    def filler(self) -> Path:
        return self.root / "filler"


class Disks:
    """The disks that were made on this host."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._disks: dict[str, _Disk] = {}

    def verbs(self) -> Mapping[str, Any]:
        return {
            "disk-make": self.make,
            "disk-cut": self.cut,
            "disk-fill": self.fill,
            "disk-lock": self.lock,
        }

    async def make(self, name: str, folders: list[str], user: str | None = None) -> None:
        """Give it a disk of its own, on which these folders are, empty and the user's."""
        if name in self._disks:
            raise Refused(f"{name} has a disk already")
        place = self._run.folder / "disks" / plain(name)
        inside = {str(number): Path(folder) for number, folder in enumerate(folders)}
        disk = _Disk(place / "image", place / "root", inside)
        # The last entry is undone first: what is mounted on something goes before it.
        for path in (disk.root, *inside.values()):
            self._run.log.add("disk", path=str(path))
            path.mkdir(parents=True, exist_ok=True)
        await _make_image(disk.image, _BYTES)
        await tool.run(*_MOUNT, str(disk.image), str(disk.root))
        for number, seen in inside.items():
            (disk.root / number).mkdir()
            if user is not None and os.geteuid() == 0:
                os.chown(disk.root / number, *numbers(user))
            await tool.run("mount", "-n", "--bind", str(disk.root / number), str(seen))
        await _sync(disk)
        self._disks[name] = disk

    async def cut(self, name: str) -> dict[str, int]:
        """Its power fails: what was not synced is lost, and it is there again without that.

        Whoever used it must have ended. Returns the bytes that are other than before, or gone, and
        in how many files.
        """
        disk = self._disk(name)
        before = await asyncio.to_thread(_sums, disk)
        handle = os.open(disk.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.ioctl(handle, _SHUTDOWN, struct.pack("I", _NO_LOG_FLUSH))
        finally:
            os.close(handle)
        await _mount_anew(disk)
        # Whether the filler outlived the cut is chance.
        await self.fill(name, full=disk.is_full)
        await self.lock(name, read_only=disk.is_read_only)
        after = await asyncio.to_thread(_sums, disk)
        lost = {path: _lost(sums, after.get(path, {})) for path, sums in before.items()}
        return {"bytes": sum(lost.values()), "files": sum(map(bool, lost.values()))}

    async def fill(self, name: str, full: bool) -> dict[str, object]:
        """Fill it up, or give what was taken back; how many bytes are free, and if it is full."""
        disk = self._disk(name)
        if not _is_writable(disk):
            raise Refused(f"the disk of {name} is read-only")
        disk.filler.unlink(missing_ok=True)
        if full:
            await asyncio.to_thread(_fill, disk)
        disk.is_full = full
        seen = os.statvfs(disk.root)
        free = seen.f_bavail * seen.f_frsize
        return {"free": free, "full": free < _FULL_BYTES}

    async def lock(self, name: str, read_only: bool) -> bool:
        """Let nothing be written any more, wherever it is open; or mount it anew, to be written.

        For the first whoever uses it must be stopped, for the second have ended: a sync that is
        under way while the journal is given up may be called a success. Returns whether it is
        read-only.
        """
        disk = self._disk(name)
        if read_only and _is_writable(disk):
            await _sync(disk)
            await tool.run(*_ABORT, str(disk.root))
        elif not read_only and not _is_writable(disk):
            await _mount_anew(disk)
        disk.is_read_only = read_only
        return not _is_writable(disk)

    def _disk(self, name: str) -> _Disk:
        if name not in self._disks:
            raise Refused(f"{name} has no disk of its own here")
        return self._disks[name]


async def _make_image(image: Path, size: int) -> None:
    with image.open("wb") as file:
        file.truncate(size)
    await tool.run(*_MAKE, "-E", _MAKE_OPTIONS, str(image))


async def _sync(disk: _Disk) -> None:
    await tool.run("sync", "--file-system", str(disk.root))


async def _mount_anew(disk: _Disk) -> None:
    """What the kernel has not written is gone; the journal says what it has."""
    for path in (*reversed(list(disk.folders.values())), disk.root):
        await _unmount(path)
    await tool.run(*_MOUNT, str(disk.image), str(disk.root))
    for number, seen in disk.folders.items():
        await tool.run("mount", "-n", "--bind", str(disk.root / number), str(seen))


def _is_writable(disk: _Disk) -> bool:
    """Whether a file can be opened there to be written; the flags of a mount do not always say."""
    trial = disk.root / "trial"
    try:
        os.close(os.open(trial, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        return error.errno != errno.EROFS
    trial.unlink()
    return True


async def _unmount(path: Path) -> None:
    for left in reversed(range(_BUSY_TRIES)):
        try:
            await tool.run("umount", "-n", str(path))
            return
        except Refused:
            if not left:
                raise
        await asyncio.sleep(_BUSY_S)


def numbers(user: str) -> tuple[int, int]:
    """Of a user and its group. Raises Refused."""
    try:
        entry = pwd.getpwnam(user)
    except KeyError as error:
        raise Refused(f"there is no user {user} on this host") from error
    return entry.pw_uid, entry.pw_gid


def _sums(disk: _Disk) -> dict[Path, dict[int, tuple[int, int]]]:
    """Of every file, the length and the sum of each block, as whoever reads it finds it now."""
    found = {}
    for number in disk.folders:
        for path in (disk.root / number).rglob("*"):
            if path.is_file() and not path.is_symlink():
                with path.open("rb") as file:
                    blocks = enumerate(_blocks(file))
                    found[path] = {at: (len(b), zlib.crc32(b)) for at, b in blocks}
    return found


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    while block := file.read(_BLOCK):
        yield block


def _lost(before: dict[int, tuple[int, int]], after: dict[int, tuple[int, int]]) -> int:
    """How many bytes of a file are other than they were: where a block only ends sooner, those."""
    lost = 0
    for at, (length, total) in before.items():
        left, same = after.get(at, (0, 0))
        if (left, same) != (length, total):
            lost += length - left if left < length else length
    return lost


def _fill(disk: _Disk) -> None:
    handle = os.open(disk.filler, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        seen, at = os.statvfs(disk.root), 0
        size = max(_BLOCK, seen.f_bavail * seen.f_frsize)
        while size >= _BLOCK:
            try:
                os.posix_fallocate(handle, at, size)
                at += size
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                at = max(at, os.fstat(handle).st_size)
                size //= 2
    finally:
        os.close(handle)


def probe(folder: Path) -> str | None:
    """Why no disks can be made here; None where they can."""
    lacking = tool.missing("mkfs.ext4", "mount", "umount", "unshare")
    if lacking is not None or os.geteuid() != 0:
        return (
            lacking or f"only root mounts file systems: log in as root, or say sudo: true; {_ALONE}"
        )
    image = folder / "probe-image"
    try:
        with image.open("wb") as file:
            file.truncate(_PROBE_BYTES)
        tool.run_now(*_MAKE, "-E", _MAKE_OPTIONS, str(image))
        # What is mounted in a namespace of its own goes with the last process there.
        tool.run_now("unshare", "--mount", "sh", "-c", _TRY, "sh", str(image), str(folder), *_MOUNT)
    except tool.FAILURES as error:
        return (
            f"a file system in a file cannot be used: {tool.said(error).splitlines()[-1]}; {_ALONE}"
        )
    finally:
        image.unlink(missing_ok=True)
    return None


# A file system that has lost its power answers no question but this one.
def _is_mounted(path: str) -> bool:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return path in [_OCTAL.sub(lambda it: chr(int(it[1], 8)), each.split(" ")[4]) for each in lines]


def _undo(what: What) -> None:
    path = str(what["path"])
    while _is_mounted(path):
        tool.run_now("umount", "-n", path)


_OCTAL = re.compile(r"\\([0-7]{3})")
"""How the kernel writes spaces and the like."""

UNDO = {"disk": _undo}

_TRY = 'image=$1; shift; folder=$1; shift; "$@" "$image" "$folder"'
