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
    rows: list[Table] = []
    while len(rows) < steps.states:
        if steps.states > STATES_MAX or steps.states * steps.classes > CELLS_MAX:
            return None
        if spending.limit():
            return None
        state = len(rows)
        rows.append(np.array(steps.row(state), dtype=np.int32))
    whole = _without_twins(np.array(rows, dtype=np.int32).reshape(len(rows), steps.classes))
    first, kind_of = distinct(whole.T)
    after = np.ascontiguousarray(whole[:, first], dtype=np.int32)
    own = np.arange(len(after), dtype=np.int32)[:, None]
    is_read = ((after == ILLEGAL) | (after == own)).all(axis=0)
    return Tables(after, kind_of.astype(np.int32), is_read)


def _without_twins(whole: Table) -> Table:
    """The table with one state for all that no sequence of operations tells apart.

    A value that nobody ever read is like any other such value. The initial state stays 0.
    """
    colours = np.zeros(len(whole), dtype=np.int32)
    count = 1
    while True:
        seen = np.where(whole == ILLEGAL, np.int32(ILLEGAL), colours[whole])
        first, found = distinct(seen)
        if len(first) == count:
            return np.ascontiguousarray(seen[first])
        colours = found.astype(np.int32)
        count = len(first)


def distinct(rows: npt.NDArray[Any]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Where each different row is first, in order, and for every row which of those it equals.

    Rows are told apart by products with random numbers, which is many times as fast as sorting
    them, and then compared.
    """
    weights = np.random.default_rng(1).integers(0, 1 << 62, rows.shape[1], dtype=np.int64)
    _, first, found = np.unique(
        rows.astype(np.int64) @ weights, return_index=True, return_inverse=True
    )
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    first, found = np.sort(first), rank[found.reshape(-1)]
    assert (rows == rows[first[found]]).all(), "two different rows have the same product"
    return first, found
