"""The index says what the run directories say, whatever was done to them meanwhile."""

import json
import os
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from errno import EACCES
from pathlib import Path
from typing import Any

import pytest
from delphic.harness.errors import UsageError
from delphic.harness.rundir import RunDir
from delphic.harness.verdict import Validity
from delphic.reports import beneath
from delphic.reports.index.index import Index
from delphic.reports.index.listing import UNEXPECTED, Filter, Order, choices, count, listed
from delphic.reports.page.document import document
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

Make = Callable[..., Path]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "runs").mkdir()
    return tmp_path / "runs"


def names(index: Index, wanted: Filter | None = None, order: Order | None = None) -> list[str]:
    found = listed(index, wanted or Filter(), order or Order(), 0, 1000)
    return [row["name"] for row in found]


def kinds(root: Path) -> dict[str, str]:
    index = Index(root)
    index.refresh()
    found = {row["name"]: row["kind"] for row in listed(index, Filter(), Order(), 0, 1000)}
    index.close()
    return found


def everything(index: Index) -> list[tuple[Any, ...]]:
    runs = [tuple(row) for row in index.rows("SELECT * FROM run ORDER BY name")]
    return runs + [tuple(row) for row in index.rows("SELECT * FROM verdict ORDER BY run, position")]


def test_a_run_is_found_with_what_came_of_it(root: Path, fleet: Any) -> None:
    run = fleet.Run("leader-kill", 7, "lab", validity=Validity.FAIL, bugs={"n1": ["vote-twice"]})
    fleet.write(root, run)
    index = Index(root)
    assert index.refresh() == 1
    (row,) = listed(index, Filter(), Order(), 0, 10)
    assert {key: row[key] for key in ("kind", "scenario", "seed", "target", "as_expected")} == {
        "kind": "fail",
        "scenario": "leader-kill",
        "seed": 7,
        "target": "lab",
        "as_expected": 0,
    }
    assert (row["started"], row["ok_per_s"], row["bugs"]) == (
        run.started.timestamp(),
        400.0,
        "vote-twice",
    )
    (first, _) = index.rows("SELECT * FROM verdict WHERE run = ? ORDER BY position", [run.name])
    assert (first["checker"], json.loads(first["promises"])) == ("log-durability", ["HS-2", "HS-3"])


def test_filters_orders_and_pages(root: Path, fleet: Any) -> None:
    for run in fleet.drawn(240):
        fleet.write(root, run)
    index = Index(root)
    assert index.refresh() == 240
    assert count(index, Filter(target="lab")) == 80
    assert count(index, Filter(scenario="scenario-03", target="sim")) == 2
    bugs = names(index, Filter(kind="fail"))
    assert bugs
    unexpected = names(index, Filter(kind=UNEXPECTED))
    assert unexpected
    assert count(index, Filter(text="VOTE-twice bug-scenario-33")) == 6
    assert count(index, Filter(text="no such thing")) == 0
    assert count(index, Filter(text="100%_")) == 0
    newest = names(index)
    assert newest == sorted(newest, reverse=True)
    assert names(index, order=Order("started", is_falling=False)) == newest[::-1]
    rows = listed(index, Filter(), Order("seed", is_falling=False), 0, 1000)
    assert [row["seed"] for row in rows] == sorted(row["seed"] for row in rows)
    worst = [row["name"] for row in listed(index, Filter(), Order("verdict"), 0, len(unexpected))]
    assert sorted(worst) == sorted(unexpected)
    best = listed(index, Filter(), Order("verdict", is_falling=False), 0, 180)
    assert {row["kind"] for row in best} == {"pass"}
    pages = [
        row["name"] for at in (0, 100, 200) for row in listed(index, Filter(), Order(), at, 100)
    ]
    assert pages == newest
    assert [choice.value for choice in choices(index, "target")] == ["lab", "local", "sim"]
    assert sum(choice.count for choice in choices(index, "scenario")) == 240


def test_a_long_description_hides_no_bug_no_promise_and_no_sentence(root: Path, fleet: Any) -> None:
    planned = {"description": "word " * 1_000}
    fleet.write(root, fleet.Run("talkative", 1, bugs={"n1": ["stale-read"]}, planned=planned))
    index = Index(root)
    index.refresh()
    for text in ("stale-read", "HS-2", "no acknowledged row", "word"):
        assert count(index, Filter(text=text)) == 1


