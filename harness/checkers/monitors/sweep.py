"""Can operations with bounds on their places be put in order? Exact, by two sorts and a bisection.

Every operation has an interval lo … hi of places on one line along which the object only grows:
which element of a log it appended, how long it found the log. They are in order iff places can be
chosen that never decrease from an operation to one that began after it had returned: sorted by
(place, invocation) they are a linearization, if those with equal places commute. The least places
do, if any do; and of a chain of predecessors the first has returned before all that follow it, so
that nobody's bound need be handed on.
"""

import msgspec
import numpy as np

from .columns import BEFORE, Columns, Ints, first_of_each, running_max

UNBOUNDED = 1 << 60
"""As `hi`: any place from lo on."""


class Items(msgspec.Struct, frozen=True):
    """Operations (by their place in the columns) with the bounds of their places."""

    at: Ints
    lo: Ints
    hi: Ints


def items(at: list[int], lo: list[int], hi: list[int]) -> Items:
    return Items(np.array(at, np.int64), np.array(lo, np.int64), np.array(hi, np.int64))


def floors(c: Columns, all_of: Items, of: Ints) -> Ints:
    """For each operation of `of` the greatest lo among the items that precede it, or BEFORE."""
    key = c.key[all_of.at]
    returns = c.within(key, c.ret[all_of.at])
    order = np.argsort(returns, kind="stable")
    key, returns = key[order], returns[order]
    highest = running_max(key, all_of.lo[order])
    before = np.searchsorted(returns, c.within(c.key[of], c.inv[of]), side="left") - 1
    if not len(key):
        return np.full(len(of), BEFORE, np.int64)
    is_there = (before >= 0) & (key[before] == c.key[of])
    return np.where(is_there, highest[before], BEFORE)


def ceilings(c: Columns, all_of: Items, of: Ints) -> Ints:
    """For each operation of `of` the least hi among the items that it precedes, or UNBOUNDED."""
    key = c.key[all_of.at]
    begins = c.within(key, c.inv[all_of.at])
    order = np.argsort(begins, kind="stable")[::-1]
    key, begins = key[order], begins[order]
    bounded = all_of.hi < UNBOUNDED
    top = int(all_of.hi[bounded].max(initial=0))
    depth = np.where(bounded, top - all_of.hi, BEFORE)[order]
    rank = np.cumsum(np.concatenate(([0], key[1:] != key[:-1]))) if len(key) else key
    deepest = running_max(rank, depth)
    after = np.searchsorted(-begins, -c.within(c.key[of], c.ret[of]), side="left") - 1
    if not len(key):
        return np.full(len(of), UNBOUNDED, np.int64)
    is_there = (after >= 0) & (key[after] == c.key[of]) & (deepest[after] > BEFORE)
    return np.where(is_there, top - deepest[after], UNBOUNDED)


def sweep(c: Columns, found: Items) -> list[tuple[int, int]]:
    """For each key out of order a pair (earlier, later): operations, by their place in the columns.

    The earlier had returned before the later began, and has a place above the later's highest.
    """
    floor = floors(c, found, found.at)
    late = np.flatnonzero(floor > found.hi)
    late = late[np.argsort(c.within(c.key[found.at[late]], c.inv[found.at[late]]))]
    keys = c.key[found.at[late]]
    order = np.argsort(c.key[found.at], kind="stable")
    sorted_keys = c.key[found.at[order]]
    pairs = []
    for which in first_of_each(keys, np.arange(len(late))).tolist():
        at = int(found.at[late[which]])
        start, stop = np.searchsorted(sorted_keys, [c.key[at], c.key[at] + 1])
        mine = order[start:stop]
        mine = mine[c.ret[found.at[mine]] < c.inv[at]]
        earlier = mine[np.argmax(found.lo[mine])]
        pairs.append((int(found.at[earlier]), at))
    return pairs
