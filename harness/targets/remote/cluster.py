"""Members as processes on hosts, each at an address of its own."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from ...agent import proc
from ...conduct.feed import Feed
from ...conduct.triggers import Snapshot
from ...errors import DelphicError, WorldError
from ...hosts.inventory import Inventory
from ...rundir import RunDir
from ...running.leases import Lease
from ...running.together import together
from ...system import Connection, Place, Setup, Site, System
from ..crashes import CRASHED, CrashLoops
from ..faults import (
    ClockState,
    Crashes,
    CrashState,
    CutFile,
    DiskState,
    MemoryState,
    PacketProbe,
    Packets,
    Shares,
    Spares,
)
from ..links import Links, Pair, Probes
from ..ready import answers
from ..target import Capability, ProcessState, TraceClock
from . import disks, locks
from .daemons import RemoteDaemon
from .fleet import Fleet, Station, all_of, failures
from .home import bring_home
from .placement import placed, resolved
from .pressure import Pressure
from .tails import Tails
from .wires import Wires

READY_S = 30.0
"""How long a member may take from its start to its first answer."""

PORT = 8848
"""Where members listen, or at the next port that is free at their address."""


_FREE = """
import socket, sys
for address in sys.argv[2:]:
    for port in range(int(sys.argv[1]), 65536):
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                one.bind((address, port))
            except OSError as error:
                if error.errno == 98:
                    continue
                sys.exit(f"{address} is not this host's: {error.strerror}")
        print(port)
        break
