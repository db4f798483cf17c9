"""The search itself, after Wing, Gong and Lowe, for any specification.

It performs operations one by one, in an order that real time allows, and goes back where an answer
differs. What it finds is a certificate: an order in which every answer is right. What makes it
fast, and why nothing is missed:

* An enabled read that is right is placed at once: it changes nothing, so waiting can only hurt.
* Of operations that ask the same and were answered alike, the first to return is placed first:
  whatever the others could do in its place, it can, and it cannot wait as long.
* Those that must return first are tried first; those of unknown outcome, which need not happen,
  last, and only where they change the state.
* A configuration is what was placed and the state. One that was met before is given up; so is one
  that has, where all else is equal, fewer reads placed and more operations of unknown outcome used.
* It ends as soon as all operations are placed whose outcome is known.
"""

from collections.abc import Iterator

import msgspec

from .outcome import Outcome
from .problem import Problem, Windows, slots
from .spending import Spending
from .steps import ILLEGAL, Steps

MEMO_BYTES = 400
"""What a remembered configuration costs: two tuples, their integers, a slot, a list."""


class Configuration(msgspec.Struct, frozen=True, gc=False):
    """What was placed: all of rank below `low`, and of those open then whose bits are set.

    `moved` are bits of operations that may change the state, `read` of those that never do, both
    by slot; `used` are bits of those of unknown outcome.
    """

    low: int
    state: int
    moved: int
    read: int
    used: int


class Frame(msgspec.Struct, gc=False):
    """A configuration on the way, the operations that led there, and what is left to try."""

    placed: tuple[int, ...]
    untried: Iterator[tuple[Configuration, tuple[int, ...]]]


class PlainSearch:
    """A depth-first search for one object, by dictionaries.

    An operation is numbered by its rank; those of unknown outcome follow.
    """

    def __init__(
        self, problem: Problem, steps: Steps, reads: frozenset[str], spending: Spending
    ) -> None:
        self._problem = problem
        self._steps = steps
        self._spending = spending
        self._windows = Windows(problem)
        self._total = len(problem.known)
        self._kinds = [steps.class_of(operation) for operation in problem.known]
        self._is_read = [operation.f in reads for operation in problem.known]
        intervals = zip((o.invoked for o in problem.known), problem.returns, strict=True)
        self._bits = [1 << slot for slot in slots(list(intervals))]
        self._spare: dict[int, list[int]] = {}
        for at, operation in enumerate(problem.open):
            self._spare.setdefault(steps.class_of(operation), []).append(at)
        self._memo: dict[tuple[int, int, int], list[tuple[int, int]]] = {}

    def run(self, at_most: int | None = None) -> Outcome:
        """Search until an order is found, none is left, or the budget is spent.

        With `at_most`, it gives up after so many configurations.
        """
        stop = None if at_most is None else self._spending.configurations + at_most
        begin, placed = self._settled(Configuration(0, 0, 0, 0, 0))
        best = begin.low
        path = [Frame(placed, self._successors(begin))]
        while best < self._total:
            step = next(path[-1].untried, None)
            if step is None:
                path.pop()
                if not path:
                    return Outcome(best)
                continue
            limit = self._spending.hit()
            if not limit and self._spending.configurations == stop:
                limit = f"{at_most:,} configurations"
            if limit:
                return Outcome(best, limit)
            configuration, placed = step
            if not self._is_known(configuration):
                best = max(best, configuration.low)
                path.append(Frame(placed, self._successors(configuration)))
        everything = (*self._problem.known, *self._problem.open)
        order = tuple(everything[number] for frame in path for number in frame.placed)
        return Outcome(best, order=lambda: order)

    def _successors(self, at: Configuration) -> Iterator[tuple[Configuration, tuple[int, ...]]]:
        """What may come next, the most urgent first, with the reads that this makes right."""
        if at.low == self._total:
            return
        following = self._steps.next
        tried = set()
        for rank in self._windows.window(at.low):
            kind = self._kinds[rank]
            if self._is_read[rank] or at.moved & self._bits[rank] or kind in tried:
                continue
            tried.add(kind)
            state = following(at.state, kind)
            if state != ILLEGAL:
                moved = at.moved | self._bits[rank]
                yield self._settled(Configuration(at.low, state, moved, at.read, at.used), rank)
        horizon = self._problem.returns[at.low]
        for kind, spare in self._spare.items():
            first = next((spot for spot in spare if not at.used >> spot & 1), None)
            if first is None or self._problem.open[first].invoked > horizon:
                continue
            state = following(at.state, kind)
            if state not in (ILLEGAL, at.state):
                used = at.used | 1 << first
                after = Configuration(at.low, state, at.moved, at.read, used)
                yield self._settled(after, self._total + first)

    def _settled(self, at: Configuration, *placed: int) -> tuple[Configuration, tuple[int, ...]]:
        """Place all reads that are right now, and move on past what is placed."""
        low, moved, read = at.low, at.moved, at.read
        order = list(placed)
        while low < self._total:
            for rank in self._windows.window(low):
                if not self._is_read[rank] or read & self._bits[rank]:
                    continue
                if self._steps.next(at.state, self._kinds[rank]) != ILLEGAL:
                    read |= self._bits[rank]
                    order.append(rank)
            if not (moved | read) & self._bits[low]:
                break
            while low < self._total and (moved | read) & self._bits[low]:
                moved &= ~self._bits[low]
                read &= ~self._bits[low]
                low += 1
        return Configuration(low, at.state, moved, read, at.used), tuple(order)

    def _is_known(self, at: Configuration) -> bool:
        """Whether one at least as good was met before; otherwise this one is remembered."""
        known = self._memo.setdefault((at.low, at.moved, at.state), [])
        for read, used in known:
            if not at.read & ~read and not used & ~at.used:
                return True
        known.append((at.read, at.used))
        self._spending.memory_bytes += MEMO_BYTES + (at.used.bit_length() >> 3)
        return False
