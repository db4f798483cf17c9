"""Links between members on hosts: packets that the receiving host loses, and what still arrives."""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ...hosts.reach import Heard, Way, reach
from ...running.together import together
from ..faults import UNHARMED, PacketFaults, PacketProbe, Packets
from ..links import (
    HEALED,
    LATE_S,
    OPEN,
    Links,
    LinkState,
    Pair,
    Probes,
    lifted_bytes,
    pairs,
    payload,
)
from .fleet import Clock, Fleet, Station
from .placement import Spot

_CUT_WAIT_S = 0.15
"""So much longer than its line takes a probe of a cut link listens for what must not come."""

_OPEN_WAIT_S = 2.0
"""How long a probe of any other link may take beyond its delay, on hosts that are busy."""

_PACKET_BYTES = 1200
"""What fits into a packet anywhere."""

_FILL_S, _FILL_PACKETS = 0.2, (20, 250)
"""Where a rate is kept by losing packets, it lets so much pass at once: that is used up first."""

_OFFER_S, _OFFER_TIMES, _OFFER_PACKETS_MAX = 0.6, 3, 5000
"""Then it is offered so many times what it passes, so long."""

_PROBED_MIN, _PROBED_MAX, _HARMED = 20, 40_000, 20
_AT_ONCE_MAX = 2000

_NARROW_WAIT_S = 4.0
"""Behind what members send, which may fill a second's worth of queue, and their next tries."""

_SLOW_LINE_S = 0.02
"""What a line takes by itself is part of what is told, unless it takes longer than this."""

_CLOCK_AGE_S = 60.0
"""Clocks that are not kept part: those known from longer ago are looked at again."""


