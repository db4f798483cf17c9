"""Runs on a host, sent there as text: makes a Python environment out of wheels. Standard library.

    python3 - survey CACHE              what this Python is, and what the cache holds
    python3 - install CACHE NAME PART…  an environment that sees these parts

Every wheel is unpacked once, below CACHE/parts, whatever environments use it; an environment is a
virtual one whose only content is a list of parts. Neither pip nor an index is needed, nor Debian's
python3-venv. Who installs holds a lock: several harnesses may share a host, and hosts a disk.
"""

import base64
import csv
import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import time
import venv
import zipfile
from pathlib import Path

KEPT_S = 30 * 86400
"""An environment that nobody has used for so long is removed."""

NEW_S = 86400
"""For so long an environment needs not be told that it is used."""


def survey(cache: Path) -> dict[str, object]:
    """What is here. `identity` is the same for hosts that share the cache."""
    cache.mkdir(parents=True, exist_ok=True)
    at = cache.stat()
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return {
        "python": f"cp{sys.version_info[0]}{sys.version_info[1]}",
        "implementation": sys.implementation.name,
        "version": platform.python_version(),
        "platform": sysconfig.get_platform(),
        "libc": list(platform.libc_ver()),
        "identity": f"{boot}:{at.st_dev}:{at.st_ino}",
        "parts": _names(cache / "parts"),
        "environments": _used_lately(cache / "environments"),
    }


def install(cache: Path, name: str, parts: list[str]) -> None:
    """Unpack what came in, and make the environment if it is not there."""
    with (cache / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for part in parts:
            if not (cache / "parts" / part).is_dir():
                _unpack(cache / "incoming" / f"{part}.whl", cache / "parts" / part)
            (cache / "incoming" / f"{part}.whl").unlink(missing_ok=True)
        made = cache / "environments" / name
        if not made.is_dir():
            _make(made, [cache / "parts" / part for part in parts])
        os.utime(made)
        _forget(cache, time.time() - KEPT_S)


def _names(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def _used_lately(folder: Path) -> list[str]:
    """Those that are there; one that is not named is installed again, which keeps it."""
    after_s = time.time() - NEW_S
    return [name for name in _names(folder) if (folder / name).stat().st_mtime > after_s]


def _unpack(wheel: Path, part: Path) -> None:
    fresh = part.with_name(f".{part.name}")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    with zipfile.ZipFile(wheel) as archive:
        record = next(n for n in archive.namelist() if n.endswith(".dist-info/RECORD"))
        rows = {row[0]: row[1] for row in csv.reader(archive.read(record).decode().splitlines())}
        for name in archive.namelist():
            data = archive.read(name)
            wanted = rows.get(name)
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            if name != record and wanted != f"sha256={digest}":
                sys.exit(f"{wheel.name}: {name} is not what the wheel says")
            file = fresh / name
            if fresh not in file.resolve().parents:
                sys.exit(f"{wheel.name}: {name!r} lies outside")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
    fresh.rename(part)


def _make(made: Path, parts: list[Path]) -> None:
    fresh = made.with_name(f".{made.name}")
    shutil.rmtree(fresh, ignore_errors=True)
    venv.create(fresh, symlinks=True, with_pip=False)
    python = fresh / "bin" / "python"
    lib = f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    (fresh / lib / "delphic.pth").write_text("".join(f"{part}\n" for part in parts))
    # Not -I: the very way in which nodes are started. It also compiles what they import.
    words = [str(python), "-m", "delphic.impl.node", "--help"]
    tried = subprocess.run(words, capture_output=True, text=True, cwd="/", check=False)
    if tried.returncode != 0:
        sys.exit(f"a node cannot be started here:\n{tried.stderr.strip()}")
    fresh.rename(made)


def _forget(cache: Path, before_s: float) -> None:
    """Remove environments of long ago, and parts that no environment sees."""
    for old in (cache / "environments").iterdir():
        if old.stat().st_mtime < before_s:
            shutil.rmtree(old, ignore_errors=True)
    seen = {
        Path(line).name
        for listed in (cache / "environments").glob("*/lib/*/site-packages/delphic.pth")
        for line in listed.read_text().splitlines()
    }
    for name in _names(cache / "parts"):
        if name not in seen:
            shutil.rmtree(cache / "parts" / name, ignore_errors=True)


def main(words: list[str]) -> None:
    """One of the two forms above."""
    # Whoever runs nodes may be somebody else.
    os.umask(0o022)
    cache = Path(words[1])
    if words[0] == "survey":
        sys.stdout.write(json.dumps(survey(cache)))
    else:
        install(cache, words[2], words[3:])


if __name__ == "__main__":
    main(sys.argv[1:])
