"""Whether a run without a verdict is still being made, by whom it is made and by what it writes."""

import os
import socket
import time
from pathlib import Path

from ...harness.agent import proc
from ...harness.rundir import RunDir
from .facts import Facts, State

GROWING_S = 10.0
"""Who wrote something so lately is at work, wherever."""


def state_of(root: Path, found: Facts) -> tuple[State, float]:
    """What an unjudged run is now, and when anything of it was last written.

    Its harness is known by host and pid; elsewhere there is only what it writes to go by.
    """
    wrote = last_written(root / found.name)
    if found.verdict is None and found.problems:
        return State.DAMAGED, wrote
    if time.time() - wrote < GROWING_S:
        return State.RUNNING, wrote
    if not found.environment.pid:
        return State.DEAD, wrote
    if found.environment.host != socket.gethostname():
        return State.SILENT, wrote
    return (State.RUNNING if _is_there(root, found) else State.DEAD), wrote


def last_written(run: Path) -> float:
    """When one of the files that grow during a run was last written; 0 where there is none."""
    files = RunDir(run)
    watched = [files.journal, files.history, files.environment, files.plan]
    watched += [files.node_log(alias) for alias in files.node_aliases()]
    return max((_written(path) for path in watched), default=0.0)


def _written(path: Path) -> float:
    try:
        return os.stat(path, follow_symlinks=False).st_mtime
    except OSError:
        return 0.0


def _is_there(root: Path, found: Facts) -> bool:
    """Whether the process that began the run lives: one with its pid that is older than the run."""
    process = proc.identity(found.environment.pid)
    if process is None:
        return False
    ticks = os.sysconf("SC_CLK_TCK")
    booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    begun = _written(RunDir(root / found.name).environment)
    return booted + process.start / ticks <= begun + 1.0
