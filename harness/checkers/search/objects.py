"""Searches of many objects: the easy ones first, hard ones side by side."""

import dataclasses
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..operations import Operation
from ..specs.spec import Spec
from .order import fault
from .outcome import Outcome
from .problem import Problem
from .solve import CONFIGURATIONS_FIRST, solve
from .spending import Spending

CERTIFIED_MAX = 20_000
"""Orders of more operations are not held against the history: that would take as long again."""


@dataclass(frozen=True, slots=True)
class Job:
    """One object: its problem and all its operations."""

    problem: Problem
    operations: Sequence[Operation]


@dataclass(frozen=True, slots=True)
class Task:
    """What the processes of a pool know; they are forked, so that any specification will do."""

    jobs: Sequence[Job]
    spec: Spec
    spending: Spending
    share: int


_task: Task | None = None


def outcomes(
    jobs: Sequence[Job], spec: Spec, spending: Spending, processes: int | None = None
) -> Iterator[tuple[int, Outcome]]:
    """Each object's number and outcome, in no particular order; whoever asks may stop at any."""
    hard = []
    for number, job in enumerate(jobs):
        if spending.limit():
            hard.append(number)
            continue
        at_most = CONFIGURATIONS_FIRST if len(jobs) > 1 else None
        outcome = _certified(job, spec, solve(job.problem, spec, spending, at_most))
        if outcome.limit and at_most and not spending.limit():
            hard.append(number)
        else:
            yield number, outcome
    workers = min(len(hard), processes or os.cpu_count() or 1)
    if workers > 1 and "fork" in multiprocessing.get_all_start_methods() and not spending.limit():
        yield from _side_by_side(Task(jobs, spec, spending, workers), hard)
    else:
        for number in hard:
            yield (
                number,
                _certified(jobs[number], spec, solve(jobs[number].problem, spec, spending)),
            )


def _side_by_side(task: Task, hard: Sequence[int]) -> Iterator[tuple[int, Outcome]]:
    global _task
    _task = task
    pool = multiprocessing.get_context("fork").Pool(task.share)
    try:
        for number, outcome, configurations in pool.imap_unordered(_worked, hard):
            task.spending.configurations += configurations
            yield number, outcome
    finally:
        # Whoever stopped asking wants the others no more; all have ended when this returns.
        pool.terminate()
        pool.join()
        _task = None


def _worked(number: int) -> tuple[int, Outcome, int]:
    task = _task
    assert task is not None
    spending = Spending(task.spending.left(task.share))
    job = task.jobs[number]
    outcome = _certified(job, task.spec, solve(job.problem, task.spec, spending))
    # An order stays where it was found: it was held against the history there.
    told = dataclasses.replace(outcome, order=None if outcome.order is None else tuple)
    return number, told, spending.configurations


def _certified(job: Job, spec: Spec, outcome: Outcome) -> Outcome:
    """The outcome, its order held against the history; an order that is none is a bug of ours."""
    if outcome.order is not None and len(job.operations) <= CERTIFIED_MAX:
        wrong = fault(outcome.order(), job.operations, spec)
        assert wrong is None, f"the search for {spec.name} found an order that is none: {wrong}"
    return outcome