def test_only_what_changed_is_read_again(root: Path, fleet: Any) -> None:
    runs = list(fleet.drawn(5))
    paths = [fleet.write(root, run) for run in runs]
    index = Index(root)
    assert index.refresh() == 5
    assert index.refresh() == 0
    changed = RunDir(paths[1]).verdict
    changed.write_bytes(changed.read_bytes().replace(b"No acknowledged", b"An acknowledged row:"))
    for path in paths[2].iterdir():
        path.unlink()
    paths[2].rmdir()
    fleet.write(root, fleet.Run("later", 1))
    assert index.refresh() == 3
    assert len(names(index)) == 5
    (row,) = listed(index, Filter(text="an acknowledged row:"), Order(), 0, 10)
    assert row["name"] == paths[1].name
    kept = everything(index)
    index.close()
    again = Index(root)
    assert again.refresh() == 0
    again.rebuild()
    assert everything(again) == kept


@pytest.mark.parametrize("damage", ["garbage", "empty", "cut", "version", "folder"])
def test_a_damaged_database_is_made_again(
    root: Path, fleet: Any, tmp_path: Path, damage: str
) -> None:
    for run in fleet.drawn(30):
        fleet.write(root, run)
    file = tmp_path / "index.sqlite3"
    index = Index(root, file)
    index.refresh()
    expected = everything(index)
    index.close()
    match damage:
        case "garbage":
            file.write_bytes(os.urandom(8192))
        case "empty":
            file.write_bytes(b"")
        case "cut":
            file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        case "version":
            database = sqlite3.connect(file)
            database.executescript("PRAGMA user_version = 99; DROP TABLE verdict")
            database.close()
        case "folder":
            file.unlink()
            file.mkdir()
    again = Index(root, file)
    again.refresh()
    assert everything(again) == expected


def test_an_index_that_cannot_be_written_is_made_in_memory(root: Path, fleet: Any) -> None:
    index = Index(root)
    index.refresh()
    fleet.write(root, fleet.Run("late", 1))
    index.rows("PRAGMA query_only = ON")  # As where the disk is read-only, or full.
    assert index.refresh() == 1
    assert [row["scenario"] for row in listed(index, Filter(), Order(), 0, 10)] == ["late"]


def test_several_may_make_one_index_at_once(root: Path, fleet: Any, tmp_path: Path) -> None:
    for run in fleet.drawn(40):
        fleet.write(root, run)

    def made(_: int) -> int:
        index = Index(root, tmp_path / "index.sqlite3")
        index.refresh()
        return count(index, Filter())

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(made, range(6))) == [40] * 6
    index = Index(root, tmp_path / "index.sqlite3")
    assert index.refresh() == 0


