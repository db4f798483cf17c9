"""Grudges, and links as a value."""

from itertools import combinations

import pytest
from delphic.harness.targets.links import (
    CUT,
    HEALED,
    LinkState,
    Pair,
    as_wanted,
    bridge,
    components,
    cut,
    halves,
    isolate,
    lifted_bytes,
    majority_ring,
    merged,
    one_way,
    pairs,
    payload,
)


def members(count: int) -> list[str]:
    return [f"n{number}" for number in range(1, count + 1)]


def heard(alias: str, count: int, grudge: frozenset[Pair]) -> frozenset[str]:
    """Whom a member exchanges messages with both ways, itself included."""
    return frozenset(
        peer
        for peer in members(count)
        if peer == alias or not {(alias, peer), (peer, alias)} & grudge
    )


def test_isolating_a_member_cuts_its_links_both_ways_and_no_other() -> None:
    assert isolate(["n2"], members(3)) == {
        ("n2", "n1"),
        ("n2", "n3"),
        ("n1", "n2"),
        ("n3", "n2"),
    }


def test_one_way_cuts_only_what_the_sources_send() -> None:
    assert one_way(["n1"], ["n1", "n2", "n3"]) == {("n1", "n2"), ("n1", "n3")}


def test_components_leave_each_group_whole() -> None:
    grudge = components([["n1", "n2"], ["n3"], ["n4"]])
    assert ("n1", "n2") not in grudge
    assert grudge == isolate(["n3"], members(4)) | isolate(["n4"], members(4))


@pytest.mark.parametrize("count", [3, 4, 5, 6, 7])
def test_halves_are_as_equal_as_can_be(count: int) -> None:
    small, large = halves(members(count))
    assert sorted(small + large) == members(count)
    assert len(large) - len(small) == count % 2


@pytest.mark.parametrize("count", [3, 4, 5, 6, 7])
def test_only_the_bridge_hears_everybody(count: int) -> None:
    grudge = bridge(members(count))
    assert heard("n1", count, grudge) == set(members(count))
    assert all(len(heard(m, count, grudge)) < count for m in members(count)[1:])


@pytest.mark.parametrize("count", [4, 5, 6, 7, 8, 9])
def test_in_a_majority_ring_every_member_hears_a_majority_and_no_two_the_same(count: int) -> None:
    grudge = majority_ring(members(count))
    known = [heard(member, count, grudge) for member in members(count)]
    assert all(2 * len(group) > count for group in known)
    assert all(one != other for one, other in combinations(known, 2))
    assert all((b, a) in grudge for a, b in grudge)


def test_healing_is_the_empty_mapping() -> None:
    assert merged([]) == HEALED
    assert merged([{("n1", "n2"): LinkState()}]) == HEALED


def test_faults_stack_and_undoing_one_leaves_the_others() -> None:
    partition = cut(isolate(["n1"], members(3)))
    slow = dict.fromkeys(pairs(members(3)), LinkState(delay_s=0.1))
    narrow = {("n1", "n2"): LinkState(rate_bytes_s=100.0)}
    both = merged([partition, slow, narrow])
    assert both["n1", "n2"] == LinkState(cut=True, delay_s=0.1, rate_bytes_s=100.0)
    assert both["n2", "n3"] == LinkState(delay_s=0.1)
    assert merged([partition]) == partition
    assert merged([slow, slow])["n2", "n3"] == LinkState(delay_s=0.2)


def test_a_probe_of_a_narrow_link_sends_enough_to_be_slow() -> None:
    size, seconds = payload(LinkState(rate_bytes_s=10_000.0, delay_s=0.3))
    assert size == 2_000
    assert seconds == pytest.approx(0.5)
    assert payload(LinkState()) == (16, 0.0)


@pytest.mark.parametrize(
    ("state", "seconds", "wanted"),
    [
        (CUT, None, True),
        (CUT, 0.001, False),
        (LinkState(), 0.001, True),
        (LinkState(), None, False),
        (LinkState(delay_s=0.3), 0.301, True),
        (LinkState(delay_s=0.3), 0.002, False),
        (LinkState(), 0.9, False),
        (LinkState(delay_s=0.1), 1.9, False),
        (LinkState(delay_s=0.3), 0.5, True),
        (LinkState(rate_bytes_s=10_000.0), 3.0, True),
        (LinkState(rate_bytes_s=10_000.0), 0.2, True),
        (LinkState(rate_bytes_s=10_000.0), 0.01, False),
    ],
)
def test_a_receipt_tells_whether_a_link_is_as_wanted(
    state: LinkState, seconds: float | None, wanted: bool
) -> None:
    probes = dict.fromkeys(pairs(["n1", "n2"]), 0.001) | {("n1", "n2"): seconds}
    assert as_wanted({("n1", "n2"): state}, probes, ["n1", "n2"]) is wanted


@pytest.mark.parametrize(("rate", "is_seen"), [(1, True), (32_000, True), (1_000_000, False)])
def test_a_link_that_is_still_narrow_is_late(rate: int, is_seen: bool) -> None:
    seconds = lifted_bytes(rate) / rate
    assert as_wanted(HEALED, {("n1", "n2"): seconds, ("n2", "n1"): 0.0}, ["n1", "n2"]) != is_seen
