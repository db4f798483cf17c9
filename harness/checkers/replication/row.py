"""One row on one side: can what was seen of it, in this order, have come from what touched it?

All runs that are allowed are followed at once. A run is which touches have happened (or can no
longer happen) and what the row then holds. Touches that must happen in one order happen in it; one
that may be missing is passed over when a later one happens. Sound: an alarm is one that no run
explains. Rows are followed one by one, so that what only several together show needs the callers.
"""

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

from .story import NEVER

RUNS_MAX = 2_000
"""So many runs at once are not followed: the row is given up, which only a crowd of open
operations on one row brings about."""

ABSENT = None


class Deed(Enum):
    """What a touch does: a row is there with a value, has another value if it is there, is gone."""

    PUT = "put"
    SET = "set"
    CLEAR = "clear"


class Touch(NamedTuple):
    """One transaction's deed on the row.

    It happens between `low` and `high`, if it happens at all: it must where `must`. Order among the
    touches of one row is by `begin` and `end` of the transactions, and by `rank` where both have
    one (the ids of their tasks).
    """

    txn: int
    deed: Deed
    value: int
    begin: int
    end: int
    must: bool = True
    low: int = 0
    high: int = NEVER
    rank: int | None = None


class Sight(NamedTuple):
    """What was seen of the row by somebody who looked between `begin` and `end`."""

    begin: int
    end: int
    value: int | None


class TooManyRuns(Exception):
    """The row is given up."""


def first_unexplained(
    touches: Sequence[Touch], sights: Sequence[Sight], *, ordered: bool = True
) -> int | None:
    """The place of the first sight that no allowed run explains; None if all are explained.

    The sights follow one another: none begins before the one before it has ended. With
    `ordered=False` touches may happen in any order. Raises TooManyRuns.
    """
    before = [_before(touches, at) if ordered else (0, 0) for at in range(len(touches))]
    runs: set[tuple[int, int | None]] = {(0, ABSENT)}
    for place, sight in enumerate(sights):
        due = sum(
            1 << at for at, touch in enumerate(touches) if touch.must and touch.high < sight.begin
        )
        runs = {
            run
            for run in _reached(runs, touches, before, sight.end)
            if run[1] == sight.value and run[0] & due == due
        }
        if not runs:
            return place
    return None


def _before(touches: Sequence[Touch], at: int) -> tuple[int, int]:
    """What must have happened before this touch, and what can no longer happen after it."""
    needed = over = 0
    this = touches[at]
    for place, other in enumerate(touches):
        if place != at and _precedes(other, this):
            over |= 1 << place
            needed |= (1 << place) if other.must else 0
    return needed, over


def _precedes(one: Touch, other: Touch) -> bool:
    if one.end < other.begin:
        return True
    if other.end < one.begin:
        return False
    return one.rank is not None and other.rank is not None and one.rank < other.rank


def _reached(
    runs: set[tuple[int, int | None]],
    touches: Sequence[Touch],
    before: Sequence[tuple[int, int]],
    until: int,
) -> set[tuple[int, int | None]]:
    """These runs and all that they can become by what may happen before `until`."""
    found, left = set(runs), list(runs)
    while left:
        passed, value = left.pop()
        for at, touch in enumerate(touches):
            needed, over = before[at]
            if passed >> at & 1 or touch.low >= until or passed & needed != needed:
                continue
            run = (passed | 1 << at | over, _after(touch, value))
            if run not in found:
                found.add(run)
                left.append(run)
                if len(found) > RUNS_MAX:
                    raise TooManyRuns
    return found


def _after(touch: Touch, value: int | None) -> int | None:
    match touch.deed:
        case Deed.PUT:
            return touch.value
        case Deed.SET:
            return ABSENT if value is ABSENT else touch.value
        case Deed.CLEAR:
            return ABSENT
