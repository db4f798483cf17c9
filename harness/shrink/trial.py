"""One candidate run in the simulator, or several at once in processes of their own."""

import gc
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from signal import SIG_IGN, SIGINT, signal

from ..errors import WorldError
from ..language.document import Document
from ..plan import Plan, plan
from ..scenario import read
from ..simulate.execute import simulate_plan
from ..verdict import Validity
from .failing import failing
from .search import Candidate, Failure, Outcome, Trials

_ENDED = (
    "a process that tried scenarios was ended: mostly the machine had no memory left; fewer --jobs "
    "need less"
)


def planned(candidate: Candidate) -> Plan:
    """What the seed makes of the scenario."""
    scenario = read(Document(candidate.data, {}, "scenario"))
    return plan(scenario, seed=candidate.seed, target="sim", command="")


def outcome(candidate: Candidate) -> Outcome:
    """What comes of a candidate."""
    gc.disable()
    try:
        run = simulate_plan(planned(candidate))
    finally:
        gc.enable()
        gc.collect()
    failures = tuple(
        Failure(failing(verdict), verdict.witness)
        for verdict in run.verdict.verdicts
        if verdict.validity is Validity.FAIL
    )
    return Outcome(failures, run.history if failures else b"")


def one_by_one(candidates: Iterable[Candidate]) -> Generator[Outcome, None, None]:
    """In this process."""
    yield from map(outcome, candidates)


@contextmanager
def trials(jobs: int) -> Iterator[Trials]:
    """What runs candidates in so many processes. Looks ahead by as many; results are in order."""
    if jobs == 1:
        yield one_by_one
        return
    # Ctrl-C is for whoever asked for the trials: it says when they end.
    with ProcessPoolExecutor(
        jobs, get_context("forkserver"), initializer=signal, initargs=(SIGINT, SIG_IGN)
    ) as pool:

        def at_once(candidates: Iterable[Candidate]) -> Generator[Outcome, None, None]:
            left = iter(candidates)
            under_way: deque[Future[Outcome]] = deque()
            try:
                while True:
                    while len(under_way) < jobs and (one := next(left, None)) is not None:
                        under_way.append(pool.submit(outcome, one))
                    if not under_way:
                        return
                    yield under_way.popleft().result()
            except BrokenProcessPool as error:
                raise WorldError(_ENDED) from error
            finally:
                for future in under_way:
                    future.cancel()

        yield at_once
