"""The commands in this process: their words and their exit codes."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from delphic.__main__ import main
from delphic.harness.errors import ExitCode
from delphic.harness.language import shipped

TEXT = """name: mine
workload: {name: log, clients: 4, rate: 400}
duration: 1s
cluster: {trace: false}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DELPHIC_STATE", str(tmp_path / "state"))
    (tmp_path / "mine.yaml").write_text(TEXT)
    return tmp_path


class Said:
    """What one command said, and its exit code."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *words: str) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["delphic", *words])
            self.code = main()
        self.out, self.err = capsys.readouterr()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "quikstart"], "there is no scenario 'quikstart'; did you mean 'quickstart'?"),
        (["run", "nowhere.yaml"], "cannot read nowhere.yaml: No such file or directory"),
        (
            ["run", "mine.yaml", "--on", "locale"],
            "there is no target 'locale'; did you mean 'local'",
        ),
        (
            ["run", "bug-ack-before-fsync"],
            "power-cut, which target local cannot do "
            "(it can: cut, delay, files, kill, pause, permissions, rate); "
            "disk: done to members on hosts, --on lab, and in simulated worlds, --on sim",
        ),
        (["check", "."], "is no run directory: it has no plan.json"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], folder: Path, words: list[str], said: str
) -> None:
    found = Said(capsys, *words)
    assert found.code == ExitCode.USAGE
    assert found.err.startswith("error: ")
    assert said in found.err
    assert not (folder / "runs").exists()


@pytest.mark.parametrize("words", [["run"], ["run", "x", "--seed", "-1"], ["fly"], ["heal", "x"]])
def test_a_command_that_is_not_understood_is_exit_code_2(
    capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert Said(capsys, *words).code == ExitCode.USAGE


def test_a_bad_scenario_is_told_by_line_before_anything_starts(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    (folder / "mine.yaml").write_text(TEXT.replace("1s", "1"))
    found = Said(capsys, "run", "mine.yaml")
    assert found.code == ExitCode.USAGE
    assert found.err == (
        "error: mine.yaml:3: duration: must be a duration like 250ms, 2s or 1m, not 1\n"
    )
    assert not (folder / "runs").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["gate", "loop"],
        ["gate", "gate.yaml", "--out", "loop/x"],
        ["shrink", "loop"],
        ["report", "loop"],
        ["replay", "loop"],
        ["up", "loop"],
        ["up", "there", "--new", "--controllers", "1", "--slave-of", "loop"],
    ],
)
def test_a_link_that_leads_to_itself_is_a_mistake(
    capsys: pytest.CaptureFixture[str], folder: Path, words: list[str]
) -> None:
    (folder / "loop").symlink_to("loop")
    (folder / "gate.yaml").write_text("steps:\n  - explore: stream\n")
    found = Said(capsys, *words)
    assert found.code == ExitCode.USAGE
    assert found.err.startswith("error: cannot read loop")
    assert found.err.endswith(": its symbolic links lead in a circle\n")


def test_a_link_that_leads_nowhere_is_no_file_of_a_gate(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    (folder / "loop").symlink_to("loop")
    (folder / "gate.yaml").write_text("steps:\n  - check: loop\n  - check: lo*\n")
    found = Said(capsys, "gate")
    assert found.code == ExitCode.USAGE
    assert "gate.yaml:2: steps[0]: there is no file loop" in found.err
    assert "gate.yaml:3: steps[1]: there is no file lo*" in found.err


def test_the_list_has_every_shipped_scenario_with_its_title(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = Said(capsys, "list")
    assert found.code == ExitCode.AS_EXPECTED
    assert [line.split()[0] for line in found.out.splitlines()] == shipped.names()
    assert "A leader is cut off, killed and paused" in found.out
    listed = json.loads(Said(capsys, "list", "--json").out)["scenarios"]
    assert [f"{one['name']:24} {one['title']}" for one in listed] == found.out.splitlines()
    assert {"HS-2"} <= {promise for one in listed for promise in one["promises"]}


def test_the_schema_is_json_schema(capsys: pytest.CaptureFixture[str]) -> None:
    made = json.loads(Said(capsys, "schema").out)
    assert made["$schema"].endswith("2020-12/schema")
    assert {"name", "workload", "duration"} == set(made["required"])


def test_heal_says_so_when_nothing_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    found = Said(capsys, "heal")
    assert (found.code, found.out) == (ExitCode.AS_EXPECTED, "Nothing was left running.\n")


def test_what_cannot_be_healed_is_told_with_a_code_of_its_own(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    (folder / "state").mkdir()
    (folder / "state" / "x.json").touch()
    found = Said(capsys, "heal")
    assert found.code == ExitCode.WORLD
    assert "x.json is not healed" in found.out
    told = json.loads(Said(capsys, "heal", "--json").out)
    assert [one["is_whole"] for one in told["healed"]] == [False]


@pytest.mark.slow
def test_a_run_tells_its_verdict_its_report_and_how_to_repeat_it(
    capsys: pytest.CaptureFixture[str], memory: Any, folder: Path
) -> None:
    words = ["run", "mine.yaml", "--seed", "9", "--on", "memory"]
    found = Said(capsys, *words, "--quiet")
    assert found.code == ExitCode.AS_EXPECTED
    assert found.err == ""
    lines = found.out.splitlines()
    assert lines[0].startswith("pass: ")
    assert lines[-2].startswith("report  runs/")
    assert lines[-1] == "again   delphic run mine.yaml --seed 9 --on memory"
    again = Said(capsys, "check", "runs/latest")
    assert (again.code, again.out.splitlines()[0]) == (ExitCode.AS_EXPECTED, lines[0])
    report = Said(capsys, "report", "runs/latest")
    assert report.out.startswith("report  runs/")
    assert report.out.endswith("report.html\n")


@pytest.mark.slow
def test_without_a_terminal_progress_is_a_few_lines(
    capsys: pytest.CaptureFixture[str], memory: Any
) -> None:
    found = Said(capsys, "run", "mine.yaml", "--on", "memory")
    lines = found.err.splitlines()
    assert lines[0].startswith("mine: seed ")
    assert "main: " in found.err
    assert len(lines) < 10


@pytest.mark.slow
def test_an_expected_failure_that_is_not_seen_is_exit_code_1(
    capsys: pytest.CaptureFixture[str], memory: Any, folder: Path
) -> None:
    (folder / "mine.yaml").write_text(TEXT + "expect: {verdict: fail, promises: [HS-2]}\n")
    found = Said(capsys, "run", "mine.yaml", "--on", "memory", "--quiet")
    assert found.code == ExitCode.PROMISE_BROKEN
    assert "HS-2 was expected to break, and was not seen to (pass)." in found.out


@pytest.mark.slow
def test_a_run_tells_its_verdict_as_data(
    capsys: pytest.CaptureFixture[str], memory: Any, folder: Path
) -> None:
    (folder / "mine.yaml").write_text(TEXT + "expect: {verdict: fail, promises: [HS-2]}\n")
    found = Said(capsys, "run", "mine.yaml", "--on", "memory", "--json")
    assert found.code == ExitCode.PROMISE_BROKEN
    assert found.err == ""
    run = (folder / "runs/latest").resolve()
    told = json.loads(found.out)
    beside = {"run": str(run), "report": str(run / "report.html"), "again": told["again"]}
    assert told == json.loads((run / "verdict.json").read_text()) | beside
    assert told["again"].startswith("delphic run mine.yaml --seed ")
    again = json.loads(Said(capsys, "check", "runs/latest", "--json").out)
    assert again["verdicts"][0]["sentence"] == told["verdicts"][0]["sentence"]


def test_a_bug_of_delphic_is_exit_code_5_and_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise AssertionError("impossible")

    monkeypatch.setattr("delphic.harness.running.leases.heal", broken)
    found = Said(capsys, "heal")
    assert found.code == ExitCode.HARNESS
    assert "AssertionError: impossible" in found.err
    assert "This is a bug of Delphic" in found.err


def test_a_pipe_that_breaks_inside_is_no_broken_promise(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr("delphic.harness.running.leases.heal", broken)
    found = Said(capsys, "heal")
    assert found.code == ExitCode.WORLD
    assert found.err.endswith("that was being talked to: [Errno 32] Broken pipe\n")


def test_an_interrupt_outside_a_run_is_exit_code_3(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("delphic.harness.running.leases.heal", interrupted)
    assert Said(capsys, "heal").code == ExitCode.INCONCLUSIVE
