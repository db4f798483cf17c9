"""How much of a processor and of memory members on hosts get."""

from collections.abc import Collection, Mapping
from typing import Any

from ...running.together import together
from ..faults import MemoryState, Shares, Spares
from ..target import Capability
from .daemons import RemoteDaemon
from .fleet import Station


class Pressure:
    """What members are limited to. Agents take the limits of all processes of a host at once."""

    def __init__(self, daemons: Mapping[str, RemoteDaemon]) -> None:
        """`daemons`: all members, as soon as they are known."""
        self._daemons = daemons
        self._shares: Shares = {}
        self._spares: Spares = {}
        self._limits: Mapping[str, int] = {}

    async def furnish(self, daemon: RemoteDaemon, needs: Collection[Capability]) -> None:
        """Let all count that a member takes which has not begun, if its faults need that."""
        if Capability.MEMORY in needs:
            await daemon.station.agent.call("memory-make", name=daemon.alias)

    async def set_shares(self, shares: Shares) -> None:
        self._shares = dict(shares)
        await self._tell()

    async def shares(self) -> Shares:
        found = {}
        for station in self._stations:
            for limit in await station.agent.call("limits"):
                if limit["what"] == "cpu" and limit["processes"]:
                    found[limit["name"]] = limit["limit"]
        return found

    async def set_spares(self, spares: Spares) -> None:
        """What a member has now is looked up when its spare is another one than before."""
        has = await self.memory()
        self._limits = {
            alias: self._limits[alias]
            if self._spares.get(alias) == spare
            else has[alias].used + spare
            for alias, spare in spares.items()
        }
        self._spares = dict(spares)
        await self._tell()

    async def memory(self) -> dict[str, MemoryState]:
        found: dict[str, MemoryState] = {}
        for station in self._stations:
            said: dict[str, Any] = await station.agent.call("memory")
            found |= {alias: MemoryState(**state) for alias, state in said.items()}
        return found

    @property
    def _stations(self) -> list[Station]:
        return list({id(d.station): d.station for d in self._daemons.values()}.values())

    async def _tell(self) -> None:
        async def tell(station: Station) -> None:
            here = [alias for alias, daemon in self._daemons.items() if daemon.station is station]
            cpu = {alias: self._shares[alias] for alias in here if alias in self._shares}
            memory = {alias: self._limits[alias] for alias in here if alias in self._limits}
            await station.agent.call("pressure", cpu=cpu, memory=memory)

        await together(*(tell(station) for station in self._stations))
