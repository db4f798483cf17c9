"""Where and by what a run was made: versions, machine, command line."""

import os
import platform
import subprocess
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ..verdict import Provenance

_ROOT = Path(__file__).resolve().parents[2]


@cache
def provenance() -> Provenance:
    """Which Delphic this is, as it was when first asked."""
    commit = _git("rev-parse", "HEAD")
    return Provenance(
        version=_version(),
        git=commit,
        dirty=None if commit is None else bool(_git("status", "--porcelain", "-uno")),
        python=platform.python_version(),
        platform=platform.platform(),
    )


def environment() -> dict[str, Any]:
    """environment.json."""
    return {
        # JSON is UTF-8, and a word of a command line may be any bytes.
        "command": [os.fsencode(word).decode(errors="backslashreplace") for word in sys.argv],
        "version": _version(),
        "python": sys.version,
        "executable": sys.executable,
        "platform": platform.platform(),
        "host": platform.node(),
        "cores": os.cpu_count(),
        "pid": os.getpid(),
    }


def _version() -> str:
    try:
        return version("delphic")
    except PackageNotFoundError:
        return "unknown"


def _git(*words: str) -> str | None:
    """What git says about Delphic's own checkout; None outside one."""
    if not (_ROOT / ".git").exists():
        return None
    try:
        done = subprocess.run(
            ["git", "-C", str(_ROOT), *words],  # noqa: S607 - the user's own git
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
