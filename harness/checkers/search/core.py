"""The few operations of a refuted history that contradict each other, whatever the others did.

To leave an operation out would prove nothing: without the write, no read of it is right. Instead
its answer is forgotten: it may have happened, any time after it began, or never. Where the others
still cannot be ordered, they alone are the reason.
"""

import msgspec

from ...evidence import Budget
from ..operations import UNKNOWN, Operation
from ..specs.spec import Spec
from .problem import Problem
from .solve import solve
from .spending import Spending

PROBES_MAX = 400

SECONDS_MAX = 2.0
"""How long to look for fewer operations; what was found by then is told."""

FIRST_SUFFIX = 4


def core(problem: Problem, stuck: int, spec: Spec, budget: Budget) -> tuple[Operation, ...]:
    """Operations that fit nowhere together, by invocation: `stuck` and few others.

    Where the time suffices, none of them can be forgotten without the rest finding an order.
    """
    return _Reduction(problem, stuck, spec, budget).run()


class _Reduction:
    def __init__(self, problem: Problem, stuck: int, spec: Spec, budget: Budget) -> None:
        horizon = problem.returns[stuck]
        began = [o for o in (*problem.known, *problem.open) if o.invoked < horizon]
        self._spec = spec
        # What returned later cannot be a reason: the search never got there.
        self._known = problem.known[: stuck + 1]
        certain = {operation.invoked for operation in self._known}
        self._open = [forgotten(o) for o in began if o.invoked not in certain]
        self._forgotten = {o.invoked: forgotten(o) for o in self._known}
        seconds = min(SECONDS_MAX, budget.seconds)
        self._spending = Spending(msgspec.structs.replace(budget, seconds=seconds))
        self._probes = 0

    def run(self) -> tuple[Operation, ...]:
        kept = list(self._known)
        size = FIRST_SUFFIX
        while size < len(self._known):
            if self._is_refuted(self._known[-size:]):
                kept = list(self._known[-size:])
                break
            size *= 4
        return tuple(sorted(self._reduced(kept), key=lambda operation: operation.invoked))

    def _reduced(self, kept: list[Operation]) -> list[Operation]:
        """Forget ever smaller chunks, the oldest first, until none can be forgotten."""
        chunk = max(1, len(kept) // 2)
        while True:
            at = 0
            before = len(kept)
            # The last is the one that is stuck: without it there is an order.
            while at < len(kept) - 1:
                fewer = kept[:at] + kept[min(at + chunk, len(kept) - 1) :]
                if self._is_refuted(fewer):
                    kept = fewer
                else:
                    at += chunk
            if chunk == 1 and len(kept) == before:
                return kept
            chunk = max(1, chunk // 2)

    def _is_refuted(self, kept: "list[Operation] | tuple[Operation, ...]") -> bool:
        """Whether these certainly fit nowhere together, all others forgotten."""
        if self._probes >= PROBES_MAX or self._spending.limit():
            return False
        self._probes += 1
        certain = {operation.invoked for operation in kept}
        others = [o for at, o in self._forgotten.items() if at not in certain]
        problem = Problem.of([*kept, *others, *self._open], self._spec)
        return solve(problem, self._spec, self._spending).is_refuted


def forgotten(operation: Operation) -> Operation:
    """The operation with its answer forgotten: it may have happened, or not."""
    return msgspec.structs.replace(operation, result=UNKNOWN, returned=None, returned_ns=None)
