"""Wheels written from files that are here already: no network, no build, no tool.

What runs on a host must be what runs here. So Delphic's own wheel is made of the files of this very
package, and that of a dependency of what is installed beside it, less what nobody needs who only
runs it. A wheel is called after what is in it; the one that is there already is not made again.
"""

import base64
import hashlib
import os
import re
import time
import zipfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath

from ...errors import WorldError

PURE = "py3-none-any"

_FORMAT = b"1"
"""Goes into every name: another way of packing is another wheel."""

KEPT_S = 30 * 86400

_EPOCH = (1980, 1, 1, 0, 0, 0)
_LEVEL = 1
"""Shared libraries hardly get smaller with more effort, and somebody waits for it."""

_UNUSED_FOLDERS = frozenset({"__pycache__", "tests", "include"})
_UNUSED_SUFFIXES = frozenset({".pyx", ".pxd", ".pxi", ".h", ".pyi"})
_OF_AN_INSTALLER = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"})


@dataclass(frozen=True, slots=True)
class Wheel:
    """One wheel on this machine's disk. `key`: of its content; `tags` say what it runs on."""

    name: str
    version: str
    tags: tuple[str, ...]
    key: str
    path: Path

    @property
    def part(self) -> str:
        """What it is called where it is unpacked."""
        return f"{self.name}-{self.version}-{self.key}"


@dataclass(frozen=True, slots=True)
class _Member:
    """A file of a wheel: what it is called there, where it comes from, the SHA-256 of its bytes."""

    name: str
    source: Path | bytes
    sha256: bytes

    def read(self) -> bytes:
        if isinstance(self.source, bytes):
            return self.source
        data = self.source.read_bytes()
        if hashlib.sha256(data).digest() != self.sha256:
            raise WorldError(f"{self.source} is not what was installed: install it again")
        return data


def of_package(name: str, version: str, root: Path, modules: Iterable[Path], folder: Path) -> Wheel:
    """A wheel of these files of the package `name`, which lies at `root`. Raises WorldError."""
    info = f"{name}-{version}.dist-info"
    said = "Wheel-Version: 1.0\nGenerator: delphic\nRoot-Is-Purelib: true\n"
    texts = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": f"{said}Tag: {PURE}\n",
    }
    try:
        files = {
            f"{name}/{path.relative_to(root).as_posix()}": path.read_bytes() for path in modules
        }
    except OSError as error:
        raise WorldError(f"cannot read {error.filename}: {error.strerror}") from error
    files |= {place: text.encode() for place, text in texts.items()}
    members = [_Member(n, data, hashlib.sha256(data).digest()) for n, data in files.items()]
    return _made(name, version, (PURE,), members, folder)


def of_installed(name: str, folder: Path) -> Wheel:
    """A wheel of what is installed here under this name. Raises WorldError."""
    try:
        found = distribution(name)
    except PackageNotFoundError:
        raise WorldError(f"{name} is not installed here, so it cannot be sent to hosts") from None
    return _made(name, found.version, _tags(found), _members(found), folder)


def _tags(found: Distribution) -> tuple[str, ...]:
    lines = (found.read_text("WHEEL") or "").splitlines()
    return tuple(line.partition(":")[2].strip() for line in lines if line.startswith("Tag:"))


def _members(found: Distribution) -> list[_Member]:
    """The files that its RECORD names, but for those that only building or testing needs."""
    members = []
    for file in found.files or ():
        path = PurePosixPath(file)
        if file.hash is None or file.hash.mode != "sha256" or ".." in path.parts:
            continue  # Scripts, and what the installer left.
        own = path.parts[0].endswith(".dist-info") and path.name in _OF_AN_INSTALLER
        if own or path.suffix in _UNUSED_SUFFIXES or _UNUSED_FOLDERS.intersection(path.parts):
            continue
        padded = file.hash.value + "=" * (-len(file.hash.value) % 4)
        digest = base64.urlsafe_b64decode(padded)
        members.append(_Member(path.as_posix(), Path(str(file.locate())), digest))
    if not members:
        raise WorldError(f"{found.name} was installed without a list of its files")
    return members


def _made(
    name: str, version: str, tags: tuple[str, ...], members: list[_Member], folder: Path
) -> Wheel:
    members = sorted(members, key=lambda member: member.name)
    said = [_FORMAT, *(b"%s %s" % (m.name.encode(), m.sha256) for m in members)]
    key = hashlib.sha256(b"\n".join(said)).hexdigest()[:16]
    tag = tags[0] if tags else PURE
    stem = re.sub(r"[^A-Za-z0-9.]+", "_", name)
    path = folder / key / f"{stem}-{version}-{tag}.whl"
    if path.is_file():
        os.utime(path)
    else:
        _write(path, members, f"{stem}-{version}.dist-info/RECORD")
    return Wheel(name, version, tags, key, path)


def forget(folder: Path) -> None:
    """Remove the wheels that nobody has used for so long that nobody will."""
    before_s = time.time() - KEPT_S
    for path in folder.glob("*/*.whl"):
        with suppress(FileNotFoundError):  # Somebody else forgets, too.
            if path.stat().st_mtime < before_s:
                path.unlink()
                path.parent.rmdir()


def _write(path: Path, members: list[_Member], record: str) -> None:
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    lines = [f"{m.name},sha256={_encoded(m.sha256)}," for m in members]
    listed = _Member(record, "\n".join([*lines, f"{record},,", ""]).encode(), b"")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(fresh, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
            for member in (*members, listed):
                entry = zipfile.ZipInfo(member.name, _EPOCH)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, member.read())
        fresh.replace(path)
    except OSError as error:
        raise WorldError(f"cannot write {path}: {error.strerror}") from error
    finally:
        fresh.unlink(missing_ok=True)


def _encoded(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
