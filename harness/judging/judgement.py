"""What came of a run: its files checked, one verdict, one exit code, one sentence."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import msgspec

from ..check import check, overall, statistics
from ..checkers.liveness import LIVENESS
from ..checkers.online.watch import Sighting
from ..clocks import clocks_of
from ..errors import ExitCode, HistoryError, UsageError
from ..evidence import Evidence
from ..history import History, load
from ..plan import Plan, decode
from ..reading import NoFile, from_data, read_bytes, unreadable
from ..rundir import RunDir
from ..running import journal
from ..running.environment import provenance
from ..traces import Trace
from ..verdict import RunVerdict, Validity, Verdict, worst
from ..workloads import WORKLOADS
from ..writing import put

TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"

INTERRUPTED = "interrupted"
DIED = "nodes"
WORLD = "world"
CRASH = "crash"
SEAL = "seal"
ONLINE = "online"

NOT_SEEN = "was expected to break, and was not seen to"
"""Part of the sentence about a run that did not show a seeded bug."""

_CUT_SHORT = frozenset({INTERRUPTED, WORLD, SEAL})
"""Verdicts that say that the run did not come to its end."""


class Ending(msgspec.Struct, frozen=True):
    """How a run ended, beyond what its history says.

    `zero_ns`: what members' steady clocks said when the history began; `hosts_zero_ns`: what ours
    said, where they ran by those of their hosts (`clocks.py`); None if nobody knows. `seen`: what
    ended it early, where checks were made while it went on; `watch_crash`: the traceback of one of
    those. `missed`: crash points that a run which came to its end never reached, and how many
    effects there were.
    """

    started: str
    duration_s: float
    interrupted: bool = False
    died: tuple[tuple[str, str], ...] = ()
    error: str | None = None
    zero_ns: int | None = None
    hosts_zero_ns: int | None = None
    seen: Sighting | None = None
    watch_crash: str | None = None
    missed: tuple[tuple[str, int], ...] = ()


class _Sealed(msgspec.Struct, frozen=True):
    ending: Ending


def judge(run: RunDir, plan: Plan, ending: Ending) -> RunVerdict:
    """Check a run directory's evidence. Raises UsageError where any of it is not as sealed.

    A run that was cut short proves nothing about recovery, so that liveness is not asked then.
    """
    evidence = evidence_of(run, plan)
    return decide(evidence, plan, ending, sealed=journal.seal_of(run.journal) is not None)


def decide(evidence: Evidence, plan: Plan, ending: Ending, *, sealed: bool) -> RunVerdict:
    """Check evidence, wherever it comes from."""
    beyond = _beyond_the_history(ending, sealed=sealed)
    names = WORKLOADS[plan.workload["name"]].checkers
    if _CUT_SHORT.intersection(verdict.checker for verdict in beyond):
        names = tuple(name for name in names if name != LIVENESS.name)
    verdicts = check(evidence, names) if evidence.history.ops else []
    return conclude(plan, [*beyond, *verdicts, *_while_it_went_on(ending, verdicts)], ending)


def evidence_of(run: RunDir, plan: Plan) -> Evidence:
    """All that the checkers may look at. Raises UsageError."""
    seal = journal.seal_of(run.journal)
    if seal is not None and seal != journal.digest(run.history):
        raise UsageError(f"{run.history} is not what was sealed: its SHA-256 is another")
    require_whole(run, plan)
    try:
        with run.history.open("rb") as stream:
            history = load(stream, torn_tail=seal is None)
    except FileNotFoundError:
        history = History(())
    except OSError as error:
        raise unreadable(run.history, error) from error
    except HistoryError as error:
        raise HistoryError(f"{run.history}: {error}") from error
    return Evidence(
        history=history,
        members=plan.members,
        limits=plan.limits,
        traces={alias: trace_of(run, alias) for alias in plan.members} if plan.trace else {},
        planned_faults=tuple(msgspec.to_builtins(fault) for fault in plan.faults),
        minimum=plan.minimum,
        facts=plan.facts,
        clocks=clocks_of(run),
    )


def require_whole(run: RunDir, plan: Plan) -> None:
    """Raises UsageError where a trace is not what the run left; one that is gone is told later."""
    sealed = journal.traces_of(run.journal) if plan.trace else {}
    for alias, found in journal.digests(run.traces(sealed)).items():
        if found != sealed[alias]:
            trace = run.node_trace(alias)
            raise UsageError(f"{trace} is not what was sealed: its SHA-256 is another")


def trace_of(run: RunDir, alias: str) -> Trace:
    """What a member traced; nothing if it left no file. Raises UsageError."""
    try:
        return Trace(read_bytes(run.node_trace(alias)))
    except NoFile:
        return Trace()


def _beyond_the_history(ending: Ending, *, sealed: bool) -> list[Verdict]:
    """What makes a run inconclusive whatever its clients saw."""
    found = []
    if ending.error is not None:
        found.append(_inconclusive(WORLD, f"The run could not be finished: {ending.error}"))
    if ending.interrupted:
        found.append(
            _inconclusive(INTERRUPTED, "The run was interrupted: what came later is not known.")
        )
    if ending.died:
        deaths = ", ".join(f"{alias} ({how})" for alias, how in ending.died)
        found.append(_inconclusive(DIED, f"Members ended by themselves: {deaths}. See their logs."))
    if ending.missed:
        points = ", ".join(f"{point} (of {count} effects)" for point, count in ending.missed)
        found.append(_inconclusive(CRASH, f"Crash points were not reached: {points}."))
    if not sealed:
        found.append(
            _inconclusive(
                SEAL, "The history was never sealed: its writer was killed, or could not."
            )
        )
    return found


def _while_it_went_on(ending: Ending, verdicts: Sequence[Verdict]) -> Iterator[Verdict]:
    """What was seen during the run, held against what the checkers found in all of it."""
    if ending.watch_crash is not None:
        sentence = (
            "A check that was made while the run went on crashed: a bug of Delphic, not of the "
            "system; please report it with the run's directory."
        )
        details = {"traceback": ending.watch_crash}
        yield Verdict(ONLINE, Validity.HARNESS_ERROR, sentence, details=details)
    seen = ending.seen
    if seen is None:
        return
    said = next((v.validity for v in verdicts if v.checker == seen.checker), None)
    when = f"{seen.time_ns / 1e9:.3f} s"
    flaw = seen.flaw
    facts = {"checker": seen.checker, "index": seen.index, "time_s": seen.time_ns / 1e9}
    if said is Validity.FAIL:
        sentence = (
            f"First seen at {when}, at op {seen.index}, where the run was stopped: {flaw.sentence}"
        )
        yield Verdict(ONLINE, said, sentence, flaw.promises, flaw.witness, facts)
        return
    sentence = (
        f"DELPHIC CONTRADICTS ITSELF: at {when} it was seen that {seen.checker} fails "
        f"({flaw.sentence.rstrip('.')}), but {seen.checker} says {said or 'nothing'} in the end. "
        "Please report this with the run's directory."
    )
    yield Verdict(ONLINE, Validity.HARNESS_ERROR, sentence, (), flaw.witness, facts)


def _inconclusive(name: str, sentence: str) -> Verdict:
    return Verdict(name, Validity.INCONCLUSIVE, sentence)


def conclude(plan: Plan, verdicts: Sequence[Verdict], ending: Ending) -> RunVerdict:
    """Merge verdicts, and hold the outcome against what the scenario expects."""
    validity = worst(verdict.validity for verdict in verdicts)
    code, sentence = _EXIT_CODES[validity], _sentence(validity, verdicts)
    as_expected = validity is Validity.PASS
    if plan.expect.validity == "fail" and not plan.lockstep:
        as_expected, code, sentence = _hoped_to_fail(plan, verdicts, validity)
    if ending.error is not None and code is ExitCode.INCONCLUSIVE:
        code = ExitCode.WORLD
    return RunVerdict(
        schema=1,
        scenario=plan.scenario,
        seed=plan.seed,
        target=plan.target,
        started=ending.started,
        duration_s=ending.duration_s,
        validity=validity,
        expected=plan.expect.validity,
        as_expected=as_expected,
        exit_code=code,
        sentence=sentence,
        verdicts=tuple(verdicts),
        statistics=statistics(verdicts),
        provenance=provenance(),
    )


def _sentence(validity: Validity, verdicts: Sequence[Verdict]) -> str:
    """What the most severe verdict says; of a run that was cut short, that it was."""
    cut_short = [verdict for verdict in verdicts if verdict.checker in _CUT_SHORT]
    if cut_short and validity in (Validity.INCONCLUSIVE, Validity.UNKNOWN):
        return cut_short[0].sentence
    return overall(verdicts).sentence


_EXIT_CODES = {
    Validity.PASS: ExitCode.AS_EXPECTED,
    Validity.INCONCLUSIVE: ExitCode.INCONCLUSIVE,
    Validity.UNKNOWN: ExitCode.INCONCLUSIVE,
    Validity.HARNESS_ERROR: ExitCode.HARNESS,
    Validity.FAIL: ExitCode.PROMISE_BROKEN,
}


def _hoped_to_fail(
    plan: Plan, verdicts: Sequence[Verdict], validity: Validity
) -> tuple[bool, ExitCode, str]:
    """A scenario with a seeded bug is as expected if one of the promises that it names broke.

    A bug of Delphic's own that shows beside it is not.
    """
    hoped = plan.expect.promises
    failed = [verdict for verdict in verdicts if verdict.validity is Validity.FAIL]
    odd = [verdict for verdict in verdicts if verdict.validity is Validity.HARNESS_ERROR]
    for verdict in failed:
        broken = [promise for promise in verdict.promises if promise in hoped]
        if broken and odd:
            told = f"{', '.join(broken)} broke, as the scenario expects, but Delphic failed"
            return False, ExitCode.HARNESS, f"{told}: {odd[0].sentence}"
        if broken:
            sentence = f"{', '.join(broken)} broke, as the scenario expects: {verdict.sentence}"
            return True, ExitCode.AS_EXPECTED, sentence
    wanted = " or ".join(hoped)
    if broken := sorted({promise for verdict in failed for promise in verdict.promises}):
        sentence = f"{', '.join(broken)} broke, not {wanted} as expected: {failed[0].sentence}"
        return False, ExitCode.PROMISE_BROKEN, sentence
    told = _sentence(validity, verdicts)
    sentence = f"{wanted} {NOT_SEEN} ({validity.value}). {told}"
    if validity is Validity.HARNESS_ERROR:
        return False, ExitCode.HARNESS, sentence
    if not failed and any(verdict.checker in _CUT_SHORT for verdict in verdicts):
        return False, ExitCode.INCONCLUSIVE, sentence
    return False, ExitCode.PROMISE_BROKEN, sentence


def recheck(run: RunDir) -> RunVerdict:
    """Judge a run directory again and replace its verdict.json. Raises UsageError, WorldError."""
    found = rejudged(run)
    write(run, found)
    return found


def rejudged(run: RunDir) -> RunVerdict:
    """Judge a run directory again, and write nothing there. Raises UsageError."""
    return judge(run, plan_of(run), ending_of(run))


def write(run: RunDir, found: RunVerdict) -> None:
    """verdict.json. Raises WorldError."""
    put(run.verdict, msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n")


def plan_of(run: RunDir) -> Plan:
    """The plan in a run directory. Raises UsageError where there is none."""
    try:
        return decode(read_bytes(run.plan), str(run.plan))
    except NoFile:
        raise UsageError(f"{run.path} is no run directory: it has no {run.plan.name}") from None


def ending_of(run: RunDir) -> Ending:
    """How the run ended: what its seal says, or that nobody was there to say it.

    Raises UsageError where the journal is none.
    """
    lines = journal.entries(run.journal)
    for line in reversed(lines):
        if line["phase"] == journal.SEALED:
            return from_data(line, _Sealed, str(run.journal), "a run's journal").ending
    began = datetime.fromtimestamp(lines[0]["unix_s"] if lines else 0, tz=UTC)
    return Ending(started=began.strftime(TIME_FORMAT), duration_s=0.0)
