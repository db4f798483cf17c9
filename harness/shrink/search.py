"""The search for the smallest scenario in which the same still fails.

Delta debugging over faults and operations, then one move after the other (`moves`), and all again
until nothing more can go. Runs are only asked for, through `Trials`, so that the search can be
tried without a simulator. What the system does depends on the seed and on everything else, too: a
smaller scenario counts if the same fails with one of several seeds, and that seed is kept with it.
Other times are worth less: they count if no fewer seeds show the failure than before, so that it is
not by luck alone that it shows.

The same run and the same bounds give the same result, however many processes work on it; only
`Bounds.seconds` makes it depend on the machine.
"""

import hashlib
import json
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field

from ..errors import ScenarioError, WorldError
from ..language.document import Document
from ..prose import plural
from ..scenario import read
from ..workloads import WORKLOADS
from . import steps
from .moments import Data, less_idle
from .moves import DEFAULT_CLIENTS, MOVES, TIMES, Move, Size, members, size, surer
from .script import scripts


@dataclass(frozen=True, slots=True)
class Candidate:
    """A scenario, as its YAML says it, and a seed."""

    data: Data
    seed: int


@dataclass(frozen=True, slots=True)
class Failure:
    """A verdict that says `fail`: what does (`failing`), and the ops that show it."""

    names: frozenset[str]
    witness: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one run: what failed, and the history."""

    failures: tuple[Failure, ...] = ()
    history: bytes = b""

    @property
    def failing(self) -> frozenset[str]:
        """All that failed."""
        return frozenset[str]().union(*(failure.names for failure in self.failures))

    def witness(self, failing: frozenset[str]) -> tuple[int, ...]:
        """The ops that show that one of these failed."""
        told = (f.witness for f in self.failures if f.names & failing)
        return next(told, ())


Trials = Callable[[Iterable[Candidate]], Generator[Outcome, None, None]]
"""Runs candidates, in order; may look ahead, and is told to stop by being closed.

Raises WorldError where it cannot go on."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a search may spend, and how many seeds each scenario is given."""

    trials: int = 3_000
    seconds: float = 600.0
    seeds: int = 8
    """So many for each scenario, once one alone shows nothing smaller."""
    seeds_at_first: int = 50
    """So many are tried before a run counts as one that cannot be shown again."""
    clock: Callable[[], float] = time.monotonic


@dataclass(frozen=True, slots=True)
class Shrunk:
    """What is left. `is_minimal`: no move makes it smaller; otherwise the bounds were met first.

    `stopped`: what ended the search before that.
    """

    candidate: Candidate
    outcome: Outcome
    trials: int
    is_minimal: bool
    stopped: WorldError | KeyboardInterrupt | None = None


def shrink(
    start: Candidate,
    failing: frozenset[str],
    trials: Trials,
    bounds: Bounds,
    say: Callable[[str], None] = lambda line: None,
) -> Shrunk | None:
    """The smallest scenario found in which all of `failing` fail; None if not even `start` does.

    Raises WorldError, KeyboardInterrupt where that is not known when trials cannot go on.
    """
    search = _Search(start, failing, trials, bounds, say)
    try:
        if not search.begin():
            return None
        for search.seeds in (1, bounds.seeds):
            search.until_nothing_goes(_less)
        search.until_nothing_goes(_rounder, _less)
    except (WorldError, KeyboardInterrupt) as error:
        if not failing <= search.outcome.failing:
            raise
        return Shrunk(search.best, search.outcome, search.spent, False, error)
    return Shrunk(search.best, search.outcome, search.spent, not search.is_over)


def _less(search: "_Search") -> None:
    """Every way to have less in it, each as long as it works."""
    written = steps.written_out(search.best.data, search.best.seed)
    search.adopt([written])
    workload = search.best.data["workload"]
    if "ops" not in workload and WORKLOADS[workload.get("name", "log")].is_scripted:
        outcome = search.outcome
        witness = outcome.witness(search.failing)
        search.adopt(scripts(search.best.data, outcome.history, witness))
    # What happens surely needs fewer operations to be seen, and short runs are quick.
    search.as_long_as_it_works(surer)
    _timed(search, less_idle)
    _fewer(search, lambda data: len(data.get("faults", [])), _without_faults)
    _fewer(search, lambda data: len(data["workload"].get("ops") or ()), _without_operations)
    for move in MOVES:
        search.as_long_as_it_works(move)


def _rounder(search: "_Search") -> None:
    """Every way to have shorter and rounder times."""
    _timed(search, *TIMES)


def _timed(search: "_Search", *moves: Move) -> None:
    """Other times, as long as no fewer seeds show the failure: it must not be a matter of luck."""
    before, search.seeds = search.seeds, search.bounds.seeds
    search.needed = search.shown()
    for move in moves:
        search.as_long_as_it_works(move)
    search.needed, search.seeds = 1, before


def _fewer(
    search: "_Search", count: Callable[[Data], int], leave_out: Callable[[Data, range], Data]
) -> None:
    """Delta debugging: leave out all, then halves, quarters, … then one at a time."""
    chunk = count(search.best.data)
    while chunk >= 1:
        at = 0
        while at < (total := count(search.best.data)):
            data = search.best.data
            starts = range(at, total, chunk)
            found = search.adopt(
                leave_out(data, range(start, min(start + chunk, total))) for start in starts
            )
            if found is None:
                break
            at = starts[found]
        chunk //= 2


