"""Which wheels a host needs to run nodes: Delphic's own, and those of what its nodes import.

A host of our kind (Python's version, platform, C library) gets what is installed here. Any other
one gets the same versions for its own kind, fetched by pip on this machine: the host itself needs
no index.
"""

import os
import platform
import re
import subprocess
import sys
import sysconfig
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

from ...errors import WorldError
from .wheel import Wheel, forget, of_installed, of_package

PACKAGE = "delphic"

DEPENDENCIES = ("msgspec", "pyarrow", "uvloop")
"""What `impl` imports that is not of the standard library."""

OLDEST = (3, 11)

_ROOT = Path(__file__).resolve().parents[3]
_PIP_S = 300.0
_MANYLINUX = re.compile(r"manylinux_(\d+)_(\d+)_(.+)")
_OLD_NAMES = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}


class Survey(msgspec.Struct, frozen=True):
    """What a host said of itself (`install.py`)."""

    python: str
    implementation: str
    version: str
    platform: str
    libc: tuple[str, str]
    identity: str
    parts: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()

    @property
    def machine(self) -> str:
        """`x86_64`, `aarch64`, …"""
        return self.platform.rpartition("-")[2]

    @property
    def kind(self) -> str:
        """For people."""
        return f"{self.implementation} {self.version} on {self.platform}, {' '.join(self.libc)}"


def cache_directory() -> Path:
    """What can be made again at any time: delphic below XDG_CACHE_HOME or ~/.cache."""
    own = os.environ.get("DELPHIC_CACHE")
    if own:
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "delphic"


def wheels(survey: Survey, folder: Path) -> tuple[Wheel, ...]:
    """All that a host of this kind needs, made or fetched if need be. Raises WorldError."""
    if survey.implementation != "cpython":
        raise WorldError(f"nodes run on CPython, not on {survey.kind}")
    if tuple(int(part) for part in survey.version.split(".")[:2] if part.isdigit()) < OLDEST:
        raise WorldError(f"nodes need Python 3.11 or newer, not {survey.kind}")
    forget(folder)
    return (own(folder), *(_dependency(name, survey, folder) for name in DEPENDENCIES))


def own(folder: Path) -> Wheel:
    """The part of this package that nodes are made of."""
    try:
        number = version(PACKAGE)
    except PackageNotFoundError:
        number = "0"
    modules = [_ROOT / "__init__.py", *sorted((_ROOT / "impl").rglob("*.py"))]
    return of_package(PACKAGE, number, _ROOT, modules, folder)


def _dependency(name: str, survey: Survey, folder: Path) -> Wheel:
    here = f"cp{sys.version_info[0]}{sys.version_info[1]}"
    if survey.python == here and survey.platform == sysconfig.get_platform():
        wheel = of_installed(name, folder)
        if any(fits(tag, survey) for tag in wheel.tags):
            return wheel
        if not wheel.tags or survey.libc == platform.libc_ver():
            return wheel  # Built on a machine like that one.
    return _fetched(name, survey, folder)


def fits(tag: str, survey: Survey) -> bool:
    """Whether a wheel of this tag runs on such a host."""
    python, abi, where = tag.split("-")
    if python not in (survey.python, "py3") and abi != "abi3":
        return False
    if where == "any":
        return True
    found = _MANYLINUX.fullmatch(where)
    if found is not None:
        needs, machine = (int(found[1]), int(found[2])), found[3]
    else:
        word, _, machine = where.partition("_")
        if word not in _OLD_NAMES:
            return False
        needs = _OLD_NAMES[word]
    name, number = survey.libc
    has = tuple(int(part) for part in number.split(".")[:2] if part.isdigit())
    return name == "glibc" and has >= needs and machine == survey.machine


def _fetched(name: str, survey: Survey, folder: Path) -> Wheel:
    """The version that is installed here, for another kind of host; by pip, once."""
    wanted = version(name)
    place = folder / "fetched" / f"{survey.python}-{survey.platform}-{'-'.join(survey.libc)}"
    found = _there(place, name, wanted)
    if found is None:
        words = [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"),
            *("--only-binary", ":all:", "--python-version", survey.python.removeprefix("cp")),
            *("--implementation", "cp", "--dest", str(place)),
            *(word for tag in _platforms(survey) for word in ("--platform", tag)),
            *_locked(name, wanted, place),
        ]
        _pip(words, f"{survey.kind} needs {name} {wanted} of its own")
        found = _there(place, name, wanted)
        assert found is not None
    tag = "-".join(found.stem.split("-")[2:])
    return Wheel(name, wanted, (tag,), survey.python, found)


def _there(place: Path, name: str, wanted: str) -> Path | None:
    return next(iter(sorted(place.glob(f"{name}-{wanted}-*.whl"))), None)


def _platforms(survey: Survey) -> list[str]:
    """What pip may choose among, the newest first."""
    found = [int(part) for part in survey.libc[1].split(".")[:2] if part.isdigit()]
    if survey.libc[0] != "glibc" or len(found) != 2:
        return [survey.platform.replace("-", "_").replace(".", "_")]
    newest = range(found[1], 16, -1)
    return [f"manylinux_{found[0]}_{minor}_{survey.machine}" for minor in newest]


def _locked(name: str, wanted: str, place: Path) -> list[str]:
    """As the lock file says it, hashes and all, where this is a checkout."""
    lock = _ROOT / "requirements.lock"
    text = lock.read_text() if lock.is_file() else ""
    found = re.search(rf"^{re.escape(name)}==.*(?:\n    .*)*", text, re.MULTILINE)
    if found is None or not found[0].startswith(f"{name}=={wanted} "):
        return [f"{name}=={wanted}"]
    place.mkdir(parents=True, exist_ok=True)
    listed = place / f"{name}.txt"
    listed.write_text(found[0] + "\n")
    return ["--require-hashes", "--requirement", str(listed)]


def _pip(words: list[str], why: str) -> None:
    try:
        ran = subprocess.run(words, capture_output=True, text=True, timeout=_PIP_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise WorldError(f"{why}; pip cannot fetch it: {error}") from error
    if ran.returncode != 0:
        raise WorldError(f"{why}; pip cannot fetch it", detail=ran.stderr.strip()[-2000:])
