"""Traces of members on hosts as they grow, for steps that wait for a state."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ...errors import WorldError
from ...hosts.connection import Host
from ...hosts.link import CHANNELS_MAX
from ...running.together import together
from .fleet import Station

_FOLLOW = 'touch -- "$1" && exec tail -c +1 -F -- "$1"'
"""The member may not have begun to write."""


@dataclass(slots=True)
class _Tail:
    station: Station
    path: str
    data: bytearray = field(default_factory=bytearray)


class Tails:
    """Follows every trace from the moment on when somebody first asks for one."""

    def __init__(self, traces: Mapping[str, tuple[Station, str]]) -> None:
        """`traces`: the host of each member, and the path there."""
        self._tails = {alias: _Tail(*at) for alias, at in traces.items()}
        self._tasks: list[asyncio.Task[None]] = []
        self.lost: list[WorldError] = []
        """What ended a tail before its time."""

    def read(self, alias: str, start: int) -> bytes:
        """What is known of a member's trace from a byte on."""
        if not self._tasks:
            loop = asyncio.get_running_loop()
            self._tasks = [
                loop.create_task(self._follow_all(station, tails))
                for station, tails in self._connections()
            ]
        return bytes(self._tails[alias].data[start:])

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    def _connections(self) -> Iterator[tuple[Station, list[_Tail]]]:
        """What is followed over one connection: as much as it has places for."""
        by_host: dict[str, list[_Tail]] = defaultdict(list)
        for tail in self._tails.values():
            by_host[tail.station.name].append(tail)
        for tails in by_host.values():
            for at in range(0, len(tails), CHANNELS_MAX):
                yield tails[0].station, tails[at : at + CHANNELS_MAX]

    async def _follow_all(self, station: Station, tails: Sequence[_Tail]) -> None:
        """Over a connection of their own: on that of the station all else has to find a place."""
        host: Host | None = None
        try:
            host = await Host.open(station.entry)
            await together(*(self._follow(host, tail) for tail in tails))
        except WorldError as error:
            self.lost.append(error)
        finally:
            if host is not None:
                host.close()

    async def _follow(self, host: Host, tail: _Tail) -> None:
        channel = await host.channel("sh", "-c", _FOLLOW, "sh", tail.path)
        try:
            while part := await channel.receive():
                tail.data += part
        finally:
            channel.close()
        raise host.error(f"{tail.path} cannot be followed any more")
