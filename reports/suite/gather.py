"""All that a suite report says, out of the index: frozen, JSON-able, the same for the same runs."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from statistics import median

import msgspec

from ...harness.promise import PROMISES, order
from ...harness.verdict import Validity
from ..index.index import Index
from .zoo import Zoo

BATCHES_MAX = 8
"""So many versions are compared, the newest."""

SIM = "sim"
"""The target whose runs must come out alike each time."""


class Run(msgspec.Struct, frozen=True):
    """One run, as others point at it. `kind` is a verdict, or what an unjudged run is."""

    name: str
    kind: str
    scenario: str
    seed: int | None
    target: str
    as_expected: bool | None
    sentence: str
    started: float
    has_report: bool


class Cell(msgspec.Struct, frozen=True):
    """A scenario on a target: the newest run of each seed, and how many runs there are."""

    target: str
    runs: int
    newest: tuple[Run, ...]


class Row(msgspec.Struct, frozen=True):
    """A scenario on every target."""

    scenario: str
    title: str
    bugs: str
    cells: tuple[Cell, ...]


class Batch(msgspec.Struct, frozen=True):
    """The runs of one version. Medians, None where nothing was measured."""

    version: str
    started: float
    runs: int
    as_expected: int
    ok_per_s: float | None = None
    gap_s: float | None = None


class Trend(msgspec.Struct, frozen=True):
    """A scenario on a target through the versions, the oldest first."""

    scenario: str
    target: str
    batches: tuple[Batch, ...]

    @property
    def change(self) -> float | None:
        """How much faster the newest version is than those before, as a share."""
        *before, last = self.batches
        rates = [batch.ok_per_s for batch in before if batch.ok_per_s]
        return last.ok_per_s / median(rates) - 1 if rates and last.ok_per_s else None

    @property
    def is_worse(self) -> bool:
        """Whether the newest version keeps fewer expectations than the one before."""
        *before, last = self.batches
        return (
            bool(before) and last.as_expected * before[-1].runs < before[-1].as_expected * last.runs
        )


class Promise(msgspec.Struct, frozen=True):
    """One promise: in how many runs it was checked, and what came of it.

    `broken_as_expected` are those of seeded bugs.
    """

    id: str
    text: str
    checked: int
    kept: int
    broken: int
    broken_as_expected: int
    undecided: int
    checkers: tuple[str, ...]


class Coverage(msgspec.Struct, frozen=True):
    """Which kinds of the model's steps no run made, and which only a few made."""

    runs: int
    kinds: int
    never: tuple[tuple[str, str], ...]
    rare: tuple[tuple[str, str, int], ...]


class Flaky(msgspec.Struct, frozen=True):
    """The same scenario, seed, target and version with different verdicts."""

    scenario: str
    seed: int | None
    target: str
    version: str
    runs: tuple[Run, ...]

    @property
    def is_simulated(self) -> bool:
        """Then it is a bug of Delphic: a seed decides everything that happens in such a world."""
        return self.target == SIM


class Suite(msgspec.Struct, frozen=True):
    """Everything about the runs of one directory. Times are seconds since 1970."""

    name: str
    runs: int
    first: float
    last: float
    versions: tuple[Batch, ...]
    kinds: dict[str, int]
    as_expected: int
    unexpected: tuple[Run, ...]
    unjudged: tuple[Run, ...]
    targets: tuple[str, ...]
    matrix: tuple[Row, ...]
    trends: tuple[Trend, ...]
    promises: tuple[Promise, ...]
    coverage: Coverage | None
    flaky: tuple[Flaky, ...]
    zoo: Zoo | None


_COLUMNS = (
    "name, kind, is_judged, scenario, title, bugs, seed, target, as_expected, sentence, started, "
    "version, git, is_dirty, digest, ok_per_s, gap_s, has_report"
)


def gather(index: Index, zoo: Zoo | None = None) -> Suite:
    """The suite of an index that is up to date."""
    rows = index.rows(f"SELECT {_COLUMNS} FROM run ORDER BY started, name")  # noqa: S608
    judged = [row for row in rows if row["is_judged"]]
    kinds = [row["kind"] for row in rows]
    return Suite(
        name=index.root.name,
        runs=len(rows),
        first=rows[0]["started"] if rows else 0.0,
        last=rows[-1]["started"] if rows else 0.0,
        versions=_batches(judged),
        kinds={kind: kinds.count(kind) for kind in sorted(set(kinds))},
        as_expected=sum(bool(row["as_expected"]) for row in judged),
        unexpected=tuple(_run(row) for row in reversed(judged) if not row["as_expected"]),
        unjudged=tuple(_run(row) for row in reversed(rows) if not row["is_judged"]),
        targets=tuple(sorted({row["target"] for row in rows})),
        matrix=tuple(_matrix(rows)),
        trends=tuple(_trends(judged)),
        promises=tuple(_promises(index)),
        coverage=_coverage(index),
        flaky=tuple(_flaky(judged)),
        zoo=zoo,
    )


def _run(row: sqlite3.Row) -> Run:
    return Run(
        name=row["name"],
        kind=row["kind"],
        scenario=row["scenario"],
        seed=row["seed"],
        target=row["target"],
        as_expected=None if row["as_expected"] is None else bool(row["as_expected"]),
        sentence=row["sentence"],
        started=row["started"],
        has_report=bool(row["has_report"]),
    )


