"""Disks of single processes: their own file systems, which forget what was not synced, or are full.

A disk is below the run's folder; its folders are mounted where the process looks for them. Where
there are loop devices it is a file with a file system of the kernel's, else one in user space.
"""

import asyncio
import errno
import os
import pwd
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from . import fuse, image, tool
from .kept import kept
from .run import Refused, Run, plain
from .undo import What

_BLOCK = 4096

_BUSY_TRIES, _BUSY_S = 40, 0.05
"""What has just been killed may hold its files a little longer."""

_FULL_BYTES = 1 << 16
"""A disk with less than this is full: the rest is in blocks that files have already."""


class Medium(Protocol):
    """What a disk is made of. It is mounted at `root` in the disk's place."""

    kind: str

    async def make(self) -> None: ...

    async def mount(self) -> None:
        """For the first time or anew, with what it has kept."""

    async def let_go(self) -> None:
        """Do what goes before it can be mounted anew, unless its power was cut."""

    async def cut(self) -> None:
        """Its power fails: nothing more reaches what it keeps."""

    async def sync(self) -> None:
        """Keep everything."""

    async def fill(self, *, full: bool) -> None:
        """Take all that is free, or give it back."""

    async def lock(self) -> None:
        """Keep everything, then let nothing be written any more until it is mounted anew."""


@dataclass(slots=True)
class _Disk:
    medium: Medium
    root: Path
    folders: Mapping[str, Path]
    """Folders of the image by name, and where each is seen."""
    is_full: bool = False
    is_read_only: bool = False


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

    async def make(self, name: str, folders: list[str], user: str | None = None) -> str:
        """Give it a disk of its own, on which these folders are, empty and the user's.

        Returns what it is made of.
        """
        if name in self._disks:
            raise Refused(f"{name} has a disk already")
        place = self._run.folder / "disks" / plain(name)
        inside = {str(number): _resolved(folder) for number, folder in enumerate(folders)}
        medium = await asyncio.to_thread(_medium, self._run)
        disk = _Disk(medium(self._run, place), place / "root", inside)
        # The last entry is undone first: what is mounted on something goes before it.
        for path in (disk.root, *inside.values()):
            self._run.log.add("disk", path=str(path))
            path.mkdir(parents=True, exist_ok=True)
        await disk.medium.make()
        await disk.medium.mount()
        for number, seen in inside.items():
            (disk.root / number).mkdir()
            if user is not None and os.geteuid() == 0:
                os.chown(disk.root / number, *numbers(user))
            await tool.run("mount", "-n", "--bind", str(disk.root / number), str(seen))
        await disk.medium.sync()
        self._disks[name] = disk
        return disk.medium.kind

    async def cut(self, name: str) -> dict[str, int]:
        """Its power fails: what was not synced is lost, and it is there again without that.

        Whoever used it must have ended. Returns the bytes that are other than before, or gone, and
        in how many files.
        """
        disk = self._disk(name)
        before = await asyncio.to_thread(_sums, disk)
        await disk.medium.cut()
        await _mount_anew(disk)
        # Whether what filled it outlived the cut is chance.
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
        await disk.medium.fill(full=full)
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
            await disk.medium.lock()
        elif not read_only and not _is_writable(disk):
            await disk.medium.let_go()
            await _mount_anew(disk)
        disk.is_read_only = read_only
        return not _is_writable(disk)

    def _disk(self, name: str) -> _Disk:
        if name not in self._disks:
            raise Refused(f"{name} has no disk of its own here")
        return self._disks[name]


def _resolved(folder: str) -> Path:
    """As the kernel calls it, by whose name it is looked for when it is undone."""
    return Path(folder).resolve()


async def _mount_anew(disk: _Disk) -> None:
    """What it has not kept is gone."""
    for path in (*reversed(list(disk.folders.values())), disk.root):
        await _unmount(path)
    await disk.medium.mount()
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


def why_not(run: Run) -> str | None:
    """Why no disks can be made here; None where they can."""
    reasons = []
    for why, _ in _media(run):
        if why is None:
            return None
        reasons.append(why)
    return "; ".join(reasons)


def _medium(run: Run) -> Callable[[Run, Path], Medium]:
    """What disks are made of here. Raises Refused with the reasons."""
    for why, medium in _media(run):
        if why is None:
            return medium
    raise Refused(str(why_not(run)))


def _media(run: Run) -> Iterator[tuple[str | None, Callable[[Run, Path], Medium]]]:
    """Each, the better first, and why there is none of it."""
    if run.has_loops:
        yield kept(run, "image", lambda: {"image": image.probe(run.state)})["image"], image.Image
    else:
        yield "loop devices may not be used (loop_devices: false)", image.Image
    yield kept(run, "fuse", lambda: {"fuse": fuse.probe(run.state)})["fuse"], fuse.Forgetting


# A file system that has lost its power answers no question but this one.
def _is_mounted(path: str) -> bool:
    lines = os.fsdecode(_MOUNTS.read_bytes()).split("\n")[:-1]
    return path in [_OCTAL.sub(lambda it: chr(int(it[1], 8)), each.split(" ")[4]) for each in lines]


def _undo(what: What) -> None:
    path = str(what["path"])
    while _is_mounted(path):
        tool.run_now("umount", "-n", path)


_MOUNTS = Path("/proc/self/mountinfo")

_OCTAL = re.compile(r"\\([0-7]{3})")
"""How the kernel writes spaces and the like."""

UNDO = {"disk": _undo}
