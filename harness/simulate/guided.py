"""Seeds tried by turns with changes of schedules that led to steps of the model not seen before.

Nothing but the seeds decides what is tried: worlds go in rounds, whatever the number of processes.
"""

import gc
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import starmap
from multiprocessing import get_context

from ..language.document import parse
from ..shrink.moments import Data
from ..shrink.steps import written_out
from ..shrink.text import write
from .campaign import (
    Campaign,
    Case,
    Job,
    Tried,
    awaited,
    expects_failure,
    is_last,
    submitted,
    try_case,
)
from .mutate import mutated, palette

ROUND = 8
"""So many worlds are chosen before what the first of them showed is known."""

FRESH = 0.3
"""Share of worlds that are what their seed draws, once there is something to change."""

SAME_SEED = 0.5
"""How often a changed schedule keeps the seed of the world that it was tried in."""

KEPT_MAX = 500

Trying = Callable[[Sequence[Case]], Iterable[Tried]]


@dataclass(slots=True)
class Kept:
    """A schedule that led to local steps that none before it did."""

    data: Data
    seed: int
    new: int
    chosen: int = 0

    @property
    def weight(self) -> float:
        """How worthwhile it is to change: what showed much and was not tried often."""
        return self.new / (1 + self.chosen)


class Guide:
    """Chooses schedules, and learns what they led to."""

    def __init__(self, job: Job, first_seed: int) -> None:
        self._data: Data = parse(job.text, job.file).data
        self._choices = palette(self._data)
        self._chance = random.Random(f"{first_seed}/guided")
        self.kept: list[Kept] = []
        self.seen: set[str] = set()

    def case(self, seed: int) -> tuple[Case, Data]:
        """The next world: what this seed draws, or a change of something kept."""
        chance = self._chance
        if not self.kept or chance.random() < FRESH:
            return Case(seed), written_out(self._data, seed)
        parent = chance.choices(self.kept, [kept.weight for kept in self.kept])[0]
        parent.chosen += 1
        others = [kept.data for kept in self.kept]
        data = mutated(parent.data, others, self._choices, chance)
        if data is not parent.data and chance.random() < SAME_SEED:
            seed = parent.seed
        return Case(seed, text=write(data)), data

    def learn(self, data: Data, tried: Tried) -> int:
        """Keep a schedule that led to something new; how much that is."""
        new = len(tried.local_steps - self.seen)
        if new:
            self.seen |= tried.local_steps
            self.kept.append(Kept(data, tried.case.seed, new))
            if len(self.kept) > KEPT_MAX:
                self.kept.remove(min(self.kept, key=lambda kept: kept.weight))
        return new


def guided(
    job: Job,
    seeds: Sequence[int],
    *,
    jobs: int = 1,
    keep_going: bool = False,
    watch: Callable[[Campaign], None] | None = None,
    found: Campaign | None = None,
) -> Campaign:
    """As many worlds as there are seeds, or until one breaks a promise without `keep_going`.

    `found`: as for `campaign`.
    """
    found = found or Campaign(expects_failure(job))
    guide = Guide(job, seeds[0])
    began = time.monotonic()
    with _trying(job, jobs) as trying:
        for at in range(0, len(seeds), ROUND):
            chosen = [guide.case(seed) for seed in seeds[at : at + ROUND]]
            tried = trying([case for case, _ in chosen])
            for one, (_, data) in zip(tried, chosen, strict=True):
                guide.learn(data, one)
                found.add(one)
                found.wall_s = time.monotonic() - began
                if watch is not None:
                    watch(found)
                if is_last(one, keep_going=keep_going, expects_failure=found.expects_failure):
                    return found
    return found


@contextmanager
def _trying(job: Job, jobs: int) -> Iterator[Trying]:
    """What tries several cases, in their order, in so many processes."""
    attempt = partial(try_case, job, measure=True)
    if jobs == 1:
        yield partial(map, attempt)
        return
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=gc.freeze) as pool:
        try:
            yield partial(_tried, pool, attempt)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _tried(
    pool: ProcessPoolExecutor, attempt: Callable[[Case], Tried], cases: Sequence[Case]
) -> Iterator[Tried]:
    under_way = [(case, submitted(pool, attempt, case)) for case in cases]
    yield from starmap(awaited, under_way)
