"""Does one step by the doors that its commands use, and says what came of it."""

import os
import shlex
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
from rich.console import Console

from ...model.actor import Model
from ...model.cli import build
from ...model.explore.explorer import explore
from ...model.explore.limits import Limits
from ...model.explore.limits import Progress as Explored
from ...model.explore.result import Result
from ...model.models import MODELS
from ...model.summary import UNDECIDED, code, sentence
from ..conform import show
from ..conform.binding import Conformance
from ..conform.cli import BINDINGS
from ..errors import DelphicError, ExitCode, worst_code
from ..judging import judgement
from ..judging.judge import Question, judge
from ..judging.judged import lines_of
from ..judging.judgement import ending_of, plan_of
from ..judging.partition import Partition
from ..judging.shown import LINES_MAX, broken_promises, verdict_of, witness_lines
from ..launch import Asked, launch
from ..lifecycle import Report
from ..plan import Switches
from ..prose import plural
from ..rundir import RunDir
from ..running.progress import Quiet
from ..simulate.campaign import Campaign, Case, Job, Tried, campaign, crash_cases, is_last
from ..simulate.cli import again, keep_cases
from ..verdict import RunVerdict, Validity
from .resolve import options_of
from .result import Attempt, Finding
from .step import Check, Conform, Expected, Explore, Order, Run, Simulate

FINDINGS_MAX = 5
"""Of more kinds of failures of one step only the number is told."""

OUT_OF_TIME = "out of time"

