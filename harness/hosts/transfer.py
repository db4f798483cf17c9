"""Files to a host and back: by content, atomically, checked, and never all in memory."""

import asyncio
import hashlib
import itertools
import secrets
import shutil
import tarfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Protocol

from ..errors import WorldError
from .link import Link, Place, Ran

_SLICE_BYTES = 1 << 18
_PATIENCE_S = 60.0
_BYTES_PER_S_MIN = 200_000  # A transfer that is slower than this on average is given up.
_ATTEMPTS = 2
_BIG = 1 << 30  # What is on the host may be so large, for all that is known beforehand.

_THERE = """
[ -f "$1" ] || exit 0
found=$(sha256sum < "$1")
[ "${found%% *}" = "$2" ] || exit 0
chmod -- "$3" "$1" && echo there
"""

_PUT = """
set -eu
case "$1" in */*) [ -z "${1%/*}" ] || mkdir -p -- "${1%/*}" ;; esac
[ ! -d "$1" ] || { echo "there is a directory: $1" >&2; exit 1; }
new="$1.$4.new"
trap 'rm -f -- "$new"' EXIT
trap 'exit 1' HUP INT TERM PIPE
umask 077
cat > "$new"
found=$(sha256sum < "$new")
[ "${found%% *}" = "$2" ] || { echo "it arrived as something else" >&2; exit 1; }
chmod -- "$3" "$new"
mv -f -- "$new" "$1"
"""

_LOOK = """
if [ -d "$1" ]; then echo folder; exit; fi
[ -f "$1" ] || { echo "there is no such file or folder: $1" >&2; exit 1; }
size=$(wc -c < "$1")
echo file "$size" "$(head -c "$size" < "$1" | sha256sum)"
"""

_PART = 'tail -c "+$2" < "$1" | head -c "$3"'

_FOLDER = """
{ { tar -C "$1" -cf - .; echo "tar $?" >&2; } | tee /dev/fd/3 | sha256sum >&2; } 3>&1 | cat
"""


class Asked(Protocol):
    """What a transfer needs of a host."""

    @property
    def link(self) -> Link: ...

    def line(
        self, words: Sequence[str], *, sudo: bool = False, within_s: float | None = None
    ) -> tuple[str, bytes]: ...

    def error(self, message: str, detail: str = "") -> WorldError: ...


async def put(host: Asked, local: Path | bytes, remote: str, mode: int, *, sudo: bool) -> bool:
    """As Host.put."""
    digest, size = await asyncio.to_thread(_digest, local)
    octal = f"{mode:o}"
    there = await _script(host, f"look at {remote}", _THERE, (remote, digest, octal), sudo=sudo)
    if there.out == b"there\n":
        return False
    words = (remote, digest, octal)
    ran = await _script(host, f"put {remote}", _PUT, words, size, local, sudo=sudo)
    if ran.code:
        raise host.error(f"cannot put {remote}", ran.said)
    return True


async def get(host: Asked, remote: str, local: Path, *, sudo: bool) -> None:
    """As Host.get."""
    local.parent.mkdir(parents=True, exist_ok=True)
    part = local.with_name(local.name + ".part")
    found = await _script(host, f"look at {remote}", _LOOK, (remote,), _BIG, sudo=sudo)
    if found.code:
        raise host.error(f"cannot get {remote}", found.said)
    kind, *rest = found.text.split()
    if kind == "folder":
        await _get_folder(host, remote, local, part, sudo=sudo)
        return
    size, digest = int(rest[0]), rest[1]
    for _ in range(_ATTEMPTS):
        await _get_part(host, remote, part, size, sudo=sudo)
        if await asyncio.to_thread(_digest, part) == (digest, size):
            part.replace(local)
            return
        part.unlink()
    raise host.error(f"{remote} comes with another checksum than it has on the host")


async def _get_part(host: Asked, remote: str, part: Path, size: int, *, sudo: bool) -> None:
    """Append what is missing of the file's first `size` bytes."""
    limit_s = _limit_s(size)

    def fetch(place: Place) -> Ran:
        have = part.stat().st_size if part.exists() else 0
        if have > size:
            part.unlink()
            have = 0
        words = ("sh", "-c", _PART, "sh", remote, str(have + 1), str(size - have))
        line, prefix = host.line(words, sudo=sudo, within_s=limit_s)
        with part.open("ab") as file:
            return place.run(line, [prefix], file.write)

    ran = await _use(host, f"get {remote}", fetch, limit_s)
    if ran.code:
        raise host.error(f"cannot get {remote}", ran.said)


