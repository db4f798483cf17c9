"""What a run left behind, read as far as it can be read; what cannot be is named, not raised."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from ...harness.clocks import Clocks, clocks_of
from ...harness.errors import HistoryError, UsageError
from ...harness.history import History, validated
from ...harness.op import Op
from ...harness.reading import UNDECODABLE
from ...harness.rundir import RunDir
from ...harness.verdict import RunVerdict
from ..beneath import entries, holds
from .hosts import HostFacts, HostsFile
from .nodelogs import instant

S = TypeVar("S")

_UNIX_S_MAX = 1e11
"""Beyond it no date is left."""

_decoder = msgspec.json.Decoder(Op)


class SideFacts(msgspec.Struct, frozen=True):
    """What a report needs of one of several clusters."""

    name: str


class PlanFacts(msgspec.Struct, frozen=True):
    """What a report tells of plan.json. Nothing in it is required: a plan may be damaged."""

    scenario: str = ""
    title: str = ""
    description: str = ""
    seed: int | None = None
    target: str = ""
    system: str = ""
    members: tuple[str, ...] = ()
    sides: tuple[SideFacts, ...] = ()
    config: dict[str, Any] = {}
    node_config: dict[str, Any] = {}
    bugs: dict[str, tuple[str, ...]] = {}
    trace: bool = True
    workload: dict[str, Any] = {}
    duration_s: float | None = None
    faults: tuple[dict[str, Any], ...] = ()
    limits: dict[str, Any] = {}
    promises: tuple[str, ...] = ()
    expect: dict[str, Any] = {}
    command: str = ""

    @property
    def clients(self) -> int | None:
        """How many clients the workload runs at once, if the plan tells."""
        count = self.workload.get("clients")
        return count if type(count) is int and count > 0 else None


class JournalLine(msgspec.Struct, frozen=True):
    """What a report needs of a line of journal.jsonl."""

    phase: str
    unix_s: float


@dataclass(frozen=True, slots=True)
class RunFiles:
    """All that a report is made of. `missing` says, a sentence each, what could not be read.

    `zero` is the time of day at which the run's own time began, `clocks` say when it was what
    traces tell.
    """

    run: RunDir
    plan: PlanFacts
    verdict: RunVerdict | None
    environment: dict[str, Any]
    hosts: dict[str, HostFacts]
    history: History
    scenario: str
    shrunk: str
    zero: datetime | None
    clocks: Clocks
    missing: tuple[str, ...]

    @property
    def members(self) -> tuple[str, ...]:
        """The plan's members or, without a plan, those that left files."""
        return self.plan.members or tuple(self.run.node_aliases())


def read(directory: Path) -> RunFiles:
    """Read a run directory. Raises UsageError where there is nothing of a run."""
    run = RunDir(directory)
    if not any(holds(directory, path) for path in (run.plan, run.history, run.verdict)):
        raise UsageError(
            f"{directory} is no run directory: "
            f"it holds none of {run.plan.name}, {run.history.name}, {run.verdict.name}"
        )
    missing: list[str] = []
    plan = _decoded(run, run.plan, PlanFacts, missing, "what was planned is unknown")
    verdict = _decoded(run, run.verdict, RunVerdict, missing, "the run has not been judged")
    environment = _decoded(run, run.environment, dict[str, Any], missing, "versions are unknown")
    hosts = HostsFile()
    if os.path.lexists(run.hosts):
        hosts = _decoded(run, run.hosts, HostsFile, missing, "of hosts nothing is known") or hosts
    history = _history(run, missing)
    scenario = _scenario(run, missing)
    plan = PlanFacts() if plan is None else plan
    missing += _nodes(run, plan)
    journal = _journal(run)
    ups = (line.unix_s for line in journal if line.phase == "up" and 0 < line.unix_s < _UNIX_S_MAX)
    zero = next((datetime.fromtimestamp(unix_s, UTC) for unix_s in ups), None)
    if zero is None and verdict is not None:
        zero = instant(verdict.started)
    return RunFiles(
        run,
        plan,
        verdict,
        environment or {},
        hosts.hosts,
        history,
        scenario,
        _text(run, run.shrunk),
        zero,
        _clocks(run),
        tuple(missing),
    )


