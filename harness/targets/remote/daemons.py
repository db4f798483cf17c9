"""Members' processes on hosts: what their agents are told to do with them, and what they tell."""

import asyncio
import base64
from collections.abc import Sequence
from typing import Any

from ...errors import WorldError
from ..processes import TAIL_LINES
from ..target import ProcessState
from .fleet import Station
from .locks import POWERLESS

_GRACE_S = 3.0
"""How long a process may take to end after SIGTERM."""

_SIGNAL_S = 2.0
_LOOK_AGAIN_S = 0.005
_TAIL_BYTES = 8192


class RemoteDaemon:
    """One long-lived process on a host, started again and again with the same arguments."""

    def __init__(self, alias: str, station: Station, command: Sequence[str], home: str) -> None:
        self.alias = alias
        self.station = station
        self.home = home
        self._command = list(command)
        # Logs of hosts in several time zones are read side by side.
        self.environment = {"TZ": "UTC"}
        self.is_subject = False
        """Whether permissions of files are to mean something to it, from its next start on."""
        self._state = ProcessState.DEAD
        self.pid = 0
        self._ended_by_us = True
        self._death: str | None = None
        self._last = 0, 0
        """Which process the agent said last that it had ended, and its exit code."""

    @property
    def log(self) -> str:
        return f"{self.home}/log.txt"

    @property
    def state(self) -> ProcessState:
        """As the agent saw it when it last told."""
        return self._state

    async def start(self) -> None:
        """Start it; its output is appended to its log. Raises WorldError."""
        assert self._state is ProcessState.DEAD
        entry = self.station.entry
        user = entry.user if self.station.is_sudo else None
        said = await self.station.agent.call(
            "spawn",
            name=self.alias,
            words=[*(POWERLESS if self.is_subject else ()), *self._command],
            env=self.environment,
            cwd=self.home,
            log=self.log,
            user=user,
        )
        # Until now news could only be of the process before.
        self.pid, self._state, self._ended_by_us = said["pid"], ProcessState.RUNNING, False
        pid, code = self._last
        self.ended(pid, code)

    async def kill(self) -> None:
        """SIGKILL, and wait until it is gone, with all that it started."""
        self._ended_by_us = True
        await self._signal("KILL")

    async def pause(self) -> None:
        """SIGSTOP, until `resume`: or until the agent is left alone, which undoes everything."""
        await self._signal("STOP")
        await self._until(ProcessState.PAUSED)

    async def resume(self) -> None:
        """SIGCONT."""
        await self._signal("CONT")
        await self._until(ProcessState.RUNNING)

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL if it does not listen; also when it is paused or dead already."""
        if self._state is ProcessState.DEAD:
            return
        self._ended_by_us = True
        await self._signal("TERM")
        await self._signal("CONT")
        deadline = _now() + _GRACE_S
        while await self._look() is not ProcessState.DEAD:
            if _now() > deadline:
                await self.kill()
                return
            await asyncio.sleep(_LOOK_AGAIN_S)

    def ended(self, pid: int, code: int) -> None:
        """The agent says that a process of this name has ended."""
        self._last = pid, code
        if pid != self.pid or self._state is ProcessState.DEAD:
            return
        self._state = ProcessState.DEAD
        if not self._ended_by_us:
            self._ended_by_us = True
            self._death = f"exit status {code}" if code >= 0 else f"signal {-code}"

    def death(self) -> str | None:
        """How it ended, if it did so by itself; said once."""
        death, self._death = self._death, None
        return death

    async def failure(self, message: str) -> WorldError:
        """An error about it that quotes the end of its log."""
        detail = await self._tail()
        return WorldError(message, node=f"{self.alias} on {self.station.name}", detail=detail)

    async def _tail(self) -> str:
        asked: dict[str, Any] = {"path": self.log}
        said = await self.station.agent.call("read", **asked)
        if said["size"] is None:
            return "(it wrote no log)"
        if said["size"] > _TAIL_BYTES:
            asked["offset"] = said["size"] - _TAIL_BYTES
            said = await self.station.agent.call("read", **asked)
        lines = base64.b64decode(said["data"]).decode(errors="replace").splitlines()
        return "\n".join(lines[-TAIL_LINES:]) or "(its log is empty)"

    async def _signal(self, name: str) -> None:
        self._take(await self.station.agent.call("signal", name=self.alias, signal=name))

    async def _look(self) -> ProcessState:
        self._take(await self.station.agent.call("state", name=self.alias))
        return self._state

    def _take(self, said: dict[str, Any]) -> None:
        state = ProcessState(said["state"])
        if state is ProcessState.DEAD:
            self.ended(said["pid"], said["code"])
        elif said["pid"] == self.pid:
            self._state = state

    async def _until(self, wanted: ProcessState) -> None:
        """Wait for the kernel to have done what it was told, or for the process to be gone."""
        deadline = _now() + _SIGNAL_S
        while self._state not in (wanted, ProcessState.DEAD):
            if _now() > deadline:
                raise await self.failure(f"is not {wanted} {_SIGNAL_S:g} s after its signal")
            await asyncio.sleep(_LOOK_AGAIN_S)
            await self._look()


def _now() -> float:
    return asyncio.get_running_loop().time()
