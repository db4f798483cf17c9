"""Operations whose place nobody told: which places real time leaves them, for matching in order."""

import msgspec

from .columns import Columns, Ints
from .sweep import Items, ceilings, floors


class Job(msgspec.Struct, frozen=True, order=True):
    """An operation with the bounds of its place. Sorted: the one that must be placed first."""

    hi: int
    inv: int
    lo: int
    at: int


def jobs(c: Columns, order: Columns, known: Items, of: Ints) -> dict[int, list[Job]]:
    """Those of each key of `c`, by what precedes and follows them among the `known` of `order`."""
    lo = floors(order, known, of).tolist()
    hi = ceilings(order, known, of).tolist()
    found: dict[int, list[Job]] = {}
    for at, low, high in zip(of.tolist(), lo, hi, strict=True):
        found.setdefault(int(c.key[at]), []).append(Job(high, int(c.inv[at]), low, at))
    return found
