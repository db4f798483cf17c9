"""The few operations of a refuted history that contradict each other, whatever the others did.

To leave an operation out would prove nothing: without the write, no read of it is right. Instead
its answer is forgotten: it may have happened, any time after it began, or never. Where the others
still cannot be ordered, they alone are the reason.
"""

from collections.abc import Callable, Sequence

import msgspec

from ...evidence import Budget
from ..operations import Operation
from ..specs.spec import Spec
from .cuts import began_before, forgotten, unended
from .problem import Problem
from .solve import solve
from .spending import Spending
from .steps import Steps

PROBES_MAX = 400

SECONDS_MAX = 2.0
"""How long to look for fewer operations; what was found by then is told."""

CONFIGURATIONS_MAX = 20_000
"""For one probe: what takes longer to refute is no explanation either."""

OPERATIONS_FIRST = 200
"""Longer histories are looked at from their end, if their tables are known."""

Refutes = Callable[[Sequence[Operation], Sequence[Operation]], bool]
"""Whether some operations fit nowhere, the answers of others forgotten."""


def core(problem: Problem, stuck: int, spec: Spec, budget: Budget) -> tuple[Operation, ...]:
    """Operations that fit nowhere together, by invocation: `stuck` and few others.

    Where the time suffices, no answer of theirs can be forgotten without the rest finding an order.
    """
    seconds = min(SECONDS_MAX, budget.seconds)
    spending = Spending(msgspec.structs.replace(budget, seconds=seconds))
    kept = problem.known[: stuck + 1] + began_before(problem, stuck, spec)
    refutes = _from_the_beginning(problem, stuck, spec, spending)
    if len(kept) > OPERATIONS_FIRST:
        from .local import Locality

        locality = Locality(problem, stuck, spec, Steps(spec, spending))
        reason = locality.reason(spending, CONFIGURATIONS_MAX)
        if reason is not None:
            kept = reason

            def refutes(kept: Sequence[Operation], others: Sequence[Operation]) -> bool:
                return locality.is_refuted(kept, others, spending, CONFIGURATIONS_MAX)

    # Reads first: of what people are told, a write says more than a read of it.
    ordered = sorted(kept, key=lambda operation: operation.f not in spec.reads)
    few = _reduced(ordered, problem.known[stuck], refutes, spending)
    return tuple(sorted(few, key=lambda operation: operation.invoked))


def _from_the_beginning(problem: Problem, stuck: int, spec: Spec, spending: Spending) -> Refutes:
    horizon = problem.returns[stuck]
    began = [o for o in problem.open if o.invoked <= horizon]

    def refutes(kept: Sequence[Operation], others: Sequence[Operation]) -> bool:
        ended = (o if o.end <= horizon else unended(o) for o in kept)
        part = Problem.of([*ended, *map(forgotten, others), *began], spec)
        return solve(part, spec, spending, CONFIGURATIONS_MAX).is_refuted

    return refutes


def _reduced(
    kept: list[Operation], stuck: Operation, refutes: Refutes, spending: Spending
) -> list[Operation]:
    """Forget ever smaller chunks, the first at first, until none can be forgotten."""
    everything = list(kept)
    probes = 0
    chunk = max(1, len(kept) // 2)
    while True:
        at = 0
        before = len(kept)
        while at < len(kept):
            fewer = kept[:at] + kept[at + chunk :]
            # The one that is stuck is a part of every reason: without it there is an order.
            if stuck not in kept[at : at + chunk]:
                probes += 1
                if probes > PROBES_MAX or spending.limit():
                    return kept
                certain = {id(operation) for operation in fewer}
                if refutes(fewer, [o for o in everything if id(o) not in certain]):
                    kept = fewer
                    continue
            at += chunk
        if chunk == 1 and len(kept) == before:
            return kept
        chunk = max(1, chunk // 2)