Kinds = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Doer:
    """What every kind of step needs: its order, who writes reports, and who is told the news.

    `found` is told what was found before all that there is to say about it is known: whoever is
    ended for lack of time loses nothing that broke.
    """

    order: Order
    report: Report
    tell: Callable[[str], object]
    found: Callable[[Attempt], object] = lambda _: None

    def do(self) -> Attempt:
        """Do it. Errors are outcomes; a bug of Delphic is raised."""
        try:
            match self.order.work:
                case Explore() as work:
                    return self._explore(work)
                case Conform() as work:
                    return self._conform(work)
                case Simulate() as work:
                    return self._simulate(work)
                case Run() as work:
                    return self._run(work)
                case Check() as work:
                    return self._check(work)
        except DelphicError as error:
            return Attempt(error.exit_code, str(error))

    def _explore(self, work: Explore) -> Attempt:
        model = build(MODELS[work.model], options_of(work))

        def watch(now: Explored) -> None:
            self.tell(f"depth {now.depth}, {now.states:,} states")

        result = explore(
            model,
            symmetry=work.symmetry,
            workers=self.order.jobs,
            limits=Limits(seconds=self.order.seconds),
            watch=watch,
        )
        told = sentence(model, result, work.properties).split("\n")
        got = code(result, work.properties)
        broken = [] if got != ExitCode.PROMISE_BROKEN else [_broken(work, model, result, told)]
        unfinished = OUT_OF_TIME if got == UNDECIDED and result.stopped_by else ""
        plain = {"states": result.states, "transitions": result.transitions, "depth": result.depth}
        return _hoped(
            work.expect, Attempt(ExitCode(got), told[0], tuple(broken), (), 0.0, unfinished, plain)
        )

    def _conform(self, work: Conform) -> Attempt:
        binding = BINDINGS[work.binding]
        results: list[Conformance] = []
        bounds = binding.documented if work.documented else binding.small
        began = time.monotonic()
        for at, bound in enumerate(bounds):
            if time.monotonic() - began > self.order.seconds:
                break
            self.tell(f"bounds {at + 1} of {len(bounds)}: {bound}")
            results.append(
                binding.conform(bound, bugs=frozenset(work.bugs), workers=self.order.jobs)
            )
            if not results[-1].conforms:
                self._found(work.expect, show.sentence(results), _diverging(work, results))
        findings = tuple(_diverging(work, results))
        told = show.sentence(results)
        got = ExitCode.PROMISE_BROKEN if findings else ExitCode.AS_EXPECTED
        unfinished, beside = "", ExitCode.AS_EXPECTED
        if len(results) < len(bounds):
            beside = ExitCode.INCONCLUSIVE
            told = f"{len(results)} of {len(bounds)} bounds were compared. {told}"
            if not findings:
                got, unfinished = ExitCode.INCONCLUSIVE, OUT_OF_TIME
        pairs = sum(result.pairs.total() for result in results)
        shown, details = findings[:FINDINGS_MAX], {"pairs": pairs}
        found = Attempt(got, told, shown, (), 0.0, unfinished, details, (), beside)
        return _hoped(work.expect, found)

    def _simulate(self, work: Simulate) -> Attempt:
        job = Job(work.text, work.file, work.name, Switches(lockstep=work.lockstep))
        seeds = range(work.first, work.last + 1)
        cases: Iterable[Case] = (Case(seed) for seed in seeds)
        count = len(seeds)
        if work.crash_points:
            cases = [point for seed in seeds for point in crash_cases(job, seed)]
            count = len(cases)

        def watch(now: Campaign) -> None:
            self.tell(f"{len(now.tried):,} of {count:,} worlds, {len(now.failed)} broken")
            if now.tried[-1].validity is Validity.FAIL and not now.expects_failure:
                self._found("pass", _worlds(now), (_world(job, now.failed[0], {}),), _kinds(now))

        in_time = _until(time.monotonic() + self.order.seconds, cases)
        keep_going = self.order.keep_going
        found = campaign(job, in_time, jobs=self.order.jobs, keep_going=keep_going, watch=watch)
        is_short = len(found.tried) < count
        found.is_cut_short = is_short and not _is_over(found, keep_going=keep_going)
        got = found.exit_code()
        shown = [group[0] for group in found.groups()[:FINDINGS_MAX]]
        kept, lost = keep_cases(job, (one.case for one in shown), self._runs, self.report)
        findings = tuple(_world(job, one, kept) for one in shown)
        told, unfinished = _worlds(found), ""
        if found.is_cut_short:
            unfinished = OUT_OF_TIME if got is ExitCode.INCONCLUSIVE else ""
            told = f"{len(found.tried):,} of {count:,} worlds were tried. {told}"
        if lost is not None:
            got, told = worst_code([got, lost.exit_code]), f"{told} {lost}."
        others = [one for one in found.tried if one.validity not in (Validity.PASS, Validity.FAIL)]
        findings += tuple(_world(job, one, kept) for one in others[:FINDINGS_MAX])
        runs = tuple(str(path) for path in kept.values())
        cpu_s = round(sum(one.cpu_s for one in found.tried), 2)
        details = {"worlds": len(found.tried), "cpu_s": cpu_s}
        beside = ExitCode.INCONCLUSIVE if is_short or others else ExitCode.AS_EXPECTED
        return Attempt(got, told, findings, runs, 0.0, unfinished, details, _kinds(found), beside)

    def _run(self, work: Run) -> Attempt:
        asked = Asked(work.name, work.target, work.seed)
        finished = launch(asked, self._runs, Quiet(), self.report, keep=True, warn=self.tell)
        found, run = finished.verdict, finished.run.path
        if finished.world is not None and found.exit_code == ExitCode.AS_EXPECTED:
            return Attempt(ExitCode.WORLD, str(finished.world), (), (str(run),))
        judged = _judged(found, run, plan_of(finished.run).command)
        if finished.report_failure is None:
            return judged
        sentence = f"The report could not be written: {finished.report_failure}"
        if judged.code is ExitCode.AS_EXPECTED:
            return Attempt(ExitCode.HARNESS, sentence, (), (str(run),))
        return msgspec.structs.replace(judged, sentence=f"{judged.sentence} {sentence}")

    def _check(self, work: Check) -> Attempt:
        path = Path(work.path)
        if path.is_dir():
            run = RunDir(path.resolve())
            plan = plan_of(run)
            return _judged(judgement.judge(run, plan, ending_of(run)), path, plan.command)
        which = None if work.partition is None else Partition(work.partition)
        found = judge(Question(path, work.spec, work.format, which))
        lines = lines_of(found)
        wrong = Finding(found.sentence, (), tuple(lines[1:LINES_MAX]), None, _checking(work))
        findings = () if found.validity is Validity.PASS else (wrong,)
        return _hoped(work.expect, Attempt(ExitCode(found.exit_code), found.sentence, findings))

    def _found(
        self, expect: Expected, told: str, findings: Iterable[Finding], kinds: Kinds = ()
    ) -> None:
        broken = Attempt(
            ExitCode.PROMISE_BROKEN,
            told,
            tuple(findings)[:FINDINGS_MAX],
            broken=kinds,
            beside=ExitCode.INCONCLUSIVE,
        )
        self.found(_hoped(expect, broken))

    @property
    def _runs(self) -> Path:
        return Path(self.order.out) / "runs"


