"""The process beside the agent that undoes everything when the agent cannot.

It is forked before the agent does anything, leads a session of its own, and reads a pipe: a byte
renews the lease, `ENDING` says that the agent undoes everything itself, `BYE` that it has. The
agent dead (end of file), or silent for longer than it would itself wait, is ended for good and its
undo log undone.
"""

import os
import select
import signal
import time
from pathlib import Path

from .proc import Identity, end
from .undo import Kinds, finish

RENEW, ENDING, BYE = b".", b"-", b"!"

_PATIENCE_S = 1.0
"""The agent notices a lapsed lease itself; the guardian is for an agent that does not."""

_ENDING_S = 60.0
"""Nobody renews the lease of an agent that ends, and programs that it has started may be slow."""

_AGAIN_S = 0.1


class Guardian:
    """The agent's end of the pipe."""

    def __init__(self, run: Path, lease_s: float, kinds: Kinds, agent: Identity) -> None:
        """Fork it. To be called before there are threads or a loop."""
        reading, self._writing = os.pipe2(os.O_CLOEXEC)
        pid = os.fork()
        if pid == 0:
            os.close(self._writing)
            _guard(reading, run, lease_s + _PATIENCE_S, kinds, agent)
        os.close(reading)
        os.set_blocking(self._writing, False)
        self.pid = pid

    def renew(self) -> None:
        self._tell(RENEW)

    def ending(self) -> None:
        """From now on everything is being undone."""
        self._tell(ENDING)

    def bye(self) -> None:
        """Everything is undone; wait for the guardian's end."""
        self._tell(BYE)
        os.close(self._writing)
        os.waitpid(self.pid, 0)

    def _tell(self, what: bytes) -> None:
        try:
            os.write(self._writing, what)
        except (BrokenPipeError, BlockingIOError):
            return  # It is dead, or hears enough: the agent goes on without it.


def _guard(pipe: int, run: Path, patience_s: float, kinds: Kinds, agent: Identity) -> None:
    """The guardian's whole life. Never returns."""
    code = 1
    try:
        os.setsid()
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        null = os.open(os.devnull, os.O_RDWR)
        # Nobody may take the guardian's life for the channel's: the agent's end closes that.
        for standard in (0, 1, 2):
            os.dup2(null, standard)
        if not _until_bye(pipe, patience_s):
            _end(agent)
            finish(run, kinds)
        code = 0
    finally:
        os._exit(code)


def _end(agent: Identity) -> None:
    """However long that takes: it may be waiting for a disk, and would go on where we undo."""
    while True:
        try:
            end(agent)
            return
        except OSError:
            time.sleep(_AGAIN_S)


def _until_bye(pipe: int, patience_s: float) -> bool:
    """Whether the agent took its leave."""
    deadline = time.monotonic() + patience_s
    while True:
        left = max(0.0, deadline - time.monotonic())
        if not select.select([pipe], [], [], left)[0]:
            return False
        heard = os.read(pipe, 4096)
        if BYE in heard:
            return True
        if not heard:
            return False
        if ENDING in heard:
            patience_s = max(patience_s, _ENDING_S)
        deadline = time.monotonic() + patience_s
