"""Every command tells programs what docs/json.md says it tells them, and nothing else."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from delphic.__main__ import delphic, main
from delphic.harness import data
from delphic.harness.lab import lab

pytestmark = pytest.mark.slow

PAGE = (Path(__file__).parents[2] / "docs/json.md").read_text()

WITHOUT = {"schema", "completion", "lab enter"}
"""Why these need no --json is said on the page."""

BROKEN = """\
name: mine
cluster: {bugs: {all: [ack-before-quorum]}}
workload: {name: log, clients: 4, rate: 100}
duration: 2s
faults:
  - {at: 500ms, partition: leader, for: 1s}
expect: {verdict: fail, promises: [HS-2]}
"""
WELL = """\
name: well
workload: {name: log, clients: 2, rate: 40}
duration: 2s
"""
HISTORY = """\
{:type :invoke, :f :write, :value 1, :process 0, :time 1, :index 0}
{:type :ok, :f :write, :value 1, :process 0, :time 2, :index 1}
"""
HOSTS = """\
hosts:
- {name: a, address: 127.0.0.1, port: 1}
"""
TINY = ("raft", "--bound", "members=2", "--bound", "entries=0")

CASES: dict[str, tuple[tuple[str, ...], int]] = {
    "run": (("run", "mine.yaml", "--seed", "3", "--on", "sim"), 0),
    "check RUN": (("check", "runs/latest"), 0),
    "check FILE": (("check", "history.edn", "--spec", "register"), 0),
    "check --specs": (("check", "--specs"), 0),
    "report": (("report", "runs/latest"), 0),
    "list": (("list",), 0),
    "simulate": (("simulate", "well.yaml", "--seeds", "1", "--jobs", "1"), 0),
    "replay": (("replay", "runs/latest", "--state", "--until", "20"), 0),
    "shrink": (("shrink", "runs/latest", "--trials", "3"), 0),
    "suite": (("suite", "well.yaml", "--seeds", "1", "--on", "sim"), 0),
    "suite-report": (("suite-report", "runs"), 0),
    "explore": (("explore", *TINY), 0),
    "explore --walks": (("explore", *TINY, "--walks", "2"), 3),
    "explore --list": (("explore", "--list"), 0),
    "conform": (("conform", "raft", "--small", "--first", "--bug", "stale-read"), 1),
    "conform --list": (("conform", "--list"), 0),
    "coverage": (("coverage", "well.yaml", "--seeds", "1", "--jobs", "1"), 0),
    "promises": (("promises",), 0),
    "zoo": (("zoo", "vote-forgotten", "--checks", "explore", "--jobs", "1"), 0),
    "aa": (("aa", "well.yaml", "--seeds", "1", "--jobs", "1"), 0),
    "gate": (("gate", "gate.yaml"), 0),
    "gate --list": (("gate", "--list"), 0),
    "doctor": (("doctor", "hosts.yaml", "--scenario", "well.yaml"), 4),
    "heal": (("heal", "hosts.yaml"), 4),
    "lab status": (("lab", "status"), 0),
    "lab down": (("lab", "down"), 0),
}

OTHERWISE = {"explore --ui", "serve", "up", "shell", "lab up"}
"""Those that are started as processes, below."""


def fields(heading: str) -> set[str]:
    """What the page says that there is."""
    (section,) = re.findall(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S)
    first = [line.split(" | ")[0] for line in section.splitlines() if line.startswith("| `")]
    return {name for cell in first for name in re.findall(r"`(\w+)`", cell)}


def read(text: str) -> dict[str, Any]:
    """One value, as every reader of JSON reads it."""
    found: dict[str, Any] = json.loads(text, parse_constant=pytest.fail)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where all commands are given, in the order of the page; a run of the first is there."""
    path = tmp_path_factory.mktemp("json")
    (path / "mine.yaml").write_text(BROKEN)
    (path / "well.yaml").write_text(WELL)
    (path / "history.edn").write_text(HISTORY)
    (path / "hosts.yaml").write_text(HOSTS)
    (path / "gate.yaml").write_text("steps:\n  - {check: history.edn, spec: register}\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path)
        patch.setenv("DELPHIC_STATE", str(path / "state"))
        words = [*CASES["run"][0], "--quiet"]
        made = CliRunner().invoke(delphic, words, standalone_mode=False)
        assert made.return_value == 0, made.output
        yield path


def leaves(group: click.Group, before: str = "") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from leaves(command, f"{before}{name} ")
        elif command is not None:
            yield before + name, command


def test_every_command_has_data_for_programs_and_a_section_or_a_reason_why_not() -> None:
    has = {
        name: any("--json" in param.opts for param in command.params)
        for name, command in leaves(delphic)
    }
    assert {name for name, it_has in has.items() if not it_has} == WITHOUT
    reasons = PAGE[: PAGE.index("\n## ")]
    assert all(f"`{name}`" in reasons for name in WITHOUT)
    headings = re.findall(r"^## (.+)$", PAGE, re.M)
    assert sorted(headings) == sorted({*CASES, *OTHERWISE})
    told = {" ".join(word for word in heading.split() if word.islower()) for heading in headings}
    told = {name.partition(" --")[0] for name in told}
    assert told == {name for name, it_has in has.items() if it_has}


@pytest.mark.parametrize("heading", CASES)
def test_a_command_prints_the_fields_of_the_page_and_nothing_else(
    folder: Path, heading: str
) -> None:
    words, code = CASES[heading]
    made = CliRunner().invoke(delphic, [*words, "--json"], standalone_mode=False)
    assert made.exception is None, made.output
    assert made.return_value in (code, None if code == 0 else code), made.output
    found = read(made.stdout)
    assert set(found) == {"schema", "exit_code", *fields(heading)}
    assert (found["schema"], found["exit_code"]) == (1, code)


@pytest.mark.parametrize(
    "words", [("run", "nowhere"), ("shrink", "nowhere"), ("suite", "x"), ("zoo", "x")]
)
def test_a_mistake_is_told_on_standard_error_alone(
    folder: Path,
    words: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["delphic", *words, "--json"])
    assert main() == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")


def _line(*words: str) -> tuple[subprocess.Popen[str], dict[str, Any]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "delphic", *words, "--json"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, read(process.stdout.readline())


def _ended(process: subprocess.Popen[str]) -> None:
    """By Ctrl-C, well, without another word."""
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, "")


@pytest.mark.parametrize("heading", ["serve", "explore --ui"])
def test_a_server_prints_where_it_is(folder: Path, heading: str) -> None:
    words = {"serve": ("serve", "runs"), "explore --ui": ("explore", *TINY, "--ui")}[heading]
    process, found = _line(*words)
    assert set(found) == {"schema", *fields(heading)}
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", found["url"])
    _ended(process)


def test_a_cluster_and_what_its_functions_answer(folder: Path) -> None:
    process, found = _line("up", "--new", str(folder / "cluster"))
    assert set(found) == {"schema", *fields("up")}
    words = [*found["shell"].split()[1:], "-c", "getStreamingRaftGroups()", "--json"]
    called = subprocess.run(
        [sys.executable, "-m", "delphic", *words], capture_output=True, text=True, timeout=60
    )
    assert called.returncode == 0, called.stderr
    assert set(read(called.stdout)) == fields("shell")
    _ended(process)


def test_a_laboratory_says_what_lets_one_in(
    folder: Path, require: Callable[[object, str], None]
) -> None:
    reason = lab.hindrance()
    require(reason is None, reason or "")

    def told(*words: str) -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, "-m", "delphic", "lab", *words, "--json"],
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return read(done.stdout)

    try:
        made = told("up")
        assert set(made) == {"schema", "exit_code", *fields("lab up")}
        assert all(os.path.exists(made[file]) for file in ("inventory", "key", "known_hosts"))
        (status,) = told("status")["labs"]
        assert [host["is_on"] for host in status["hosts"]] == [True] * len(made["hosts"])
    finally:
        gone = told("down")
    assert gone["said"] == [f"{made['name']} is gone."]


def test_what_json_cannot_hold_is_null_or_escaped(capfdbinary: Any) -> None:
    data.show({"rate": float("inf"), "folder": Path("x"), "name": "é\udcff"}, 3)
    printed = capfdbinary.readouterr().out.decode("utf-8")
    assert read(printed) == {
        "schema": 1,
        "exit_code": 3,
        "rate": None,
        "folder": "x",
        "name": "é\udcff",
    }
    assert "é" in printed
