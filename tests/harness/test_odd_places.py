"""Names and places that the system refuses: a sentence and a code, never a traceback."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import msgspec
import pytest
from delphic.__main__ import delphic, main
from delphic.harness.errors import ExitCode, UsageError
from delphic.harness.running.environment import environment
from delphic.harness.shell import prompt
from delphic.harness.up.directory import create

LONG = "x" * 300
LABEL = f"{'a' * 64}.example"
Said = Callable[..., tuple[int, str]]


@pytest.fixture
def said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Said:
    """The exit code of a command, and what it said on standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DELPHIC_STATE", str(tmp_path / "state"))

    def call(*words: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["delphic", *words])
        code = main()
        return code, capsys.readouterr().err

    return call


@pytest.mark.parametrize(
    "words",
    [
        ("check", LONG, "--spec", "register"),
        ("check", LONG),
        ("report", LONG),
        ("serve", LONG),
        ("suite-report", LONG),
        ("shrink", LONG),
        ("replay", LONG),
        ("up", LONG),
        ("up", "--new", LONG),
        ("simulate", LONG),
        ("simulate", f"name: x\nworkload: {{name: log}}\n{LONG}"),
        ("gate", LONG),
    ],
)
def test_a_name_that_is_too_long_is_the_user_s_mistake(said: Said, words: tuple[str, ...]) -> None:
    code, err = said(*words)
    assert code == ExitCode.USAGE, err
    assert "Traceback" not in err
    assert len(err) < 1_000


def test_what_the_system_refuses_is_the_world_s(
    said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    @click.command()
    def full() -> None:
        raise OSError(28, "No space left on device", "/somewhere")

    monkeypatch.setattr(delphic, "get_command", lambda _context, _name: full)
    code, err = said("list")
    assert (code, err) == (ExitCode.WORLD, "error: /somewhere: No space left on device\n")


@pytest.mark.parametrize("words", [("mine.yaml", "--out", "r\udcff"), ("m\udcff.yaml",)])
def test_a_name_that_is_no_text_is_refused_before_anything_is_made(
    said: Said, words: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / words[0]).write_text("name: mine\nworkload: {name: log}\nduration: 1s\n")
    code, err = said("run", *words, "--on", "sim")
    assert (code, "the name is no text" in err) == (ExitCode.USAGE, True), err
    assert [path.name for path in tmp_path.iterdir()] == [words[0]]


def test_an_environment_tells_any_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["delphic", "run", "\udcff", "ä"])
    told = json.loads(msgspec.json.encode(environment()))
    assert told["command"] == ["delphic", "run", "\\xff", "ä"]


@pytest.mark.parametrize("host", ["a..b", LABEL])
def test_a_host_that_can_have_no_address_is_refused(said: Said, host: str, tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    code, err = said("serve", "runs", "--address", host)
    assert (code, host in err) == (ExitCode.USAGE, True), err
    code, err = said("shell", f"{host}:4001", "-c", "help()")
    assert (code, host in err) == (ExitCode.USAGE, True), err
    create(tmp_path / "new", 3, None)
    nodes = tmp_path / "new/config/cluster.nodes"
    nodes.write_text(nodes.read_text().replace("127.0.0.1", host))
    code, err = said("up", "new")
    assert (code, f"cluster.nodes:2: no host can be called '{host}'" in err) == (2, True), err


def test_a_script_that_is_no_text_is_refused(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"help()\xff"), "utf-8"))
    code, err = said("shell", "127.0.0.1:1")
    assert (code, "UTF-8" in err) == (ExitCode.USAGE, True), err


def test_a_prompt_ends_well_where_nothing_can_be_kept(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    told: list[str] = []
    prompt._end(tmp_path / "state" / "history", told.append)
    assert len(told) == 1
    assert "cannot keep" in told[0]


@pytest.mark.parametrize("line", ["x=\udcff", "maxFrameSize=1\nx=2"])
def test_an_option_that_is_no_line_of_text_leaves_nothing_behind(line: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="one line of text"):
        create(tmp_path / "new", 3, None, more=[line])
    assert not (tmp_path / "new").exists()


@pytest.mark.slow
def test_a_run_s_texts_are_utf_8_whatever_the_locale(tmp_path: Path) -> None:
    text = "name: own\ntitle: reads — and writes\nworkload: {name: log, clients: 1}\nduration: 1s\n"
    (tmp_path / "own.yaml").write_text(text, encoding="utf-8")
    # This stands for any locale of another encoding, as a machine has them that runs tests.
    locale = {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    words = [sys.executable, "-m", "delphic", "run", "own.yaml", "--on", "sim", "--quiet"]
    done = subprocess.run(words, cwd=tmp_path, env=os.environ | locale, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    scenario = tmp_path / "runs" / "latest" / "scenario.yaml"
    assert scenario.read_text(encoding="utf-8") == text