def test_no_directory_is_no_directory_of_runs(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no directory of runs"):
        Index(tmp_path / "none")


def test_a_directory_that_goes_away_holds_no_runs(root: Path, fleet: Any, tmp_path: Path) -> None:
    fleet.write(root, fleet.Run("a", 1))
    index = Index(root)
    index.refresh()
    root.rename(tmp_path / "elsewhere")
    assert index.refresh() == 1
    assert names(index) == []


def test_a_file_that_is_too_long_is_named(
    root: Path, fleet: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beneath, "CONTENT_MAX", 1_000)
    path = RunDir(fleet.write(root, fleet.Run("long", 1)))
    path.verdict.write_bytes(path.verdict.read_bytes() + b" " * 1_000)
    index = Index(root)
    index.refresh()
    (row,) = listed(index, Filter(text="too long"), Order(), 0, 9)
    assert row["kind"] == "damaged"


def test_what_is_no_run_is_no_run(root: Path, fleet: Any, tmp_path: Path) -> None:
    (root / "empty").mkdir()
    (root / "other").mkdir()
    (root / "other" / "report.html").write_text("hello")
    (root / "file.json").write_text("{}")
    fleet.write(tmp_path / "elsewhere", fleet.Run("away", 1))
    (root / "latest").symlink_to(next((tmp_path / "elsewhere").iterdir()))
    os.mkdir(os.fsencode(root) + b"/\xff\xfe")
    Path(os.fsdecode(os.fsencode(root) + b"/\xff\xfe/plan.json")).write_text("{}")
    assert kinds(root) == {}


def test_files_that_lead_elsewhere_are_not_read(root: Path, fleet: Any, tmp_path: Path) -> None:
    path = RunDir(fleet.write(root, fleet.Run("led", 1)))
    outside = tmp_path / "verdict.json"
    path.verdict.rename(outside)
    path.verdict.symlink_to(outside)
    assert kinds(root) == {path.path.name: "running"}


def test_a_folder_of_members_that_nobody_may_read_costs_no_other_run(
    root: Path, fleet: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = RunDir(fleet.write(root, fleet.Run("of-root", 1)))
    fleet.write(root, fleet.Run("mine", 1))
    path.verdict.unlink()
    path.node("n1").mkdir(parents=True)
    iterdir = Path.iterdir

    def forbidden(self: Path) -> Iterator[Path]:
        if self.name == "nodes":
            raise PermissionError(EACCES, "Permission denied")
        return iterdir(self)

    # Whoever tests as root may read everything.
    monkeypatch.setattr(Path, "iterdir", forbidden)
    assert sorted(kinds(root).values()) == ["pass", "running"]
    assert "No log of n1, n2, n3." in document(path.path).missing


def test_unjudged_runs_are_running_silent_or_dead(root: Path, fleet: Any) -> None:
    def unjudged(scenario: str, host: str, pid: int, age_s: float) -> str:
        path = RunDir(fleet.write(root, fleet.Run(scenario, 1)))
        path.verdict.unlink()
        path.environment.write_text(json.dumps({"host": host, "pid": pid}))
        then = time.time() - age_s
        for file in path.path.iterdir():
            os.utime(file, (then, then))
        return path.path.name

    here, me = socket.gethostname(), os.getpid()
    expected = {
        unjudged("growing", "elsewhere", 7, 1): "running",
        unjudged("quiet-elsewhere", "elsewhere", 7, 60): "silent",
        unjudged("gone", here, 4_194_304, 60): "dead",
        # A process that is younger than the run is not its harness.
        unjudged("pid-taken", here, me, 10_000_000): "dead",
        unjudged("nobody", "", 0, 60): "dead",
    }
    process_age = time.clock_gettime(time.CLOCK_BOOTTIME) - _my_start()
    if process_age > 12:
        expected[unjudged("thinking", here, me, 11)] = "running"
    assert kinds(root) == expected


def _my_start() -> float:
    return int(Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19]) / 100


def test_a_run_that_ends_is_seen_to(root: Path, fleet: Any) -> None:
    path = RunDir(fleet.write(root, fleet.Run("ends", 1)))
    text = path.verdict.read_bytes()
    path.verdict.unlink()
    index = Index(root)
    index.refresh()
    assert [row["kind"] for row in listed(index, Filter(), Order(), 0, 9)] == ["running"]
    then = time.time() - 60
    for file in path.path.iterdir():
        os.utime(file, (then, then))
    index.refresh()
    assert [row["kind"] for row in listed(index, Filter(), Order(), 0, 9)] == ["silent"]
    path.verdict.write_bytes(text)
    index.refresh()
    assert [row["kind"] for row in listed(index, Filter(), Order(), 0, 9)] == ["pass"]


FILES = ("verdict.json", "plan.json", "journal.jsonl", "environment.json", "scenario.yaml")
DAMAGES = st.sampled_from(["cut", "flip", "garbage", "empty", "gone", "folder", "pipe", "types"])


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_no_damage_to_a_run_is_too_much(
    fleet: Any, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    root = tmp_path_factory.mktemp("damaged")
    whole = fleet.write(root, fleet.Run("whole", 1))
    hurt = fleet.write(root, fleet.Run("hurt", 2, started=fleet.BEGAN + timedelta(seconds=9)))
    for name in data.draw(st.lists(st.sampled_from(FILES), min_size=1, unique=True)):
        _damage(hurt / name, data)
    index = Index(root, root / "index.sqlite3")
    index.refresh()
    found = {row["name"]: row["kind"] for row in listed(index, Filter(), Order(), 0, 9)}
    assert found[whole.name] == "pass"
    assert set(found) <= {whole.name, hurt.name}
    index.close()


def _damage(path: Path, data: st.DataObject) -> None:
    text = bytearray(path.read_bytes())
    match data.draw(DAMAGES):
        case "cut":
            path.write_bytes(text[: data.draw(st.integers(0, len(text)))])
        case "flip":
            for at in data.draw(st.lists(st.integers(0, len(text) - 1), max_size=5)):
                text[at] ^= data.draw(st.integers(1, 255))
            path.write_bytes(text)
        case "garbage":
            path.write_bytes(data.draw(st.binary(max_size=200)))
        case "empty":
            path.write_bytes(b"")
        case "gone":
            path.unlink()
        case "folder":
            path.unlink()
            path.mkdir()
        case "pipe":
            path.unlink()
            os.mkfifo(path)
        case "types":
            odd = st.sampled_from(['"\\ud800"', "1e999", "[]", "{}", "null", "[" * 9999, "9" * 400])
            key = data.draw(st.sampled_from(["seed", "scenario", "sentence", "statistics", "pid"]))
            path.write_text(f'{{"{key}": {data.draw(odd)}, "schema": 1}}')


def test_a_verdict_that_cannot_be_read_is_named(root: Path, fleet: Any) -> None:
    path = RunDir(fleet.write(root, fleet.Run("hurt", 1)))
    path.verdict.write_bytes(path.verdict.read_bytes()[:100])
    index = Index(root)
    index.refresh()
    (row,) = listed(index, Filter(text="cannot be read"), Order(), 0, 9)
    assert (row["kind"], row["scenario"]) == ("damaged", "hurt")
    assert row["sentence"].startswith("verdict.json cannot be read: ")
