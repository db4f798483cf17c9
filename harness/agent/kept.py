"""What can be done to this host, kept until it boots again or another agent asks.

What cannot be done is found out anew: it is told what to do about it, and that may have been done.
"""

import contextlib
import json
import os
import sys
import uuid
import zlib
from collections.abc import Callable
from pathlib import Path

from . import tool
from .proc import here
from .run import Run

Lacks = dict[str, str | None]
"""Why each kind of thing cannot be done; None where it can."""


def kept(run: Run, what: str, find: Callable[[], Lacks]) -> Lacks:
    """What was found before by an agent with our powers in our place, or is now."""
    place = here()
    who = zlib.crc32(json.dumps([place, os.geteuid(), tool.powers()]).encode())
    file = run.state / f"{what}-{place.boot}-{who:08x}-{Path(sys.argv[0]).stem}.json"
    with contextlib.suppress(FileNotFoundError, ValueError):
        return dict(json.loads(file.read_text()))
    found = find()
    if any(found.values()):
        return found
    whole = file.with_suffix(f".{uuid.uuid4().hex}")
    whole.write_text(json.dumps(found))
    whole.replace(file)
    return found
