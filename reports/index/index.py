"""The database: opened or made anew, brought up to date from what the directories hold now."""

import json
import os
import sqlite3
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from threading import RLock
from typing import Any

from ...harness.errors import UsageError, WorldError
from ...harness.rundir import RunDir
from ...harness.verdict import Validity
from .facts import Facts, State, facts
from .life import state_of

VERSION = 4
"""Of the tables below and of what they hold: another one's database is made anew."""

_TABLES = """
CREATE TABLE IF NOT EXISTS run(
    name TEXT PRIMARY KEY, stamp TEXT NOT NULL, kind TEXT NOT NULL, is_judged INTEGER NOT NULL,
    severity INTEGER NOT NULL, scenario TEXT NOT NULL, title TEXT NOT NULL, seed INTEGER,
    target TEXT NOT NULL, expected TEXT, as_expected INTEGER, sentence TEXT NOT NULL,
    started REAL NOT NULL, duration_s REAL, version TEXT NOT NULL, git TEXT, is_dirty INTEGER,
    digest TEXT NOT NULL, ok_per_s REAL, operations INTEGER, gap_s REAL,
    phase TEXT NOT NULL, wrote REAL, has_report INTEGER NOT NULL, bugs TEXT NOT NULL,
    coverage TEXT, text TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_start ON run(started);
CREATE INDEX IF NOT EXISTS by_scenario ON run(scenario, started);
CREATE TABLE IF NOT EXISTS verdict(
    run TEXT NOT NULL REFERENCES run(name) ON DELETE CASCADE, position INTEGER NOT NULL,
    checker TEXT NOT NULL, validity TEXT NOT NULL, sentence TEXT NOT NULL, promises TEXT NOT NULL,
    PRIMARY KEY (run, position)
) WITHOUT ROWID;
"""

SEVERITY: tuple[str, ...] = (
    Validity.PASS,
    State.RUNNING,
    State.SILENT,
    Validity.INCONCLUSIVE,
    Validity.UNKNOWN,
    State.DEAD,
    State.DAMAGED,
    Validity.HARNESS_ERROR,
    Validity.FAIL,
)
"""Verdicts and states from what needs nobody to what needs somebody at once."""


class Index:
    """The runs of one directory. One thread at a time is let in."""

    def __init__(self, root: Path, file: Path | None = None) -> None:
        """Open the index of a directory, by default in the user's cache.

        Raises UsageError where there is none, WorldError where it cannot be read.
        """
        if not root.is_dir():
            raise UsageError(f"{root} is no directory of runs")
        if not os.access(root, os.R_OK | os.X_OK):
            raise WorldError(f"{root} cannot be read")
        self.root = root.resolve()
        self._lock = RLock()
        self._file = file or _cached(self.root)
        self._database = self._opened()

    def close(self) -> None:
        self._database.close()

    def rebuild(self) -> None:
        """Forget everything, and read all run directories again."""
        with self._lock:
            self._start_over()
            self.refresh(is_only_one=True)

    def refresh(self, *, is_only_one: bool = False) -> int:
        """Read what has changed since the last time; how many runs that were.

        While another process does so nothing is read, or all of it if this `is_only_one`: if nobody
        will ask again.
        """
        with self._lock:
            try:
                return self._refresh()
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode == sqlite3.SQLITE_BUSY and not is_only_one:
                    return 0
                # A disk that is full or read-only, too: what is there is read all the same.
                self._database.close()
                self._file = None
                self._database = self._opened()
                return self._refresh()
            except sqlite3.DatabaseError:
                self._start_over()
                return self._refresh()

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """What a SELECT finds."""
        with self._lock:
            return self._database.execute(query, values).fetchall()

    def _refresh(self) -> int:
        # What is being made may have ended without writing anything: it is always looked at again.
        lasting = (
            "SELECT name, CASE WHEN kind IN ('running', 'silent') THEN '' ELSE stamp END FROM run"
        )
        known = {name: stamp for name, stamp in self._database.execute(lasting)}
        seen = dict(_stamps(self.root))
        gone = [(name,) for name in known.keys() - seen.keys()]
        changed = sorted(name for name, stamp in seen.items() if known.get(name) != stamp)
        with self._database:
            self._database.executemany("DELETE FROM run WHERE name = ?", gone)
            for name in changed:
                self._put(facts(self.root, name), seen[name])
        return len(gone) + len(changed)

    def _put(self, found: Facts, stamp: str) -> None:
        row = _row(self.root, found, stamp)
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        execute = self._database.execute
        execute("DELETE FROM run WHERE name = ?", (found.name,))
        execute(f"INSERT INTO run({names}) VALUES ({marks})", tuple(row.values()))  # noqa: S608
        self._database.executemany(
            "INSERT INTO verdict VALUES (?, ?, ?, ?, ?, ?)",
            [
                (
                    found.name,
                    at,
                    _storable(v.checker),
                    v.validity.value,
                    _storable(v.sentence),
                    json.dumps(v.promises),
                )
                for at, v in enumerate(found.verdicts)
            ],
        )

    def _opened(self) -> sqlite3.Connection:
        """The database, made anew where it is none or another version's; in memory at the worst."""
        for file in (self._file, self._file, None):
            try:
                return _connected(file)
            except sqlite3.DatabaseError:
                self._remove()
        raise AssertionError("a database in memory can always be made")

    def _start_over(self) -> None:
        self._database.close()
        self._remove()
        self._database = self._opened()

    def _remove(self) -> None:
        if self._file is not None:
            for end in ("", "-journal"):
                with suppress(OSError):
                    Path(f"{self._file}{end}").unlink(missing_ok=True)


