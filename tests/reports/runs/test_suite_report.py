"""A suite says what the runs of a directory say together, and its page shows it."""

import json
import os
import re
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import msgspec
import pytest
from click.testing import CliRunner
from delphic.__main__ import delphic
from delphic.harness.commands import suite as harness_suite
from delphic.harness.errors import UsageError
from delphic.harness.rundir import RunDir
from delphic.harness.verdict import Validity
from delphic.reports.index.index import Index
from delphic.reports.suite import zoo
from delphic.reports.suite.command import suite_report_command
from delphic.reports.suite.gather import Suite, gather
from delphic.reports.suite.page import RUNS_MAX, SEEDS_MAX, render

ROOT = Path(__file__).resolve().parents[3]

Gathered = Callable[..., Suite]


@pytest.fixture
def gathered(tmp_path: Path, fleet: Any) -> Gathered:
    """The suite of these runs, a minute apart."""

    def of(*runs: Any) -> Suite:
        root = tmp_path / "runs"
        root.mkdir(exist_ok=True)
        for number, run in enumerate(runs):
            fields = {name: getattr(run, name) for name in run.__dataclass_fields__}
            fields["started"] = run.started + timedelta(minutes=number)
            fleet.write(root, fleet.Run(**fields))
        index = Index(root)
        index.refresh()
        return gather(index)

    return of


def test_the_newest_run_of_each_seed_stands_for_it(gathered: Gathered, fleet: Any) -> None:
    suite = gathered(
        fleet.Run("a", 1, validity=Validity.FAIL, git="1" * 40),
        fleet.Run("a", 1),
        fleet.Run("a", 2, validity=Validity.UNKNOWN),
        fleet.Run("a", 1, "lab"),
        fleet.Run("b", 1),
    )
    assert suite.targets == ("lab", "sim")
    assert [row.scenario for row in suite.matrix] == ["a", "b"]
    lab, sim = suite.matrix[0].cells
    assert (lab.runs, sim.runs) == (1, 3)
    assert [(run.seed, run.kind) for run in sim.newest] == [(1, "pass"), (2, "unknown")]
    assert (suite.runs, suite.as_expected, suite.kinds["pass"]) == (5, 3, 3)
    assert [run.kind for run in suite.unexpected] == ["unknown", "fail"]


def test_versions_are_compared_with_those_before(gathered: Gathered, fleet: Any) -> None:
    old, new = "1" * 40, "2" * 40
    suite = gathered(
        fleet.Run("a", 1, git=old, ok_per_s=400),
        fleet.Run("a", 2, git=old, ok_per_s=600),
        fleet.Run("a", 1, git=new, ok_per_s=250),
        fleet.Run("a", 2, git=new, ok_per_s=250, validity=Validity.FAIL),
        fleet.Run("b", 1, git=new, is_dirty=True),
    )
    assert [batch.version for batch in suite.versions] == ["1111111", "2222222", "2222222+"]
    trend = next(trend for trend in suite.trends if trend.scenario == "a")
    assert [(batch.runs, batch.as_expected) for batch in trend.batches] == [(2, 2), (2, 1)]
    assert trend.change == pytest.approx(-0.5)
    assert trend.is_worse
    page = render(suite)
    assert "▼ 1 of 2" in page
    assert "-50%" in page


def test_promises_are_counted_by_runs_and_seeded_bugs_apart(gathered: Gathered, fleet: Any) -> None:
    suite = gathered(
        fleet.Run("a", 1),
        fleet.Run("a", 2, validity=Validity.FAIL),
        fleet.Run("a", 3, validity=Validity.UNKNOWN),
        fleet.Run("bug", 1, validity=Validity.FAIL, expected="fail"),
    )
    found = {promise.id: promise for promise in suite.promises}
    lost = found["HS-2"]
    counts = (lost.checked, lost.kept, lost.broken, lost.broken_as_expected, lost.undecided)
    assert counts == (4, 1, 1, 1, 1)
    assert (found["HS-1"].kept, found["HS-1"].checkers) == (4, ("elections",))
    assert found["HS-9"].checked == 0
    assert "of 3 checked; 54 never were" in render(suite)


def test_only_steps_that_no_run_made_were_never_made(gathered: Gathered, fleet: Any) -> None:
    first, second, third = fleet.KINDS
    suite = gathered(
        fleet.Run("a", 1, never=[first, second]),
        fleet.Run("a", 2, never=[first, third]),
        fleet.Run("a", 3, never=[first]),
    )
    assert suite.coverage is not None
    assert suite.coverage.never == (tuple(first),)
    assert suite.coverage.rare == ((*third, 2), (*second, 2))
    assert "made 2 of the 3 kinds" in render(suite)


