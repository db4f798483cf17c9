"""Links are a value: what every directed link between two members should be like.

A grudge says which links are cut; the functions here compute the usual ones. Nothing in this file
touches a network. A link that is not in the mapping is open, so that healing is the empty mapping.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import permutations

import msgspec

Pair = tuple[str, str]
"""A directed link: what the first member sends to the second."""


class LinkState(msgspec.Struct, frozen=True, array_like=True):
    """How one link behaves. While it is cut, bytes neither flow nor are lost."""

    cut: bool = False
    delay_s: float = 0.0
    rate_bytes_s: float | None = None


OPEN = LinkState()
CUT = LinkState(cut=True)

Links = Mapping[Pair, LinkState]
"""Every link that is not simply open."""

HEALED: Links = {}


def pairs(members: Sequence[str]) -> list[Pair]:
    """Every directed link of the group."""
    return list(permutations(members, 2))


def cut(grudge: Iterable[Pair]) -> Links:
    return dict.fromkeys(sorted(grudge), CUT)


def merged(parts: Iterable[Links]) -> Links:
    """All of them at once: a cut wins, delays add up, the lowest rate counts."""
    found: dict[Pair, LinkState] = {}
    for part in parts:
        for pair, state in part.items():
            known = found.get(pair, OPEN)
            rates = [r for r in (known.rate_bytes_s, state.rate_bytes_s) if r is not None]
            found[pair] = LinkState(
                cut=known.cut or state.cut,
                delay_s=known.delay_s + state.delay_s,
                rate_bytes_s=min(rates, default=None),
            )
    return {pair: state for pair, state in sorted(found.items()) if state != OPEN}


def one_way(sources: Collection[str], destinations: Collection[str]) -> frozenset[Pair]:
    """What the sources send does not reach the destinations; the other way stays open."""
    return frozenset((a, b) for a in sources for b in destinations if a != b)


def components(groups: Sequence[Collection[str]]) -> frozenset[Pair]:
    """Members hear one another only inside their own group."""
    return frozenset(pair for one, other in permutations(groups, 2) for pair in one_way(one, other))


def isolate(nodes: Collection[str], members: Sequence[str]) -> frozenset[Pair]:
    """These nodes on one side, all other members on the other."""
    return components([list(nodes), [m for m in members if m not in nodes]])


def halves(order: Sequence[str]) -> tuple[list[str], list[str]]:
    """Two sides as equal as can be, the smaller one first."""
    middle = len(order) // 2
    return list(order[:middle]), list(order[middle:])


def bridge(order: Sequence[str]) -> frozenset[Pair]:
    """Two sides that do not hear each other, and one member, the first, that hears both."""
    assert len(order) >= 3
    return components(halves(order[1:]))


def majority_ring(order: Sequence[str]) -> frozenset[Pair]:
    """Every member hears a majority, and no two hear the same one.

    Members stand in a circle and hear their nearest neighbours on both sides. Below four members
    every such circle is the whole group.
    """
    count = len(order)
    assert count >= 4
    reach = (count // 2 + 1) // 2
    near = {
        (order[at], order[(at + step) % count])
        for at in range(count)
        for step in (*range(-reach, 0), *range(1, reach + 1))
    }
    return frozenset(pair for pair in pairs(order) if pair not in near)


Probes = Mapping[Pair, float | None]
"""Seconds that a few bytes took over each link and back; None where they did not come back."""

_NARROW_S = 0.2
"""A probe of a narrow link sends what that link passes in this time."""

_PROBE_BYTES_MIN, _PROBE_BYTES_MAX = 16, 256_000

_TIMER_S = 0.01
"""Timers may fire this much early."""

_RATE_OFF = 0.05
"""A rate is seen so exactly, where it is counted in packets."""

LATE_S = 0.25
"""What arrives later than this is held up by a fault, or by a machine that is very busy. Shorter
delays cannot be told from it: that one of them was undone, no probe shows."""

_LIFTED_S, _LIFTED_BYTES_MAX = 2 * LATE_S, 64_000


def payload(state: LinkState) -> tuple[int, float]:
    """How many bytes a probe of such a link sends, and how many seconds the link makes of them."""
    if state.rate_bytes_s is None:
        return _PROBE_BYTES_MIN, state.delay_s
    size = _probe_bytes(state.rate_bytes_s * _NARROW_S, _PROBE_BYTES_MAX)
    return size, state.delay_s + size / state.rate_bytes_s


def lifted_bytes(rate_bytes_s: float) -> int:
    """How many a probe sends over a link that should be so narrow no more: if it is, that is late.

    Rates above 250 kB/s are not seen: more on all links at once would be late by itself.
    """
    return _probe_bytes(rate_bytes_s * _LIFTED_S, _LIFTED_BYTES_MAX)


def _probe_bytes(wanted: float, most: int) -> int:
    return max(_PROBE_BYTES_MIN, min(most, int(wanted)))


def as_wanted(links: Links, probes: Probes, members: Sequence[str]) -> bool:
    """Whether every link was seen to be as it should: cut, open, or as slow as asked for."""
    return all(_fits(links.get(pair, OPEN), probes[pair]) for pair in pairs(members))


def any_late(links: Links, probes: Probes) -> bool:
    """Whether something arrived, but later than it should have."""
    return any(
        seconds is not None and _is_late(links.get(pair, OPEN), seconds)
        for pair, seconds in probes.items()
    )


def soonest(links: Links, one: Probes, other: Probes) -> Probes:
    """Of two looks at the same links the better one; the last one of those that should be cut.

    A link that holds something up does so every time; what came once, came.
    """
    found = dict(other)
    for pair, seconds in one.items():
        last = other[pair]
        if seconds is not None and not links.get(pair, OPEN).cut:
            found[pair] = seconds if last is None else min(seconds, last)
    return found


def _fits(state: LinkState, seconds: float | None) -> bool:
    if state.cut:
        return seconds is None
    if seconds is None:
        return False
    narrow_s = payload(state)[1] - state.delay_s
    least_s = state.delay_s + narrow_s * (1 - _RATE_OFF) - _TIMER_S
    return seconds >= least_s and not _is_late(state, seconds)


def _is_late(state: LinkState, seconds: float) -> bool:
    """On a narrow link a probe may stand behind what members send."""
    is_bound = not state.cut and state.rate_bytes_s is None
    return is_bound and seconds > state.delay_s + LATE_S
