"""A disk that is a file: ext4 on a loop device, which a kernel that stops leaves as it was.

Power fails by the ioctl that ends a file system without writing anything more (FS_IOC_SHUTDOWN):
what the kernel held back is then gone, and mounting it anew replays the journal, as after a real
failure.
"""

import asyncio
import errno
import fcntl
import os
import struct
import tempfile
from pathlib import Path

from . import tool
from .run import Run

_BYTES = 1 << 30
"""Of an image: sparse, so that it takes no more than what was written to it."""

_SHUTDOWN, _NO_LOG_FLUSH = 0x8004587D, 2

_MAKE = ("mkfs.ext4", "-q", "-F", "-m", "0")
_MAKE_OPTIONS = "lazy_itable_init=1,lazy_journal_init=1,nodiscard"
_MOUNT = ("mount", "-n", "-t", "ext4", "-o", "loop,noinit_itable,nosuid,nodev,errors=remount-ro")
_ABORT = ("mount", "-n", "-o", "remount,abort")
"""As if the file system had found an error in itself: who has files open is no hindrance."""

_BLOCK = 4096

_PROBE_BYTES = 8 << 20


class Image:
    """One of them, mounted at `root`."""

    kind = "on a loop device"

    def __init__(self, _: Run, place: Path) -> None:
        self._image = place / "image"
        self._root = place / "root"
        self._filler = self._root / "filler"

    async def make(self) -> None:
        with self._image.open("wb") as file:
            file.truncate(_BYTES)
        await tool.run(*_MAKE, "-E", _MAKE_OPTIONS, str(self._image))

    async def mount(self) -> None:
        await tool.run(*_MOUNT, str(self._image), str(self._root))

    async def let_go(self) -> None:
        """What holds it besides its mount lets go."""

    async def cut(self) -> None:
        """From now on nothing reaches the image."""
        handle = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.ioctl(handle, _SHUTDOWN, struct.pack("I", _NO_LOG_FLUSH))
        finally:
            os.close(handle)

    async def sync(self) -> None:
        await tool.run("sync", "--file-system", str(self._root))

    async def fill(self, *, full: bool) -> None:
        """By a file that takes all free blocks."""
        self._filler.unlink(missing_ok=True)
        if full:
            await asyncio.to_thread(_fill, self._filler)

    async def lock(self) -> None:
        await self.sync()
        await tool.run(*_ABORT, str(self._root))


def _fill(filler: Path) -> None:
    handle = os.open(filler, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        seen, at = os.statvfs(filler), 0
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
    """Why there are none here; None where there can be."""
    lacking = tool.missing("mkfs.ext4", "mount", "umount", "unshare")
    if lacking is not None:
        return lacking
    if os.geteuid() != 0:
        return "only root mounts file systems: log in as root, or say sudo: true"
    try:
        # Several agents may see one folder.
        with tempfile.NamedTemporaryFile(prefix="probe-", dir=folder) as image:
            image.truncate(_PROBE_BYTES)
            tool.run_now(*_MAKE, "-E", _MAKE_OPTIONS, image.name)
            # What is mounted in a namespace of its own goes with the last process there.
            words = ("sh", "-c", _TRY, "sh", image.name, str(folder), *_MOUNT)
            tool.run_now("unshare", "--mount", *words)
    except tool.FAILURES as error:
        return f"a file system in a file cannot be used: {tool.said(error).splitlines()[-1]}"
    return None


_TRY = 'image=$1; shift; folder=$1; shift; "$@" "$image" "$folder"'
