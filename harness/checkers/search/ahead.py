"""What tells early that an operation will never be placed: who can still make it legal.

Where a state is left in which an operation to come is legal, and nothing that may still come leads
back to such a state by the time that the operation returns, all is lost already.
"""

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from . import kernel
from .steps import ILLEGAL
from .tables import Table, distinct

ENTRIES_MAX = 1 << 23
"""Above this, the lists would cost more than they save, and nothing is looked up."""

Numbers = npt.NDArray[np.int64]


def look_ahead(
    after: Table, kinds: Any, doubtful: Any, invoked: Numbers, returned: Numbers, open_after: Table
) -> Any:
    """The kernel's tuple; its arguments are the kernel's, too."""
    states, columns = after.shape
    used = np.zeros(columns, dtype=np.bool_)
    used[kinds[~doubtful]] = True
    is_legal = after.T != ILLEGAL
    first, group_of = distinct(is_legal)
    legal = is_legal[first]
    group = np.where(is_legal.all(axis=1) | ~used, -1, group_of)
    # Only what is asked for gets a number.
    kept = np.unique(group[group >= 0])
    number = np.full(len(legal) + 1, -1, dtype=np.int32)
    number[kept] = np.arange(len(kept))
    group, legal = number[group], legal[kept]
    present = np.zeros(columns, dtype=np.bool_)
    present[kinds] = True
    if len(kept) * max(columns, states, len(open_after)) > ENTRIES_MAX:
        group, legal = np.full(columns, -1, dtype=np.int32), legal[:0]
    makes = _makes(legal, after.T, present)
    of_group = group[kinds] if len(kinds) else np.zeros(0, dtype=np.int32)
    by_invocation = np.argsort(invoked, kind="stable")
    need_start, need = _listed(len(legal), of_group, ~doubtful, by_invocation)
    need_returned = returned[need]
    for begin, end in pairwise(need_start):
        part = need_returned[begin:end]
        part[:] = np.minimum.accumulate(part[::-1])[::-1]
    sizes = makes[:, kinds].sum(axis=1) if len(legal) else np.zeros(0, dtype=np.int64)
    if int(sizes.sum()) > ENTRIES_MAX:
        return look_ahead(after, kinds, np.ones_like(doubtful), invoked, returned, open_after)
    ordered = kinds[by_invocation]
    coming = [invoked[by_invocation[makes[at][ordered]]] for at in range(len(legal))]
    inside = [np.flatnonzero(legal[:, state]) for state in range(states)]
    return kernel.Ahead(
        group=group.astype(np.int32),
        legal=legal,
        inside_start=_starts([len(part) for part in inside]),
        inside=_joined(inside),
        need_start=need_start,
        need_invoked=invoked[need],
        need_returned=need_returned,
        makes=makes,
        make_start=_starts(sizes.tolist()),
        make_invoked=_joined(coming),
        open_makes=_makes(legal, open_after, np.ones(len(open_after), dtype=np.bool_)),
    )


def _makes(legal: Any, columns: Any, wanted: Any) -> Any:
    """By group and column: whether it leads from a state outside the group's to one inside."""
    found = np.zeros((len(legal), len(columns)), dtype=np.bool_)
    # Many operations, like all writes, lead from the same states: from all of them.
    outside: dict[bytes, Any] = {}
    for at in np.flatnonzero(wanted):
        column = columns[at]
        for target in np.unique(column[column != ILLEGAL]):
            sources = column == target
            name = sources.tobytes()
            if name not in outside:
                outside[name] = ~legal[:, sources].all(axis=1)
            found[:, at] |= legal[:, target] & outside[name]
    return found


def _listed(groups: int, of_group: Any, wanted: Any, order: Any) -> tuple[Numbers, Numbers]:
    """The wanted members of each group in the given order, and where each group begins."""
    chosen = order[wanted[order] & (of_group[order] >= 0)]
    members = chosen[np.argsort(of_group[chosen], kind="stable")]
    return _starts(np.bincount(of_group[chosen], minlength=groups).tolist()), members


def _starts(sizes: list[int]) -> Numbers:
    return np.cumsum([0, *sizes], dtype=np.int64)


def _joined(parts: list[Any]) -> Numbers:
    return np.concatenate([np.zeros(0, dtype=np.int64), *parts]).astype(np.int64)
