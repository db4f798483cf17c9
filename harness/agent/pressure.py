"""Too little processor or memory: for single processes by control groups, for all by busy ones."""

import asyncio
import os
import sys
import uuid
from collections.abc import Mapping
from typing import Any

from . import cgroup, groups, tool
from .cgroup import Group
from .proc import alive, session
from .processes import recorded
from .run import MARK, Refused, Run

_CPUS_MIN, _CPUS_MAX = 0.01, 1024.0
_MEMORY_MIN = 1 << 20
_BUSY_MAX = 64

_BUSY = "while True: pass"

Limits = Mapping[str, float]


class Pressure:
    """What processes of the run may use, and what keeps the processors busy beside them."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._groups: dict[tuple[str, str], Group] = {}
        self._busy: list[asyncio.subprocess.Process] = []
        run.endings.append(lambda: self._compute(0))
        run.starts.append(self._started)

    def verbs(self) -> Mapping[str, Any]:
        return {
            "pressure": self.pressure,
            "limits": self.limits,
            "memory-make": self.make,
            "memory": self.memory,
        }

    async def make(self, name: str) -> None:
        """Let all memory count that a process takes which is yet to be started."""
        if ("memory", name) not in self._groups:
            self._groups["memory", name] = Group(self._run, "memory", name)

    async def pressure(
        self, cpu: Limits | None = None, memory: Limits | None = None, busy: int = 0
    ) -> None:
        """Make it so, the whole value at once: by process, so many processors, so many bytes.

        `busy`: so many processes that do nothing but compute. A process that needs more memory than
        it may have is killed by the kernel. What it has already counts for nothing, unless
        there was a `memory-make` before it began. One that is started anew is limited, too.
        """
        if not 0 <= busy <= _BUSY_MAX:
            raise Refused(f"busy is from 0 to {_BUSY_MAX}")
        wanted = {("cpu", name): share for name, share in (cpu or {}).items()}
        wanted |= {("memory", name): size for name, size in (memory or {}).items()}
        for (what, name), limit in wanted.items():
            low, high = (_CPUS_MIN, _CPUS_MAX) if what == "cpu" else (_MEMORY_MIN, 1 << 50)
            if not low <= limit <= high:
                raise Refused(f"{name}: {what} is from {low:g} to {high:g}, not {limit}")
        for key in self._groups.keys() - wanted.keys():
            self._groups[key].limit(cgroup.UNLIMITED)
        for (what, name), limit in wanted.items():
            self._limit(what, name, limit)
        await self._compute(busy)

    async def limits(self) -> list[dict[str, object]]:
        """The limits of processes as the kernel has them, where there are any."""
        found = []
        for (what, name), group in sorted(self._groups.items()):
            limit, count = group.seen()
            if limit is not None:
                found.append({"name": name, "what": what, "limit": limit, "processes": count})
        return found

    async def memory(self) -> dict[str, dict[str, object]]:
        """What processes have that count, what they may have, and how often one was too much."""
        found: dict[str, dict[str, object]] = {}
        for (what, name), group in sorted(self._groups.items()):
            if what == "memory":
                limit, count = group.seen()
                found[name] = {
                    "limit": None if limit is None else int(limit),
                    "used": group.used(),
                    "processes": count,
                    "killed": group.killed(),
                }
        return found

    def _limit(self, what: str, name: str, limit: float) -> None:
        processes = recorded(self._run.folder)
        if name not in processes:
            raise Refused(f"nothing called {name} was started here")
        if (what, name) not in self._groups:
            self._groups[what, name] = Group(self._run, what, name)
        group = self._groups[what, name]
        group.limit(limit)
        if alive(processes[name]):
            group.take(session(processes[name].pid))

    def _started(self, name: str, pid: int) -> None:
        for (_, limited), group in self._groups.items():
            if limited == name:
                group.take([pid])

    async def _compute(self, count: int) -> None:
        while len(self._busy) > count:
            await tool.end(self._busy.pop())
        while len(self._busy) < count:
            own = f"{MARK}_BUSY={uuid.uuid4().hex}"
            self._run.log.add("marked", mark=own)
            self._busy.append(
                await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-c",
                    _BUSY,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=asyncio.subprocess.DEVNULL,
                    env={**os.environ, **dict([own.split("=", 1)])},
                    start_new_session=True,
                )
            )


def probe() -> dict[str, str | None]:
    """Why processors and memory cannot be limited here; None where they can."""
    return {f"{what}-pressure": groups.why_not(what) for what in ("cpu", "memory")}
