"""Can operations with bounds on the log's length be put in order? Exact, near-linear.

Every operation gets an interval [lo, hi] of keys: an append that ends at offset e has the key
2e - 1, and a read that finds the log n rows long has the key 2n. Why keys that never decrease in
time are enough is told in `monitors/sweep.py`, which judges many keys at once. Here each operation
needs its floor, for the appends that nobody saw, and each that fails the one that it contradicts.
"""

from collections.abc import Sequence
from operator import attrgetter

import msgspec

from .placement import Placement
from .view import FOREVER, Append, Read

UNBOUNDED = FOREVER


class Item(msgspec.Struct, frozen=True, gc=False):
    """One operation with the keys at which it may stand and the interval in which it ran."""

    lo: int
    hi: int
    inv: int
    ret: int
    operation: Append | Read


class Swept(msgspec.Struct, frozen=True):
    """For each item the least key that real time allows it, and the pairs that allow it none.

    A pair is (earlier, later): the earlier had returned, with a key above the later's highest.
    """

    floors: list[int]
    violations: list[tuple[Item, Item]]


def items(placement: Placement) -> list[Item]:
    """The operations of one log with their bounds, in order of invocation.

    An append that was never placed is bound by nothing: its item only asks for the floor.
    """
    found = [append_item(append, placement) for append in placement.view.appends]
    found += [read_item(read, placement) for read in placement.view.reads]
    found.sort(key=attrgetter("inv"))
    return found


def append_item(append: Append, placement: Placement) -> Item:
    start = placement.starts.get(append.inv)
    if start is None:
        return Item(0, UNBOUNDED, append.inv, FOREVER, append)
    key = 2 * (start + len(append.rows)) - 1
    return Item(key, key, append.inv, append.ret, append)


def read_item(read: Read, placement: Placement) -> Item:
    """Bound the length of the log that a read saw.

    A short page ends where the log ended. A full page ends anywhere, perhaps inside a batch, and a
    batch appears at once: the log was at least as long as the batch of the last row.
    """
    if read.rows:
        lo = 2 * placement.ends[read.end - 1]
        hi = UNBOUNDED if read.is_full_page else 2 * read.end
    else:
        lo = 0
        hi = UNBOUNDED if read.is_full_page else 2 * read.start
    return Item(lo, hi, read.inv, read.ret, read)


def sweep(ordered: Sequence[Item]) -> Swept:
    """Find for each item the greatest key among those that returned before it began.

    Their own lower bounds are enough: whoever an operation inherits a bound from had returned
    before it began, and so before all that follow it. O(n log n), of which the loop is linear.
    """
    by_return = sorted(ordered, key=attrgetter("ret"))
    floors: list[int] = []
    violations: list[tuple[Item, Item]] = []
    returned = 0
    floor = 0
    setter: Item | None = None
    for item in ordered:
        inv = item.inv
        while by_return[returned].ret < inv:
            before = by_return[returned]
            returned += 1
            if before.lo > floor:
                floor, setter = before.lo, before
        floors.append(floor)
        if floor > item.hi:
            assert setter is not None
            violations.append((setter, item))
    return Swept(floors, violations)
