"""`delphic gate` as a user and a CI host have it: real steps, in processes of their own."""

import json
import signal
import sys
from pathlib import Path

import pytest
from delphic.__main__ import main
from delphic.harness.errors import ExitCode, WorldError
from delphic.harness.gate.inputs import Inputs
from delphic.harness.gate.result import Attempt, Finding
from delphic.harness.gate.step import Step
from delphic.harness.writing import put

RIGHT = """\
{:type :invoke, :f :write, :value 1, :process 0}
{:type :ok, :f :write, :value 1, :process 0}
{:type :invoke, :f :read, :value nil, :process 1}
{:type :ok, :f :read, :value 1, :process 1}
"""
WRONG = RIGHT.replace(":f :read, :value 1,", ":f :read, :value 2,")

MINE = """\
name: mine
cluster: {members: 3, config: {raftElectionTick: 20}}
workload: {name: log, clients: 4, rate: 60, read_share: 0.9}
duration: 6s
faults:
  - {at: 1s, partition: leader, for: 1500ms}
  - {at: 4s, partition: leader, for: 1500ms}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory, which the gate is started in, and no CI around it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DELPHIC_STATE", str(tmp_path / "state"))
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "right.edn").write_text(RIGHT)
    (tmp_path / "wrong.edn").write_text(WRONG)
    (tmp_path / "mine.yaml").write_text(MINE)
    return tmp_path


def gate(monkeypatch: pytest.MonkeyPatch, text: str, *words: str) -> int:
    Path("gate.yaml").write_text(text)
    monkeypatch.setattr(sys, "argv", ["delphic", "gate", *words])
    return main()


@pytest.mark.slow
def test_given_histories_are_judged_and_ci_gets_all_of_its_files(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "name: mine\nsteps:\n  - {check: [right.edn, wrong.edn], spec: register}\n"
    page = folder / "page.md"
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(page))
    assert gate(monkeypatch, text) == 1
    told = capsys.readouterr()
    assert told.out.startswith("broken: Not as it should be: check wrong.edn.")
    assert "delphic check wrong.edn --spec register" in told.out
    assert "::error file=gate.yaml,line=3,title=check wrong.edn%3A broken::" in told.out
    assert "pass          check right.edn" in told.err
    assert page.read_text().startswith("## ✕ broken: mine")
    made = {path.name for path in (folder / "runs/gate").iterdir() if path.is_file()}
    assert made == {"gate.json", "junit.xml", "summary.md", "gate.sarif", "gl-code-quality.json"}

    assert gate(monkeypatch, text, "--resume", "--json") == 1
    again = json.loads(capsys.readouterr().out)
    assert [step["state"] for step in again["steps"]] == ["kept", "kept"]
    (folder / "wrong.edn").write_text(RIGHT)
    assert gate(monkeypatch, text, "--resume", "--json", "--annotations", "none") == 0
    mended = json.loads(capsys.readouterr().out)
    assert [step["state"] for step in mended["steps"]] == ["kept", "done"]


def answers(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """Without processes: every step comes to this, and depends on nothing."""
    monkeypatch.setattr(Inputs, "digest", lambda inputs, step, base: step.name)
    monkeypatch.setattr("delphic.harness.gate.command.perform", lambda *_: answer(code))


def answer(code: int) -> Attempt:
    sentence = "A read was stale."
    return Attempt(ExitCode(code), sentence, (Finding(sentence, ("HS-4",)),) if code else ())


def test_a_job_s_page_that_cannot_be_written_hides_no_broken_promise(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(folder / "none/page.md"))
    for code, ends in ((1, 1), (0, 4)):
        answers(monkeypatch, code)
        assert gate(monkeypatch, "steps: [{explore: raft}]", "--json") == ends
        told = json.loads(capsys.readouterr().out)
        assert told["exit_code"] == ends
        assert told["notes"] == [
            f"cannot write {folder / 'none/page.md'}: No such file or directory"
        ]
        assert json.loads((folder / "runs/gate/gate.json").read_text())["exit_code"] == ends


def test_no_older_result_stands_where_a_new_one_cannot_be_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "steps: [{explore: raft}]"
    answers(monkeypatch, 0)
    assert gate(monkeypatch, text) == 0

    def full(path: Path, data: bytes) -> None:
        if path.name in ("gate.json", "junit.xml"):
            raise WorldError(f"cannot write {path}: No space left on device")
        put(path, data)

    monkeypatch.setattr("delphic.reports.gate.write.put", full)
    answers(monkeypatch, 1)
    capsys.readouterr()
    assert gate(monkeypatch, text) == 1
    assert capsys.readouterr().out.startswith("broken: HS-4 broke: explore raft.")
    made = {path.name for path in (folder / "runs/gate").iterdir() if path.is_file()}
    assert made == {"summary.md", "gate.sarif", "gl-code-quality.json"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_between_two_steps_ends_the_gate_with_its_result(
    number: signal.Signals,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def digest(inputs: Inputs, step: Step, base: Path) -> str:
        signal.raise_signal(number)
        return step.name

    def rung(*_: object) -> Attempt:
        monkeypatch.setattr(Inputs, "digest", digest)
        return answer(1)

    answers(monkeypatch, 1)
    text = "steps: [{explore: [raft, storage]}]"
    before = signal.signal(number, signal.default_int_handler)
    try:
        monkeypatch.setattr("delphic.harness.gate.command.perform", rung)
        assert gate(monkeypatch, text, "--json") == 1
        told = json.loads(capsys.readouterr().out)
        assert [step["state"] for step in told["steps"]] == ["done", "not done"]
        assert gate(monkeypatch, text, "--json") == 3
        told = json.loads(capsys.readouterr().out)
        assert [step["state"] for step in told["steps"]] == ["not done", "not done"]
        assert signal.getsignal(number) is signal.default_int_handler
    finally:
        signal.signal(number, before)


@pytest.mark.slow
def test_a_seeded_bug_turns_a_green_gate_red_and_the_promise_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "steps:\n  - {simulate: mine.yaml, seeds: 1..3}\n"
    assert gate(monkeypatch, text, "--quiet", "--jobs", "1") == 0
    assert capsys.readouterr().out.startswith("pass: All 1 step as expected.")
    assert gate(monkeypatch, text, "--quiet", "--jobs", "1", "--bug", "ack-before-quorum") == 1
    out = capsys.readouterr().out
    assert "HS-2" in out.splitlines()[0]
    assert " broke: simulate mine.yaml." in out.splitlines()[0]
    (step,) = json.loads((folder / "runs/gate/gate.json").read_text())["steps"]
    (run,) = step["attempts"][0]["runs"]
    assert (folder / run / "report.html").is_file()
    assert (
        "bugs:\n    all:\n    - ack-before-quorum" in (folder / run / "scenario.yaml").read_text()
    )
    assert step["attempts"][0]["findings"][0]["witness"]
    assert "mine-with-ack-before-quorum-" in step["attempts"][0]["findings"][0]["again"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--bug", "stale-raed"], "no step can have 'stale-raed'; did you mean 'stale-read'?"),
        (["--only", "simulate mine"], "there is no step 'simulate mine'; did you mean"),
        (["--since", "HEAD"], "--since REV: not a git repository"),
        (["--budget", "10"], "must be a duration like 250ms, 2s or 1m"),
        (["none.yaml"], "cannot read none.yaml: No such file or directory"),
    ],
)
def test_a_mistake_in_the_command_is_told_before_anything_begins(
    words: list[str],
    told: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(folder.parent))
    assert gate(monkeypatch, "steps: [{simulate: mine.yaml}]", *words) == 2
    assert told in capsys.readouterr().err
    assert not (folder / "runs").exists()


def test_what_would_be_done_can_be_asked_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert gate(monkeypatch, "steps: [{explore: raft}, {simulate: mine.yaml}]", "--list") == 0
    assert capsys.readouterr().out.splitlines() == [
        "do     explore raft",
        "do     simulate mine.yaml",
    ]


def test_what_would_be_done_is_told_to_programs_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert gate(monkeypatch, "steps: [{explore: raft}]", "--list", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "schema": 1,
        "exit_code": 0,
        "steps": [{"step": "explore raft", "kind": "explore", "do": True, "why": ""}],
        "notes": [],
    }


def test_the_schema_for_editors_is_printed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert gate(monkeypatch, "", "--schema") == 0
    assert set(json.loads(capsys.readouterr().out)["properties"]) >= {"steps", "budget"}
