"""One object's operations, in the order that a search wants them."""

import heapq
from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..operations import UNKNOWN, Operation
from ..specs.spec import Spec


@dataclass(frozen=True, slots=True)
class Problem:
    """What is to be ordered.

    `known` are the operations of known outcome by return: an operation's place there is its rank.
    `open` are those of unknown outcome by invocation: they may have happened, any time after it.
    """

    known: tuple[Operation, ...]
    open: tuple[Operation, ...]
    returns: tuple[int, ...] = field(repr=False)

    @classmethod
    def of(cls, operations: Sequence[Operation], spec: Spec) -> "Problem":
        """Reads of unknown outcome say nothing and are left out."""
        known = sorted((o for o in operations if o.returned is not None), key=_return)
        unknown = (o for o in operations if o.returned is None and o.f not in spec.reads)
        waiting = tuple(sorted(unknown, key=lambda operation: operation.invoked))
        return cls(tuple(known), waiting, tuple(map(_return, known)))

    def is_doubtful(self, rank: int) -> bool:
        """Whether an operation that returned may not have happened (only part of a history is)."""
        return self.known[rank].result is UNKNOWN


class Windows:
    """Which operations are open while one of known outcome is the first not yet placed.

    While the operation of rank `low` is the first to return of those not placed, real time allows
    whatever was invoked by then. Of known outcome those are `window(low)`, by rank.
    """

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        by_invocation = sorted(range(len(problem.known)), key=self._invoked)
        self._coming = by_invocation
        self._opened = 0
        self._windows: list[tuple[int, ...]] = []
        self._current: list[int] = []

    def window(self, low: int) -> tuple[int, ...]:
        while len(self._windows) <= low:
            self._advance()
        return self._windows[low]

    def _advance(self) -> None:
        rank = len(self._windows)
        if rank:
            # The operation before it was the first by rank, and it is placed now.
            self._current.pop(0)
        horizon = self._problem.returns[rank]
        coming, known = self._coming, self._problem.known
        while self._opened < len(coming) and known[coming[self._opened]].invoked <= horizon:
            insort(self._current, coming[self._opened])
            self._opened += 1
        self._windows.append(tuple(self._current))

    def _invoked(self, rank: int) -> int:
        return self._problem.known[rank].invoked


def slots(operations: Sequence[tuple[int, int]]) -> list[int]:
    """A small number for each (invoked, returned): two that overlap have different ones."""
    order = sorted(range(len(operations)), key=lambda at: operations[at][0])
    free: list[int] = []
    taken: list[tuple[int, int]] = []
    given = [0] * len(operations)
    used = 0
    for at in order:
        invoked, returned = operations[at]
        while taken and taken[0][0] < invoked:
            heapq.heappush(free, heapq.heappop(taken)[1])
        if free:
            slot = heapq.heappop(free)
        else:
            slot, used = used, used + 1
        given[at] = slot
        heapq.heappush(taken, (returned, slot))
    return given


def _return(operation: Operation) -> int:
    assert operation.returned is not None
    return operation.returned
