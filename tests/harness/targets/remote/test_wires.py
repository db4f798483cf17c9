"""Links between hosts: what they are told, and what their packets show."""

import asyncio
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from delphic.harness.errors import WorldError
from delphic.harness.hosts.reach import Heard, Way
from delphic.harness.targets.faults import UNHARMED, PacketFaults, PacketProbe
from delphic.harness.targets.links import HEALED, Links, LinkState, Probes, as_wanted, cut
from delphic.harness.targets.remote import wires
from delphic.harness.targets.remote.fleet import Clock
from delphic.harness.targets.remote.placement import Spot
from delphic.harness.targets.remote.wires import Wires

ONE, OTHER = ("n1", "n2"), ("n2", "n1")


class Told:
    """An agent that fails the first time that it is asked, if it is to."""

    def __init__(self, fails: bool) -> None:
        self.fails = fails
        self.links: list[list[dict[str, Any]]] = []

    async def call(self, do: str, *, links: list[dict[str, Any]]) -> None:
        self.links.append(links)
        if self.fails:
            self.fails = False
            raise WorldError("nft failed")


def group(
    *, fails: bool = False, ahead_s: float = 0.0, within_s: float = 0.001
) -> tuple[Wires, dict[str, Told]]:
    """Two members on two hosts; what is done to the first may fail, and its clock is ahead."""
    agents = {"h1": Told(fails), "h2": Told(False)}
    stations = {
        name: SimpleNamespace(agent=agent, clock=Clock(ahead_s if name == "h1" else 0.0, within_s))
        for name, agent in agents.items()
    }
    fleet: Any = SimpleNamespace(stations=stations)
    return Wires(fleet, {"n1": Spot("h1", "10.0.0.1"), "n2": Spot("h2", "10.0.0.2")}), agents


def test_where_nobody_knows_what_a_link_is_like_healing_it_is_said() -> None:
    made, agents = group(fails=True)

    async def work() -> None:
        with pytest.raises(WorldError, match="nft failed"):
            await made.set(cut([OTHER]))
        await made.set(HEALED)
        await made.set(HEALED)

    asyncio.run(work())
    assert agents["h1"].links[1:] == [[]]
    assert agents["h2"].links == []


Fate = Callable[[int], int]
"""How many come of so many packets."""


def probed(
    monkeypatch: pytest.MonkeyPatch,
    packets: PacketFaults,
    fate: Fate,
    late_s: float = 0.0,
    within_s: float = 0.001,
) -> tuple[PacketProbe, list[int]]:
    """What a probe of the first link says, and how many packets each attempt was."""
    made, _ = group(ahead_s=5.0, within_s=within_s)
    asked: list[int] = []

    async def reach(ways: Sequence[Way], *, count: int, wait_s: float) -> dict[Any, Heard | None]:
        found: dict[Any, Heard | None] = {}
        for way in ways:
            is_first = way.source == "10.0.0.1"
            if is_first:
                asked.append(count)
            order = tuple(range(fate(count) if is_first else count))
            # The sender's clock is ahead of the receiver's, or the other way round.
            late_ns = int((late_s - 5.0 if is_first else 5.0) * 1e9)
            found[way.pair] = Heard(len(order), 64, 0, 0, 0, late_ns, order)
        return found

    monkeypatch.setattr(wires, "reach", reach)
    found = asyncio.run(made.probe_packets({ONE: packets}))
    assert found[OTHER].shows(UNHARMED)
    return found[ONE], asked


def test_what_is_rare_is_looked_for_until_it_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    left = iter([0, 0, 0, 1])
    faults = PacketFaults(lose=0.0005)
    probe, asked = probed(monkeypatch, faults, lambda count: count - next(left))
    assert probe.shows(faults)
    assert asked == [2000] * 4


def test_what_is_rare_and_never_happens_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    faults = PacketFaults(lose=0.0005)
    probe, asked = probed(monkeypatch, faults, lambda count: count)
    assert not probe.shows(faults)
    assert sum(asked) == 40_000


