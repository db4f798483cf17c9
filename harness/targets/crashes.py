"""Members that crash again and again: killed so long after each start, and started anew."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from .faults import Crashes, CrashState

CRASHED = "killed by a crash loop"
"""How such a member ended, in the words of `deaths`."""


@dataclass(slots=True)
class _Loop:
    every_s: float
    count: int = 0
    between: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held from a member's death to its next start."""
    task: asyncio.Task[None] | None = None


class CrashLoops:
    """One loop for each member that crashes. To be closed before members end for good."""

    def __init__(
        self, kill: Callable[[str], Awaitable[str]], start: Callable[[str], Awaitable[None]]
    ) -> None:
        """`kill` ends a member and says `CRASHED`; or how it had ended, if nobody knows yet.

        `start` does not wait until the member answers.
        """
        self._kill = kill
        self._start = start
        self._asked: Crashes = {}
        self._loops: dict[str, _Loop] = {}
        self._over: dict[str, int] = {}
        self._deaths: list[tuple[str, str]] = []

    async def set(self, crashes: Crashes) -> list[str]:
        """The whole value, at once; each that is new has crashed when this returns.

        Gives those that crashed until now, and do not any more.
        """
        begin = sorted(a for a, every_s in crashes.items() if self._asked.get(a) != every_s)
        over = [a for a, loop in self._loops.items() if crashes.get(a) != loop.every_s]
        self._asked = dict(crashes)
        for alias in over:
            await self.end(alias)
        for alias in begin:
            self._loops[alias] = loop = _Loop(crashes[alias])
            await self._crash(alias, loop)
            loop.task = asyncio.get_running_loop().create_task(self._go_on(alias, loop))
        return [alias for alias in over if alias not in crashes]

    async def end(self, alias: str) -> None:
        """Crash it no more. It runs then, unless it has ended by itself. Raises what went wrong."""
        loop = self._loops.pop(alias, None)
        if loop is None:
            return
        self._over[alias] = loop.count
        if loop.task is not None:
            async with loop.between:
                loop.task.cancel()
            (failed,) = await asyncio.gather(loop.task, return_exceptions=True)
            if isinstance(failed, Exception):
                raise failed

    async def close(self) -> None:
        """Crash nobody any more. Raises what went wrong."""
        ends = [self.end(alias) for alias in self._loops]
        for failed in await asyncio.gather(*ends, return_exceptions=True):
            if failed is not None:
                raise failed

    def states(self) -> Mapping[str, CrashState]:
        """What is true of those that crash, or did."""
        over = {alias: CrashState(None, count) for alias, count in self._over.items()}
        return over | {a: CrashState(loop.every_s, loop.count) for a, loop in self._loops.items()}

    def deaths(self) -> list[tuple[str, str]]:
        """Who has ended since the last call, and how. Raises what went wrong meanwhile."""
        for loop in self._loops.values():
            if loop.task is not None and loop.task.done():
                loop.task.result()
        deaths, self._deaths = self._deaths, []
        return deaths

    async def _go_on(self, alias: str, loop: _Loop) -> None:
        while True:
            await asyncio.sleep(loop.every_s)
            await self._crash(alias, loop)

    async def _crash(self, alias: str, loop: _Loop) -> None:
        async with loop.between:
            how = await self._kill(alias)
            loop.count += how == CRASHED
            if how:
                self._deaths.append((alias, how))
            await self._start(alias)
