"""Mistakes that a monitor could have, each of which the random histories must find."""

from collections.abc import Callable
from typing import Any

import numpy as np
from delphic.harness.checkers.monitors import register, register_values, zones
from delphic.harness.checkers.monitors.columns import BEFORE, Columns, Ints
from delphic.harness.checkers.monitors.register_values import Values

Mistake = tuple[str, Any, str, Callable[..., Any]]
"""A specification, and the function of its monitor that is replaced."""


def only_neighbours_overlap(c: Columns, blocks: zones.Blocks) -> list[tuple[int, int]]:
    """Backward zones are forgotten."""
    is_forward = blocks.first < blocks.last
    kept = np.flatnonzero(is_forward)
    forward = zones.Blocks(blocks.key[kept], blocks.first[kept], blocks.last[kept])
    return [(int(kept[a]), int(kept[b])) for a, b in CLASHES(c, forward)]


def overlaps_are_fine(c: Columns, blocks: zones.Blocks) -> list[tuple[int, int]]:
    pairs = CLASHES(c, blocks)
    return [
        (a, b)
        for a, b in pairs
        if blocks.first[a] >= blocks.last[a] or blocks.first[b] >= blocks.last[b]
    ]


def the_initial_value_may_come_back(c: Columns, found: Values) -> tuple[Ints, Ints]:
    first, last = ZONES(c, found)
    last[found.writer == register_values.INITIAL] = BEFORE
    return first, last


def chains_have_no_order(c: Columns, chain: Ints, last: Ints) -> Ints:
    return np.full_like(last, BEFORE)


def open_writes_never_happened(maybe: Any, observed: set[int]) -> list[Any]:
    return []


def open_swaps_count_only_if_read(
    maybe: list[tuple[int, int, int]], observed: set[int]
) -> list[tuple[int, int, int]]:
    known = set(observed)
    return [entry for entry in HAPPENED(maybe, observed) if entry[1] in known]


def every_swap_is_its_own_chain(found: Values) -> tuple[Ints, Ints, Ints]:
    count = len(found.key)
    return np.arange(count), np.zeros(count, np.int64), np.empty(0, np.int64)


def circles_are_fine(found: Values) -> tuple[Ints, Ints, Ints]:
    chain, place, circling = CHAINS(found)
    chain[circling] = circling
    return chain, place, circling[:0]


CLASHES = zones.clashes
ZONES = register._zones
HAPPENED = register_values._happened
CHAINS = register._chains

MISTAKES: list[Mistake] = [
    ("register", register, "clashes", only_neighbours_overlap),
    ("register", register, "clashes", overlaps_are_fine),
    ("register", register, "_zones", the_initial_value_may_come_back),
    ("register", register_values, "_happened", open_writes_never_happened),
    ("cas-register", register, "_running", chains_have_no_order),
    ("cas-register", register_values, "_happened", open_swaps_count_only_if_read),
    ("cas-register", register, "_chains", every_swap_is_its_own_chain),
    ("cas-register", register, "_chains", circles_are_fine),
]
