"""Many worlds of one scenario, over several processes: many seeds, or every crash point."""

import gc
import hashlib
import shlex
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing import get_context
from typing import Any

from ..conform.kinds import Exercised
from ..conform.novelty import measured
from ..crash import CrashPoint
from ..errors import ExitCode
from ..judging.shown import broken_promises
from ..plan import NO_SWITCHES, Plan, Switches, plan
from ..scenario import load
from ..verdict import RunVerdict, Validity, Verdict
from .execute import simulate_plan

AHEAD = 4
"""Cases that wait for each process, so that none waits for a case."""

TRACEBACK_LINES = 30

CONFORMS = "conformance"
"""The checker that holds traces against the model."""

Signature = tuple[str, ...]
"""What broke, and how: equal for failures that are probably the same."""

BROKEN: Signature = (BrokenProcessPool.__name__,)
"""Of a world whose process was ended: with it, all others are."""


@dataclass(frozen=True, slots=True)
class Job:
    """A scenario as it travels to another process; `name` is how its user calls it."""

    text: str
    file: str
    name: str
    switches: Switches = NO_SWITCHES

    def plan(self, case: "Case") -> Plan:
        """What the seed makes of it."""
        return plan(
            load(case.text or self.text, self.file),
            seed=case.seed,
            target="sim",
            command=self.again(case),
            crash=case.crash,
            switches=self.switches,
        )

    def again(self, case: "Case") -> str:
        """The command that shows one case."""
        crashes = [word for point in case.crash for word in ("--crash", str(point))]
        name = "scenario.yaml" if case.text else self.name
        words = ["delphic", "run", name, "--seed", str(case.seed), "--on", "sim", *crashes]
        return shlex.join([*words, *self.switches.words()])


@dataclass(frozen=True, slots=True)
class Case:
    """What tells one world from the others."""

    seed: int
    crash: tuple[CrashPoint, ...] = ()
    text: str = ""
    """A scenario of its own, where it is not the job's."""

    def __str__(self) -> str:
        changed = ["faults changed"] if self.text else []
        points = [f"crash {point}" for point in self.crash]
        return " ".join([f"seed {self.seed}", *changed, *points])


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of one world."""

    case: Case
    validity: Validity
    as_expected: bool
    sentence: str
    signature: Signature = ()
    operations: int = 0
    """Of clients, acknowledged."""
    virtual_s: float = 0.0
    cpu_s: float = 0.0
    digest: str = ""
    """SHA-256 over history and traces."""
    coverage: Mapping[str, Any] = field(default_factory=dict)
    """Which of the model's steps it made, as the verdict of `conformance` says."""
    local_steps: frozenset[str] = frozenset()
    """The same in more detail, where it was asked for."""
    asked: int = 0
    """Operations of clients, whatever came of them: all that the checkers saw."""
    promises: tuple[str, ...] = ()
    """Those that broke."""


@dataclass(slots=True)
class Campaign:
    """All worlds tried so far, in their order."""

    expects_failure: bool
    tried: list[Tried] = field(default_factory=list)
    is_cut_short: bool = False
    """Whether somebody ended it before all was tried that was to be."""
    wall_s: float = 0.0
    exercised: Exercised = field(default_factory=Exercised)
    """Which of the model's steps all of them together made."""
    local_steps: set[str] = field(default_factory=set)

    def add(self, one: Tried) -> None:
        """One more world. What it covered is kept for all of them together, not for each."""
        self.exercised.add(one.coverage)
        self.local_steps |= one.local_steps
        self.tried.append(replace(one, coverage={}, local_steps=frozenset()))

    @property
    def failed(self) -> list[Tried]:
        """Those in which a promise broke."""
        return [one for one in self.tried if one.validity is Validity.FAIL]

    def of(self, validity: Validity) -> list[Tried]:
        """Those that came to this."""
        return [one for one in self.tried if one.validity is validity]

    def groups(self) -> list[list[Tried]]:
        """Failures that look alike together, the most frequent first."""
        found: dict[Signature, list[Tried]] = {}
        for one in self.failed:
            found.setdefault(one.signature, []).append(one)
        return sorted(found.values(), key=lambda group: -len(group))

    def exit_code(self) -> ExitCode:
        """As for a single run. A scenario that expects a failure needs one world that shows it."""
        if self.of(Validity.HARNESS_ERROR):
            return ExitCode.HARNESS
        if self.expects_failure:
            if any(one.as_expected for one in self.tried):
                return ExitCode.AS_EXPECTED
            return ExitCode.INCONCLUSIVE if self.is_cut_short else ExitCode.PROMISE_BROKEN
        if self.failed:
            return ExitCode.PROMISE_BROKEN
        if self.is_cut_short or len(self.of(Validity.PASS)) < len(self.tried):
            return ExitCode.INCONCLUSIVE
        return ExitCode.AS_EXPECTED


def expects_failure(job: Job) -> bool:
    """Whether a world has to break a promise; in lockstep none may make a step of its own."""
    return load(job.text, job.file).expect.verdict == "fail" and not job.switches.lockstep


