"""Members as processes on this machine, every link between them through a proxy."""

import asyncio
import random
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from ..agent import files
from ..conduct.feed import Feed
from ..conduct.triggers import Snapshot
from ..errors import WorldError
from ..rundir import RunDir
from ..running.leases import Lease
from ..running.together import together
from ..system import Connection, Place, Setup, Site, System
from . import permissions
from .crashes import CRASHED, CrashLoops
from .faults import Crashes, CrashState, CutFile
from .links import Links, Probes
from .orders import LOOPBACK
from .processes import Daemon
from .proxies import LinkProxy
from .ready import answers
from .target import Capability, ProcessState

READY_S = 15.0
"""How long a member may take from its start to its first answer."""


class LocalCluster:
    """A group on loopback.

    Ports are the system's choice. One bound socket a member that never listens keeps its port ours
    while the member is dead: the member binds the same port beside it (SO_REUSEPORT).
    """

    def __init__(self, setup: Setup, system: System, run: RunDir, lease: Lease) -> None:
        self._setup = setup
        self._system = system
        self._run = run
        self._lease = lease
        self._reserved: list[socket.socket] = []
        self._sites: dict[str, Site] = {}
        self._daemons: dict[str, Daemon] = {}
        self._proxy: LinkProxy | None = None
        self._locked: set[str] = set()
        self._feed = Feed(setup.members, self._trace, self._is_alive)
        self._loops = CrashLoops(self._kill, self._start)

    @property
    def members(self) -> tuple[str, ...]:
        return self._setup.members

    async def up(self) -> None:
        for alias in self.members:
            reserved = _reserve()
            self._reserved.append(reserved)
            self._sites[alias] = Site(alias, LOOPBACK, reserved.getsockname()[1])
        self._proxy = LinkProxy(self._sites, self._run.proxy_log, self._lease)
        await self._proxy.up()
        for alias in self.members:
            self._daemons[alias] = self._daemon(alias, self._proxy)
        await together(*(self._first_start(alias) for alias in self.members))
        await self._proxy.ready()

    async def down(self) -> None:
        looped = await asyncio.gather(self._loops.close(), return_exceptions=True)
        stops = [daemon.stop() for daemon in self._daemons.values()]
        if self._proxy is not None:
            stops.append(self._proxy.down())
        ended = await asyncio.gather(*stops, return_exceptions=True)
        failed = [error for error in (*looped, *ended) if error is not None]
        for reserved in self._reserved:
            reserved.close()
        for alias in sorted(self._locked):
            await self.set_writable(alias, True)
        if failed:
            raise failed[0]

    async def set_links(self, links: Links) -> None:
        assert self._proxy is not None
        await self._proxy.set(links)

    async def probe(self, links: Links) -> Probes:
        assert self._proxy is not None
        return await self._proxy.probe(links)

    async def set_crashes(self, crashes: Crashes) -> None:
        for alias in await self._loops.set(crashes):
            await self._answers(alias)

    def crash_states(self) -> Mapping[str, CrashState]:
        return self._loops.states()

    async def set_process(self, alias: str, state: ProcessState) -> None:
        await self._loops.end(alias)
        daemon = self._daemons[alias]
        before = daemon.state()
        match state:
            case ProcessState.DEAD:
                await daemon.kill()
            case ProcessState.PAUSED:
                daemon.pause()
                await self._until(alias, ProcessState.PAUSED)
            case ProcessState.RUNNING if before is ProcessState.PAUSED:
                daemon.resume()
                await self._until(alias, ProcessState.RUNNING)
            case ProcessState.RUNNING if before is ProcessState.DEAD:
                await daemon.start(is_subject=True)
                await self._answers(alias)

    async def lose_task_data(self, alias: str) -> int:
        folders = self._system.task_data(self._run.node(alias))
        files = [file for folder in folders if folder.is_dir() for file in folder.iterdir()]
        for file in files:
            file.unlink()
        return len(files)

    async def cut_tail(self, alias: str, of: str | None, size: int | None) -> CutFile | None:
        folders = [str(folder) for folder in self._files(alias, of)]
        was_running = self.process_state(alias) is ProcessState.RUNNING
        if was_running:
            await self.set_process(alias, ProcessState.PAUSED)
        try:
            said = files.cut_tail(folders, random.random(), size)
        finally:
            if was_running:
                await self.set_process(alias, ProcessState.RUNNING)
        return None if said is None else msgspec.convert(said, CutFile)

    async def set_writable(self, alias: str, writable: bool, of: str | None = None) -> None:
        (permissions.unlock if writable else permissions.lock)(self._files(alias, of))
        (self._locked.discard if writable else self._locked.add)(alias)

    async def is_writable(self, alias: str, of: str | None = None) -> bool:
        return not permissions.is_locked(self._files(alias, of))

    def process_state(self, alias: str) -> ProcessState:
        return self._daemons[alias].state()

    def deaths(self) -> list[tuple[str, str]]:
        if self._proxy is not None:
            self._proxy.check()
        found = [
            (alias, how)
            for alias, daemon in self._daemons.items()
            if (how := daemon.death()) is not None
        ]
        return [*found, *self._loops.deaths()]

    def states(self) -> Sequence[Snapshot]:
        return self._feed.advance()

    async def open(self, alias: str, timeout_s: float) -> Connection | None:
        return await self._system.open(self._sites[alias], timeout_s)

    def roam(self, name: str) -> Connection:
        return self._system.roam(self._setup, list(self._sites.values()), name)

    async def _kill(self, alias: str) -> str:
        daemon = self._daemons[alias]
        if daemon.state() is ProcessState.DEAD:
            return daemon.death() or ""
        await daemon.kill()
        return CRASHED

    async def _start(self, alias: str) -> None:
        await self._daemons[alias].start(is_subject=True)

    def _trace(self, alias: str, start: int) -> bytes | None:
        """What a member's trace holds from a byte on."""
        path = self._run.node_trace(alias)
        size = path.stat().st_size if path.exists() else 0
        if size <= start:
            return b"" if size == start else None
        with path.open("rb") as stream:
            stream.seek(start)
            return stream.read()

    def _files(self, alias: str, of: str | None) -> list[Path]:
        folders = self._system.bulk(self._run.node(alias))
        return [folder for folder in folders if of in (None, folder.name)]

    def _is_alive(self, alias: str) -> bool:
        return alias in self._daemons and self.process_state(alias) is not ProcessState.DEAD

    def _daemon(self, alias: str, proxy: LinkProxy) -> Daemon:
        home = self._run.node(alias)
        for name, text in self._system.files(self._setup, alias, self._sites, home).items():
            file = home / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        place = Place(home, sys.executable, is_reserved=True)
        command = self._system.command(self._setup, alias, place, self._sites, proxy.dials(alias))
        return Daemon(alias, command, log=self._run.node_log(alias), lease=self._lease)

    async def _first_start(self, alias: str) -> None:
        daemon = self._daemons[alias]
        await daemon.start(is_subject=True)
        if not await self._answers(alias):
            if daemon.state() is ProcessState.DEAD:
                raise daemon.failure(f"ended right after its start ({daemon.death()})")
            raise daemon.failure(f"does not answer {READY_S:g} s after its start")

    async def _answers(self, alias: str) -> bool:
        return await answers(
            lambda timeout_s: self.open(alias, timeout_s),
            lambda: self.process_state(alias) is ProcessState.DEAD,
            READY_S,
        )

    async def _until(self, alias: str, wanted: ProcessState) -> None:
        """Wait for the kernel to have done what it was told: a matter of microseconds."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + 1.0
        while self.process_state(alias) is not wanted:
            if loop.time() > deadline:
                raise WorldError(f"is not {wanted} one second after its signal", node=alias)
            await asyncio.sleep(0.001)


def _reserve() -> socket.socket:
    reserved = socket.socket()
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    reserved.bind((LOOPBACK, 0))
    return reserved


class Local:
    """The target `local`."""

    name = "local"
    reasons: Mapping[Capability, str] = {
        **dict.fromkeys(
            (Capability.CPU, Capability.MEMORY),
            "members are limited by control groups, on hosts: --on lab",
        ),
        **dict.fromkeys(
            (Capability.POWER_CUT, Capability.DISK, Capability.CLOCK, Capability.RESET),
            "done to members on hosts, --on lab, and in simulated worlds, --on sim",
        ),
        **dict.fromkeys(
            (Capability.MESSAGE_ORDER, Capability.NAME_LOSS),
            "done in simulated worlds alone: --on sim",
        ),
        Capability.PACKETS: "between hosts alone packets can be got at: --on lab",
    }
    inventory_digest: str | None = None
    capabilities = frozenset(
        {
            Capability.CUT,
            Capability.DELAY,
            Capability.RATE,
            Capability.KILL,
            Capability.PAUSE,
            Capability.FILES,
            Capability.PERMISSIONS,
        }
    )

    def cluster(self, setup: Setup, system: System, run: RunDir, lease: Lease) -> LocalCluster:
        return LocalCluster(setup, system, run, lease)


LOCAL = Local()
