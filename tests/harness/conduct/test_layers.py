"""What is set, and what is seen of it: looks that come late are taken again."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from delphic.harness.conduct import layers
from delphic.harness.conduct.layers import LAYERS, LINKS
from delphic.harness.targets.faults import PacketFaults, PacketProbe, Packets
from delphic.harness.targets.links import HEALED, Links, LinkState, Pair, Probes, cut

ONE, OTHER = ("n1", "n2"), ("n2", "n1")


class Late:
    """A group of two whose first link is late, as often as it is said."""

    members = ("n1", "n2")

    def __init__(self, *late_s: float | None) -> None:
        self._late_s = list(late_s)
        self.looks = 0

    async def set_links(self, links: Links) -> None:
        pass

    async def set_packets(self, packets: Packets) -> None:
        pass

    async def probe(self, links: Links) -> Probes:
        return {ONE: self._next(), OTHER: 0.001}

    async def probe_packets(self, packets: Packets) -> Mapping[Pair, PacketProbe]:
        return {ONE: PacketProbe(20, 20, 0, 0, self._next() or 0.0)}

    def _next(self) -> float | None:
        self.looks += 1
        return self._late_s.pop(0) if len(self._late_s) > 1 else self._late_s[0]


def made(monkeypatch: pytest.MonkeyPatch, cluster: Any, layer: Any, wanted: Any) -> Any:
    """What was seen, and whether it was as wanted."""
    monkeypatch.setattr(layers, "_LOOK_AGAIN_S", 0.0)
    monkeypatch.setattr(layers, "PacketCluster", object)
    return asyncio.run(layer.make(cluster, wanted, ()))


@pytest.mark.parametrize(
    ("wanted", "late_s", "bit", "looks"),
    [
        (HEALED, [0.001], True, 1),
        (HEALED, [0.9], False, 6),
        (HEALED, [0.9, 0.4, 0.001], True, 3),
        (HEALED, [0.9, None], False, 6),
        (HEALED, [None], False, 1),
        ({ONE: LinkState(delay_s=0.3)}, [0.9, 0.31], True, 2),
        ({ONE: LinkState(delay_s=0.3)}, [0.9, 0.001], False, 2),
        (cut([ONE]), [0.9], False, 1),
    ],
)
def test_a_link_that_stays_late_is_not_as_wanted(
    monkeypatch: pytest.MonkeyPatch,
    wanted: Links,
    late_s: list[float | None],
    bit: bool,
    looks: int,
) -> None:
    cluster = Late(*late_s)
    seen, found = made(monkeypatch, cluster, LINKS, wanted)
    assert (found, cluster.looks) == (bit, looks)
    assert seen["n2->n1"] == 0.001


def test_what_came_once_has_come_whatever_is_lost_of_a_later_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Lossy(Late):
        async def probe(self, links: Links) -> Probes:
            late_s = self._next()
            return {ONE: late_s, OTHER: 0.001 if self.looks == 1 else None}

    cluster = Lossy(0.9, 0.001)
    assert made(monkeypatch, cluster, LINKS, HEALED)[1]
    assert cluster.looks == 2


def test_a_busy_machine_may_hold_up_packets_of_another_link_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Busy(Late):
        async def probe_packets(self, packets: Packets) -> Mapping[Pair, PacketProbe]:
            self.looks += 1
            late_s = [0.9, 0.0] if self.looks % 2 else [0.0, 0.9]
            both = zip((ONE, OTHER), late_s, strict=True)
            return {pair: PacketProbe(20, 20, 0, 0, late) for pair, late in both}

    cluster = Busy()
    (layer,) = (each for each in LAYERS if each.name == "packets")
    assert made(monkeypatch, cluster, layer, {})[1]
    assert cluster.looks == 2


@pytest.mark.parametrize(
    ("late_s", "bit", "looks"), [([0.01], True, 1), ([0.9], False, 6), ([0.9, 0.01], True, 2)]
)
def test_packets_that_stay_late_are_not_as_wanted(
    monkeypatch: pytest.MonkeyPatch, late_s: list[float], bit: bool, looks: int
) -> None:
    cluster = Late(*late_s)
    (layer,) = (each for each in LAYERS if each.name == "packets")
    _, found = made(monkeypatch, cluster, layer, {OTHER: PacketFaults()})
    assert (found, cluster.looks) == (bit, looks)