@pytest.mark.parametrize(
    ("other", "is_flaky"),
    [
        ({}, True),
        ({"target": "lab"}, False),
        ({"seed": 2}, False),
        ({"git": "b" * 40}, False),
        ({"is_dirty": True}, False),
        ({"validity": Validity.PASS}, False),
        ({"planned": {"crash": [{"node": "n1", "op": 150}]}}, False),
        ({"planned": {"lockstep": True}}, False),
        ({"planned": {"stop_on_violation": True}}, False),
        ({"planned": {"command": "delphic suite runs"}}, True),
    ],
)
def test_flaky_is_the_same_seed_and_version_with_another_verdict(
    gathered: Gathered, fleet: Any, other: dict[str, Any], is_flaky: bool
) -> None:
    fields = {"scenario": "a", "seed": 1, "target": "local", "validity": Validity.FAIL} | other
    suite = gathered(fleet.Run("a", 1, "local"), fleet.Run(**fields))
    assert bool(suite.flaky) is is_flaky
    assert ("Runs that disagree" in render(suite)) is is_flaky


def test_a_simulated_world_with_two_outcomes_is_a_bug_of_ours(
    gathered: Gathered, fleet: Any
) -> None:
    suite = gathered(fleet.Run("a", 1), fleet.Run("a", 1, validity=Validity.INCONCLUSIVE))
    assert [one.is_simulated for one in suite.flaky] == [True]
    assert "a bug of Delphic</small>" in render(suite)


