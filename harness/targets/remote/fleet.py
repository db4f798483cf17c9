"""The hosts of a run: connected, allowed to be broken, able to run nodes, each with an agent."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from ...clocks import Steady
from ...errors import DelphicError, WorldError
from ...hosts import left, marker
from ...hosts.agent import Agent
from ...hosts.connection import Host
from ...hosts.inventory import Entry, Inventory
from ...running.together import together
from .deploy import Berth, Deployed, deploy

T = TypeVar("T")

_CLOCK_LOOKS = 5

_UNDO_S = 5.0
_ALONE_LOOK_S = 0.5

PROBE_S = 90.0
"""How long a host may take to try out what can be done to it."""


class Clock(msgspec.Struct, frozen=True):
    """How far a host's clock was ahead of ours, give or take `within_s`."""

    ahead_s: float
    within_s: float


@dataclass(slots=True)
class Station:
    """One host of a run, and who serves us there."""

    host: Host
    deployed: Deployed
    agent: Agent
    clock: Clock
    steady: Steady
    cannot: Mapping[str, str | None]
    """What its agent cannot do, and why."""
    is_gone: bool = False
    is_kept: bool = False
    """Whether something there has not come home, so that it is not to be removed."""

    @property
    def entry(self) -> Entry:
        return self.host.entry

    @property
    def name(self) -> str:
        return self.host.name

    @property
    def is_sudo(self) -> bool:
        """Whether the agent there is somebody else than nodes."""
        return self.entry.is_sudo

    def lost(self) -> WorldError:
        """The error about a host whose agent is gone."""
        return self.host.error(
            f"is lost ({self.entry.address} port {self.entry.port})", self.agent.lost or ""
        )

    def failed(self, said: Mapping[str, Any]) -> WorldError:
        """The error about a host where a fault is no longer in force, by its agent's event."""
        why = said.get("why") or f"exit code {said.get('code')}"
        return self.host.error(f"its agent's {said['what']} failed: a fault may be over", why)

    def lacks(self, what: str) -> bool:
        """Whether its agent cannot do this."""
        return self.cannot.get(what) is not None

    async def look_at_clocks(self) -> tuple[Clock, Steady]:
        """Its clock of the day and its steady one, by the look whose answer came soonest."""
        looks = [await self._look() for _ in range(_CLOCK_LOOKS)]
        return min(looks, key=lambda look: look[1].within_ns)

    async def _look(self) -> tuple[Clock, Steady]:
        day_ns, before_ns = time.time_ns(), time.monotonic_ns()
        said = await self.agent.call("hello")
        half_ns = (time.monotonic_ns() - before_ns) // 2
        ahead_s = round((said["time_ns"] - day_ns - half_ns) / 1e9, 6)
        steady = Steady(before_ns + half_ns, said["steady_ns"], half_ns)
        return Clock(ahead_s, round(half_ns / 1e9, 6)), steady


class Fleet:
    """All hosts of a run. What is up is taken down by `down`, however far `up` came."""

    def __init__(self, inventory: Inventory, run: str) -> None:
        """`run`: a name that no other run has."""
        self.run = run
        self.stations: dict[str, Station] = {}
        self._inventory = inventory
        self._hosts: dict[str, Host] = {}

    async def up(self) -> None:
        """Raises WorldError."""
        entries = self._inventory.hosts
        await together(*(self._connect(entry) for entry in entries))
        await together(*(marker.demand(host) for host in self._hosts.values()))
        deployed = await deploy([self._berth(self._hosts[entry.name]) for entry in entries])
        await together(*(self._serve(e.name, deployed[e.name]) for e in entries))
        self.stations = {entry.name: self.stations[entry.name] for entry in entries}

    async def down(self) -> list[DelphicError]:
        """Have everything undone on every host; what went wrong with it."""
        leaving = [self._leave(station) for station in self.stations.values()]
        found = await asyncio.gather(*leaving, return_exceptions=True)
        self.stations = {}
        for host in self._hosts.values():
            host.close()
        self._hosts = {}
        return failures(found)

    def folder(self, name: str) -> str:
        """This run's folder on a host."""
        return left.path(self._hosts[name], self.run)

    async def each(
        self, act: Callable[[Station], Coroutine[Any, Any, T]]
    ) -> tuple[dict[str, T], list[DelphicError]]:
        """Do it on all hosts at once: what came of it where it went well, and what failed.

        A host that has lost its agent and fails is not asked again.
        """
        names = [name for name, station in self.stations.items() if not station.is_gone]
        done = await asyncio.gather(
            *(act(self.stations[name]) for name in names), return_exceptions=True
        )
        for name, one in zip(names, done, strict=True):
            station = self.stations[name]
            station.is_gone = isinstance(one, DelphicError) and not station.agent.alive
        good = {
            name: one
            for name, one in zip(names, done, strict=True)
            if not isinstance(one, BaseException)
        }
        return good, failures(done)

    async def _connect(self, entry: Entry) -> None:
        self._hosts[entry.name] = await Host.open(entry)

    async def _serve(self, name: str, deployed: Deployed) -> None:
        host = self._hosts[name]
        await left.remove_old(host)
        # Whoever was killed a moment ago has a live agent until its lease ends.
        await self._demand_alone(host, self._inventory.lease_s + _UNDO_S)
        agent = await Agent.start(host, self.run, self._inventory.lease_s)
        self.stations[name] = station = Station(
            host, deployed, agent, Clock(0.0, 0.0), Steady(), {}
        )
        # Who finds a folder that no agent serves takes the run for dead.
        await left.make(host, self.run)
        await self._demand_alone(host, 0.0)  # Another may have begun at the same moment.
        station.cannot = await agent.call("capabilities", timeout_s=PROBE_S)
        station.clock, station.steady = await station.look_at_clocks()

    async def _demand_alone(self, host: Host, patience_s: float) -> None:
        """Faults of one run would hit the members of another. Raises WorldError."""
        until = time.monotonic() + patience_s
        while others := [run for run in await left.carried(host) if run != self.run]:
            if time.monotonic() >= until:
                raise host.error(f"carries run {others[0]}, and can carry one at a time")
            await asyncio.sleep(_ALONE_LOOK_S)

    async def _leave(self, station: Station) -> None:
        try:
            if station.is_gone:
                return
            if station.agent.alive:
                await station.agent.bye()
            if not station.is_kept:
                await left.remove(station.host, self.run)
        finally:
            await station.agent.abandon()

    def _berth(self, host: Host) -> Berth:
        entry = host.entry
        cache = f"{entry.cache_directory}/nodes"
        return Berth(host, entry.python, cache, entry.is_sudo)


def failures(found: Any) -> list[DelphicError]:
    """The errors among results; a bug is raised as it is."""
    errors = [one for one in found if isinstance(one, BaseException)]
    bugs = [error for error in errors if not isinstance(error, DelphicError)]
    if bugs:
        raise bugs[0]
    return [error for error in errors if isinstance(error, DelphicError)]


def all_of(errors: list[DelphicError]) -> DelphicError | None:
    """One error that tells of all of them."""
    if len(errors) < 2:
        return errors[0] if errors else None
    return WorldError(str(errors[0]), detail="\n".join(str(error) for error in errors[1:]))
