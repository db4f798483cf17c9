"""The table of what the agent can do: to add a part, write its file, then one line here.

A part holds what it has done to this host. Its verbs answer requests: what `verb(**arguments)`
returns goes back as JSON, or it raises Refused. One that may block and needs nothing of the part's
is a plain function, and runs in a thread. What a part does is undone by its module's `UNDO`: in
another process, when the agent is dead. What has to happen with each heartbeat, or before the loop
ends, it adds to the run's `renewals` and `endings`.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from . import cgroup, disk, links, processes
from .capabilities import Capabilities
from .disk import Disks
from .files import Files
from .links import Links
from .pressure import Pressure
from .probes import Probes
from .processes import Processes
from .run import Run
from .shim import Shims
from .undo import Kinds

Verb = Callable[..., Any]


class Part(Protocol):
    """One kind of thing that can be done to a host."""

    def __init__(self, run: Run) -> None: ...

    def verbs(self) -> Mapping[str, Verb]:
        """What can be asked of it, by name."""


PARTS: tuple[type[Part], ...] = (
    Capabilities,
    Processes,
    Files,
    Links,
    Probes,
    Pressure,
    Disks,
    Shims,
)

UNDO: Kinds = {**processes.UNDO, **links.UNDO, **cgroup.UNDO, **disk.UNDO}
