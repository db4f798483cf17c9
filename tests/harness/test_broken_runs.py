"""Run directories that lack a file, or hold one that is no such: a sentence, never a traceback."""

import json
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from delphic.__main__ import main
from delphic.harness.errors import ExitCode, UsageError, WorldError
from delphic.harness.judging.judgement import Ending
from delphic.harness.judging.shown import verdict_of
from delphic.harness.plan import encode, plan
from delphic.harness.rundir import RunDir
from delphic.harness.running.journal import SEALED, Journal, digest, digests, entries
from delphic.harness.scenario import load

TEXT = "name: mine\nworkload: {name: log, clients: 1}\nduration: 1s\n"
INVOKE = {"index": 0, "time_ns": 5, "process": 0, "type": "invoke", "f": "append", "value": [1]}
OK = {**INVOKE, "index": 1, "time_ns": 9, "type": "ok", "value": 0}

Said = Callable[..., tuple[int, str]]


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Said:
    """The exit code of a command, and what it said to people who want to know what is wrong."""

    def call(*words: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["delphic", *map(str, words)])
        code = main()
        return code, capsys.readouterr().err

    return call


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    """A run of one append, sealed."""
    made = RunDir(tmp_path / "run")
    made.path.mkdir()
    made.scenario.write_text(TEXT)
    made.plan.write_bytes(encode(plan(load(TEXT, "my.yaml"), seed=1, target="sim", command="x")))
    made.history.write_text("".join(json.dumps(op) + "\n" for op in (INVOKE, OK)))
    sealed(made)
    return made


def sealed(run: RunDir) -> None:
    run.journal.unlink(missing_ok=True)
    ending = msgspec.to_builtins(Ending("2026-01-31T12:00:00Z", 1.0))
    Journal(run.journal).write("planned")
    Journal(run.journal).write(SEALED, sha256=digest(run.history), ending=ending)


def put(path: Path, content: bytes | None) -> None:
    """Another content, or a directory in the file's place."""
    path.unlink(missing_ok=True)
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)


def refused(found: tuple[int, str], path: Path, *parts: str) -> None:
    code, err = found
    assert code == ExitCode.USAGE, err
    assert err.startswith("error: ")
    assert str(path) in err
    assert all(part in err for part in parts), err


@pytest.mark.parametrize("command", ["check", "shrink", "replay"])
def test_a_sealed_run_without_its_history_is_refused(said: Said, run: RunDir, command: str) -> None:
    run.history.unlink()
    refused(said(command, run.path), run.history, "No such file")


@pytest.mark.parametrize("command", ["check", "shrink"])
def test_a_trace_that_was_cut_after_the_run_is_refused(
    said: Said, run: RunDir, command: str
) -> None:
    trace = run.node_trace("n1")
    trace.parent.mkdir(parents=True)
    trace.write_text("{}\n{}\n")
    Journal(run.journal).write("down", traces=digests(run.traces(["n1", "n2"])))
    trace.write_text("{}\n")
    refused(said(command, run.path), trace, "is not what was sealed")


def test_a_history_in_whose_place_is_a_directory_is_refused(said: Said, run: RunDir) -> None:
    put(run.history, None)
    refused(said("check", run.path), run.history, "directory")
    run.journal.unlink()
    refused(said("check", run.path), run.history, "directory")


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b'{"index":0,"time_ns":0,"process":0,"type":"invoke","f":"\xff"}\n', "line 1"),
        (json.dumps({**INVOKE, "time_ns": -5}).encode() + b"\n", "op 0"),
        (json.dumps({**INVOKE, "index": 2**63}).encode() + b"\n", f"op {2**63}"),
        (b'{"index":0,"value":' + b"[" * 100_000 + b"\n", "line 1"),
    ],
)
def test_a_history_that_is_none_is_refused(
    said: Said, run: RunDir, content: bytes, part: str
) -> None:
    put(run.history, content)
    sealed(run)
    refused(said("check", run.path), run.history, part)
    assert said("report", run.path)[0] == ExitCode.AS_EXPECTED


