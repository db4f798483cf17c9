"""Many seeds of one scenario: each in a world of its own, over several processes."""

import gc
import hashlib
import re
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context

from ..errors import ExitCode
from ..plan import Plan, plan
from ..scenario import load
from ..verdict import RunVerdict, Validity
from .execute import simulate_plan

AHEAD = 4
"""Seeds that wait for each process, so that none waits for a seed."""

TRACEBACK_LINES = 30

Signature = tuple[str, ...]
"""What broke, without the numbers: equal for failures that are probably the same."""


@dataclass(frozen=True, slots=True)
class Job:
    """A scenario as it travels to another process; `name` is how its user calls it."""

    text: str
    file: str
    name: str

    def plan(self, seed: int) -> Plan:
        """What the seed makes of it."""
        return plan(
            load(self.text, self.file), seed=seed, target="sim", command=again(self.name, seed)
        )


def again(name: str, seed: int) -> str:
    """The command that shows one seed."""
    return f"delphic run {name} --seed {seed} --on sim"


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of one seed."""

    seed: int
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


@dataclass(slots=True)
class Campaign:
    """All seeds tried so far, in their order."""

    expects_failure: bool
    tried: list[Tried] = field(default_factory=list)
    wall_s: float = 0.0

    @property
    def failed(self) -> list[Tried]:
        """Seeds in which a promise broke."""
        return [one for one in self.tried if one.validity is Validity.FAIL]

    def of(self, validity: Validity) -> list[Tried]:
        """Seeds that came to this."""
        return [one for one in self.tried if one.validity is validity]

    def groups(self) -> list[list[Tried]]:
        """Failures that look alike together, the most frequent first."""
        found: dict[Signature, list[Tried]] = {}
        for one in self.failed:
            found.setdefault(one.signature, []).append(one)
        return sorted(found.values(), key=lambda group: (-len(group), group[0].seed))

    def exit_code(self) -> ExitCode:
        """As for a single run. A scenario that expects a failure needs one seed that shows it."""
        if self.of(Validity.HARNESS_ERROR):
            return ExitCode.HARNESS
        if self.expects_failure:
            found = any(one.as_expected for one in self.tried)
            return ExitCode.AS_EXPECTED if found else ExitCode.PROMISE_BROKEN
        if self.failed:
            return ExitCode.PROMISE_BROKEN
        if len(self.of(Validity.PASS)) < len(self.tried):
            return ExitCode.INCONCLUSIVE
        return ExitCode.AS_EXPECTED


def try_seed(job: Job, seed: int) -> Tried:
    """One seed, from nothing to its verdict. A bug of Delphic is an outcome, too."""
    began = time.process_time()
    gc.disable()
    try:
        found = simulate_plan(job.plan(seed))
    except Exception as error:
        lines = traceback.format_exc().splitlines()[-TRACEBACK_LINES:]
        return Tried(
            seed,
            Validity.HARNESS_ERROR,
            False,
            "\n".join(lines),
            (type(error).__name__,),
            cpu_s=time.process_time() - began,
        )
    finally:
        gc.enable()
        gc.collect()
    hashed = hashlib.sha256(found.history)
    for alias, trace in sorted(found.traces.items()):
        hashed.update(f"{alias} {len(trace)}\n".encode() + trace)
    verdict = found.verdict
    return Tried(
        seed,
        verdict.validity,
        verdict.as_expected,
        verdict.sentence,
        signature(verdict),
        verdict.statistics.get("ok", 0),
        found.ending.duration_s,
        time.process_time() - began,
        hashed.hexdigest(),
    )


def signature(verdict: RunVerdict) -> Signature:
    """The checkers that failed, what they check, and their sentences without numbers and names."""
    return tuple(
        f"{one.checker} {','.join(one.promises)} {re.sub(r'n?[0-9][0-9.,]*', '#', one.sentence)}"
        for one in verdict.verdicts
        if one.validity is Validity.FAIL
    )


def seeds_tried(job: Job, seeds: Sequence[int], jobs: int) -> Iterator[Tried]:
    """Every seed, in order, whatever number of processes works on them."""
    if jobs == 1:
        yield from (try_seed(job, seed) for seed in seeds)
        return
    left = iter(seeds)
    under_way: deque[Future[Tried]] = deque()
    with ProcessPoolExecutor(jobs, mp_context=get_context("forkserver")) as pool:
        try:
            while True:
                while len(under_way) < jobs * AHEAD and (seed := next(left, None)) is not None:
                    under_way.append(pool.submit(try_seed, job, seed))
                if not under_way:
                    return
                yield under_way.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def campaign(
    job: Job,
    seeds: Sequence[int],
    *,
    jobs: int = 1,
    keep_going: bool = False,
    watch: Callable[[Campaign], None] | None = None,
) -> Campaign:
    """Try seeds until one breaks a promise, or all of them with `keep_going`."""
    expects_failure = load(job.text, job.file).expect.verdict == "fail"
    found = Campaign(expects_failure)
    began = time.monotonic()
    for one in seeds_tried(job, seeds, jobs):
        found.tried.append(one)
        found.wall_s = time.monotonic() - began
        if watch is not None:
            watch(found)
        if one.validity in (Validity.FAIL, Validity.HARNESS_ERROR) and not keep_going:
            break
    return found
