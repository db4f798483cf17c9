"""A run directory is judged again where nothing can be written, too: the verdict is told."""

import json
from collections.abc import Sequence
from errno import EROFS
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cut_off_leader import broken_run
from delphic.harness.commands.cli import check_command
from delphic.harness.errors import ExitCode, WorldError
from delphic.harness.rundir import RunDir
from delphic.harness.shrink.cut import cut_down
from delphic.harness.shrink.search import Bounds
from delphic.harness.shrink.trial import one_by_one


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """Broke HS-2."""
    return broken_run(tmp_path_factory.mktemp("runs"))


@pytest.fixture
def is_read_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(self: Path, mode: str = "r", *rest: object) -> object:
        if "x" in mode or "w" in mode:
            raise OSError(EROFS, "Read-only file system")
        return opened(self, mode, *rest)  # type: ignore[call-overload]

    opened = Path.open
    monkeypatch.setattr(Path, "open", refused)


def checked(run: RunDir, reported: list[Path], words: Sequence[str] = ()) -> Result:
    def report(path: Path) -> list[Path]:
        reported.append(path)
        return []

    command = check_command(report, lambda told: "")
    return CliRunner().invoke(command, [str(run.path), *words])


@pytest.mark.usefixtures("is_read_only")
def test_where_nothing_can_be_written_a_broken_promise_is_told_all_the_same(run: RunDir) -> None:
    before = run.verdict.read_bytes()
    reported: list[Path] = []
    told = checked(run, reported)
    assert told.exit_code == ExitCode.PROMISE_BROKEN
    assert told.stdout.startswith("fail: ")
    assert "[HS-2, HS-4, HS-5]" in told.stdout
    assert told.stderr == f"error: cannot write {run.verdict}: Read-only file system\n"
    # A report would be one of the verdict before.
    assert reported == []
    assert run.verdict.read_bytes() == before
    said = checked(run, reported, ["--json"])
    assert said.exit_code == json.loads(said.stdout)["exit_code"] == ExitCode.PROMISE_BROKEN


def test_a_report_that_cannot_be_written_costs_no_verdict(run: RunDir) -> None:
    def full(path: Path) -> list[Path]:
        raise WorldError("cannot write report.html: No space left on device")

    told = CliRunner().invoke(check_command(full, lambda page: ""), [str(run.path)])
    assert told.exit_code == ExitCode.PROMISE_BROKEN
    assert told.stdout.startswith("fail: ")
    assert told.stderr == "error: cannot write report.html: No space left on device\n"


@pytest.mark.usefixtures("is_read_only")
def test_what_lies_where_nothing_can_be_written_is_cut_down_for_elsewhere(run: RunDir) -> None:
    small = cut_down(run, one_by_one, bounds=Bounds(trials=1, seconds=1e9, seeds=1))
    assert "HS-2" in small.failing