@pytest.mark.parametrize(("late_s", "shown"), [(0.09, True), (0.04, False)])
def test_lateness_is_by_clocks_put_right(
    monkeypatch: pytest.MonkeyPatch, late_s: float, shown: bool
) -> None:
    faults = PacketFaults(jitter_s=0.1)
    probe, _ = probed(monkeypatch, faults, lambda count: count, late_s)
    assert probe.late_s == pytest.approx(late_s + 0.002)
    assert probe.shows(faults) is shown


@pytest.mark.parametrize(
    ("late_s", "jitter_s", "shown"), [(0.01, 0.0, True), (0.9, 0.0, False), (0.09, 0.1, True)]
)
def test_what_clocks_may_be_off_makes_no_packet_late(
    monkeypatch: pytest.MonkeyPatch, late_s: float, jitter_s: float, shown: bool
) -> None:
    """Hosts that are far from the harness, whose clocks are known within half of the way."""
    faults = PacketFaults(jitter_s=jitter_s)
    probe, _ = probed(monkeypatch, faults, lambda count: count, late_s, within_s=0.15)
    assert probe.shows(faults) is shown


class Line:
    """What comes over the link from the first member: late by so much, and so many bytes a second.

    Packets come back at once. Hosts' clocks differ.
    """

    def __init__(self, late_s: float = 0.0, bytes_s: float = 1e9, most: int = 10_000) -> None:
        self.late_s = late_s
        self.most = most
        """So many come, if so many are sent."""
        self.bytes_s = bytes_s
        self.is_cut = False
        self.waited_s: list[float] = []

    async def reach(
        self,
        ways: Sequence[Way],
        *,
        count: int = 3,
        size: int = 64,
        interval_s: float = 0.0,
        wait_s: float,
    ) -> dict[Any, Heard | None]:
        self.waited_s.append(wait_s)
        return {
            way.pair: self._heard(way, count, size) if self._comes(way, wait_s) else None
            for way in ways
        }

    def _comes(self, way: Way, wait_s: float) -> bool:
        return way.source != "10.0.0.1" or (not self.is_cut and self.late_s < wait_s)

    def _heard(self, way: Way, count: int, size: int) -> Heard:
        is_first = way.source == "10.0.0.1"
        first_ns = int(((self.late_s if is_first else 0.0) + (-5.0 if is_first else 5.0)) * 1e9)
        took_ns = int((count - 1) * size / (self.bytes_s if is_first else 1e9) * 1e9)
        order = tuple(range(count))
        many = min(count, self.most if is_first else count)
        return Heard(many, many * size, 0, first_ns, first_ns + took_ns, first_ns, order[:many])


def seen(monkeypatch: pytest.MonkeyPatch, made: Wires, line: Line, links: Links) -> Probes:
    monkeypatch.setattr(wires, "reach", line.reach)
    return asyncio.run(made.probe(links))


@pytest.mark.parametrize(
    ("late_s", "own_s", "jitter_s", "told_s"),
    [
        (0.9, 0.0, 0.0, 0.9),
        (0.9, 0.9, 0.0, 0.0),
        (0.9, 0.5, 0.0, 0.4),
        (0.0004, 0.0003, 0.0, 0.0004),
        (0.4, 0.0, 0.5, 0.0),
        (0.9, 0.0, 0.5, 0.4),
    ],
)
def test_an_open_link_is_late_by_what_neither_its_line_nor_jitter_adds(
    monkeypatch: pytest.MonkeyPatch, late_s: float, own_s: float, jitter_s: float, told_s: float
) -> None:
    made, _ = group(ahead_s=5.0)
    monkeypatch.setattr(wires, "reach", Line(own_s).reach)
    asyncio.run(made.learn())
    asyncio.run(made.set_packets({ONE: PacketFaults(jitter_s=jitter_s)}))
    found = seen(monkeypatch, made, Line(late_s), HEALED)
    assert found[ONE] == pytest.approx(told_s)
    assert as_wanted(HEALED, found, ["n1", "n2"]) is (told_s < 0.25)


def test_a_link_that_is_delayed_by_less_than_was_asked_for_is_seen_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made, _ = group(ahead_s=5.0)
    wanted = {ONE: LinkState(delay_s=0.3)}
    assert not as_wanted(wanted, seen(monkeypatch, made, Line(0.1), wanted), ["n1", "n2"])
    assert as_wanted(wanted, seen(monkeypatch, made, Line(0.3), wanted), ["n1", "n2"])
    assert not as_wanted(wanted, seen(monkeypatch, made, Line(0.9), wanted), ["n1", "n2"])