async def _get_folder(host: Asked, remote: str, local: Path, part: Path, *, sudo: bool) -> None:
    """The folder as one archive, whose checksum the host says after it; then unpacked."""
    limit_s = _limit_s(_BIG)
    words = ("sh", "-c", _FOLDER, "sh", remote)
    line, prefix = host.line(words, sudo=sudo, within_s=limit_s)
    archive = part.with_name(part.name + ".tar")

    def fetch(place: Place) -> Ran:
        with archive.open("wb") as file:
            return place.run(line, [prefix], file.write)

    try:
        ran = await _use(host, f"get {remote}", fetch, limit_s)
        said = ran.err.decode(errors="replace").splitlines()
        digest, _ = await asyncio.to_thread(_digest, archive)
        if f"{digest}  -" not in said:
            raise host.error(f"{remote} comes with another checksum than on the host", ran.said)
        # 1: a file changed while it was read, as logs do.
        if "tar 0" not in said and "tar 1" not in said:
            raise host.error(f"cannot get {remote}", ran.said)
        if not await asyncio.to_thread(_arrived, archive, part, local):
            raise host.error(f"cannot get {remote}: {local} is there already, with other content")
    finally:
        archive.unlink(missing_ok=True)
        await asyncio.to_thread(shutil.rmtree, part, ignore_errors=True)


def _arrived(archive: Path, part: Path, local: Path) -> bool:
    """Unpack it; False if something else is there already."""
    _unpack(archive, part)
    if _is_taken(local):
        return _holds(local, part)
    part.replace(local)
    return True


def _is_taken(path: Path) -> bool:
    """Whether there is more than an empty folder."""
    return path.exists() and (not path.is_dir() or any(path.iterdir()))


def _holds(local: Path, part: Path) -> bool:
    """Whether all that came is there already: it came before, and more may have been added."""
    for path in part.rglob("*"):
        there = local / path.relative_to(part)
        if path.is_dir() and not there.is_dir():
            return False
        if path.is_file() and not (there.is_file() and _digest(there) == _digest(path)):
            return False
    return True


def _unpack(archive: Path, part: Path) -> None:
    """Folders and files only, and nothing outside: what a host says is not trusted that far."""
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    with tarfile.open(archive) as tar:
        for member in tar:
            steps = PurePosixPath(member.name).parts
            if ".." in steps or member.name.startswith("/"):
                continue
            to = part.joinpath(*steps)
            source = tar.extractfile(member) if member.isfile() or member.islnk() else None
            if member.isdir():
                to.mkdir(parents=True, exist_ok=True)
            elif source is not None:
                to.parent.mkdir(parents=True, exist_ok=True)
                with source, to.open("wb") as file:
                    shutil.copyfileobj(source, file)


async def _script(
    host: Asked,
    what: str,
    script: str,
    words: tuple[str, ...],
    size: int = 0,
    source: Path | bytes = b"",
    *,
    sudo: bool,
) -> Ran:
    """One of the scripts above, whose words are all arguments, with a file as its input.

    After them comes one that no other attempt has: what was lost may go on there for a while.
    """
    limit_s = _limit_s(size)

    def run(place: Place) -> Ran:
        attempt = secrets.token_hex(8)
        started = ("sh", "-c", script, "sh", *words, attempt)
        line, prefix = host.line(started, sudo=sudo, within_s=limit_s)
        return place.run(line, itertools.chain([prefix], _slices(source)))

    return await _use(host, what, run, limit_s)


async def _use(host: Asked, what: str, act: Callable[[Place], Ran], limit_s: float) -> Ran:
    link = host.link
    return await link.alone(what, act, limit_s + 1 + link.silence_s, again=True)


def _limit_s(size: int) -> float:
    return _PATIENCE_S + size / _BYTES_PER_S_MIN


def _slices(source: Path | bytes) -> Iterator[bytes]:
    if isinstance(source, bytes):
        yield source
        return
    with source.open("rb") as file:
        while part := file.read(_SLICE_BYTES):
            yield part


def _digest(source: Path | bytes) -> tuple[str, int]:
    """SHA-256 and size."""
    found, size = hashlib.sha256(), 0
    for part in _slices(source):
        found.update(part)
        size += len(part)
    return found.hexdigest(), size