def _connected(file: Path | None) -> sqlite3.Connection:
    """Raises DatabaseError where there is no index of this version, and none can be made."""
    database = sqlite3.connect(file or ":memory:", timeout=10, check_same_thread=False)
    database.row_factory = sqlite3.Row
    try:
        database.execute("PRAGMA foreign_keys = ON")
        database.execute("PRAGMA synchronous = OFF")
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version == 0:
            # Whoever comes at the same moment waits, and finds everything there.
            database.executescript(
                f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version = {VERSION}; COMMIT;"
            )
        elif version != VERSION:
            raise sqlite3.DatabaseError("of another version")
    except sqlite3.DatabaseError:
        database.close()
        raise
    return database


def _cached(root: Path) -> Path | None:
    """Where the index of a directory lies; None where nothing can be written."""
    try:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "delphic"
        cache.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return None
    return cache / f"runs-{sha256(os.fsencode(root)).hexdigest()[:16]}.sqlite3"


def _stamps(root: Path) -> Iterator[tuple[str, str]]:
    """Every run directory, and what changes whenever one of its files that matter does."""
    try:
        found = list(os.scandir(root))
    except OSError:
        # Gone while it was being looked at: then there is no run.
        found = []
    for entry in found:
        name = entry.name
        # A name that is no text could be in no link, and `latest` is another's second name.
        if not name.isprintable() or not entry.is_dir(follow_symlinks=False):
            continue
        stamp = _stamp(RunDir(root / name))
        if stamp is not None:
            yield name, stamp


def _stamp(run: RunDir) -> str | None:
    parts = [_written(path) for path in (run.verdict, run.plan, run.journal, run.report)]
    if not parts[0]:
        parts.append(_written(run.history))
    # A report alone is no run.
    return "|".join(parts) if any((*parts[:3], *parts[4:])) else None


def _written(path: Path) -> str:
    try:
        found = os.stat(path, follow_symlinks=False)
    except OSError:
        return ""
    return f"{found.st_mtime_ns}:{found.st_size}" if stat.S_ISREG(found.st_mode) else ""


def _row(root: Path, found: Facts, stamp: str) -> dict[str, Any]:
    verdict, plan = found.verdict, found.plan
    kind, wrote = state_of(root, found) if verdict is None else (verdict.validity.value, None)
    provenance = None if verdict is None else verdict.provenance
    values = {
        "name": found.name,
        "stamp": stamp,
        "kind": str(kind),
        "is_judged": verdict is not None,
        "severity": _severity(kind, verdict.as_expected if verdict else None),
        "scenario": plan.scenario or (verdict.scenario if verdict else ""),
        "title": plan.title,
        "seed": integer(plan.seed if verdict is None else verdict.seed),
        "target": plan.target or (verdict.target if verdict else ""),
        "expected": verdict and verdict.expected,
        "as_expected": verdict and verdict.as_expected,
        "sentence": verdict.sentence if verdict else " ".join(found.problems),
        "started": found.started,
        "duration_s": verdict and verdict.duration_s,
        "version": provenance.version if provenance else found.environment.version,
        "git": provenance and provenance.git,
        "is_dirty": provenance and provenance.dirty,
        "digest": found.digest,
        "ok_per_s": found.number("ok_per_s"),
        "operations": found.number("count"),
        "gap_s": found.number("availability", "longest", "seconds"),
        "phase": found.phase,
        "wrote": wrote,
        "has_report": found.has_report,
        "bugs": ", ".join(sorted({bug for bugs in plan.bugs.values() for bug in bugs})),
        "coverage": _encoded(found.statistic("coverage")),
        "text": found.text,
    }
    return {name: _storable(value) for name, value in values.items()}


def _severity(kind: str, as_expected: bool | None) -> int:
    """What came out as expected needs nobody; a seeded bug that showed is more than a pass."""
    if as_expected:
        return int(kind != Validity.PASS)
    return 2 + SEVERITY.index(kind)


def _encoded(value: Any) -> str | None:
    return None if value is None else json.dumps(value)


def integer(value: int | None) -> int | None:
    """The number, if the database can hold it."""
    return value if value is not None and abs(value) < 1 << 63 else None


def _storable(value: Any) -> Any:
    """Text without halves of surrogate pairs, which JSON may hold and no database can."""
    return value.encode(errors="replace").decode() if isinstance(value, str) else value
