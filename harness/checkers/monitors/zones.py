"""Can blocks of operations be put one after another, none of which may be taken apart?

A block is a value's write with its reads, a chain of such, or a lock with its unlock. Of each
only two numbers matter: `first`, where the first of its operations returned, and `last`, where the
last of them began. A must come before B where some operation of A returned before one of B began,
which is `first[A] < last[B]`; so an order exists iff no two blocks must both come before the other.
Longer cycles contain such a pair: the block with the least `first` comes before all others, also
before its predecessor.

first < last: a *forward* zone, in which the value must have been there throughout; no two of them
may overlap. Else a *backward* zone, which must not lie within a forward one (Gibbons, Korach 1997).
"""

import msgspec
import numpy as np

from .columns import BEFORE, Columns, Flags, Ints, before, first_of_each, running_max


class Blocks(msgspec.Struct, frozen=True):
    """Blocks of all keys, in any order."""

    key: Ints
    first: Ints
    last: Ints


def clashes(c: Columns, blocks: Blocks) -> list[tuple[int, int]]:
    """For each key without an order, two blocks that must both come before the other."""
    is_forward: Flags = blocks.first < blocks.last
    forward = np.flatnonzero(is_forward)
    forward = forward[np.argsort(c.within(blocks.key[forward], blocks.first[forward]))]
    key, first, last = blocks.key[forward], blocks.first[forward], blocks.last[forward]
    reach = running_max(key, last)
    found: dict[int, tuple[int, int]] = {}
    overlaps = np.flatnonzero(first < before(key, reach, BEFORE))
    for at in first_of_each(key, overlaps).tolist():
        found[int(key[at])] = (_furthest(key, last, at), at)
    pairs = {k: (int(forward[a]), int(forward[b])) for k, (a, b) in found.items()}
    backward = np.flatnonzero(~is_forward)
    where = c.within(blocks.key[backward], blocks.last[backward])
    before_it = np.searchsorted(c.within(key, first), where, side="left") - 1
    in_reach = before_it >= 0
    backward, before_it = backward[in_reach], before_it[in_reach]
    is_inside = (key[before_it] == blocks.key[backward]) & (
        reach[before_it] > blocks.first[backward]
    )
    for inner, at in zip(backward[is_inside].tolist(), before_it[is_inside].tolist(), strict=True):
        if int(key[at]) not in pairs:
            pairs[int(key[at])] = (int(forward[_furthest(key, last, at + 1)]), inner)
    return list(pairs.values())


def _furthest(key: Ints, last: Ints, end: int) -> int:
    """Of the forward zones of one key before `end`, the one that ends last."""
    start = int(np.searchsorted(key, key[end - 1], side="left"))
    return start + int(np.argmax(last[start:end]))