def _broken(work: Explore, model: Model, result: Result, told: list[str]) -> Finding:
    names = [found.property for found in (result.violation, result.stuck) if found is not None]
    names = names or list(result.unreached)
    promises = [p for one in model.properties if one.name in names for p in one.promises]
    bounds = [word for bound in work.bounds for word in ("--bound", bound)]
    more = [*(["--network", work.network] if work.network else []),
            *(["--mutant", work.mutant] if work.mutant else []),
            *(["--symmetry"] if work.symmetry else []),
            *(word for name in work.properties for word in ("--property", name))]  # fmt: skip
    command = shlex.join(["delphic", "explore", work.model, *bounds, *more])
    return Finding(told[0], tuple(promises), tuple(told[1:LINES_MAX]), None, command)


def _diverging(work: Conform, results: list[Conformance]) -> Iterator[Finding]:
    bugs = [word for bug in work.bugs for word in ("--bug", bug)]
    size = [] if work.documented else ["--small"]
    command = shlex.join(["delphic", "conform", work.binding, *size, *bugs, "--first"])
    counts: Counter[tuple[str, str]] = sum((one.diverged for one in results), Counter())
    first = {(one.event, one.field): one for r in reversed(results) for one in r.divergences}
    for kind, found in first.items():
        told = f"{found.event}: {found.field} is not the model's, in {plural(counts[kind], 'step')}"
        yield Finding(told, (), _text(show.divergence(found, counts[kind])), None, command)


def _checking(work: Check) -> str:
    given = {"--spec": work.spec, "--format": work.format, "--partition": work.partition}
    words = [word for key, value in given.items() if value is not None for word in (key, value)]
    return shlex.join(["delphic", "check", work.path, *words])


def _text(shown: object) -> tuple[str, ...]:
    """What a console would show, without colours."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        console = Console(file=nowhere, width=100, record=True, color_system=None)
        console.print(shown)
        return tuple(console.export_text().splitlines()[:LINES_MAX])


def _until(deadline: float, cases: Iterable[Case]) -> Iterator[Case]:
    """Cases as long as there is time."""
    for case in cases:
        if time.monotonic() > deadline:
            return
        yield case


def _world(job: Job, one: Tried, kept: dict[Case, Path]) -> Finding:
    run = kept.get(one.case)
    witness = () if run is None else witness_lines(verdict_of(run), RunDir(run))
    told = f"{one.case}: {one.sentence}"
    where = None if run is None else str(run)
    return Finding(told, one.promises, witness, where, again(job, one.case, kept))


def _kinds(found: Campaign) -> Kinds:
    """The promises of worlds that broke, each kind once."""
    return tuple(dict.fromkeys(one.promises for one in found.failed))


def _is_over(found: Campaign, *, keep_going: bool) -> bool:
    """Whether the last world ended the search."""
    if not found.tried:
        return False
    hoping = found.expects_failure
    return is_last(found.tried[-1], keep_going=keep_going, expects_failure=hoping)


def _worlds(found: Campaign) -> str:
    told = [
        f"{len(found.of(validity)):,} {validity.value}"
        for validity in Validity
        if found.of(validity)
    ]
    count = plural(len(found.tried), "world")
    shown = [one for one in found.failed if one.as_expected or not found.expects_failure]
    if shown:
        return f"{count}: {', '.join(told)}. {shown[0].sentence}"
    if found.expects_failure:
        return f"{count}: {', '.join(told)}. The failure that the scenario expects was not seen."
    return f"{count}: {', '.join(told) or 'none'}."


def _judged(found: RunVerdict, run: Path, command: str) -> Attempt:
    got = ExitCode(found.exit_code)
    findings: tuple[Finding, ...] = ()
    if found.validity is not Validity.PASS or got is not ExitCode.AS_EXPECTED:
        witness = witness_lines(found, RunDir(run))
        promises = broken_promises(found)
        findings = (Finding(found.sentence, promises, witness, str(run), command),)
    return Attempt(got, found.sentence, findings, (str(run),))


def _hoped(expect: Expected, found: Attempt) -> Attempt:
    """What an outcome is worth where a failure is expected."""
    if expect == "pass" or found.code not in (ExitCode.AS_EXPECTED, ExitCode.PROMISE_BROKEN):
        return found
    if found.code is ExitCode.PROMISE_BROKEN:
        told = f"As expected: {found.sentence}"
        return msgspec.structs.replace(found, code=ExitCode.AS_EXPECTED, sentence=told)
    told = f"A failure was expected, and none was seen. {found.sentence}"
    finding = Finding(told)
    return msgspec.structs.replace(
        found, code=ExitCode.PROMISE_BROKEN, sentence=told, findings=(finding,)
    )
