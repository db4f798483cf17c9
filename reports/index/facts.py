"""One run directory in a row: what it was, what came of it, and what is wrong with its files."""

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from ...harness.reading import UNDECODABLE
from ...harness.rundir import RunDir
from ...harness.verdict import RunVerdict, Verdict
from ..beneath import content
from ..page.files import PlanFacts

T = TypeVar("T")

_STAMPED = re.compile(r"(\d{8}T\d{6}Z)-")
_TEXT_MAX = 4_000


class State(StrEnum):
    """What an unjudged run is, beside the verdicts of those that are."""

    RUNNING = "running"
    SILENT = "silent"
    DEAD = "dead"
    DAMAGED = "damaged"


class Environment(msgspec.Struct, frozen=True):
    """What the index needs of environment.json."""

    host: str = ""
    pid: int = 0
    version: str = ""


class Phase(msgspec.Struct, frozen=True):
    """What the index needs of a line of journal.jsonl."""

    phase: str
    unix_s: float


@dataclass(frozen=True, slots=True)
class Facts:
    """What a run directory says. `verdict` is None where there is none that can be read.

    `problems` are sentences about files that are there and cannot be used.
    """

    name: str
    plan: PlanFacts
    verdict: RunVerdict | None
    environment: Environment
    phases: tuple[Phase, ...]
    digest: str
    has_report: bool
    problems: tuple[str, ...]

    @property
    def started(self) -> float:
        """Seconds since 1970; 0 where nobody knows. A simulated world has no date of its own."""
        if self.phases:
            return self.phases[0].unix_s
        found = _STAMPED.match(self.name)
        if found is None:
            return 0.0
        try:
            return datetime.strptime(found[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
        except ValueError:
            return 0.0

    @property
    def phase(self) -> str:
        """The last that the journal tells of."""
        return self.phases[-1].phase if self.phases else ""

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        return self.verdict.verdicts if self.verdict else ()

    def statistic(self, *path: str) -> Any:
        """A value deep in the statistics, or None."""
        found: Any = self.verdict.statistics if self.verdict else None
        for key in path:
            found = found.get(key) if isinstance(found, dict) else None
        return found

    def number(self, *path: str) -> float | None:
        """The same, if it is a number."""
        found = self.statistic(*path)
        return float(found) if type(found) in (int, float) else None

    @property
    def text(self) -> str:
        """What a search looks through, in small letters. What may be very long comes last."""
        said = (self.name, self.plan.title, self.plan.target)
        judged = [f"{v.checker} {' '.join(v.promises)} {v.sentence}" for v in self.verdicts]
        bugs = [bug for names in self.plan.bugs.values() for bug in names]
        whole = "" if self.verdict is None else self.verdict.sentence
        told = [*said, whole, *bugs, *judged, *self.problems, self.plan.description]
        return "\n".join(told)[:_TEXT_MAX].lower()


def facts(root: Path, name: str) -> Facts:
    """Read one run directory of the root, whatever state it is in."""
    problems: list[str] = []
    run = RunDir(root / name)

    def read(path: Path, kind: type[T]) -> T | None:
        return _decoded(root, f"{name}/{path.name}", kind, problems)

    plan = read(run.plan, PlanFacts)
    verdict = read(run.verdict, RunVerdict)
    environment = read(run.environment, Environment)
    return Facts(
        name=name,
        plan=plan or PlanFacts(),
        verdict=verdict,
        environment=environment or Environment(),
        phases=tuple(_phases(content(root, f"{name}/{run.journal.name}") or b"", problems)),
        digest=_digest(root, name),
        has_report=run.report.is_file() and not run.report.is_symlink(),
        problems=tuple(problems),
    )


def _digest(root: Path, name: str) -> str:
    """Of what was to be run: the scenario's text, and the plan without the words that asked for it.

    The text alone is not enough: crash points and switches stand in the plan only.
    """
    run = RunDir(root / name)
    text = content(root, f"{name}/{run.scenario.name}") or b""
    plan = content(root, f"{name}/{run.plan.name}") or b""
    with suppress(*UNDECODABLE):
        planned = msgspec.json.decode(plan, type=dict[str, Any])
        planned.pop("command", None)
        plan = msgspec.json.encode(planned)
    return sha256(sha256(text).digest() + plan).hexdigest()[:16]


def _decoded(root: Path, name: str, kind: type[T], problems: list[str]) -> T | None:
    data = content(root, name)
    if data is None:
        if (root / name).is_file() and not (root / name).is_symlink():
            problems.append(
                f"{name.rpartition('/')[2]} cannot be read: it is too long, or not ours."
            )
        return None
    try:
        return msgspec.json.decode(data, type=kind)
    except UNDECODABLE as error:
        problems.append(f"{name.rpartition('/')[2]} cannot be read: {error}.")
        return None


def _phases(data: bytes, problems: list[str]) -> list[Phase]:
    """The phases so far; a last line that is still being written, or was cut off, is left out."""
    found = []
    for line in data.split(b"\n")[:-1]:
        try:
            found.append(msgspec.json.decode(line, type=Phase))
        except UNDECODABLE as error:
            problems.append(f"journal.jsonl cannot be read: {error}.")
            break
    return found
