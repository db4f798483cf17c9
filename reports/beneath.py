"""Opens what lies in a directory, and nothing else: no link, no `..`, no device leads out of it."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Opening a pipe that nobody writes would wait for ever; what it is, is seen after opening.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY

CONTENT_MAX = 64_000_000
"""Bytes of a file that is read as a whole; verdicts and plans have thousands."""


class Outside(Exception):
    """There is no such file in the directory, whatever there may be outside."""


def opened(root: Path, name: str) -> BinaryIO:
    """An ordinary file below the root, by a path with slashes. Raises Outside.

    Each step is opened from the one before and links are never followed, so that nothing can be
    exchanged between looking and opening. The root itself may be a link: it is the user's own word.
    """
    *folders, last = _parts(name)
    at = _open(str(root), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for folder in folders:
            below = _open(folder, _FOLDER, at)
            os.close(at)
            at = below
        file = _open(last, _FILE, at)
    finally:
        os.close(at)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise Outside(name)
    return os.fdopen(file, "rb")


def holds(root: Path, path: Path) -> bool:
    """Whether a path below the root is an ordinary file that can be read, and no link to one."""
    try:
        opened(root, path.relative_to(root).as_posix()).close()
    except Outside:
        return False
    return True


def _parts(name: str) -> list[str]:
    parts = name.split("/")
    if "\0" in name or any(part in ("", ".", "..") for part in parts):
        raise Outside(name)
    return parts


def _open(name: str, flags: int, at: int | None = None) -> int:
    try:
        return os.open(name, flags, dir_fd=at)
    except (OSError, ValueError) as error:
        raise Outside(name) from error


def content(root: Path, name: str) -> bytes | None:
    """All of a file below the root; None where there is none, or one that is too long."""
    try:
        with opened(root, name) as stream:
            data = stream.read(CONTENT_MAX + 1)
    except (Outside, OSError):
        return None
    return data if len(data) <= CONTENT_MAX else None


@dataclass(frozen=True, slots=True)
class Entry:
    """A file below a root: its path with slashes, and what it was when it was looked at."""

    name: str
    size: int
    modified_s: float


def entries(root: Path, name: str = "") -> Iterator[Entry]:
    """Every ordinary file below the root or a folder of it, by folders; links are left out."""
    if name:
        _parts(name)
    for folder, folders, found in os.walk(root / name):
        folders.sort()
        for file in sorted(found):
            path = Path(folder, file)
            try:
                status = path.lstat()
            except OSError:
                continue  # Gone meanwhile.
            if stat.S_ISREG(status.st_mode):
                below = path.relative_to(root / name).as_posix()
                yield Entry(below, status.st_size, status.st_mtime)
