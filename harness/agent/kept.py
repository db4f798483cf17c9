"""What was found out about this host, kept until it boots again or another agent asks."""

import contextlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from . import tool
from .proc import here
from .run import Run

Lacks = dict[str, str | None]
"""Why each kind of thing cannot be done; None where it can."""


def kept(run: Run, what: str, find: Callable[[], Lacks]) -> Lacks:
    """What was found before, or is now: the kernel does not change meanwhile, programs may."""
    file = run.state / f"{what}-{here().boot}-{Path(sys.argv[0]).stem}.json"
    with contextlib.suppress(FileNotFoundError, ValueError):
        return dict(json.loads(file.read_text()))
    found = find()
    if any(why and tool.NOT_INSTALLED in why for why in found.values()):
        return found
    whole = file.with_suffix(f".{os.getpid()}")
    whole.write_text(json.dumps(found))
    whole.replace(file)
    return found
