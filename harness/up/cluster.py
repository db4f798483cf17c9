"""A cluster's processes on this host, from their start until somebody wants them to end."""

import asyncio
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from ...impl.site import Site
from ...impl.users import ADMIN
from ..errors import WorldError
from ..running import signals
from ..running.leases import Lease
from ..running.together import together
from ..targets.processes import Daemon
from ..targets.target import ProcessState
from .directory import Directory
from .follow import Follower
from .leaders import Leader, Leaders

READY_S = 15.0
"""How long a node may take from its start to its first answer."""

_LOOK_S = 0.2
"""How often processes, leaders and logs are looked at."""

_AGAIN_S = 1.0
"""How long a node that died stays dead with --restart: it may die again at once."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user wants besides a running cluster."""

    restart: bool
    follow: bool


@dataclass(frozen=True, slots=True)
class Teller:
    """Who is told. `ready` comes once: all nodes of this host answer, and all groups have leaders.

    A group with too few members on this host is not waited for, nor one that tells us nothing.
    """

    say: Callable[[str], None]
    line: Callable[[str], None]
    started: Callable[[dict[str, int]], None]
    ready: Callable[[dict[str, int], dict[int, Leader | None]], None]


class Cluster:
    """`run` it once. Whatever ends it, no process of it is left."""

    def __init__(
        self,
        directory: Directory,
        ours: Sequence[Site],
        lease: Lease,
        wishes: Wishes,
        teller: Teller,
    ) -> None:
        self._directory = directory
        self._wishes = wishes
        self._teller = teller
        self._daemons = {
            site.alias: Daemon(
                site.alias,
                _command(directory, site.alias),
                log=directory.log(site.alias),
                lease=lease,
            )
            for site in ours
        }
        self._waiting = {
            group
            for group, members in directory.groups.items()
            if 2 * sum(alias in self._daemons for alias in members) > len(members)
        }
        self._leaders = Leaders(directory.nodes, directory.groups)
        self._known: dict[int, Leader | None] = dict.fromkeys(directory.groups)
        self._unseen: set[int] = set()
        self._dead_since: dict[str, float] = {}
        self._is_ready = False

    async def run(self) -> str:
        """Run until a signal; gives its name. Raises WorldError if no node is left."""
        told: asyncio.Queue[str] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        numbers = signals.ending()
        for number in numbers:
            loop.add_signal_handler(number, told.put_nowait, number.name)
        life = asyncio.create_task(self._live())
        ear = asyncio.create_task(told.get())
        try:
            await asyncio.wait((life, ear), return_when=asyncio.FIRST_COMPLETED)
            if ear.done():
                return ear.result()
            await life
            raise AssertionError("a cluster does not end by itself")
        finally:
            for task in (life, ear):
                task.cancel()
            await asyncio.wait((life, ear))
            self._leaders.close()
            await self._stop()
            for number in numbers:
                loop.remove_signal_handler(number)

    async def _live(self) -> None:
        for alias in self._daemons:
            self._directory.prepare(alias)
        logs = {alias: self._directory.log(alias) for alias in self._daemons}
        follower = Follower(logs) if self._wishes.follow else None
        await together(*(self._first_start(alias) for alias in self._daemons))
        self._teller.started(self._pids())
        while True:
            await self._look_at_processes()
            await self._look_at_leaders()
            for line in follower.news() if follower else ():
                self._teller.line(line)
            await asyncio.sleep(_LOOK_S)

    async def _stop(self) -> None:
        stops = (daemon.stop() for daemon in self._daemons.values())
        failed = [e for e in await asyncio.gather(*stops, return_exceptions=True) if e is not None]
        if failed:
            raise failed[0]

    async def _first_start(self, alias: str) -> None:
        daemon = self._daemons[alias]
        await daemon.start()
        with suppress(TimeoutError):
            async with asyncio.timeout(READY_S):
                while daemon.state() is not ProcessState.DEAD:
                    if await self._leaders.reaches(alias):
                        return
                    await asyncio.sleep(_LOOK_S)
        if daemon.state() is ProcessState.DEAD:
            # The kernel may know of it a moment before the event loop does.
            await daemon.stop()
            raise daemon.failure(f"ended right after its start ({daemon.death()})")
        raise daemon.failure(f"does not answer {READY_S:g} s after its start")

    async def _look_at_processes(self) -> None:
        now = asyncio.get_running_loop().time()
        for alias, daemon in self._daemons.items():
            death = daemon.death()
            if death is not None:
                self._dead_since[alias] = now
                hint = "" if self._wishes.restart else f"; its log: {self._directory.log(alias)}"
                self._teller.say(f"{alias} died ({death}){hint}")
            elif self._wishes.restart and now - self._dead_since.get(alias, now) >= _AGAIN_S:
                del self._dead_since[alias]
                await daemon.start()
                self._teller.say(f"{alias} is started again (pid {daemon.pid})")
        if len(self._dead_since) == len(self._daemons) and not self._wishes.restart:
            raise WorldError("all nodes of this host have died; see their logs")

    async def _look_at_leaders(self) -> None:
        leaders = await self._leaders.ask()
        for group, leader in leaders.items():
            before = self._known[group]
            if leader != before:
                self._known[group] = leader
                self._teller.say(_change(group, leader))
        unseen = self._leaders.unseen
        for group in sorted(unseen - self._unseen):
            self._teller.say(
                f"group {group}: who leads is not seen: its members do not let {ADMIN} in "
                "with the initialAdminPassword"
            )
        self._unseen = unseen
        if not self._is_ready and all(self._known[g] for g in self._waiting - unseen):
            self._is_ready = True
            self._teller.ready(self._pids(), dict(self._known))

    def _pids(self) -> dict[str, int]:
        """Of the nodes that live."""
        found = {alias: daemon.pid for alias, daemon in self._daemons.items()}
        return {alias: pid for alias, pid in found.items() if pid is not None}


def _change(group: int, leader: Leader | None) -> str:
    if leader is None:
        return f"group {group}: no leader"
    return f"group {group}: {leader.alias} leads (term {leader.term})"


def _command(directory: Directory, alias: str) -> list[str]:
    home = str(directory.home(alias))
    return [sys.executable, "-m", "delphic.impl.node", "--home", home, "--alias", alias]
