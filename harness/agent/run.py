"""What every part of the agent knows about the run that it serves."""

import re
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from .undo import UndoLog

MARK = "DELPHIC_HOST_RUN"
"""The environment variable that marks every process of a run on a host."""

_LONGEST = 40


class Refused(Exception):
    """A request that is not carried out, and why, in a sentence."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run on this host."""

    name: str
    folder: Path
    """Where its undo log is."""
    lease_s: float
    mark: str
    """`NAME=value` in the environment of all that is started."""
    spare_port: int | None
    """The port of the SSH daemon that our orders come through, here and, of a harness that is on
    a host itself, at the others: no fault may close it."""
    has_loops: bool
    """Whether loop devices may be used, where there are any."""
    log: UndoLog
    say: Callable[[dict[str, object]], None]
    """Send an event."""
    renewals: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    """What renews, with the lease, whatever would heal by itself."""
    starts: list[Callable[[str, int], None]] = field(default_factory=list)
    """Who is to know of each process that has been started: its name and pid."""
    endings: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    """What lets go of processes before everything is undone."""

    @property
    def state(self) -> Path:
        """Where runs and what is kept from run to run are."""
        return self.folder.parent.parent

    @property
    def table(self) -> str:
        """The name of the run's own nft table."""
        return f"delphic_{plain(self.name)}"


def plain(name: str) -> str:
    """A run's name as a file or a table may be called; different names stay different."""
    sum_ = zlib.crc32(name.encode())
    return f"{re.sub('[^a-zA-Z0-9]+', '_', name)[:_LONGEST].strip('_')}_{sum_:08x}"
