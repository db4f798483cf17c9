"""A/A: scenarios without their faults and seeded bugs. What is found then, the harness made up."""

import gc
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import product
from multiprocessing import get_context

import msgspec

from ..language import shipped
from ..plan import Expectation, Plan
from ..simulate.campaign import Case, Job, Tried, try_case
from ..simulate.cli import job_of


def nulled(plan: Plan, longest_s: float | None = None) -> Plan:
    """The same clients with nothing wrong, for at most so many seconds: it has to pass."""
    return msgspec.structs.replace(
        plan,
        faults=(),
        bugs={},
        crash=(),
        minimum={},
        expect=Expectation(),
        duration_s=min(plan.duration_s, longest_s or plan.duration_s),
    )


@dataclass(frozen=True, slots=True)
class Nulled(Job):
    """A scenario in which nothing goes wrong."""

    longest_s: float | None = None

    def plan(self, case: Case) -> Plan:
        return nulled(Job.plan(self, case), self.longest_s)

    def again(self, case: Case) -> str:
        return f"delphic aa {self.name} --seeds {case.seed}..{case.seed}"


def nulled_job(name: str, longest_s: float | None = None) -> Nulled:
    """A scenario by name or file. Raises UsageError."""
    job = job_of(name)
    return Nulled(job.text, job.file, job.name, longest_s=longest_s)


def every(names: Sequence[str] = (), longest_s: float | None = None) -> list[Nulled]:
    """These scenarios, or all that come with Delphic. Raises UsageError."""
    chosen = names or (*shipped.names(), *shipped.regressions())
    return [nulled_job(name, longest_s) for name in chosen]


def tried(jobs: Sequence[Nulled], seeds: Sequence[int], processes: int) -> Iterator[Tried]:
    """Every scenario with every seed, scenario by scenario."""
    whole, cases = zip(*product(jobs, map(Case, seeds)), strict=True)
    if processes == 1:
        yield from map(try_case, whole, cases)
        return
    context = get_context("forkserver")
    with ProcessPoolExecutor(processes, mp_context=context, initializer=gc.freeze) as pool:
        try:
            yield from pool.map(try_case, whole, cases)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
