"""How the shell begins and ends: streams that are not there, passwords, Ctrl-C."""

import asyncio
import readline
import sys
from typing import Any

import click
import pytest
from delphic.harness.errors import ExitCode, UsageError, WorldError
from delphic.harness.shell import command, prompt
from delphic.harness.shell.sites import Sites
from delphic.impl.client.connection import Connection
from delphic.impl.client.errors import RequestError

WHERE = "127.0.0.1:1"


def ran(*words: str) -> Any:
    return command.shell_command.main(list(words), standalone_mode=False)


def test_without_standard_input_there_is_nothing_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(UsageError, match="no calls to make"):
        ran(WHERE)


def test_without_standard_output_calls_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    async def opened(_: Sites) -> None: ...

    monkeypatch.setattr(Sites, "open", opened)
    monkeypatch.setattr(sys, "stdout", None)
    assert not ran(WHERE, "-c", "help(rpc)")


def test_ctrl_c_says_what_may_have_happened(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def opened(_: Sites) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Sites, "open", opened)
    assert ran(WHERE, "-c", "help(rpc)") == ExitCode.INCONCLUSIVE
    assert capsys.readouterr().err == "stopped; a call under way may have been executed\n"


def test_a_password_that_nobody_can_type_is_asked_for_in_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def prompted(*_: Any, **__: Any) -> str:
        raise click.Abort

    monkeypatch.delenv("DELPHIC_PASSWORD", raising=False)
    monkeypatch.setattr(click, "prompt", prompted)
    with pytest.raises(UsageError, match="DELPHIC_PASSWORD"):
        ran(WHERE, "-c", "help(rpc)", "--user", "admin")


@pytest.mark.parametrize(
    ("name", "wanted", "told"),
    [
        ("NotAuthenticated", UsageError, "no node lets admin in"),
        ("Disconnected", WorldError, "no node answers"),
    ],
)
def test_a_wrong_password_is_no_silent_node(
    monkeypatch: pytest.MonkeyPatch, name: str, wanted: type[Exception], told: str
) -> None:
    async def refused(*_: Any, **__: Any) -> None:
        raise RequestError(name, True, "user or password is wrong")

    monkeypatch.setattr(Connection, "open", refused)
    with pytest.raises(wanted, match=told):
        asyncio.run(Sites([WHERE], 1.0, user="admin", password="x").open())


@pytest.mark.parametrize(
    ("line", "is_kept"),
    [
        ('select("t")', True),
        ('login("admin", "secret")', False),
        ('rpc("n1", login, "admin", "secret")', False),
        ('nodeStatus(); createUser("u", "secret"', False),
        ("", False),
    ],
)
def test_what_holds_a_password_is_not_kept(
    monkeypatch: pytest.MonkeyPatch, line: str, is_kept: bool
) -> None:
    kept: list[str] = []
    monkeypatch.setattr(readline, "add_history", kept.append)
    prompt._keep(line)
    assert kept == [line] * is_kept


def test_lines_are_kept_by_us_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    said: list[bool] = []
    monkeypatch.setattr(readline, "set_auto_history", said.append)
    prompt._begin(tmp_path / "none", pytest.fail)
    assert said == [False]