def test_a_link_that_was_narrow_has_to_be_seen_wide_again(monkeypatch: pytest.MonkeyPatch) -> None:
    made, _ = group(ahead_s=5.0)
    for station in made._fleet.stations.values():
        station.lacks = lambda what: False  # type: ignore[method-assign]
    narrow, wide = Line(bytes_s=20_000.0), Line()
    wanted = {ONE: LinkState(rate_bytes_s=20_000.0)}
    assert as_wanted(wanted, seen(monkeypatch, made, narrow, wanted), ["n1", "n2"])
    assert not as_wanted(HEALED, seen(monkeypatch, made, narrow, HEALED), ["n1", "n2"])
    assert as_wanted(HEALED, seen(monkeypatch, made, wide, HEALED), ["n1", "n2"])
    assert len(wide.waited_s) == 2
    assert as_wanted(HEALED, seen(monkeypatch, made, wide, HEALED), ["n1", "n2"])
    assert len(wide.waited_s) == 3


@pytest.mark.parametrize(
    ("line", "packets", "lacks", "fits"),
    [
        (Line(bytes_s=25_000.0), PacketFaults(jitter_s=0.5), False, True),
        (Line(bytes_s=25_000.0), PacketFaults(jitter_s=0.1), False, False),
        (Line(most=1), PacketFaults(lose=0.9), False, True),
        (Line(most=1), UNHARMED, False, False),
        (Line(bytes_s=30_000.0), PacketFaults(lose=0.5), True, True),
        (Line(bytes_s=30_000.0), UNHARMED, True, False),
    ],
)
def test_what_else_happens_to_packets_makes_no_link_narrow(
    monkeypatch: pytest.MonkeyPatch, line: Line, packets: PacketFaults, lacks: bool, fits: bool
) -> None:
    made, _ = group(ahead_s=5.0)
    for station in made._fleet.stations.values():
        station.lacks = lambda what: lacks  # type: ignore[method-assign]
    seen(monkeypatch, made, Line(bytes_s=20_000.0), {ONE: LinkState(rate_bytes_s=20_000.0)})
    asyncio.run(made.set_packets({ONE: packets}))
    assert as_wanted(HEALED, seen(monkeypatch, made, line, HEALED), ["n1", "n2"]) is fits


def test_what_holds_up_packets_of_a_narrow_link_is_no_jitter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made, _ = group(ahead_s=5.0)
    asyncio.run(made.set({ONE: LinkState(rate_bytes_s=1000.0)}))
    monkeypatch.setattr(wires, "reach", Line(late_s=0.9).reach)
    assert asyncio.run(made.probe_packets({}))[ONE].shows(UNHARMED)
    asyncio.run(made.set(HEALED))
    assert not asyncio.run(made.probe_packets({}))[ONE].shows(UNHARMED)


def test_clocks_that_may_have_parted_are_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wires, "_CLOCK_AGE_S", 0.0)
    made, _ = group(ahead_s=4.0)
    monkeypatch.setattr(wires, "reach", Line().reach)
    asyncio.run(made.learn())

    async def look() -> tuple[Clock, None]:
        return Clock(5.0, 0.001), None

    async def other() -> tuple[Clock, None]:
        return Clock(0.0, 0.001), None

    stations: Any = made._fleet.stations
    stations["h1"].look_at_clocks, stations["h2"].look_at_clocks = look, other
    assert as_wanted(HEALED, asyncio.run(made.probe(HEALED)), ["n1", "n2"])


@pytest.mark.parametrize("is_cut", [False, True])
def test_a_cut_over_a_slow_line_is_listened_for_as_long_as_the_line_takes(
    monkeypatch: pytest.MonkeyPatch, is_cut: bool
) -> None:
    made, _ = group(ahead_s=5.0)
    line = Line(0.2)
    monkeypatch.setattr(wires, "reach", line.reach)
    asyncio.run(made.learn())
    line.is_cut = is_cut
    found = seen(monkeypatch, made, line, cut([ONE]))
    assert (found[ONE] is None) is is_cut
    assert as_wanted(cut([ONE]), found, ["n1", "n2"]) is is_cut
