"""The search as a judge of any history: an order, what fits nowhere, or how far it got."""

from collections.abc import Hashable, Sequence
from typing import Any

from ...evidence import Budget
from ...prose import plural
from ...verdict import Validity
from ..monitors.prose import answer_text, sentence_of, summary
from ..operations import FOREVER, Finding, Judgement, Operation
from ..specs.spec import Spec
from .core import core
from .objects import Job, outcomes
from .outcome import Outcome
from .problem import Problem
from .spending import Spending

NOT_LINEARIZABLE = "not-linearizable"

WITNESS_MAX = 50
"""More operations than these are no witness that anybody would read: the one that is stuck is."""

SHOWN_MAX = 4
"""More operations than these a sentence does not tell one by one."""


def search(
    operations: Sequence[Operation],
    spec: Spec,
    budget: Budget | None = None,
    *,
    processes: int | None = None,
    explain: bool = True,
) -> Judgement:
    """Judge all objects of a history within the budget.

    `processes` bounds how many search at the same time (None: one a core). Without `explain`, a
    violation's witness is not made small. The same history gets the same answer; only out of time
    or memory, it may know less.
    """
    assert spec.order == "real-time", f"{spec.name} is not about linearizability"
    spending = Spending(budget or Budget())
    jobs = [Job(Problem.of(own, spec), own) for own in objects(operations, spec)]
    statistics: dict[str, Any] = {"operations": len(operations), "objects": len(jobs)}
    undecided: dict[int, Outcome] = {}
    for number, outcome in outcomes(jobs, spec, spending, processes):
        statistics["configurations"] = spending.configurations
        if outcome.is_refuted:
            finding = refuted(jobs[number], outcome, spec, spending if explain else None)
            return Judgement(
                Validity.FAIL, finding.sentence, (finding,), None, "search", statistics
            )
        if outcome.limit:
            undecided[number] = outcome
    if undecided:
        return _unfinished(jobs, undecided, statistics)
    sentence = (
        f"An order of {plural(len(operations), 'operation')} was found that explains every answer."
    )
    return Judgement(Validity.PASS, sentence, method="search", statistics=statistics)


def objects(operations: Sequence[Operation], spec: Spec) -> list[list[Operation]]:
    """The operations of each object, in the order in which objects were first used."""
    if spec.partition is None:
        return [list(operations)]
    found: dict[Hashable, list[Operation]] = {}
    for operation in operations:
        found.setdefault(spec.partition(operation), []).append(operation)
    return list(found.values())


def refuted(job: Job, outcome: Outcome, spec: Spec, spending: Spending | None) -> Finding:
    """Which operation fits nowhere, and which others already leave it no place."""
    stuck = job.problem.known[outcome.placed]
    few: tuple[Operation, ...] = (stuck,)
    if spending is not None:
        few = core(job.problem, outcome.placed, spec, spending.left())
    key = stuck.key if spec.partition is not None else None
    others = [operation for operation in few if operation is not stuck]
    if spending is None:
        why = ""
    elif not others:
        why = ", whatever else happened"
    elif len(others) < SHOWN_MAX:
        why = f" beside {'; '.join(map(answer_text, others))}"
    else:
        why = f" beside {plural(len(others), 'other operation')}"
    told = few if len(few) <= WITNESS_MAX else (stuck,)
    return Finding(
        anomaly=NOT_LINEARIZABLE,
        sentence=sentence_of(
            key,
            f"no order explains all answers: {answer_text(stuck)}, and fits nowhere{why}.",
        ),
        witness=tuple(operation.invoked for operation in told),
        details={
            "stuck": stuck.invoked,
            "verified_below": outcome_position(job.problem, outcome),
            "operations": [summary(operation) for operation in told],
        },
    )


def outcome_position(problem: Problem, outcome: Outcome) -> int:
    """Some order explains all that returned before this position."""
    at = outcome.placed
    return problem.returns[at] if at < len(problem.known) else FOREVER


def _unfinished(
    jobs: Sequence[Job], undecided: dict[int, Outcome], statistics: dict[str, Any]
) -> Judgement:
    positions = {n: outcome_position(jobs[n].problem, undecided[n]) for n in undecided}
    first = min(undecided, key=lambda number: positions[number])
    key = jobs[first].problem.known[undecided[first].placed].key
    others = f" (and {plural(len(undecided) - 1, 'other object')})" if len(undecided) > 1 else ""
    sentence = sentence_of(
        key,
        f"linearizable up to #{positions[first]}: some order explains all that returned before; "
        f"the rest{others} was left undecided at {undecided[first].limit}.",
    )
    return Judgement(Validity.UNKNOWN, sentence, (), positions[first], "search", statistics)
