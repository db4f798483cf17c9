"""Traces of members on hosts as they grow, for steps that wait for a state."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from ...errors import WorldError
from ...hosts.channel import Channel
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
            self._tasks = [loop.create_task(self._follow(tail)) for tail in self._tails.values()]
        return bytes(self._tails[alias].data[start:])

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    async def _follow(self, tail: _Tail) -> None:
        channel: Channel | None = None
        try:
            channel = await tail.station.host.channel("sh", "-c", _FOLLOW, "sh", tail.path)
            while part := await channel.receive():
                tail.data += part
            raise tail.station.host.error(f"{tail.path} cannot be followed any more")
        except WorldError as error:
            self.lost.append(error)
        finally:
            if channel is not None:
                channel.close()