def try_case(job: Job, case: Case, *, measure: bool = False) -> Tried:
    """One world, from nothing to its verdict. A bug of Delphic is an outcome, too.

    With `measure` the model's local steps are found in its traces, too.
    """
    began = time.process_time()
    gc.disable()  # a world is one heap of garbage at its end, and little before
    try:
        planned = job.plan(case)
        found = simulate_plan(planned)
        made = measured(planned.members, found.traces) if measure else None
    except Exception as error:
        lines = traceback.format_exc().splitlines()[-TRACEBACK_LINES:]
        return Tried(
            case,
            Validity.HARNESS_ERROR,
            False,
            "\n".join(lines),
            (type(error).__name__,),
            cpu_s=time.process_time() - began,
        )
    finally:
        gc.enable()
    hashed = hashlib.sha256(found.history)
    for alias, trace in sorted(found.traces.items()):
        hashed.update(f"{alias} {len(trace)}\n".encode() + trace)
    verdict = found.verdict
    validity, sentence = _worth(planned, verdict)
    return Tried(
        case,
        validity,
        verdict.as_expected,
        sentence,
        signature(verdict),
        verdict.statistics.get("ok", 0),
        found.ending.duration_s,
        time.process_time() - began,
        hashed.hexdigest(),
        made.kinds.to_dict() if made is not None else coverage_of(verdict),
        made.local_steps if made is not None else frozenset(),
        verdict.statistics.get("count", 0),
        broken_promises(verdict),
    )


def _worth(planned: Plan, verdict: RunVerdict) -> tuple[Validity, str]:
    """What a world is told as: where a failure is expected, it hides no bug of Delphic."""
    odd = [one for one in verdict.verdicts if one.validity is Validity.HARNESS_ERROR]
    if odd and planned.expect.validity == "fail" and not planned.lockstep:
        return odd[0].validity, odd[0].sentence
    return verdict.validity, verdict.sentence


def coverage_of(verdict: RunVerdict) -> Mapping[str, Any]:
    """Which of the model's steps a run made; nothing where its traces were not held against it."""
    told = (one.details.get("coverage", {}) for one in verdict.verdicts if one.checker == CONFORMS)
    return next(told, {})


def signature(verdict: RunVerdict) -> Signature:
    """The checkers that failed, the promises that they saw broken, and the kinds of anomalies."""
    return tuple(
        " ".join([one.checker, *one.promises, *sorted({a["kind"] for a in _anomalies(one)})])
        for one in verdict.verdicts
        if one.validity is Validity.FAIL
    )


def _anomalies(verdict: Verdict) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = verdict.details.get("anomalies", [])
    return found


def submitted(
    pool: ProcessPoolExecutor, attempt: Callable[[Case], Tried], case: Case
) -> Future[Tried]:
    """A case that is to be tried; where a process of the pool is gone, it is not."""
    try:
        return pool.submit(attempt, case)
    except BrokenProcessPool as error:
        refused = Future[Tried]()
        refused.set_exception(error)
        return refused


def awaited(case: Case, trying: Future[Tried]) -> Tried:
    """What came of a case, even where its process did not live to say it."""
    with suppress(BrokenProcessPool):
        return trying.result()
    sentence = (
        f"A process that tried worlds, {case} or one of those beside it, was ended: mostly the "
        "machine had no memory left. What was found before stands; fewer --jobs need less."
    )
    return Tried(case, Validity.HARNESS_ERROR, False, sentence, BROKEN)


def is_last(one: Tried, *, keep_going: bool, expects_failure: bool) -> bool:
    """Whether no world is tried after this one.

    A world that fails otherwise than expected decides nothing: a later one may be as expected.
    """
    if one.signature == BROKEN:
        return True
    if keep_going:
        return False
    if one.validity is Validity.FAIL:
        return one.as_expected or not expects_failure
    return one.validity is Validity.HARNESS_ERROR


def all_tried(job: Job, cases: Iterable[Case], jobs: int) -> Iterator[Tried]:
    """Every case, in order, whatever number of processes works on them."""
    if jobs == 1:
        yield from (try_case(job, case) for case in cases)
        return
    left = iter(cases)
    under_way: deque[tuple[Case, Future[Tried]]] = deque()
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=gc.freeze) as pool:
        try:
            while True:
                while len(under_way) < jobs * AHEAD and (case := next(left, None)) is not None:
                    under_way.append((case, submitted(pool, partial(try_case, job), case)))
                if not under_way:
                    return
                yield awaited(*under_way.popleft())
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def crash_cases(job: Job, seed: int) -> list[Case]:
    """One case for every effect of every member's first life, in all four ways.

    The effects are counted in a world without crashes; until the crash the others are the same.
    """
    effects = simulate_plan(job.plan(Case(seed))).effects
    return [
        Case(seed, (CrashPoint(node, effect, after, power),))
        for node, count in effects.items()
        for effect in range(1, count + 1)
        for after in (False, True)
        for power in (False, True)
    ]


def campaign(
    job: Job,
    cases: Iterable[Case],
    *,
    jobs: int = 1,
    keep_going: bool = False,
    watch: Callable[[Campaign], None] | None = None,
    found: Campaign | None = None,
) -> Campaign:
    """Try cases until one breaks a promise, the expected one if one is, or all with `keep_going`.

    `found` is what to add to, for who wants to have it whatever ends the search.
    """
    found = found or Campaign(expects_failure(job))
    began = time.monotonic()
    for one in all_tried(job, cases, jobs):
        found.add(one)
        found.wall_s = time.monotonic() - began
        if watch is not None:
            watch(found)
        if is_last(one, keep_going=keep_going, expects_failure=found.expects_failure):
            break
    return found
