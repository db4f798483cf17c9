"""Transition tables: every state that a specification can reach, and every step of it, as arrays.

Most objects have few states (a register has as many as values were written), and then a search
needs no Python at all. What the whole table knows besides: which classes never change the state,
whatever they are called (a compare-and-set that failed is a read), and which differ in name only.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from .spending import Spending
from .steps import ILLEGAL, Steps

STATES_MAX: Final = 1 << 12
CELLS_MAX: Final = 1 << 21
"""More than these, and the table costs more than it saves."""

Table = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Tables:
    """`after[state, kind]` is a state or ILLEGAL; `kind_of[class]` is the class's column.

    `is_read[kind]`: it changes no state.
    """

    after: Table
    kind_of: npt.NDArray[np.int32]
    is_read: npt.NDArray[Any]


def closed(steps: Steps, spending: Spending) -> Tables | None:
    """The tables of all classes that `steps` knows; None where they are too large or take long."""
    kinds = range(steps.classes)
    rows: list[list[int]] = []
    while len(rows) < steps.states:
        if steps.states > STATES_MAX or steps.states * steps.classes > CELLS_MAX:
            return None
        if spending.limit():
            return None
        state = len(rows)
        rows.append([steps.next(state, kind) for kind in kinds])
    whole = _without_twins(np.array(rows, dtype=np.int32).reshape(len(rows), steps.classes))
    columns, kind_of = np.unique(whole, axis=1, return_inverse=True)
    after = np.ascontiguousarray(columns, dtype=np.int32)
    own = np.arange(len(after), dtype=np.int32)[:, None]
    is_read = ((after == ILLEGAL) | (after == own)).all(axis=0)
    return Tables(after, kind_of.reshape(-1).astype(np.int32), is_read)


def _without_twins(whole: Table) -> Table:
    """The table with one state for all that no sequence of operations tells apart.

    A value that nobody ever read is like any other such value. The initial state stays 0.
    """
    colours = np.zeros(len(whole), dtype=np.int32)
    count = 1
    while True:
        seen = np.where(whole == ILLEGAL, np.int32(ILLEGAL), colours[whole])
        _, first, found = np.unique(seen, axis=0, return_index=True, return_inverse=True)
        # By first appearance, so that the initial state's colour is 0.
        rank = np.empty(len(first), dtype=np.int32)
        rank[np.argsort(first)] = np.arange(len(first), dtype=np.int32)
        colours = rank[found.reshape(-1)]
        if len(first) == count:
            return np.ascontiguousarray(seen[np.sort(first)])
        count = len(first)
