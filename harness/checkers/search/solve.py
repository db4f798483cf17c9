"""One object's search by the means that suit it: in Python at first, then by tables if it can."""

from ..specs.spec import Spec
from .outcome import Outcome
from .plain import PlainSearch
from .problem import Problem
from .spending import Spending
from .steps import Steps
from .tables import Tables, closed

CONFIGURATIONS_FIRST = 2_000
"""Looked at before tables are made: most objects need no more."""

CELLS_PER_CONFIGURATION = 64
"""So many cells of a table cost what one configuration costs without tables."""

OPERATIONS_FIRST = 500
"""With more operations than this, tables pay from the beginning."""

PATIENCE = 1 << 15
"""Configurations after which a reason is looked for close by; then four times as many."""


def solve(problem: Problem, spec: Spec, spending: Spending, at_most: int | None = None) -> Outcome:
    """Search for an order; with `at_most`, give up after so many configurations or some more."""
    steps = Steps(spec, spending)
    for operation in (*problem.known, *problem.open):
        steps.class_of(operation)
    # A table has about as many states as classes: a plain search may take as long as making it.
    first = steps.classes**2 // CELLS_PER_CONFIGURATION
    if len(problem.known) <= OPERATIONS_FIRST or first > CONFIGURATIONS_FIRST:
        first = max(first, CONFIGURATIONS_FIRST)
        first = first if at_most is None else min(first, at_most)
        outcome = PlainSearch(problem, steps, spec.reads, spending).run(first)
        if outcome.limit is None or spending.limit() or at_most == CONFIGURATIONS_FIRST:
            return outcome
    tables = closed(steps, spending)
    if tables is None:
        return PlainSearch(problem, steps, spec.reads, spending).run(at_most)
    return _by_tables(problem, spec, steps, tables, spending, at_most)


def _by_tables(
    problem: Problem,
    spec: Spec,
    steps: Steps,
    tables: Tables,
    spending: Spending,
    at_most: int | None,
) -> Outcome:
    """Search the whole and, where that gets nowhere, for a reason close to the dead end."""
    # Compiling and loading kernels costs seconds, and most judgements need none.
    from .compiled import CompiledSearch, load
    from .local import Locality

    # Or the first search of an installation would find nothing out within a short budget.
    began = spending.now()
    load()
    spending.pardon(spending.now() - began)
    search = CompiledSearch(problem, steps, tables, spending)
    patience = PATIENCE
    before = -1
    while True:
        outcome = search.run(at_most or patience)
        if outcome.limit is None or at_most or spending.limit():
            return outcome
        if search.dead_end == before:
            reason = Locality(problem, before, spec, steps).reason(spending, patience)
            if reason is not None:
                return Outcome(before, reason=reason)
        before = search.dead_end
        patience *= 2
