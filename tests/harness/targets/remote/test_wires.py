"""Links between hosts: what they are told, and what their packets show."""

import asyncio
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from delphic.harness.errors import WorldError
from delphic.harness.hosts.reach import Heard, Way
from delphic.harness.targets.faults import UNHARMED, PacketFaults, PacketProbe
from delphic.harness.targets.links import HEALED, cut
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


def group(*, fails: bool = False, ahead_s: float = 0.0) -> tuple[Wires, dict[str, Told]]:
    """Two members on two hosts; what is done to the first may fail, and its clock is ahead."""
    agents = {"h1": Told(fails), "h2": Told(False)}
    stations = {
        name: SimpleNamespace(agent=agent, clock=Clock(ahead_s if name == "h1" else 0.0, 0.001))
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
    monkeypatch: pytest.MonkeyPatch, packets: PacketFaults, fate: Fate, late_s: float = 0.0
) -> tuple[PacketProbe, list[int]]:
    """What a probe of the first link says, and how many packets each attempt was."""
    made, _ = group(ahead_s=5.0)
    asked: list[int] = []

    async def reach(ways: Sequence[Way], *, count: int, wait_s: float) -> dict[Any, Heard | None]:
        found: dict[Any, Heard | None] = {}
        for way in ways:
            is_first = way.source == "10.0.0.1"
            if is_first:
                asked.append(count)
            order = tuple(range(fate(count) if is_first else count))
            # The sender's clock is ahead of the receiver's, or the other way round.
            late_ns = int((late_s + (-5.0 if is_first else 5.0)) * 1e9)
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
