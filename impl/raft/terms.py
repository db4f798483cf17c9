"""Which term each index of a log belongs to, kept as runs: a term costs a few bytes, ever."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

Runs = tuple[tuple[int, int], ...]
"""Terms, ascending, each with the index of its last entry: all entries of a log from the first on.

Logs whose last entries have the same index and term are equal (Log Matching, §5.3), so that runs
say which content a snapshot has.
"""


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """An entry of the log; its index is the LSN. (0, 0) is before the first one."""

    index: int
    term: int


def end_of(runs: Runs) -> tuple[int, int]:
    """The index and the term of the last entry; (0, 0) if there is none."""
    return (runs[-1][1], runs[-1][0]) if runs else (0, 0)


def are_runs(runs: Runs) -> bool:
    """Whether terms and indices ascend, as in any log."""
    term = last = 0
    for its_term, its_last in runs:
        if its_term <= term or its_last <= last:
            return False
        term, last = its_term, its_last
    return True


class Terms:
    """The terms of a log that grows and is cut at its end.

    # Invariant: starts and values ascend strictly; entry `starts[i]` is the first of `values[i]`.
    """

    __slots__ = ("starts", "values")

    def __init__(self, runs: Iterable[tuple[int, int]] = ()) -> None:
        self.starts: list[int] = []
        self.values: list[int] = []
        first = 1
        for term, last in runs:
            self.starts.append(first)
            self.values.append(term)
            first = last + 1

    def begin(self, index: int, term: int) -> None:
        """The entry at `index` is the first of a new term."""
        assert not self.values or term > self.values[-1], "terms never fall along a log"
        self.starts.append(index)
        self.values.append(term)

    def cut(self, index: int) -> int:
        """The entry at `index` and all after it are gone; gives the last term that is left."""
        while self.starts and self.starts[-1] >= index:
            self.starts.pop()
            self.values.pop()
        return self.values[-1] if self.values else 0

    def at(self, index: int) -> int:
        """The term of an entry that is there; 0 for index 0."""
        return self.values[bisect_right(self.starts, index) - 1] if index else 0

    def until(self, index: int) -> Runs:
        """The runs of the entries up to one that is there."""
        count = bisect_right(self.starts, index)
        ends = [*(start - 1 for start in self.starts[1:count]), index]
        return tuple(zip(self.values[:count], ends, strict=False))
