"""Operating system processes that the harness starts, stops, continues and ends."""

import asyncio
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ..agent import proc
from ..errors import WorldError
from ..running.leases import Lease
from . import permissions
from .target import ProcessState

TAIL_LINES = 15
"""How much of a log stands in the message about a process that failed."""

_GRACE_S = 3.0
"""How long a process may take to end after SIGTERM."""

_KILL_S = 5.0


class Daemon:
    """One long-lived process, started again and again with the same arguments.

    It leads a session of its own: a Ctrl-C at the terminal is the harness's to hear, not its. When
    it has ended, so has all that is left of the session.
    """

    def __init__(
        self,
        what: str,
        command: Sequence[str],
        *,
        log: Path,
        lease: Lease,
        pass_fds: Sequence[int] = (),
    ) -> None:
        self.what = what
        self._command = command
        self._log = log
        self._lease = lease
        self._pass_fds = pass_fds
        self._process: asyncio.subprocess.Process | None = None
        self._identity: proc.Identity | None = None
        self._ended_by_us = True
        self._led: int | None = None
        """The session of a life of which something may be left."""

    async def start(self, *, is_subject: bool = False) -> None:
        """Start it; its output is appended to its log. Raises WorldError.

        `is_subject`: the permissions of files mean something to it, whoever starts it.
        """
        assert self.state() is ProcessState.DEAD
        await self._end_rest()
        command = permissions.subject(self._command) if is_subject else self._command
        try:
            with self._log.open("ab") as log:
                self._process = await asyncio.create_subprocess_exec(
                    *command,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    pass_fds=self._pass_fds,
                    env={**os.environ, **self._lease.environment},
                )
        except OSError as error:
            raise WorldError(
                f"cannot start {self._command[0]}: {error.strerror}", node=self.what
            ) from error
        self._ended_by_us = False
        self._led = self._process.pid
        self._identity = proc.identity(self._process.pid)
        self._lease.add(self.what, self._process.pid)

    @property
    def pid(self) -> int | None:
        """Of the process that lives now; None if none does."""
        if self._process is None or self._process.returncode is not None:
            return None
        return self._process.pid

    def state(self) -> ProcessState:
        """What the kernel says of it."""
        if self._process is None or self._process.returncode is not None:
            return ProcessState.DEAD
        letter = proc.letter(self._process.pid)
        if letter is None:
            return ProcessState.DEAD
        return ProcessState.PAUSED if letter in "Tt" else ProcessState.RUNNING

    def death(self) -> str | None:
        """How it ended, if it did so by itself; said once, and as soon as `state` says DEAD.

        The event loop may hear later how: told only then, it would count against the next process.
        """
        if self._process is None or self._ended_by_us or self.state() is not ProcessState.DEAD:
            return None
        self._ended_by_us = True
        self._lease.remove(self._process.pid)
        code = self._process.returncode
        if code is None:
            code = _exit_code(self._process.pid)
        if code is None:
            return "its exit status is not known yet"
        return f"exit status {code}" if code >= 0 else f"signal {-code}"

    async def kill(self) -> None:
        """SIGKILL, and wait until it is gone, with all that it started."""
        self._signal(signal.SIGKILL)
        await self._gone(_KILL_S)

    def pause(self) -> None:
        """SIGSTOP."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL if it does not listen; also when it is paused or dead already."""
        if self._process is None:
            return
        if self.state() is not ProcessState.DEAD:
            self._signal(signal.SIGTERM)
            self._signal(signal.SIGCONT)
            try:
                await self._gone(_GRACE_S)
            except WorldError:
                await self.kill()
        else:
            await self._gone(_KILL_S)

    def failure(self, message: str) -> WorldError:
        """An error about it that quotes the end of its log."""
        return WorldError(message, node=self.what, detail=tail(self._log))

    def _signal(self, number: signal.Signals) -> None:
        """To that very process and all that it started; to nobody if it is gone."""
        if self._identity is None or not proc.alive(self._identity):
            return
        self._ended_by_us = self._ended_by_us or number in (signal.SIGKILL, signal.SIGTERM)
        with suppress(ProcessLookupError):
            os.killpg(self._identity.pid, number)

    async def _gone(self, timeout_s: float) -> None:
        if self._process is None:
            return
        try:
            async with asyncio.timeout(timeout_s):
                await self._process.wait()
        except TimeoutError:
            raise self.failure(f"still runs {timeout_s:g} s after it was told to end") from None
        self._lease.remove(self._process.pid)
        await self._end_rest()

    async def _end_rest(self) -> None:
        """End what it started and left behind. Raises WorldError.

        Its number may be somebody else's by now: only who carries the mark of the run is ended.
        """
        if self._led is None:
            return
        try:
            await asyncio.to_thread(proc.end_marked, self._lease.mark, self._led)
        except OSError as error:
            raise WorldError(str(error), node=self.what) from error
        self._led = None


def _exit_code(pid: int) -> int | None:
    """Of a child that is dead and was not waited for, which it stays; minus the signal's number."""
    try:
        found = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None  # The loop has waited for it, and not told yet.
    if found is None:
        return None
    return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status


def tail(log: Path) -> str:
    """The last lines of a log, as they are."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return "(it wrote no log)"
    return "\n".join(lines[-TAIL_LINES:]) or "(its log is empty)"
