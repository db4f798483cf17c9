"""The agent as one file: the same sources give the same bytes, and a name that says which."""

import hashlib
import io
import zipfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

_SOURCES = Path(__file__).resolve().parent.parent / "agent"

_PACKAGE = "delphic_agent"

TAKEN_ALONG = ("mfusepy",)
"""Modules of one file each, of Python alone, that the agent imports where it needs them."""

# Runs on whatever a host calls python3, so it is older than the rest.
_START = f"""import sys
if sys.version_info < (3, 11):
    sys.exit("the agent needs Python 3.11 or newer on the host; this is " + sys.version.split()[0])
from {_PACKAGE}.command import main
main()
"""

_EPOCH = (1980, 1, 1, 0, 0, 0)


class Program(NamedTuple):
    """A file to be put on a host."""

    name: str
    content: bytes


@cache
def program() -> Program:
    """The agent's own sources, and what starts them."""
    return built(_SOURCES, *(_module(name) for name in TAKEN_ALONG))


def _module(name: str) -> Path:
    """Its one file. It is not imported: what it needs is on hosts, not here."""
    found = find_spec(name)
    assert found is not None
    assert found.origin is not None
    return Path(found.origin)


def built(sources: Path, *beside: Path) -> Program:
    """A zipped application of a folder of modules, and others beside it."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        _add(archive, "__main__.py", _START)
        for path in sorted(sources.glob("*.py")):
            _add(archive, f"{_PACKAGE}/{path.name}", path.read_text(encoding="utf-8"))
        for path in beside:
            _add(archive, path.name, path.read_text(encoding="utf-8"))
    content = held.getvalue()
    return Program(f"agent-{hashlib.sha256(content).hexdigest()[:16]}.pyz", content)


def _add(archive: zipfile.ZipFile, name: str, text: str) -> None:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, text)
