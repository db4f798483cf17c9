"""A run directory as one frozen, JSON-able value: all that any report says."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from ...harness.history import History
from ...harness.language.sides import side_of
from ...harness.op import HARNESS, OpType
from ...harness.prose import plural
from ...harness.verdict import RunVerdict, Validity, Verdict, worst
from .. import promises
from ..beneath import holds
from ..prose import duration_text, seconds_text
from .calls import Calls, calls
from .faults import Act, acts, faults
from .files import PlanFacts, RunFiles, read, sizes
from .hosts import HostFacts
from .members import Span, spans, terms_with_leader
from .merged import Merged, merged
from .messages import Exchange, Moment, exchanges
from .nodelogs import Excerpt, NodeLog
from .nodelogs import read as read_log
from .queues import Backlog, backlogs
from .replication import Replication, replication
from .series import Acknowledged, Effect, Series, acknowledged, effects, series
from .witness import Findings, Witness, witnesses

_S_MAX = 1e9
"""No run is so long: whoever says so is wrong."""

KEPT, BROKEN, UNDECIDED = "kept", "broken", "undecided"


class Promise(msgspec.Struct, frozen=True):
    """One promise that was checked, and what came of it."""

    id: str
    text: str
    state: str
    checkers: tuple[str, ...]


class Figure(msgspec.Struct, frozen=True):
    """One number of the story."""

    label: str
    value: str
    note: str = ""


class Phase(msgspec.Struct, frozen=True):
    """A stretch of the run; times in microseconds."""

    name: str
    start: int
    end: int


class Document(msgspec.Struct, frozen=True):
    """Everything that a report says about one run. Times are microseconds from its start.

    `verdict` is None before the run was judged; `missing` says what the run did not leave;
    `replication` is None where there are no slaves.
    """

    name: str
    plan: PlanFacts
    verdict: RunVerdict | None
    missing: tuple[str, ...]
    members: tuple[str, ...]
    promises: tuple[Promise, ...]
    story: tuple[Figure, ...]
    end: int
    phases: tuple[Phase, ...]
    acts: tuple[Act, ...]
    effects: tuple[Effect, ...]
    spans: tuple[Span, ...]
    calls: Calls
    series: Series
    replication: Replication | None
    queues: tuple[Backlog, ...]
    witnesses: tuple[Witness, ...]
    exchanges: tuple[Exchange, ...]
    logs: tuple[Excerpt, ...]
    merged: Merged
    environment: dict[str, Any]
    hosts: dict[str, HostFacts]
    scenario: str
    shrunk: str
    files: tuple[tuple[str, int], ...]

    @property
    def title(self) -> str:
        """What the scenario is called, for people."""
        judged = "" if self.verdict is None else self.verdict.scenario
        return self.plan.title or self.plan.scenario or judged or self.name

    @property
    def command(self) -> str:
        """What repeats the run."""
        return self.plan.command

    @property
    def validity(self) -> Validity | None:
        return None if self.verdict is None else self.verdict.validity

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        return () if self.verdict is None else self.verdict.verdicts

    @property
    def seed(self) -> int | None:
        return self.plan.seed if self.verdict is None else self.verdict.seed


def document(directory: Path) -> Document:
    """Read a run directory. Raises UsageError where there is none."""
    files = read(directory)
    end = max((op.time_ns // 1000 for op in files.history.ops), default=0)
    phases = _phases(files.history, end)
    done = acts(files.history)
    laid_out = calls(files.history, files.plan.clients)
    roles = spans(files.history, done, end)
    sides = [side.name for side in files.plan.sides]
    begin, until = _clients_time(phases, laid_out, end)
    acked = acknowledged(files.history, begin, until)
    struck = effects(done, acked, until)
    logs = tuple(_logs(files, end))
    traces = _traces(files)
    judged = () if files.verdict is None else files.verdict.verdicts
    findings = Findings(files.history, files.members, done, roles, logs)
    shown = witnesses(judged, findings)
    return Document(
        name=files.run.path.resolve().name,
        plan=files.plan,
        verdict=files.verdict,
        missing=files.missing,
        members=files.members,
        promises=_promises(judged, files.plan),
        story=_story(laid_out, acked, struck, done, roles, sides),
        end=end,
        phases=phases,
        acts=done,
        effects=struck,
        spans=roles,
        calls=laid_out,
        series=series(laid_out),
        replication=replication(files.history, sides, end),
        queues=backlogs(traces, files.clocks, sides, end),
        witnesses=shown,
        exchanges=exchanges(traces, files.clocks, _moments(shown, judged)),
        logs=tuple(log.edges() for log in logs),
        merged=merged(logs, _worth_a_look(shown, done)),
        environment=files.environment,
        hosts=files.hosts,
        scenario=files.scenario,
        shrunk=files.shrunk,
        files=tuple(sizes(files.run)),
    )


def _phases(history: History, end: int) -> tuple[Phase, ...]:
    begun = [
        (str(op.value), op.time_ns // 1000)
        for op in history.of(HARNESS)
        if op.f == "phase" and op.type is OpType.INFO
    ]
    ends = [*(start for _, start in begun), end][1:]
    return tuple(
        Phase(name, start, until) for (name, start), until in zip(begun, ends, strict=True)
    )


def _clients_time(phases: Iterable[Phase], found: Calls, end: int) -> tuple[int, int]:
    """When clients were at work: from the main phase to the final one."""
    starts = {phase.name: phase.start for phase in phases}
    first = found.start[0] if len(found) else 0
    return starts.get("main", first), starts.get("final", end)


def _promises(verdicts: Iterable[Verdict], plan: PlanFacts) -> tuple[Promise, ...]:
    """Every promise that a checker or the plan names, the broken ones first."""
    by_id: dict[str, list[Verdict]] = {promise: [] for promise in plan.promises}
    for verdict in verdicts:
        for promise in verdict.promises:
            by_id.setdefault(promise, []).append(verdict)
    found = [
        Promise(
            id=promise,
            text=promises.text(promise),
            state=_promise_state(named),
            checkers=tuple(verdict.checker for verdict in named),
        )
        for promise, named in by_id.items()
    ]
    return tuple(sorted(found, key=lambda p: (p.state != BROKEN, promises.order(p.id))))


def _promise_state(named: list[Verdict]) -> str:
    match worst(verdict.validity for verdict in named):
        case Validity.FAIL:
            return BROKEN
        case Validity.PASS:
            return KEPT
        case _:
            return UNDECIDED


def _story(
    found: Calls,
    acked: Acknowledged,
    struck: Iterable[Effect],
    done: Iterable[Act],
    roles: Iterable[Span],
    sides: Sequence[str],
) -> tuple[Figure, ...]:
    """The run in a few numbers."""
    broke = faults(done)
    bit = sum(act.bit is True for act in broke)
    terms, which = elections(roles, sides)
    outcomes = ", ".join(f"{found.of_outcome(o):,} {o}" for o in (OpType.FAIL, OpType.INFO))
    waits = [(e.waited, e.number, e) for e in struck if e.waited is not None]
    slowest = max(waits)[2] if waits else None
    rows = Figure("rows acknowledged", f"{acked.rows:,}", plural(len(acked.times), "write"))
    longest = acked.longest
    return (
        Figure("operations ok", f"{found.of_outcome(OpType.OK):,}", f"{outcomes}"),
        rows,
        Figure(
            "faults that took hold",
            f"{bit} of {len(broke)}" if broke else "none",
            "each with its receipt" if broke and bit == len(broke) else "",
        ),
        Figure(
            "terms with a leader",
            f"{terms:,}" if terms else "none seen",
            which,
        ),
        Figure(
            "longest time without an acknowledgement",
            duration_text(None if longest is None else longest.length),
            "" if longest is None else f"from {seconds_text(longest.start)}",
        ),
        Figure(
            "slowest recovery after a fault",
            "–" if slowest is None else slowest.recovery_text,
            "" if slowest is None else _until(slowest),
        ),
    )


def _until(effect: Effect) -> str:
    until = "to the next acknowledgement" if effect.unanswered is None else "until writers stopped"
    return f"from the end of F{effect.number} {until}"


def elections(roles: Iterable[Span], sides: Sequence[str]) -> tuple[int, str]:
    """How many terms had a leader, and which; each of several clusters counts its own."""
    found = list(roles)
    if not sides:
        terms = terms_with_leader(found)
        return len(terms), f"terms {_ranges(terms)}" if terms else ""
    by_side = [
        (side, terms_with_leader(span for span in found if side_of(span.node) == side))
        for side in sides
    ]
    told = [f"{side} {_ranges(terms)}" for side, terms in by_side if terms]
    return sum(len(terms) for _, terms in by_side), ", ".join(told)


def _ranges(terms: list[int]) -> str:
    """`1–3, 5` for 1, 2, 3, 5."""
    parts: list[list[int]] = []
    for term in terms:
        if parts and term == parts[-1][-1] + 1:
            parts[-1].append(term)
        else:
            parts.append([term])
    return ", ".join(f"{p[0]}–{p[-1]}" if len(p) > 1 else str(p[0]) for p in parts)


def _traces(files: RunFiles) -> dict[str, Path]:
    """The traces that members left."""
    paths = {alias: files.run.node_trace(alias) for alias in files.run.node_aliases()}
    return {alias: path for alias, path in paths.items() if holds(files.run.path, path)}


def _moments(shown: Sequence[Witness], judged: Iterable[Verdict]) -> Iterable[Moment]:
    """Where messages are worth a look: at a divergence, and at the operations of the witness."""
    for verdict in judged:
        found = verdict.details.get("divergence")
        if verdict.checker != "conformance" or not isinstance(found, dict):
            continue
        if isinstance(at_s := found.get("at_s"), int | float) and abs(at_s) < _S_MAX:
            time = round(at_s * 1e6)
            yield "The divergence", time, ((time, f"{found.get('member')} diverges"),)
    rows = [row for witness in shown[:1] for row in witness.numbered]
    marks: list[tuple[int, str]] = []
    for row in rows:
        marks.append((row.start, f"W{row.number} {row.f}"))
        if row.end is not None:
            marks.append((row.end, f"W{row.number} {row.outcome}"))
    for row in rows:
        yield f"Witness {row.number}", row.start if row.end is None else row.end, tuple(marks)


def _worth_a_look(shown: Iterable[Witness], done: Iterable[Act]) -> Iterable[int]:
    """The times of witnesses and of faults."""
    for witness in shown:
        for row in witness.numbered:
            yield from (time for time in (row.start, row.end) if time is not None)
    for act in done:
        yield from (time for time in (act.start, act.end) if time is not None)


def _logs(files: RunFiles, end: int) -> Iterable[NodeLog]:
    zeros = {
        member: _zero(files.zero, host.clock_before.ahead_s)
        for host in files.hosts.values()
        for member in host.members
    }
    for alias in files.run.node_aliases():
        path = files.run.node_log(alias)
        if holds(files.run.path, path):
            yield read_log(alias, path, zeros.get(alias, files.zero), end)


def _zero(ours: datetime | None, ahead_s: float) -> datetime | None:
    """What a host's clock, so far ahead of ours, said when the run's time began."""
    try:
        return None if ours is None else ours + timedelta(seconds=ahead_s)
    except OverflowError:
        # No clock is so wrong: the file is.
        return ours