class Wires:
    """All links of a group."""

    def __init__(self, fleet: Fleet, spots: Mapping[str, Spot]) -> None:
        self._fleet = fleet
        self._spots = spots
        self._links: Links = HEALED
        self._packets: Packets = {}
        self._set: dict[str, list[dict[str, Any]] | None] = {}
        """What each host was told last; None where nobody knows whether it is so."""
        self._lines: dict[Pair, float] = {}
        """Seconds that each line takes by itself, where that is known."""
        self._rates: dict[Pair, float] = {}
        """How narrow links were that nobody has seen to be wide again."""
        self._clocks: dict[str, Clock] = {}
        self._looked_at: float | None = None
        """When clocks were looked at last; None until lines are learned."""
        self._turn = asyncio.Lock()

    async def learn(self) -> None:
        """See how long lines take by themselves: nothing is wrong with them yet."""
        async with self._turn:
            self._looked_at = asyncio.get_running_loop().time()
            found = await self._times(dict.fromkeys(pairs(list(self._spots)), OPEN), _OPEN_WAIT_S)
            self._lines = {pair: s for pair, s in found.items() if s is not None}

    async def set(self, links: Links) -> None:
        """Make all links so, on all hosts at once. Raises WorldError."""
        async with self._turn:
            self._links = links
            await self._make()

    async def set_packets(self, packets: Packets) -> None:
        """Let this happen to packets, besides what happens to links. Raises WorldError."""
        async with self._turn:
            self._packets = packets
            await self._make()

    async def probe_packets(self, packets: Packets) -> dict[Pair, PacketProbe]:
        """Send datagrams over every link that is not cut, and see what becomes of them."""
        async with self._turn:
            await self._look_at_clocks()
            every = [p for p in pairs(list(self._spots)) if not self._links.get(p, OPEN).cut]
            needed = {pair: _needed(packets.get(pair, UNHARMED)) for pair in every}
            wait_s = _OPEN_WAIT_S / 2 + max(
                (
                    self._links.get(p, OPEN).delay_s + packets.get(p, UNHARMED).jitter_s
                    for p in every
                ),
                default=0.0,
            )
            found: dict[Pair, PacketProbe] = {}
            while every:
                for pair, probe in (await self._fates(every, needed, wait_s)).items():
                    found[pair] = found[pair].plus(probe) if pair in found else probe
                # What is rare may show early.
                every = [
                    pair
                    for pair in every
                    if found[pair].sent < needed[pair]
                    and not found[pair].shows(packets.get(pair, UNHARMED))
                ]
            return found

    async def _fates(
        self, these: Sequence[Pair], needed: Mapping[Pair, int], wait_s: float
    ) -> dict[Pair, PacketProbe]:
        """What becomes of so many datagrams over each link, or of as many as go at once."""
        by_count: dict[int, list[Pair]] = defaultdict(list)
        for pair in these:
            by_count[min(_AT_ONCE_MAX, needed[pair])].append(pair)
        found: dict[Pair, PacketProbe] = {}
        for count, alike in sorted(by_count.items()):
            ways = [self._way(pair) for pair in alike]
            heard = await reach(ways, count=count, wait_s=wait_s)
            for pair, way in zip(alike, ways, strict=True):
                one = heard[way.pair]
                late_s = 0.0 if one is None else self._late_s(pair, one)
                if count > _PROBED_MIN or self._links.get(pair, OPEN).rate_bytes_s is not None:
                    # So many, or so narrow a link, hold one another up.
                    late_s = min(late_s, self._packets.get(pair, UNHARMED).jitter_s)
                found[pair] = _fates(count, one, late_s)
        return found

    def _late_s(self, pair: Pair, heard: Heard) -> float:
        """How late the slowest was at most, by clocks that are known so well.

        Later than it may be is only what is so whatever the clocks are: they may be far from ours.
        """
        source, to = (self._clock(alias) for alias in pair)
        took_s = heard.late_ns / 1e9 - to.ahead_s + source.ahead_s
        error_s = source.within_s + to.within_s
        own_s = self._slow_line_s(pair) + self._links.get(pair, OPEN).delay_s
        may_s = self._packets.get(pair, UNHARMED).jitter_s + LATE_S
        is_late = took_s - error_s - own_s > may_s
        most_s = took_s + error_s - own_s
        return round(max(0.0, most_s if is_late else min(most_s, may_s)), 6)

    async def probe(self, links: Links) -> Probes:
        """Send datagrams over every link, all at once, and see how long they take.

        A link that is cut one way passes no connection either way, so that connections would not
        tell which way it was.
        """
        async with self._turn:
            await self._look_at_clocks()
            states = {pair: links.get(pair, OPEN) for pair in pairs(list(self._spots))}
            cut = {pair: state for pair, state in states.items() if state.cut}
            narrow = {
                pair: state.rate_bytes_s
                for pair, state in states.items()
                if state.rate_bytes_s is not None and not state.cut
            }
            self._rates |= narrow
            plain = {p: state for p, state in states.items() if p not in cut and p not in narrow}
            cut_s = max((self._lines.get(pair, 0.0) for pair in cut), default=0.0)
            late_s = max((state.delay_s for state in plain.values()), default=0.0)
            parts = await asyncio.gather(
                self._times(cut, cut_s + _CUT_WAIT_S),
                self._times(plain, late_s + _OPEN_WAIT_S),
                *(self._narrow(pair, states[pair]) for pair in narrow),
            )
            found = {pair: seconds for part in parts for pair, seconds in part.items()}
            lifted = [p for p in plain if p in self._rates and found[p] is not None]
            more = await asyncio.gather(*(self._lifted(pair, states[pair]) for pair in lifted))
            for pair, seconds in zip(lifted, more, strict=True):
                known = found[pair]
                assert known is not None
                found[pair] = None if seconds is None else round(known + seconds, 6)
            return found

    async def reset(self, wanted: Collection[Pair]) -> int:
        """Break the connections that carry these links, at both ends; how many there were."""
        ends = sorted({(min(pair), max(pair)) for pair in wanted})
        # Where one end is broken, the other hears of it, unless the link is cut.
        found = [await self._reset_at(ends), await self._reset_at([(b, a) for a, b in ends])]
        return max(found)

    async def _reset_at(self, ends: Sequence[Pair]) -> int:
        """Break connections between these at the second one's end."""
        by_host: dict[str, list[list[str]]] = defaultdict(list)
        for source, to in ends:
            by_host[self._spots[to].host].append([self._at(source), self._at(to)])
        counts: list[int] = []

        async def break_them(name: str, ways: list[list[str]]) -> None:
            counts.append(await self._fleet.stations[name].agent.call("reset", pairs=ways))

        await together(*(break_them(name, ways) for name, ways in by_host.items()))
        return sum(counts)

    async def _make(self) -> None:
        await together(
            *(
                self._tell(name, value)
                for name, value in self._by_host().items()
                if self._set.get(name, []) != value
            )
        )

    def _by_host(self) -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = {name: [] for name in self._fleet.stations}
        for pair in sorted({*self._links, *self._packets}):
            said: dict[str, Any] = {"source": self._at(pair[0]), "own": self._at(pair[1])}
            state = _asked(self._links.get(pair, OPEN), self._packets.get(pair, UNHARMED))
            found[self._spots[pair[1]].host].append(said | state)
        return found

    async def _tell(self, name: str, value: list[dict[str, Any]]) -> None:
        self._set[name] = None
        await self._fleet.stations[name].agent.call("links", links=value)
        self._set[name] = value

    async def _times(
        self, these: Mapping[Pair, LinkState], wait_s: float
    ) -> dict[Pair, float | None]:
        """How long the first datagram took over each of these links."""
        if not these:
            return {}
        heard = await reach([self._way(pair) for pair in these], wait_s=wait_s)
        return {
            pair: self._seconds(pair, state, heard[self._way(pair).pair])
            for pair, state in these.items()
        }

    def _seconds(self, pair: Pair, state: LinkState, heard: Heard | None) -> float | None:
        """From the sender's clock to the receiver's, both put right.

        What jitter and a slow line may have added to what the link is to take is left out.
        """
        if heard is None:
            return None
        source, to = (self._clock(alias) for alias in pair)
        took_s = max(0.0, heard.delay_s - to.ahead_s + source.ahead_s)
        more_s = self._packets.get(pair, UNHARMED).jitter_s + self._slow_line_s(pair)
        return round(max(min(took_s, state.delay_s), took_s - more_s), 6)

    def _slow_line_s(self, pair: Pair) -> float:
        """What the line takes by itself, where that is much."""
        line_s = self._lines.get(pair, 0.0)
        return line_s if line_s > _SLOW_LINE_S else 0.0

    async def _look_at_clocks(self) -> None:
        now_s = asyncio.get_running_loop().time()
        if self._looked_at is None or now_s - self._looked_at < _CLOCK_AGE_S:
            return
        stations = self._fleet.stations
        looks = await asyncio.gather(*(each.look_at_clocks() for each in stations.values()))
        self._clocks = {name: clock for name, (clock, _) in zip(stations, looks, strict=True)}
        self._looked_at = now_s

    def _clock(self, alias: str) -> Clock:
        return self._clocks.get(self._spots[alias].host, self._station(alias).clock)

    async def _narrow(self, pair: Pair, state: LinkState) -> dict[Pair, float | None]:
        """How long the link takes for what a probe of it is to send, from how fast packets come."""
        size, due_s = payload(state)
        assert state.rate_bytes_s is not None
        bytes_s = await self._passes(pair, state.rate_bytes_s, size, due_s)
        return {pair: None if bytes_s is None else round(size / bytes_s + state.delay_s, 6)}

    async def _lifted(self, pair: Pair, state: LinkState) -> float | None:
        """How long the link takes for what is much to it, if it is as narrow as it was."""
        size, packets = lifted_bytes(self._rates[pair]), self._packets.get(pair, UNHARMED)
        bytes_s = await self._passes(pair, self._rates[pair], size, state.delay_s)
        seconds = None if bytes_s is None else size / bytes_s
        if seconds is None and packets.lose:
            return 0.0  # It may be wide: next time it is seen.
        if seconds is not None:
            # What is lost before, or comes up to so much later, is not held up.
            passed = 1.0 - packets.lose if self._station(pair[1]).lacks("shape") else 1.0
            seconds = max(0.0, seconds * passed - packets.jitter_s)
        if seconds is not None and seconds <= LATE_S:
            del self._rates[pair]
        return seconds

    async def _passes(
        self, pair: Pair, rate_bytes_s: float, size: int, due_s: float
    ) -> float | None:
        """Bytes a second that the link passes of so many, or of what such a rate has to lose."""
        packet = min(_PACKET_BYTES, max(64, size // 4))
        count, interval_s, wait_s = max(3, size // packet), 0.0, _NARROW_WAIT_S
        if self._station(pair[1]).lacks("shape"):
            await self._fill(pair, rate_bytes_s)
            offered = int(rate_bytes_s * _OFFER_S * _OFFER_TIMES)
            count = max(10, min(_OFFER_PACKETS_MAX, offered // packet))
            interval_s, wait_s = _OFFER_S / count, _CUT_WAIT_S
        way = self._way(pair)
        found = await reach(
            [way], count=count, size=packet, interval_s=interval_s, wait_s=due_s + wait_s
        )
        return _bytes_s(found[way.pair])

    async def _fill(self, pair: Pair, rate_bytes_s: float) -> None:
        """Use up what passes at once."""
        least, most = _FILL_PACKETS
        count = max(least, min(most, int(rate_bytes_s * _FILL_S / _PACKET_BYTES)))
        await reach([self._way(pair)], count=count, size=_PACKET_BYTES, wait_s=0.0)

    def _way(self, pair: Pair) -> Way:
        source, to = pair
        return Way(
            self._station(source).agent,
            self._at(source),
            self._station(to).agent,
            self._at(to),
        )

    def _station(self, alias: str) -> Station:
        return self._fleet.stations[self._spots[alias].host]

    def _at(self, alias: str) -> str:
        return self._spots[alias].address


def _asked(state: LinkState, packets: PacketFaults) -> dict[str, Any]:
    """What an agent is told of a link, without what is as it should be."""
    if state.cut:
        return {"cut": True}
    # Late by up to so much: half of it, give or take half of it.
    middle_s = packets.jitter_s / 2
    said = {
        "rate_bytes_s": state.rate_bytes_s,
        "delay_s": state.delay_s + middle_s,
        "jitter_s": middle_s,
        "loss": packets.lose,
        "duplicate": packets.duplicate,
        "reorder": packets.reorder,
        "corrupt": packets.corrupt,
    }
    return {name: value for name, value in said.items() if value}


def _needed(packets: PacketFaults) -> int:
    """How many packets tell what a link does: what is to happen, happens to some twenty."""
    rarest = min(packets.chances, default=1.0)
    return max(_PROBED_MIN, min(_PROBED_MAX, round(_HARMED / rarest)))


def _fates(sent: int, heard: Heard | None, late_s: float) -> PacketProbe:
    order = () if heard is None else heard.order
    last, seen, overtaken = -1, set[int](), 0
    for number in order:
        if number not in seen:
            overtaken += number < last
            seen.add(number)
        last = max(last, number)
    return PacketProbe(sent, len(seen), len(order) - len(seen), overtaken, late_s)


def _bytes_s(heard: Heard | None) -> float | None:
    """How fast packets came; None if too little came to tell."""
    if heard is None or heard.packets < 2:
        return None
    behind_first = heard.bytes * (heard.packets - 1) / heard.packets
    return behind_first / max(1, heard.last_ns - heard.first_ns) * 1e9
