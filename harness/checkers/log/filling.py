"""Holes in a log: can batches of open outcome, never seen, account for them exactly?

A hole is a run of offsets below a known row that no acknowledgement and no read covers. Appends of
open outcome may have filled it, each as a whole and none across the hole's ends. Such an append
precedes nothing, and whatever ended before it began bounds it from below, so one number says all
about it: the least offset at which it may end. Along the log ever more appends become usable and
none ceases to be, so of those with equal size only the count matters, not which one is taken.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from enum import Enum
from itertools import pairwise

import msgspec

STATES_MAX = 20_000
"""Exact cover is NP-hard with many sizes of batches; one size takes one state a batch."""


class Spare(msgspec.Struct, frozen=True):
    """An append of open outcome that nobody saw: its size and the least offset where it may end."""

    size: int
    end_min: int


class Answer(Enum):
    """Whether all holes can be filled."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class Filling(msgspec.Struct, frozen=True):
    """The answer, and the first hole that stayed open in the best attempt."""

    answer: Answer
    hole: range | None = None


def holes(rows: Sequence[int | None]) -> list[range]:
    """The maximal runs of unknown offsets; the last row of a table is always known."""
    found: list[range] = []
    if None not in rows:
        return found
    start = None
    for offset, row in enumerate(rows):
        if row is None and start is None:
            start = offset
        elif row is not None and start is not None:
            found.append(range(start, offset))
            start = None
    assert start is None
    return found


def fill(gaps: Sequence[range], spares: Sequence[Spare], states_max: int = STATES_MAX) -> Filling:
    """Decide by search over (offset, how many of each size were used), each state once."""
    if not gaps:
        return Filling(Answer.YES)
    if sum(spare.size for spare in spares) < sum(map(len, gaps)):
        return Filling(Answer.NO, gaps[0])
    releases: dict[int, list[int]] = {}
    for spare in sorted(spares, key=lambda spare: spare.end_min):
        releases.setdefault(spare.size, []).append(spare.end_min)
    sizes = sorted(releases)
    following = {gap.stop: later.start for gap, later in pairwise(gaps)}
    ends = sorted(gap.stop for gap in gaps)
    first = (gaps[0].start, (0,) * len(sizes))
    stack = [first]
    met = {first}
    furthest = gaps[0].start
    while stack:
        offset, used = stack.pop()
        furthest = max(furthest, offset)
        gap_end = ends[bisect_right(ends, offset)]
        for end, now in _steps(offset, gap_end, used, sizes, releases):
            if end == ends[-1]:
                return Filling(Answer.YES)
            state = (following.get(end, end), now)
            if state not in met:
                if len(met) >= states_max:
                    return Filling(Answer.UNKNOWN, _gap_at(gaps, furthest))
                met.add(state)
                stack.append(state)
    return Filling(Answer.NO, _gap_at(gaps, furthest))


def _steps(
    offset: int,
    gap_end: int,
    used: tuple[int, ...],
    sizes: list[int],
    releases: dict[int, list[int]],
) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Every way to put one more batch at the offset: where it ends, and what is used then."""
    for which, size in enumerate(sizes):
        end = offset + size
        if end <= gap_end and bisect_right(releases[size], end) > used[which]:
            yield end, (*used[:which], used[which] + 1, *used[which + 1 :])


def _gap_at(gaps: Sequence[range], offset: int) -> range:
    return next(gap for gap in gaps if offset < gap.stop)