def test_while_somebody_else_reads_the_runs_the_page_is_about_all_of_them(
    tmp_path: Path, fleet: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = sqlite3.connect

    def impatient(file: Any, **more: Any) -> sqlite3.Connection:
        return connect(file, **more | {"timeout": 0.01})

    monkeypatch.setattr(sqlite3, "connect", impatient)
    for seed in range(3):
        fleet.write(tmp_path / "runs", fleet.Run("a", seed))
    Index(tmp_path / "runs").close()
    (file,) = (tmp_path / "cache").rglob("*.sqlite3")
    other = connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for more in ([], ["--rebuild"]):
        told = CliRunner().invoke(suite_report_command, [str(tmp_path / "runs"), "--json", *more])
        assert (told.exit_code, json.loads(told.stdout)["runs"]) == (0, 3)
    other.close()


def test_of_very_many_runs_those_that_need_somebody_are_shown(
    gathered: Gathered, fleet: Any
) -> None:
    seeds = SEEDS_MAX + 40
    suite = gathered(
        *(fleet.Run("a", seed) for seed in range(seeds)),
        fleet.Run("a", 999, validity=Validity.FAIL),
        *(fleet.Run("b", seed, validity=Validity.UNKNOWN) for seed in range(RUNS_MAX + 5)),
    )
    page = render(suite)
    assert "seed 999: fail, not expected" in page
    assert "41 not shown" in page
    assert "… and 6 more" in page
    assert page.count("<a ") < 2_000


def test_nothing_of_a_hostile_run_is_markup(gathered: Gathered, fleet: Any) -> None:
    evil = "</script><img src=x onerror=alert(1)>"
    suite = gathered(
        fleet.Run("a", 1, title=evil, sentence=evil, validity=Validity.FAIL, target=evil)
    )
    page = render(suite)
    assert "<img" not in page
    assert evil.replace("<", "&lt;").replace(">", "&gt;") in page


def test_an_empty_directory_has_a_page(gathered: Gathered) -> None:
    page = render(gathered())
    assert "Every run came out as its scenario expects." not in page
    assert "No run is there" in page


def test_the_zoo_is_shown_as_its_file_says(gathered: Gathered, fleet: Any) -> None:
    matrix = zoo.read(ROOT / "docs" / "zoo.json")
    suite = gathered(fleet.Run("a", 1))
    page = render(msgspec.structs.replace(suite, zoo=matrix))
    caught = sum(c.outcome == "caught" for r in matrix.rows for c in r.cells)
    assert page.count('<span class="heard">caught</span>') == caught
    assert '"heard">a false alarm' not in page


def test_mistakes_at_which_no_check_could_look_are_counted(gathered: Gathered, fleet: Any) -> None:
    matrix = zoo.read(ROOT / "docs" / "zoo.json")
    row = next(row for row in matrix.rows if row.name == "stale-read")
    blind = msgspec.structs.replace(row, cells=(zoo.Cell("drills", "blind"),))
    matrix = msgspec.structs.replace(matrix, rows=(row, blind))
    page = render(msgspec.structs.replace(gathered(fleet.Run("a", 1)), zoo=matrix))
    assert "1 of 1 mistake made on purpose were caught" in page
    assert "At 1 more none of these checks could look." in page


def test_what_is_no_zoo_is_refused(tmp_path: Path) -> None:
    for text in ("", "{}", '{"checks": [], "rows": [{"name": 3}]}'):
        (tmp_path / "zoo.json").write_text(text)
        with pytest.raises(UsageError, match="not a kill matrix"):
            zoo.read(tmp_path / "zoo.json")
    with pytest.raises(UsageError, match="No such file"):
        zoo.read(tmp_path / "none.json")


def test_the_command_writes_a_page_that_leads_to_the_runs(tmp_path: Path, fleet: Any) -> None:
    root = tmp_path / "my runs"
    path = RunDir(fleet.write(root, fleet.Run("a", 1)))
    path.report.write_text("<p>report")
    page = tmp_path / "pages" / "suite.html"
    page.parent.mkdir()
    for arguments, file in (
        ([str(root)], root / "suite.html"),
        ([str(root), "--out", str(page)], page),
    ):
        told = CliRunner().invoke(suite_report_command, arguments, catch_exceptions=False)
        assert told.output == f"report  {file}\n"
        (link,) = set(re.findall(r'href="([^"#]+)"', file.read_text()))
        assert (file.parent / unquote(link)).resolve() == path.report
    as_json = CliRunner().invoke(suite_report_command, [str(root), "--json"]).output
    assert json.loads(as_json)["matrix"][0]["scenario"] == "a"


def test_all_run_directories_can_be_read_again(tmp_path: Path, fleet: Any) -> None:
    path = RunDir(fleet.write(tmp_path / "runs", fleet.Run("a", 1)))

    def kinds(*more: str) -> Any:
        words = [str(tmp_path / "runs"), "--json", *more]
        told = CliRunner().invoke(suite_report_command, words, catch_exceptions=False)
        return json.loads(told.output)["kinds"]

    assert kinds() == {"pass": 1}
    # Another verdict of the same length and time: nobody could see that something changed.
    before = path.verdict.stat()
    path.verdict.write_bytes(path.verdict.read_bytes().replace(b'"pass"', b'"fail"'))
    os.utime(path.verdict, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert kinds() == {"pass": 1}
    assert kinds("--rebuild") == {"fail": 1}


@pytest.mark.parametrize("is_possible", [True, False])
def test_a_suite_ends_with_its_report_and_never_by_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_possible: bool
) -> None:
    out = tmp_path / "runs"
    arguments = ["suite", "quickstart", "--on", "sim", "--seeds", "1..2", "--out", str(out)]

    async def run_all(jobs: Any, command: Any, parallel: int, say: Any) -> list[Any]:
        out.mkdir()
        if not is_possible:
            (out / "suite.html").mkdir()
        return [harness_suite.Done(job, 3, "inconclusive", 1.0) for job in jobs]

    monkeypatch.setattr(harness_suite, "run_all", run_all)
    told = CliRunner().invoke(delphic, arguments)
    assert told.exit_code == 3
    *_, last = told.output.splitlines()
    written = f"report  {out}/suite.html"
    failed = f"The suite report could not be written: cannot write {out}/suite.html: Is a directory"
    assert last == (written if is_possible else failed)
    out.rename(tmp_path / "before")
    told = CliRunner().invoke(delphic, [*arguments, "--json"])
    found = json.loads(told.stdout)
    one = {"scenario": "quickstart", "exit_code": 3, "counts": True, "sentence": "inconclusive"}
    assert found["runs"] == [one | {"seed": seed, "seconds": 1.0} for seed in (1, 2)]
    assert (told.exit_code, found["exit_code"]) == (3, 3)
    assert told.stderr.splitlines()[-1] == (written if is_possible else failed)


def test_a_directory_whose_name_is_no_text_has_links_to_its_runs(
    tmp_path: Path, fleet: Any
) -> None:
    root = tmp_path / os.fsdecode(b"odd\xff")
    root.mkdir()
    RunDir(fleet.write(root, fleet.Run("a", 1))).report.write_text("")
    page = tmp_path / "suite.html"
    done = CliRunner().invoke(suite_report_command, [str(root), "--out", str(page)])
    assert done.exit_code == 0, done.output
    assert "odd%FF/" in page.read_text()
