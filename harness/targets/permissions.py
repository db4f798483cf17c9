"""Who may write files on this machine: the folders of a member are locked, and opened again.

As a person does it who forgets whose they are: by the permissions of folders and files. What a
process has open it may go on writing; what it opens, renames or removes it may not.
"""

import os
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

_WRITE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH

_SETPRIV = "setpriv"
_POWERLESS = (_SETPRIV, "--bounding-set=-dac_override,-dac_read_search")
"""Permissions mean nothing to root, unless it has laid down the powers to pass over them."""


def lock(folders: Sequence[Path]) -> None:
    """Take the permission to write away from these folders and all that is in them."""
    _change(folders, lambda mode: mode & ~_WRITE)


def unlock(folders: Sequence[Path]) -> None:
    """Give it back to their owner."""
    _change(folders, lambda mode: mode | stat.S_IWUSR)


def is_locked(folders: Sequence[Path]) -> bool:
    """Whether there is something in them, and nothing may be written by who is `subject`."""
    if _is_root() and not _can_lay_down():
        return False
    paths = [path for folder in folders for path in _below(folder)]
    return bool(paths) and not any(path.stat().st_mode & _WRITE for path in paths)


def subject(command: Sequence[str]) -> list[str]:
    """The command, so that permissions mean something to it, if that can be had."""
    return [*(_POWERLESS if _is_root() and _can_lay_down() else ()), *command]


def _is_root() -> bool:
    return os.geteuid() == 0


def _can_lay_down() -> bool:
    return shutil.which(_SETPRIV) is not None


def _change(folders: Sequence[Path], changed: Callable[[int], int]) -> None:
    # Folders come first: nothing new appears in them while their files are changed.
    for wants_folders in (True, False):
        for folder in folders:
            for path in _below(folder):
                with suppress(FileNotFoundError):
                    if path.is_dir() is wants_folders:
                        path.chmod(changed(stat.S_IMODE(path.stat().st_mode)))


def _below(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield folder
        yield from sorted(folder.rglob("*"))