def sizes(run: RunDir) -> list[tuple[str, int]]:
    """Every file that the run itself left, with its size in bytes. Links are left out."""
    made_here = {run.report.name, run.junit.name, run.summary.name}
    found = (entry for entry in entries(run.path) if entry.name not in made_here)
    return [(e.name, e.size) for e in sorted(found, key=lambda entry: entry.name.split("/"))]


def _decoded(run: RunDir, path: Path, kind: type[S], missing: list[str], so: str) -> S | None:
    if not holds(run.path, path):
        missing.append(f"{_absent(path)}: {so}.")
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except UNDECODABLE as error:
        missing.append(f"{path.name} cannot be read ({error}): {so}.")
        return None


def _absent(path: Path) -> str:
    """Links may lead to what is nobody's business, and are not followed."""
    if os.path.lexists(path):
        return f"{path.name} is no ordinary file that can be read"
    return f"{path.name} is missing"


def _journal(run: RunDir) -> Iterator[JournalLine]:
    """The phases of the run; where members were started it is more exact than the verdict."""
    if not holds(run.path, run.journal):
        return
    for line in run.journal.read_bytes().split(b"\n"):
        try:
            yield msgspec.json.decode(line, type=JournalLine)
        except UNDECODABLE:
            # A line that a kill cut short.
            return


def _clocks(run: RunDir) -> Clocks:
    told = [path for path in (run.journal, run.hosts) if os.path.lexists(path)]
    return clocks_of(run) if all(holds(run.path, path) for path in told) else Clocks()


def _scenario(run: RunDir, missing: list[str]) -> str:
    if not holds(run.path, run.scenario):
        missing.append(f"{_absent(run.scenario)}: the scenario's text is unknown.")
    return _text(run, run.scenario)


def _text(run: RunDir, path: Path) -> str:
    """What the file says; nothing where there is none."""
    return path.read_text(encoding="utf-8", errors="replace") if holds(run.path, path) else ""


def _nodes(run: RunDir, plan: PlanFacts) -> Iterator[str]:
    """Name what the members should have left behind, and did not."""
    members = plan.members or tuple(run.node_aliases())
    found = set(run.node_aliases())
    without_log = [m for m in members if m not in found or not holds(run.path, run.node_log(m))]
    if without_log:
        yield f"No log of {', '.join(without_log)}."
    if plan.trace:
        without = [m for m in members if m not in found or not holds(run.path, run.node_trace(m))]
        if without:
            yield f"No trace of {', '.join(without)}."


def _history(run: RunDir, missing: list[str]) -> History:
    """The ops up to the first that cannot be used."""
    path = run.history
    if not holds(run.path, path):
        missing.append(f"{_absent(path)}: there are no operations to show.")
        return History(())
    data = path.read_bytes()
    try:
        return validated(_decoder.decode_lines(data))
    except (*UNDECODABLE, HistoryError):
        return _beginning(path.name, data, missing)


def _beginning(name: str, data: bytes, missing: list[str]) -> History:
    """The ops of a damaged history up to the damage."""
    good: list[Op] = []
    try:
        return validated(_ops(data.splitlines(keepends=True), good, missing))
    except HistoryError as error:
        missing.append(f"{name}: {error}. Shown are the {len(good):,} ops before it.")
        return History(tuple(good))


def _ops(lines: list[bytes], good: list[Op], missing: list[str]) -> Iterator[Op]:
    """The ops, each noted as good once whoever asked for it has come back for the next."""
    for number, line in enumerate(lines, start=1):
        try:
            op = _decoder.decode(line)
        except UNDECODABLE as error:
            if not line.endswith(b"\n"):
                missing.append(
                    f"The last line of the history ({number}) was cut off: its writer was killed."
                )
                return
            raise HistoryError(f"line {number}: {error}") from error
        yield op
        good.append(op)