def test_a_line_that_the_disk_has_no_room_for_is_told_and_harms_no_other(tmp_path: Path) -> None:
    """A write that finds some room takes a part, and is no error; the next one is."""
    path = tmp_path / "journal.jsonl"
    diary = Journal(path)
    diary.write("planned")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 20, before[1]))
    try:
        with pytest.raises(WorldError, match="File too large"):
            diary.write(SEALED, sha256="0" * 64)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [entry["phase"] for entry in entries(path)] == ["planned"]
    diary.write("down")
    assert [entry["phase"] for entry in entries(path)] == ["planned", "down"]


LINES = [
    b"garbage\n",
    b'{"a":1}\n',
    b'{"phase":"planned"}\n',
    b'{"unix_s":1e30,"phase":"planned"}\n',
    b'{"unix_s":1,"phase":"sealed","ending":{}}\n',
    b'{"unix_s":1,"phase":"\xff"}\n',
    b'{"unix_s":1' + b"0" * 400 + b',"phase":"planned"}\n',
    b"[" * 100_000 + b"\n",
]


@pytest.mark.parametrize("content", [*LINES, None])
def test_a_journal_that_is_none_is_refused_and_reported_around(
    said: Said, run: RunDir, content: bytes | None
) -> None:
    put(run.journal, content)
    refused(said("check", run.path), run.journal)
    assert said("report", run.path)[0] == ExitCode.AS_EXPECTED


@pytest.mark.parametrize("ending", ["", ', "ending": 3', ', "ending": {"started": 1}'])
def test_a_seal_that_does_not_say_how_the_run_ended_is_refused(
    said: Said, run: RunDir, ending: str
) -> None:
    line = f'{{"unix_s": 1, "phase": "sealed", "sha256": "{digest(run.history)}"{ending}}}\n'
    put(run.journal, line.encode())
    refused(said("check", run.path), run.journal)


def changed(**values: Any) -> Callable[[bytes], bytes]:
    return lambda data: msgspec.json.encode({**msgspec.json.decode(data), **values})


LOG = {"name": "log", "clients": 1, "rate": 1.0, "op_timeout_s": 1.0, "routing": "mixed"}
PLANS: list[tuple[Callable[[bytes], bytes], str]] = [
    (lambda _: b"\xff", "plan"),
    (lambda data: data.replace(b'"mine"', b'"\xff"', 1), "plan"),
    (lambda _: b"[" * 100_000, "plan"),
    (changed(schema=2), "schema 2"),
    (changed(workload={}), "name"),
    (changed(workload=[]), "workload"),
    (changed(workload={**LOG, "name": "lgo"}), "'lgo'"),
    (changed(workload={**LOG, "rate": None}), "rate"),
    (changed(system="abacus"), "'abacus'"),
]


@pytest.mark.parametrize("command", ["check", "replay", "shrink"])
@pytest.mark.parametrize(("damage", "part"), PLANS)
def test_a_plan_that_is_none_is_refused(
    said: Said, run: RunDir, command: str, damage: Callable[[bytes], bytes], part: str
) -> None:
    run.plan.write_bytes(damage(run.plan.read_bytes()))
    refused(said(command, run.path), run.plan, part)


def test_a_plan_in_whose_place_is_a_directory_is_refused(said: Said, run: RunDir) -> None:
    put(run.plan, None)
    refused(said("check", run.path), run.plan, "directory")


def test_a_scenario_that_is_no_text_cannot_be_shrunk(said: Said, run: RunDir) -> None:
    put(run.scenario, b"name: \xff\n")
    refused(said("shrink", run.path), run.scenario, "UTF-8")


def test_a_trace_that_cannot_be_read_is_told(said: Said, run: RunDir) -> None:
    trace = run.node_trace("n1")
    trace.parent.mkdir(parents=True)
    put(trace, None)
    refused(said("check", run.path), trace, "directory")


@pytest.mark.parametrize("content", [b"\xff", b"{}", b"[" * 100_000, None])
def test_a_verdict_that_is_none_is_refused(run: RunDir, content: bytes | None) -> None:
    put(run.verdict, content)
    with pytest.raises(UsageError, match=r"verdict\.json"):
        verdict_of(run.path)


def test_a_lease_that_is_no_text_is_the_world_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DELPHIC_STATE", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["delphic", "heal"])
    (tmp_path / "x.json").write_bytes(b'{"run":"\xff"}')
    code, told = main(), capsys.readouterr().out
    assert (code, "x.json is not healed" in told) == (ExitCode.WORLD, True), told
