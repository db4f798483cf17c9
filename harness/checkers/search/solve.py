"""One object's search by the means that suit it: in Python at first, then by tables if it can."""

from ..specs.spec import Spec
from .outcome import Outcome
from .plain import PlainSearch
from .problem import Problem
from .spending import Spending
from .steps import Steps
from .tables import closed

CONFIGURATIONS_FIRST = 2_000
"""Looked at before tables are made: most objects need no more."""

OPERATIONS_FIRST = 2_000
"""With more operations than this, tables pay from the beginning."""


def solve(problem: Problem, spec: Spec, spending: Spending, at_most: int | None = None) -> Outcome:
    """Search for an order; with `at_most`, give up after so many configurations or a few more."""
    steps = Steps(spec, spending)
    if len(problem.known) <= OPERATIONS_FIRST:
        outcome = PlainSearch(problem, steps, spec.reads, spending).run(CONFIGURATIONS_FIRST)
        if outcome.limit is None or spending.limit() or at_most == CONFIGURATIONS_FIRST:
            return outcome
    for operation in (*problem.known, *problem.open):
        steps.class_of(operation)
    tables = closed(steps, spending)
    if tables is None:
        return PlainSearch(problem, steps, spec.reads, spending).run(at_most)
    # Compiling and loading kernels costs seconds, and most judgements need none.
    from .compiled import CompiledSearch

    return CompiledSearch(problem, steps, tables, spending).run(at_most)
