"""What a command found is its exit code, also where nobody takes what it prints."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from delphic.harness.commands.streams import lasting
from delphic.harness.gate.show import watcher
from delphic.harness.running.progress import Lines, progress

RIGHT = """\
{"process": 0, "type": "invoke", "f": "write", "value": 1}
{"process": 0, "type": "ok", "f": "write", "value": 1}
{"process": 1, "type": "invoke", "f": "read"}
{"process": 1, "type": "ok", "f": "read", "value": 1}
"""
WRONG = RIGHT.replace('"read", "value": 1', '"read", "value": 2')
CHECKS = [(["check", "right.jsonl"], 0), (["check", "wrong.jsonl"], 1)]
FULL = Path("/dev/full")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "right.jsonl").write_text(RIGHT)
    (tmp_path / "wrong.jsonl").write_text(WRONG)
    return tmp_path


def run(folder: Path, words: list[str], out: int, err: int = subprocess.PIPE) -> tuple[int, str]:
    """The exit code, and what was said on standard error."""
    words = [*words, "--spec", "register"] if words[0] == "check" else words
    ended = subprocess.run(
        [sys.executable, "-m", "delphic", *words],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=err,
        check=False,
        timeout=120,
    )
    return ended.returncode, (ended.stderr or b"").decode()


@pytest.fixture
def unread() -> Iterator[int]:
    """The end of a pipe of which the other is closed."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


@pytest.mark.slow
@pytest.mark.parametrize(("words", "code"), [*CHECKS, (["check", "right.jsonl", "--json"], 0)])
def test_a_closed_pipe_changes_no_exit_code(
    folder: Path, unread: int, words: list[str], code: int
) -> None:
    assert run(folder, words, unread) == (code, "")


@pytest.mark.slow
def test_a_mistake_of_which_nobody_wants_to_hear_is_one_still(folder: Path, unread: int) -> None:
    assert run(folder, ["check", "none.jsonl"], unread, unread)[0] == 2


@pytest.mark.slow
@pytest.mark.parametrize(("words", "code"), [(["list"], 4), CHECKS[1]])
def test_what_could_not_be_printed_is_said_and_hides_no_broken_promise(
    folder: Path, words: list[str], code: int, require: Callable[[object, str], None]
) -> None:
    require(FULL.exists(), "there is no device that is always full")
    with FULL.open("wb") as full:
        told = "error: cannot write to standard output: No space left on device\n"
        assert run(folder, words, full.fileno()) == (code, told)
        assert run(folder, words, full.fileno(), full.fileno())[0] == code


def test_who_has_no_streams_is_told_nothing_and_ends_as_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As after `2>&-`, and for services that begin with none."""
    for name in ("stdout", "stderr", "__stdout__", "__stderr__"):
        monkeypatch.setattr(sys, name, None)
    with lasting() as lost:
        assert isinstance(progress(quiet=False), Lines)
        watcher(1.0, quiet=False).close()
        click.echo("a name: \udcff")
        click.echo("a mistake", err=True)
        assert lost() is None


@pytest.mark.slow
def test_what_is_no_text_can_be_printed(folder: Path) -> None:
    name = os.fsdecode(b"wrong\xff.jsonl")
    (folder / "wrong.jsonl").rename(folder / name)
    assert run(folder, ["check", name], subprocess.DEVNULL) == (1, "")