"""
"""Ports below those that the system gives to whoever asks for any."""


_HURRIED = "not all that members wrote has come home: delphic heal HOSTS.yaml --home brings it"


class RemoteCluster:
    """A group on hosts. An agent on each of them does what is done there."""

    def __init__(
        self,
        setup: Setup,
        system: System,
        run: RunDir,
        lease: Lease,
        inventory: Inventory,
    ) -> None:
        """Raises UsageError where hosts have no room for all."""
        self._setup = setup
        self._system = system
        self._run = run
        self._spots = placed(setup.members, inventory.hosts)
        used = {spot.host for spot in self._spots.values()}
        hosts = tuple(entry for entry in inventory.hosts if entry.name in used)
        name = f"{run.path.name}-{lease.name[:8]}"
        self.fleet = Fleet(replace(inventory, hosts=hosts), name)
        self._sites: dict[str, Site] = {}
        self._daemons: dict[str, RemoteDaemon] = {}
        self._wires: Wires | None = None
        self._tails = Tails({})
        self._feed = Feed(setup.members, self._trace, self._is_alive)
        self._began = datetime.now(UTC)
        self._needs: frozenset[Capability] = frozenset()
        self._locked: set[str] = set()
        self._conditions = disks.Conditions()
        self._pressure = Pressure(self._daemons)
        self._loops = CrashLoops(self._kill, self._start)
        self._homing: asyncio.Future[list[DelphicError]] | None = None
        self._is_hurried = False

    @property
    def members(self) -> tuple[str, ...]:
        return self._setup.members

    def furnish(self, needs: Collection[Capability]) -> None:
        self._needs = frozenset(needs)

    async def up(self) -> None:
        self._spots = await asyncio.to_thread(resolved, self._spots)
        await self.fleet.up()
        self._began = datetime.now(UTC)
        await together(*(self._choose_ports(station) for station in self.fleet.stations.values()))
        for alias in self.members:
            self._daemons[alias] = self._daemon(alias)
        self._wires = Wires(self.fleet, self._spots)
        self._tails = Tails(
            {a: (d.station, f"{d.home}/trace.jsonl") for a, d in self._daemons.items()}
        )
        await together(*(self._first_start(alias) for alias in self.members))
        await self._wires.learn()

    async def down(self) -> None:
        """Raises one WorldError for all that went wrong; what could be brought home has been."""
        await self._tails.close()
        looped = await asyncio.gather(self._loops.close(), return_exceptions=True)
        _, errors = await self.fleet.each(self._stop_all)
        errors += failures(looped)
        errors += await self._bring_home()
        errors += await self.fleet.down()
        failed = all_of(errors)
        if failed is not None:
            raise failed

    def hurry(self) -> None:
        self._is_hurried = True
        if self._homing is not None:
            self._homing.cancel()

    async def _bring_home(self) -> list[DelphicError]:
        """What is missing of what hosts have to tell."""
        for station in self.fleet.stations.values():
            station.is_kept = True
        coming = bring_home(self.fleet, self._daemons, self._sites, self._run, self._began)
        self._homing = asyncio.ensure_future(coming)
        if self._is_hurried:
            self._homing.cancel()
        try:
            return await self._homing
        except asyncio.CancelledError:
            if not self._is_hurried:
                raise
            return [WorldError(_HURRIED)]

    async def set_links(self, links: Links) -> None:
        assert self._wires is not None
        await self._wires.set(links)

    async def probe(self, links: Links) -> Probes:
        assert self._wires is not None
        return await self._wires.probe(links)

    async def set_packets(self, packets: Packets) -> None:
        assert self._wires is not None
        await self._wires.set_packets(packets)

    async def probe_packets(self, packets: Packets) -> Mapping[Pair, PacketProbe]:
        assert self._wires is not None
        return await self._wires.probe_packets(packets)

    async def reset_links(self, pairs: Collection[Pair]) -> int:
        assert self._wires is not None
        return await self._wires.reset(pairs)

    async def set_shares(self, shares: Shares) -> None:
        await self._pressure.set_shares(shares)

    async def shares(self) -> Shares:
        return await self._pressure.shares()

    async def set_spares(self, spares: Spares) -> None:
        await self._pressure.set_spares(spares)

    async def memory(self) -> Mapping[str, MemoryState]:
        return await self._pressure.memory()

    async def set_crashes(self, crashes: Crashes) -> None:
        over = await self._loops.set(crashes)
        await asyncio.gather(*(self._answers(alias) for alias in over))

    def crash_states(self) -> Mapping[str, CrashState]:
        return self._loops.states()

    async def set_process(self, alias: str, state: ProcessState) -> None:
        await self._loops.end(alias)
        daemon = self._daemons[alias]
        before = self.process_state(alias)
        match state:
            case ProcessState.DEAD:
                if before is not ProcessState.DEAD:
                    await daemon.kill()
            case ProcessState.PAUSED:
                await daemon.pause()
            case ProcessState.RUNNING if before is ProcessState.PAUSED:
                await daemon.resume()
            case ProcessState.RUNNING if before is ProcessState.DEAD:
                await daemon.start()
                await self._answers(alias)

    async def cut_power(
        self, aliases: Sequence[str], *, keeps_nothing: bool = False
    ) -> Mapping[str, int]:
        for alias in aliases:
            await self._loops.end(alias)
        return await self._conditions.cut_power([self._daemons[alias] for alias in aliases])

    async def set_disk(self, alias: str, state: DiskState) -> None:
        if self.disk_state(alias).read_only != state.read_only:
            await self._loops.end(alias)  # It has to wait for that, or to be dead.
        await self._conditions.set_disk(self._daemons[alias], state)

    def disk_state(self, alias: str) -> DiskState:
        return self._conditions.disk_state(alias)

    async def flip(self, alias: str, of: str | None) -> tuple[str, int] | None:
        await self._loops.end(alias)
        return await disks.flip(self._daemons[alias], self._files(self._daemons[alias], of))

    async def cut_tail(self, alias: str, of: str | None, size: int | None) -> CutFile | None:
        await self._loops.end(alias)
        daemon = self._daemons[alias]
        return await disks.cut_tail(daemon, self._files(daemon, of), size)

    async def set_clock(self, alias: str, state: ClockState) -> None:
        await self._conditions.set_clock(self._daemons[alias], state)

    def clock_state(self, alias: str) -> ClockState:
        return self._conditions.clock_state(alias)

    async def lose_task_data(self, alias: str) -> int:
        daemon = self._daemons[alias]
        count = 0
        for folder in self._system.task_data(Path(daemon.home)):
            listed = await daemon.station.agent.call("list", path=str(folder))
            for file in listed:
                count += await daemon.station.agent.call("remove", path=f"{folder}/{file['path']}")
        return count

    async def set_writable(self, alias: str, writable: bool, of: str | None = None) -> None:
        daemon = self._daemons[alias]
        await (locks.unlock if writable else locks.lock)(
            daemon.station.host, self._files(daemon, of)
        )
        (self._locked.discard if writable else self._locked.add)(alias)

    async def is_writable(self, alias: str, of: str | None = None) -> bool:
        daemon = self._daemons[alias]
        host = daemon.station.host
        if not await locks.is_locked(host, self._files(daemon, of)):
            return True
        return self._is_alive(alias) and not await locks.heeds(host, daemon.pid)

    def _files(self, daemon: RemoteDaemon, of: str | None) -> list[Path]:
        folders = self._system.bulk(Path(daemon.home))
        return [folder for folder in folders if of in (None, folder.name)]

    def process_state(self, alias: str) -> ProcessState:
        self._hear()
        return self._daemons[alias].state

    def deaths(self) -> list[tuple[str, str]]:
        self._hear()
        if self._tails.lost:
            raise self._tails.lost[0]
        found = [
            (alias, how)
            for alias, daemon in self._daemons.items()
            if (how := daemon.death()) is not None
        ]
        return [*found, *self._loops.deaths()]

    def traces_by(self) -> TraceClock:
        if Capability.CLOCK in self._needs:
            return TraceClock.SET
        boots = {station.agent.hello["boot"] for station in self.fleet.stations.values()}
        return TraceClock.OURS if boots <= {proc.boot_id()} else TraceClock.HOSTS

    def states(self) -> Sequence[Snapshot]:
        return self._feed.advance()

    async def open(self, alias: str, timeout_s: float) -> Connection | None:
        return await self._system.open(self._sites[alias], timeout_s)

    def roam(self, name: str) -> Connection:
        return self._system.roam(self._setup, list(self._sites.values()), name)

    def _hear(self) -> None:
        """Take in what agents said unasked. Raises WorldError if one is gone."""
        for station in self.fleet.stations.values():
            while not station.agent.events.empty():
                said = station.agent.events.get_nowait()
                if said["event"] == "ended":
                    self._daemons[said["name"]].ended(said["pid"], said["code"])
                if said["event"] == "failed":
                    raise station.failed(said)
            if not station.agent.alive:
                raise station.lost()

    async def _kill(self, alias: str) -> str:
        daemon = self._daemons[alias]
        if self.process_state(alias) is ProcessState.DEAD:
            return daemon.death() or ""
        await daemon.kill()
        return CRASHED

    async def _start(self, alias: str) -> None:
        await self._daemons[alias].start()

    def _trace(self, alias: str, start: int) -> bytes:
        return self._tails.read(alias, start)

    def _is_alive(self, alias: str) -> bool:
        return alias in self._daemons and self.process_state(alias) is not ProcessState.DEAD

    async def _choose_ports(self, station: Station) -> None:
        here = [alias for alias in self.members if self._spots[alias].host == station.name]
        addresses = [self._spots[alias].address for alias in here]
        words = (station.deployed.python, "-c", _FREE, str(PORT), *addresses)
        ran = await station.host.must(*words, again=True)
        for alias, port in zip(here, ran.text.split(), strict=True):
            self._sites[alias] = Site(alias, self._spots[alias].address, int(port))

    def _daemon(self, alias: str) -> RemoteDaemon:
        spot = self._spots[alias]
        station = self.fleet.stations[spot.host]
        home = f"{self.fleet.folder(spot.host)}/{alias}"
        place = Place(Path(home), station.deployed.python, source=spot.address)
        sites = {member: self._sites[member] for member in self.members}
        command = self._system.command(self._setup, alias, place, sites, {})
        daemon = RemoteDaemon(alias, station, command, home)
        daemon.is_subject = Capability.PERMISSIONS in self._needs
        return daemon

    async def _first_start(self, alias: str) -> None:
        daemon = self._daemons[alias]
        sites = {member: self._sites[member] for member in self.members}
        files = self._system.files(self._setup, alias, sites, Path(daemon.home))
        for name, text in files.items():
            await daemon.station.host.put(text.encode(), f"{daemon.home}/{name}")
        folders = self._system.bulk(Path(daemon.home))
        await self._conditions.furnish(daemon, folders, self._needs)
        await self._pressure.furnish(daemon, self._needs)
        await daemon.start()
        if not await self._answers(alias):
            if self.process_state(alias) is ProcessState.DEAD:
                raise await daemon.failure(f"ended right after its start ({daemon.death()})")
            site = self._sites[alias]
            raise await daemon.failure(
                f"does not answer at {site.host} port {site.port} {READY_S:g} s after its start"
            )

    async def _answers(self, alias: str) -> bool:
        return await answers(
            lambda timeout_s: self.open(alias, timeout_s),
            lambda: self.process_state(alias) is ProcessState.DEAD,
            READY_S,
        )

    async def _stop_all(self, station: Station) -> None:
        if not station.agent.alive:
            return  # It undid everything when it was left alone.
        here = [daemon for daemon in self._daemons.values() if daemon.station is station]
        await together(*(daemon.stop() for daemon in here))
        locked = [daemon for daemon in here if daemon.alias in self._locked]
        await together(*(self.set_writable(daemon.alias, True) for daemon in locked))