def version_of(row: sqlite3.Row) -> str:
    """`a1b2c3d`, with a + where changes were not committed; outside checkouts the release."""
    if not row["git"]:
        return str(row["version"] or "unknown")
    return f"{row['git'][:7]}{'+' if row['is_dirty'] else ''}"


def _matrix(rows: Sequence[sqlite3.Row]) -> Iterator[Row]:
    by_scenario: dict[str, list[sqlite3.Row]] = {}
    for row in rows:
        by_scenario.setdefault(row["scenario"], []).append(row)
    for scenario, found in sorted(by_scenario.items()):
        by_target: dict[str, list[sqlite3.Row]] = {}
        for row in found:
            by_target.setdefault(row["target"], []).append(row)
        cells = tuple(_cell(target, of) for target, of in sorted(by_target.items()))
        yield Row(scenario, found[-1]["title"], found[-1]["bugs"], cells)


def _cell(target: str, rows: Sequence[sqlite3.Row]) -> Cell:
    newest = {row["seed"]: row for row in rows}
    seeds = sorted(newest, key=lambda seed: (seed is None, seed))
    return Cell(target, len(rows), tuple(_run(newest[seed]) for seed in seeds))


def _batches(rows: Iterable[sqlite3.Row]) -> tuple[Batch, ...]:
    """By version, in the order in which versions were first run."""
    by_version: dict[str, list[sqlite3.Row]] = {}
    for row in rows:
        by_version.setdefault(version_of(row), []).append(row)
    return tuple(_batch(version, of) for version, of in by_version.items())[-BATCHES_MAX:]


def _batch(version: str, rows: Sequence[sqlite3.Row]) -> Batch:
    return Batch(
        version=version,
        started=rows[0]["started"],
        runs=len(rows),
        as_expected=sum(bool(row["as_expected"]) for row in rows),
        ok_per_s=_median(row["ok_per_s"] for row in rows),
        gap_s=_median(row["gap_s"] for row in rows),
    )


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def _trends(rows: Iterable[sqlite3.Row]) -> Iterator[Trend]:
    by_place: dict[tuple[str, str], list[sqlite3.Row]] = {}
    for row in rows:
        by_place.setdefault((row["scenario"], row["target"]), []).append(row)
    for (scenario, target), found in sorted(by_place.items()):
        yield Trend(scenario, target, _batches(found))


def _promises(index: Index) -> Iterator[Promise]:
    """Every promise that Delphic knows or a verdict names; of one run the worst verdict counts."""
    found = index.rows(
        "SELECT verdict.run, checker, validity, promises, expected = 'fail' AND as_expected "
        "FROM verdict JOIN run ON run.name = verdict.run WHERE promises != '[]'"
    )
    checkers: dict[str, set[str]] = {promise: set() for promise in PROMISES}
    worst: dict[str, dict[str, tuple[Validity, bool]]] = {promise: {} for promise in PROMISES}
    for run, checker, validity, promises, is_meant in found:
        said = Validity(validity)
        for promise in json.loads(promises):
            checkers.setdefault(promise, set()).add(checker)
            of_runs = worst.setdefault(promise, {})
            if run not in of_runs or of_runs[run][0].severity < said.severity:
                of_runs[run] = (said, bool(is_meant))
    for promise in sorted(worst, key=order):
        told = list(worst[promise].values())
        broken = [is_meant for validity, is_meant in told if validity is Validity.FAIL]
        kept = sum(validity is Validity.PASS for validity, _ in told)
        yield Promise(
            id=promise,
            text=PROMISES.get(promise, ""),
            checked=len(told),
            kept=kept,
            broken=broken.count(False),
            broken_as_expected=broken.count(True),
            undecided=len(told) - kept - len(broken),
            checkers=tuple(sorted(checkers[promise])),
        )


class _Made(msgspec.Struct, frozen=True):
    """What a run says about the model's steps; a kind is an event and what it did."""

    kinds: int
    never: tuple[tuple[str, str], ...]


def _coverage(index: Index) -> Coverage | None:
    """Only runs that count by the newest run's number of kinds, so that versions do not mix."""
    rows = index.rows("SELECT coverage FROM run WHERE coverage IS NOT NULL ORDER BY started DESC")
    made = [one for (text,) in rows if (one := _made(text)) is not None]
    if not made:
        return None
    same = [one for one in made if one.kinds == made[0].kinds]
    missed: dict[tuple[str, str], int] = {}
    for one in same:
        for kind in one.never:
            missed[kind] = missed.get(kind, 0) + 1
    never = tuple(sorted(kind for kind, count in missed.items() if count == len(same)))
    rare = sorted((len(same) - count, kind) for kind, count in missed.items() if count < len(same))
    told = tuple((event, branch, count) for count, (event, branch) in rare[:20])
    return Coverage(len(same), made[0].kinds, never, told)


def _made(text: str) -> _Made | None:
    try:
        return msgspec.json.decode(text, type=_Made)
    except msgspec.ValidationError:
        # Counted by another version.
        return None


def _flaky(rows: Iterable[sqlite3.Row]) -> Iterator[Flaky]:
    """Only clean checkouts are one version: with changes of one's own nobody knows which."""

    def same(row: sqlite3.Row) -> tuple[str, str, str, str, str]:
        return (row["scenario"], row["target"], str(row["seed"]), version_of(row), row["digest"])

    for (scenario, target, _, version, _), group in groupby(sorted(rows, key=same), key=same):
        found = list(group)
        if len({row["kind"] for row in found}) > 1 and not version.endswith("+"):
            yield Flaky(scenario, found[0]["seed"], target, version, tuple(map(_run, found)))