def _without_faults(data: Data, left_out: range) -> Data:
    return {**data, "faults": steps.without(data["faults"], left_out)}


def _without_operations(data: Data, left_out: range) -> Data:
    workload = data["workload"]
    kept = [op for at, op in enumerate(workload["ops"]) if at not in left_out]
    return {**data, "workload": {**workload, "ops": kept}}


@dataclass(slots=True)
class _Search:
    """The smallest so far, what was tried, and what may still be spent."""

    best: Candidate
    failing: frozenset[str]
    trials: Trials
    bounds: Bounds
    say: Callable[[str], None]
    seeds: int = 1
    needed: int = 1
    outcome: Outcome = Outcome()
    spent: int = 0
    is_over: bool = False
    _began_s: float = field(init=False)
    _was_cut: bool = False
    """Whether the bounds kept a candidate of the last call from being tried."""
    _failed: set[bytes] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._began_s = self.bounds.clock()

    def begin(self) -> bool:
        """Show the failure, with the run's own seed or with another."""
        data, own = self.best.data, self.best.seed
        others = (seed for seed in range(self.bounds.seeds_at_first) if seed != own)
        tries = (Candidate(data, seed) for seed in (own, *others))
        return self._first(enumerate(tries)) is not None

    def until_nothing_goes(self, *passes: Callable[["_Search"], None]) -> None:
        """Go through these again and again."""
        before: Size | None = None
        while before != size(self.best.data):
            before = size(self.best.data)
            for each in passes:
                each(self)

    def as_long_as_it_works(self, move: Move) -> None:
        """Make this move again and again."""
        while self.adopt(move(self.best.data)) is not None:
            continue

    def shown(self) -> int:
        """With how many of the seeds the best shows the failure, as far as can be afforded."""
        tries = enumerate(Candidate(self.best.data, seed) for seed in self._seeds()[1:])
        pulled: deque[tuple[int, Candidate, bytes]] = deque()
        outcomes = self.trials(one for _, one, _ in self._affordable(tries, pulled))
        with closing(outcomes):
            found = [self.failing <= outcome.failing for outcome in outcomes]
        self.spent += len(found)
        return 1 + sum(found)

    def adopt(self, documents: Iterable[Data]) -> int | None:
        """Take the first smaller scenario in which the same fails; its place, or None."""
        return self._first(
            (place, Candidate(data, seed))
            for place, data in enumerate(documents)
            if self._is_worth_a_try(data)
            for seed in self._seeds()
        )

    def _seeds(self) -> list[int]:
        own = self.best.seed
        return [own, *(seed for seed in range(self.seeds) if seed != own)][: self.seeds]

    def _is_worth_a_try(self, data: Data) -> bool:
        try:
            read(Document(data, {}, ""))
        except ScenarioError:
            return False
        return size(data) < size(self.best.data)

    def _first(self, candidates: Iterable[tuple[int, Candidate]]) -> int | None:
        """The first place with enough candidates in which it fails; its first is the best."""
        pulled: deque[tuple[int, Candidate, bytes]] = deque()
        shown: list[tuple[int, Candidate, Outcome]] = []
        outcomes = self.trials(one for _, one, _ in self._affordable(candidates, pulled))
        with closing(outcomes):
            for outcome in outcomes:
                place, candidate, key = pulled.popleft()
                self.spent += 1
                if not self.failing <= outcome.failing:
                    self._failed.add(key)
                    continue
                shown = [one for one in shown if one[0] == place] + [(place, candidate, outcome)]
                if len(shown) == self.needed:
                    _, self.best, self.outcome = shown[0]
                    self._was_cut = False
                    self.say(f"{self.spent:5} runs  {summary(candidate.data)}")
                    return place
        self.is_over = self.is_over or self._was_cut
        return None

    def _affordable(
        self,
        candidates: Iterable[tuple[int, Candidate]],
        pulled: deque[tuple[int, Candidate, bytes]],
    ) -> Iterator[tuple[int, Candidate, bytes]]:
        """Candidates that were never tried, as long as something is left to spend."""
        asked: set[bytes] = set()
        bounds = self.bounds
        for place, candidate in candidates:
            key = _key(candidate)
            if key in self._failed or key in asked:
                continue
            late = bounds.clock() - self._began_s > bounds.seconds
            if late or self.spent + len(pulled) >= bounds.trials:
                self._was_cut = True
                return
            asked.add(key)
            pulled.append((place, candidate, key))
            yield pulled[-1]


def _key(candidate: Candidate) -> bytes:
    text = json.dumps([candidate.seed, candidate.data], sort_keys=True)
    return hashlib.sha256(text.encode()).digest()


def summary(data: Data) -> str:
    """How large a scenario is, for people."""
    workload = data["workload"]
    ops = workload.get("ops")
    clients = workload.get("clients", DEFAULT_CLIENTS)
    work = plural(clients, "client") if ops is None else plural(len(ops), "operation")
    faults = plural(len(data.get("faults", [])), "fault")
    return f"{faults}, {work}, {members(data)} members, {data['duration']}"
