"""What each kind of fault aims at, given what is known when its moment has come."""

from typing import Any

import pytest
from delphic.harness.fault import Fault
from delphic.harness.nemeses import NEMESES
from delphic.harness.nemeses.nemesis import Aim
from delphic.harness.selector import View
from delphic.harness.targets.links import CUT, LinkState, Pair, isolate, one_way
from delphic.harness.targets.target import ProcessState

ORDER = ("n4", "n2", "n5", "n1", "n3")
MEMBERS = sorted(ORDER)
RUNNING, PAUSED, DEAD = ProcessState.RUNNING, ProcessState.PAUSED, ProcessState.DEAD


def aim(kind: str, raw: Any, *, leader: str | None = "n1", **states: ProcessState) -> Aim:
    nemesis = NEMESES[kind]
    fault = Fault(kind=kind, order=ORDER, **nemesis.planned(raw))
    view = View(ORDER, leader, {"old": ("n2", "n3")})
    return nemesis.aim(fault, view, {**dict.fromkeys(MEMBERS, RUNNING), **states})


def grudge(found: Aim) -> set[Pair]:
    assert set(found.links.values()) <= {CUT}
    return set(found.links)


@pytest.mark.parametrize(
    ("raw", "nodes"),
    [
        ("leader", ("n1",)),
        ("one", ("n4",)),
        ("halves", ("n2", "n4")),
        ("minority", ("n1", "n4")),
        ("old", ("n2", "n3")),
        ("not old nor leader", ("n4", "n5")),
        ([["n1", "n2"], ["n3", "n4", "n5"]], ("n1", "n2")),
    ],
)
def test_a_partition_isolates_those_it_names(raw: Any, nodes: tuple[str, ...]) -> None:
    found = aim("partition", raw)
    assert found.nodes == nodes
    assert grudge(found) == isolate(nodes, MEMBERS)


def test_a_bridge_is_the_first_of_the_order_and_a_ring_hits_all() -> None:
    assert aim("partition", "bridge").nodes == ("n4",)
    ring = aim("partition", "majority-ring")
    assert ring.nodes == tuple(MEMBERS)
    assert len(grudge(ring)) == 10


def test_without_a_leader_its_partition_aims_at_nobody() -> None:
    assert aim("partition", "leader", leader=None).nodes == ()
    assert aim("partition", "minority", leader=None).nodes == ()


def test_one_way_cuts_what_one_end_sends_to_the_other() -> None:
    found = aim("one-way", {"from": "leader", "to": "others"})
    assert grudge(found) == one_way(["n1"], MEMBERS)
    found = aim("one-way", {"from": "followers", "to": "leader"})
    assert grudge(found) == one_way([m for m in MEMBERS if m != "n1"], ["n1"])


def test_slow_links_are_slow_as_asked_for() -> None:
    found = aim("delay", {"links": "all", "by": "300ms"})
    assert (len(found.links), set(found.links.values())) == (20, {LinkState(delay_s=0.3)})
    found = aim("rate", {"links": {"from": "n1", "to": "n2"}, "limit": "9kB/s"})
    assert found.links == {("n1", "n2"): LinkState(rate_bytes_s=9_000.0)}


@pytest.mark.parametrize(
    ("kind", "nodes", "after"),
    [
        ("kill", ("n1", "n4", "n5"), DEAD),
        ("pause", ("n1", "n4"), PAUSED),
        ("restart", ("n2", "n3"), RUNNING),
        ("resume", ("n5",), RUNNING),
    ],
)
def test_processes_are_chosen_among_those_that_can_be_hit(
    kind: str, nodes: tuple[str, ...], after: ProcessState
) -> None:
    found = aim(kind, "all", n2=DEAD, n3=DEAD, n5=PAUSED)
    assert (found.nodes, found.process) == (nodes, after)


def test_a_leader_that_is_down_already_is_not_hit_again() -> None:
    assert aim("kill", "leader", n1=DEAD).nodes == ()


@pytest.mark.parametrize("kind", [kind for kind, nemesis in NEMESES.items() if nemesis.drawn])
def test_what_random_may_choose_can_be_planned_and_undone(kind: str) -> None:
    nemesis = NEMESES[kind]
    assert nemesis.undo in {"heal", "restart", "resume"}
    for raw in nemesis.drawn:
        planned = nemesis.planned(raw)
        assert nemesis.check(planned["target"], ["n1", "n2", "n3"]) is None
        assert aim(kind, raw).nodes
