"""Files of a host: read in pieces, listed, written, removed."""

import base64
import contextlib
import os
import random
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .run import Refused, Run

_PIECE_BYTES_MAX = 1 << 20

_TAIL_BYTES_MAX = 4096


class Files:
    """What the harness asks of files outside of deployment: traces, logs, task data."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def verbs(self) -> Mapping[str, Any]:
        return {
            "read": self.read,
            "list": self.list,
            "write": self.write,
            "remove": self.remove,
            "flip": self.flip,
            "cut-tail": cut_tail,
        }

    def read(self, path: str, offset: int = 0, limit: int = _PIECE_BYTES_MAX) -> dict[str, object]:
        """At most `limit` bytes from `offset` on, and the file's size; a missing one is empty."""
        with _said(path):
            try:
                with Path(path).open("rb") as file:
                    size = os.fstat(file.fileno()).st_size
                    data = os.pread(file.fileno(), min(limit, _PIECE_BYTES_MAX), offset)
            except FileNotFoundError:
                return {"data": "", "size": None}
        return {"data": base64.b64encode(data).decode(), "size": size}

    def list(self, path: str) -> list[dict[str, object]]:
        """Every file below a folder by its path from there, in order; none if there is none.

        What is gone before it has been looked at is left out.
        """
        top = Path(path)
        found: dict[Path, int] = {}
        with _said(path):
            for folder, _, names in os.walk(top, onerror=_unless_gone):
                for file in (Path(folder, name) for name in names):
                    with contextlib.suppress(FileNotFoundError):
                        seen = file.lstat()
                        if stat.S_ISREG(seen.st_mode):
                            found[file.relative_to(top)] = seen.st_size
        return [{"path": str(file), "size": size} for file, size in sorted(found.items())]

    def write(self, path: str, data: str, mode: int = 0o644) -> None:
        """Make a file so, whole or not at all; its folder is made if need be."""
        whole = Path(f"{path}.delphic-new")
        with _said(path):
            whole.parent.mkdir(parents=True, exist_ok=True)
            whole.write_bytes(base64.b64decode(data))
            whole.chmod(mode)
            whole.replace(path)

    def remove(self, path: str) -> bool:
        """Remove a file, or a folder with all that is in it; whether there was one."""
        with _said(path):
            there = Path(path)
            if there.is_dir() and not there.is_symlink():
                shutil.rmtree(there)
                return True
            if not os.path.lexists(there):
                return False
            there.unlink()
            return True

    def flip(self, folders: Sequence[str], at: float) -> dict[str, object] | None:
        """Turn a bit of what is in these folders, `at` from 0 to 1 of all of it; None if nothing.

        Whoever writes there must not run.
        """
        sizes = _sizes(folders)
        bits = 8 * sum(sizes.values())
        left = min(int(bits * at), bits - 1)
        for path, size in sizes.items():
            if left >= 8 * size:
                left -= 8 * size
                continue
            with _said(str(path)), path.open("r+b") as file:
                byte = left // 8
                file.seek(byte)
                (old,) = file.read(1)
                file.seek(byte)
                file.write(bytes([old ^ 1 << left % 8]))
                file.flush()
                os.fsync(file.fileno())
            return {"path": str(path), "byte": byte}
        return None


def cut_tail(
    folders: Sequence[str], at: float, size: int | None = None
) -> dict[str, object] | None:
    """Cut a file in these folders, the one with the byte `at` from 0 to 1 of all; None if nothing.

    So many bytes of its end are gone for good, or without `size` as many as chance says. Whoever
    writes there must not run.
    """
    sizes = _sizes(folders)
    left = int(sum(sizes.values()) * at)
    for path, was in sizes.items():
        if left >= was:
            left -= was
            continue
        gone = size or random.randint(1, min(was, _TAIL_BYTES_MAX))
        with _said(str(path)), path.open("r+b") as file:
            file.truncate(max(0, was - gone))
            os.fsync(file.fileno())
            return {"path": str(path), "was": was, "left": os.fstat(file.fileno()).st_size}
    return None


def _unless_gone(error: OSError) -> None:
    """A folder that cannot be listed: one that is gone, or is another's, has nothing for us."""
    if not isinstance(error, FileNotFoundError | NotADirectoryError | PermissionError):
        raise error


def _sizes(folders: Sequence[str]) -> dict[Path, int]:
    """Every file in these folders that holds anything."""
    paths = [path for folder in folders for path in sorted(Path(folder).rglob("*"))]
    sizes = {p: p.stat().st_size for p in paths if p.is_file() and not p.is_symlink()}
    return {path: size for path, size in sizes.items() if size}


@contextlib.contextmanager
def _said(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}") from error
