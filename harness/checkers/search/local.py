"""Is the reason close? The last operations before a dead end, from any state whatever.

A search that refutes a whole history must try everything since its beginning, though what is wrong
mostly is so within a few operations. So they are tried alone: from a moment `since` on, whatever
the state was then. An operation that was under way then may have happened before or not, and so it
is doubtful; of one that returned after the dead end, only its answer is known. If even so nothing
fits, nothing ever will.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from ..operations import Operation
from ..specs.spec import Spec
from .compiled import CompiledSearch
from .cuts import began_before, doubtful, forgotten, unended
from .problem import Problem
from .spending import Spending
from .steps import Steps
from .tables import Tables, closed

OPERATIONS_MAX = 1 << 12
"""What takes more operations than this to refute is left to the search of the whole."""


class Locality:
    """The end of an object's history up to the operation of rank `stuck`, by itself.

    All its searches share the tables of `steps`.
    """

    def __init__(self, problem: Problem, stuck: int, spec: Spec, steps: Steps) -> None:
        self._spec = spec
        self._steps = steps
        self._before = problem.known[: stuck + 1]
        self._returns = problem.returns[: stuck + 1]
        self._horizon = problem.returns[stuck]
        self._open = [o for o in problem.open if o.invoked <= self._horizon]
        self._later = began_before(problem, stuck, spec)
        self._stuck = problem.known[stuck]
        self._doubtful: list[Operation] = []
        self._tables: Tables | None = None

    def reason(self, spending: Spending, at_most: int) -> tuple[Operation, ...] | None:
        """Operations that fit nowhere together, if few do; each try takes so much at most."""
        if self._tables is None and not self._prepare(spending):
            return None
        for since in self._moments():
            kept = tuple(o for o in self._before if o.invoked >= since)
            kept = (*kept, *self._later)
            under_way = (o for o in self._before if o.invoked < since <= o.end)
            self._doubtful = [doubtful(o) for o in under_way if o.f not in self._spec.reads]
            if self.is_refuted(kept, (), spending, at_most):
                return kept
            if spending.limit():
                return None
        return None

    def is_refuted(
        self,
        kept: Sequence[Operation],
        unsure: Sequence[Operation],
        spending: Spending,
        at_most: int | None = None,
    ) -> bool:
        """Whether `kept` certainly fit nowhere, whatever became of `unsure`."""
        assert self._tables is not None
        ended = (o if o.end <= self._horizon else unended(o) for o in kept)
        everything = [*ended, *self._doubtful, *self._open, *map(forgotten, unsure)]
        problem = Problem.of(everything, self._spec)
        states = range(self._tables.after.shape[0])
        search = CompiledSearch(problem, self._steps, self._tables, spending, states)
        outcome = search.run(at_most)
        search.release()
        return outcome.is_refuted

    def _prepare(self, spending: Spending) -> bool:
        """Make tables in which operations of unknown outcome have their classes, too."""
        for operation in (*self._before, *self._later, *self._open):
            self._steps.class_of(operation)
            if operation.f not in self._spec.reads:
                self._steps.class_of(forgotten(operation))
        self._tables = closed(self._steps, spending)
        return self._tables is not None

    def _moments(self) -> Iterator[int]:
        """Where to begin, further and further back, and each time where few are under way."""
        invoked = sorted((o.invoked for o in self._before), reverse=True)
        begin = invoked.index(self._stuck.invoked)
        width = 1
        while begin < min(len(invoked), OPERATIONS_MAX):
            spots = range(begin, min(begin + width, len(invoked)))
            yield invoked[min(spots, key=lambda at: self._under_way(at, invoked[at]))]
            begin += width
            width *= 2

    def _under_way(self, at: int, since: int) -> int:
        """How many had begun before the moment and not returned; `at` have begun after it."""
        return len(self._returns) - bisect_left(self._returns, since) - (at + 1)
