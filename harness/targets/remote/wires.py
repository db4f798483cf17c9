"""Links between members on hosts: packets that the receiving host loses, and what still arrives."""

import asyncio
import uuid
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...together import together
from ..links import OPEN, Links, LinkState, Pair, Probes, pairs, payload
from .fleet import Fleet
from .placement import Spot

_CUT_WAIT_S = 0.1
"""How long a probe of a cut link listens for what must not come; an open one answers in 1 ms."""

_OPEN_WAIT_S = 2.0
"""How long a probe of any other link may take beyond its delay, on hosts that are busy."""

_LOOK_AGAIN_S = 0.01

_PROBE_COUNT, _PROBE_BYTES = 3, 64

_FILL_S, _FILL_BYTES_MAX = 0.2, 300_000
"""What a narrow link passes at once is used up first: so much of it, or this at most."""

_MEASURE_S, _MEASURE_TIMES, _PACKET_BYTES, _PACKETS_MAX = 0.6, 3, 1200, 5000
"""Then it is measured so long, offered so many times what it passes."""


@dataclass(frozen=True, slots=True)
class _Burst:
    """Datagrams that are sent over some links."""

    token: str
    count: int
    size: int
    interval_s: float = 0.0


class Wires:
    """All links of a group."""

    def __init__(self, fleet: Fleet, spots: Mapping[str, Spot]) -> None:
        self._fleet = fleet
        self._spots = spots
        self._set: dict[str, list[dict[str, Any]]] = {}
        self._ports: dict[str, int] = {}
        self._turn = asyncio.Lock()

    async def set(self, links: Links) -> None:
        """Make all links so, on all hosts at once. Raises WorldError."""
        async with self._turn:
            wanted = self._by_host(links)
            await together(
                *(
                    self._tell(name, value)
                    for name, value in wanted.items()
                    if self._set.get(name, []) != value
                )
            )

    async def probe(self, links: Links) -> Probes:
        """Send datagrams over every link, all at once, and see how long they take.

        A link that is cut both ways or one way passes no connection, so that connections would not
        tell which way it was.
        """
        async with self._turn:
            await self._listen()
            wanted = pairs(list(self._spots))
            states = {pair: links.get(pair, OPEN) for pair in wanted}
            narrow = [p for p, s in states.items() if s.rate_bytes_s is not None and not s.cut]
            seconds: dict[Pair, float | None] = {**await self._times(states)}
            seconds |= await self._rates({pair: states[pair] for pair in narrow})
            return {pair: seconds.get(pair) for pair in wanted}

    async def reset(self, wanted: Collection[Pair]) -> int:
        """Break the connections that carry these links, at both ends; how many there were."""
        both = {way for pair in wanted for way in (pair, pair[::-1])}
        by_host: dict[str, list[list[str]]] = defaultdict(list)
        for source, to in sorted(both):
            by_host[self._spots[to].host].append([self._at(source), self._at(to)])
        counts: list[int] = []

        async def break_them(name: str, ways: list[list[str]]) -> None:
            counts.append(await self._fleet.stations[name].agent.call("reset", pairs=ways))

        await together(*(break_them(name, ways) for name, ways in by_host.items()))
        return sum(counts)

    def _by_host(self, links: Links) -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = {name: [] for name in self._fleet.stations}
        for (source, to), state in sorted(links.items()):
            said: dict[str, Any] = {"source": self._at(source), "own": self._at(to)}
            found[self._spots[to].host].append(said | _asked(state))
        return found

    async def _tell(self, name: str, value: list[dict[str, Any]]) -> None:
        # Whether it is so is not known until the answer comes.
        self._set.pop(name, None)
        await self._fleet.stations[name].agent.call("links", links=value)
        self._set[name] = value

    async def _listen(self) -> None:
        if self._ports:
            return
        found: dict[str, int] = {}

        async def listen(name: str, addresses: list[str]) -> None:
            found.update(await self._fleet.stations[name].agent.call("listen", addresses=addresses))

        addresses: dict[str, list[str]] = defaultdict(list)
        for spot in self._spots.values():
            addresses[spot.host].append(spot.address)
        await together(*(listen(name, own) for name, own in addresses.items()))
        self._ports = found

    async def _times(self, states: Mapping[Pair, LinkState]) -> dict[Pair, float]:
        """How long the first datagram took over each link."""
        burst = _Burst(uuid.uuid4().hex, _PROBE_COUNT, _PROBE_BYTES)
        loop = asyncio.get_running_loop()
        began = loop.time()
        await self._send(burst, list(states))
        wanted = {pair for pair, state in states.items() if not state.cut}
        longest_s = max((s.delay_s for s in states.values() if not s.cut), default=0.0)
        least_s = _CUT_WAIT_S if len(wanted) < len(states) else 0.0
        while True:
            heard = await self._heard(burst)
            waited_s = loop.time() - began
            if waited_s > longest_s + _OPEN_WAIT_S:
                break
            if wanted <= heard.keys() and waited_s >= longest_s + least_s:
                break
            await asyncio.sleep(_LOOK_AGAIN_S)
        return {pair: self._seconds(pair, one) for pair, one in heard.items()}

    def _seconds(self, pair: Pair, heard: Mapping[str, Any]) -> float:
        """From the sender's clock to the receiver's, both put right."""
        source, to = (self._fleet.stations[self._spots[alias].host].clock for alias in pair)
        took_s: float = (heard["first_ns"] - heard["sent_ns"]) / 1e9 - to.ahead_s + source.ahead_s
        return round(max(0.0, took_s), 6)

    async def _rates(self, states: Mapping[Pair, LinkState]) -> dict[Pair, float | None]:
        """How long each narrow link takes for what a probe of it is to send."""
        by_rate: dict[float, list[Pair]] = defaultdict(list)
        for pair, state in states.items():
            assert state.rate_bytes_s is not None
            by_rate[state.rate_bytes_s].append(pair)
        found: dict[Pair, float | None] = {}
        for rate, these in sorted(by_rate.items()):
            fill = min(_FILL_BYTES_MAX, max(_PACKET_BYTES * 20, int(rate * _FILL_S)))
            first = _Burst(uuid.uuid4().hex, fill // _PACKET_BYTES, _PACKET_BYTES)
            await self._send(first, these)
            offered = int(rate * _MEASURE_TIMES * _MEASURE_S)
            count = max(10, min(_PACKETS_MAX, offered // _PACKET_BYTES))
            size = max(_PROBE_BYTES, min(_PACKET_BYTES, offered // count))
            second = _Burst(uuid.uuid4().hex, count, size, _MEASURE_S / count)
            await self._send(second, these)
            await asyncio.sleep(max(states[pair].delay_s for pair in these) + _CUT_WAIT_S)
            heard = await self._heard(second)
            for pair in these:
                found[pair] = _as_payload(states[pair], heard.get(pair))
        return found

    async def _send(self, burst: _Burst, ways: Sequence[Pair]) -> None:
        by_host: dict[str, list[tuple[str, str, int]]] = defaultdict(list)
        for source, to in ways:
            where = self._at(to)
            by_host[self._spots[source].host].append((self._at(source), where, self._ports[where]))

        async def send(name: str, own: list[tuple[str, str, int]]) -> None:
            await self._fleet.stations[name].agent.call(
                "probe",
                token=burst.token,
                ways=own,
                count=burst.count,
                size=burst.size,
                interval_s=burst.interval_s,
            )

        await together(*(send(name, own) for name, own in by_host.items()))

    async def _heard(self, burst: _Burst) -> dict[Pair, Mapping[str, Any]]:
        alias_at = {spot.address: alias for alias, spot in self._spots.items()}
        found: dict[Pair, Mapping[str, Any]] = {}

        async def ask(name: str) -> None:
            for one in await self._fleet.stations[name].agent.call("heard", token=burst.token):
                if one["source"] in alias_at and one["own"] in alias_at:
                    found[alias_at[one["source"]], alias_at[one["own"]]] = one

        hosts = {spot.host for spot in self._spots.values()}
        await together(*(ask(name) for name in sorted(hosts)))
        return found

    def _at(self, alias: str) -> str:
        return self._spots[alias].address


def _asked(state: LinkState) -> dict[str, Any]:
    """What an agent is told of a link, without what is as it should be."""
    if state.cut:
        return {"cut": True}
    said: dict[str, Any] = {}
    if state.rate_bytes_s is not None:
        said["rate_bytes_s"] = state.rate_bytes_s
    if state.delay_s:
        said["delay_s"] = state.delay_s
    return said


def _as_payload(state: LinkState, heard: Mapping[str, Any] | None) -> float | None:
    """Seconds for what a probe sends over such a link, from how fast datagrams came."""
    if heard is None or heard["packets"] < 2 or heard["last_ns"] <= heard["first_ns"]:
        return None
    behind_first: float = heard["bytes"] * (heard["packets"] - 1) / heard["packets"]
    bytes_s: float = behind_first / (heard["last_ns"] - heard["first_ns"]) * 1e9
    size, _ = payload(state)
    return round(size / bytes_s + state.delay_s, 6)
