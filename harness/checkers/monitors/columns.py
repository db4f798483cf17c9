"""The intervals and keys of operations as arrays, and what can be computed within each key at once.

All keys are judged together: an array is sorted by key first, and a number that grows from key to
key (`Columns.within`) keeps a running maximum or a bisection from looking across. So a million keys
of one operation each cost as little as one key of a million.
"""

from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..operations import FOREVER, Operation

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

BEFORE = -1
"""The position of whatever was there when the history began."""

_ROOM = 1 << 60


class Columns(msgspec.Struct, frozen=True):
    """One entry an operation, in the order given.

    Positions lie in 0 … span - 2; an operation that never returned does so at `span - 2`, which is
    after every invocation.
    """

    operations: Sequence[Operation]
    keys: list[Any]
    key: Ints
    inv: Ints
    ret: Ints
    span: int

    @property
    def never(self) -> int:
        return self.span - 2

    def within(self, key: Ints, position: Ints | int) -> Ints:
        """Positions (from BEFORE on) as numbers that are ordered by key first."""
        return key * self.span + (position + 1)


def columns(operations: Sequence[Operation], groups: Iterable[Hashable] | None = None) -> Columns:
    """The columns of operations; `groups` takes the place of their keys."""
    count = len(operations)
    inv = np.fromiter((o.invoked for o in operations), np.int64, count)
    ret = np.fromiter(
        (FOREVER if o.returned is None else o.returned for o in operations), np.int64, count
    )
    ids: dict[Hashable, int] = {}
    names = [o.key for o in operations] if groups is None else list(groups)
    if names.count(names[0] if names else None) == count:
        # One key, most often: to number it a million times costs as much as all else here.
        ids = {name: 0 for name in names[:1]}
        key = np.zeros(count, np.int64)
    else:
        key = np.fromiter((ids.setdefault(name, len(ids)) for name in names), np.int64, count)
    is_open = ret == FOREVER
    last = max(int(inv.max(initial=0)), int(ret[~is_open].max(initial=0)))
    if int(min(inv.min(initial=0), ret.min(initial=0))) < 0 or last > _ROOM // (len(ids) + 1):
        inv, ret, last = _ranked(inv, ret)
    ret[is_open] = last + 1
    return Columns(operations, list(ids), key, inv, ret, last + 3)


def _ranked(inv: Ints, ret: Ints) -> tuple[Ints, Ints, int]:
    """Positions that are as large as clock readings, by their ranks."""
    met, ranks = np.unique(np.concatenate((inv, ret)), return_inverse=True)
    ranks = ranks.reshape(-1).astype(np.int64)
    return ranks[: len(inv)], ranks[len(inv) :], len(met)


def running_max(key: Ints, value: Ints) -> Ints:
    """The greatest value so far within each key; `key` ascends, values are BEFORE or more."""
    step = int(value.max(initial=0)) + 2
    base = key * step
    return np.maximum.accumulate(base + (value + 1)) - base - 1


def before(key: Ints, value: Ints, absent: int) -> Ints:
    """Each entry's predecessor within its key, or `absent` for the first."""
    found = np.full_like(value, absent)
    if len(value):
        found[1:] = np.where(key[1:] == key[:-1], value[:-1], absent)
    return found


def first_of_each(key: Ints, at: Ints) -> Ints:
    """Of the entries `at` (ascending) the first of each key; `key` ascends and is of all."""
    if not len(at):
        return at
    mine = key[at]
    return at[np.concatenate(([True], mine[1:] != mine[:-1]))]
