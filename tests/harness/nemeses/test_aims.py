"""What each kind of fault aims at, given what is known when its moment has come."""

from typing import Any

import pytest
from delphic.harness.fault import Fault
from delphic.harness.language.selector import View
from delphic.harness.nemeses import NEMESES
from delphic.harness.nemeses.nemesis import Aim
from delphic.harness.targets.faults import ClockState, DiskState, MessageFaults, PacketFaults
from delphic.harness.targets.links import CUT, LinkState, Pair, isolate, one_way
from delphic.harness.targets.target import ProcessState
from pydantic import ValidationError

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


def test_messages_have_fates_on_the_links_named() -> None:
    found = aim("messages", {"links": {"from": "n1", "to": "n2"}, "lose": 0.1, "delay": "50ms"})
    assert found.messages == {("n1", "n2"): MessageFaults(lose=0.1, delay_s=(0.0, 0.05))}
    assert len(aim("messages", {"duplicate": 1}).messages) == 20


def test_packets_have_fates_on_the_links_named() -> None:
    found = aim("packets", {"links": {"from": "n1", "to": "others"}, "lose": 0.1, "jitter": "20ms"})
    assert set(found.packets.values()) == {PacketFaults(lose=0.1, jitter_s=0.02)}
    assert set(found.packets) == one_way(["n1"], MEMBERS)
    with pytest.raises(ValidationError, match="says how much to `lose`, `duplicate`"):
        NEMESES["packets"].planned({"links": "all"})


def test_a_throttle_leaves_members_a_share_of_a_processor() -> None:
    found = aim("throttle", {"node": ["n2", "n4"], "to": 0.2})
    assert (found.nodes, found.shares) == (("n2", "n4"), {"n2": 0.2, "n4": 0.2})
    for wrong in ({"node": "n1"}, {"node": "n1", "to": 0}, {"node": "n1", "to": 2}):
        with pytest.raises(ValidationError):
            NEMESES["throttle"].planned(wrong)


def test_members_that_are_up_get_little_memory_or_crash_again_and_again() -> None:
    found = aim("memory", {"node": "all", "spare": "64kB"}, n2=DEAD, n5=PAUSED)
    assert found.spares == dict.fromkeys(("n1", "n3", "n4", "n5"), 64_000)
    found = aim("crash-loop", {"node": ["n1", "n2", "n3"], "every": "250ms"}, n2=DEAD, n3=PAUSED)
    assert (found.nodes, found.crashes) == (("n1",), {"n1": 0.25})
    for kind, wrong in (
        ("memory", {"node": "n1", "spare": "0kB"}),
        ("memory", {"node": "n1", "spare": 64}),
        ("crash-loop", {"node": "n1", "every": "50ms"}),
        ("crash-loop", {"node": "n1"}),
    ):
        with pytest.raises(ValidationError):
            NEMESES[kind].planned(wrong)


def test_a_reset_breaks_every_connection_of_a_member_or_those_of_some_links() -> None:
    assert aim("reset", "n1").resets == isolate(["n1"], MEMBERS)
    assert len(aim("reset", "all").resets) == 20
    found = aim("reset", {"from": "leader", "to": "others"})
    assert (found.nodes, found.resets) == (("n1",), one_way(["n1"], MEMBERS))


@pytest.mark.parametrize(
    ("raw", "state"),
    [
        ({"is": "full"}, DiskState(full=True)),
        ({"is": "slow"}, DiskState(slow=20.0)),
        ({"is": "slow", "factor": 3}, DiskState(slow=3)),
        ({"is": "failing-sync"}, DiskState(fail_sync=True)),
        ({"is": "failing-write"}, DiskState(fail_write=True)),
        ({"is": "read-only"}, DiskState(read_only=True)),
    ],
)
def test_a_disk_is_as_asked_for_even_of_a_member_that_is_down(
    raw: dict[str, Any], state: DiskState
) -> None:
    found = aim("disk", {"node": ["n1", "n2"], **raw}, n1=DEAD)
    assert found.disks == {"n1": state, "n2": state}


def test_clocks_jump_both_ways_and_drift() -> None:
    assert aim("clock", {"node": "one", "by": "-250ms"}).clocks == {"n4": ClockState(-0.25)}
    assert aim("clock", {"node": "n1", "drift": 1.05}).clocks == {"n1": ClockState(0, 1.05)}


def test_a_power_cut_ends_members_and_loses_what_they_had_not_synced() -> None:
    found = aim("power-cut", "all", n2=DEAD, n5=PAUSED)
    assert (found.nodes, found.process, found.loses) == (("n1", "n3", "n4", "n5"), DEAD, True)
    assert not aim("kill", "all").loses
    assert not found.keeps_nothing
    found = aim("power-cut", {"node": "followers", "keeps": "nothing"}, n2=DEAD)
    assert (found.nodes, found.loses, found.keeps_nothing) == (("n3", "n4", "n5"), True, True)


def test_a_bit_is_turned_on_the_members_named() -> None:
    found = aim("bit-flip", "followers")
    assert (found.nodes, found.flips, found.of) == (("n2", "n3", "n4", "n5"), True, None)
    found = aim("bit-flip", {"node": "n2", "of": "log"})
    assert (found.nodes, found.flips, found.of) == (("n2",), True, "log")


def test_the_end_of_a_file_is_cut_off_on_the_members_named() -> None:
    found = aim("cut-tail", "followers", n2=DEAD)
    assert (found.nodes, found.cuts_tail) == (("n2", "n3", "n4", "n5"), True)
    assert (found.of, found.tail_bytes) == (None, None)
    found = aim("cut-tail", {"node": "n2", "of": "log", "by": "1kB"})
    assert (found.nodes, found.of, found.tail_bytes) == (("n2",), "log", 1000)
    with pytest.raises(ValidationError):
        NEMESES["cut-tail"].planned({"node": "n2", "by": "0B"})


def test_the_members_named_may_not_write_their_files() -> None:
    found = aim("read-only", ["n2", "n4"])
    assert (found.nodes, found.read_only) == (("n2", "n4"), {"n2": None, "n4": None})
    found = aim("read-only", {"node": "n2", "of": "task-data"})
    assert (found.nodes, found.read_only) == (("n2",), {"n2": "task-data"})


def test_task_data_is_lost_by_the_members_named() -> None:
    found = aim("lose-task-data", ["n2", "n4"])
    assert (found.nodes, found.forgets) == (("n2", "n4"), True)


@pytest.mark.parametrize("kind", [kind for kind, nemesis in NEMESES.items() if nemesis.drawn])
def test_what_random_may_choose_can_be_planned_and_undone(kind: str) -> None:
    nemesis = NEMESES[kind]
    undoes = {"heal", "mend", "set-clock", "restart", "resume"}
    assert nemesis.undo in undoes or nemesis.momentary
    for raw in nemesis.drawn:
        planned = nemesis.planned(raw)
        assert nemesis.check(planned["target"], ["n1", "n2", "n3"]) is None
        assert aim(kind, raw).nodes
