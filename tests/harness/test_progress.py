"""What a person sees while a scenario runs."""

import asyncio
import io
from types import SimpleNamespace
from typing import Any, cast

import pytest
from delphic.harness.op import OpType
from delphic.harness.plan import Plan, plan
from delphic.harness.run import Live
from delphic.harness.running.progress import Lines, Progress, Quiet, Terminal
from delphic.harness.scenario import load
from rich.console import Console

TEXT = "name: mine\nworkload: {name: log}\nduration: 5s\n"


def planned() -> Plan:
    return plan(load(TEXT, "my.yaml"), seed=1, target="local", command="")


def live() -> Live:
    """A run that stands still."""
    counts = {OpType.OK: 1234, OpType.FAIL: 5, OpType.INFO: 6}
    recorder = SimpleNamespace(now_ns=lambda: 2_500_000_000, counts=counts)
    observer = SimpleNamespace(leader="n2", term=7)
    conductor = SimpleNamespace(active=["partition leader", "n1 dead"])
    return Live(cast(Any, recorder), cast(Any, observer), cast(Any, conductor), "main")


def shown(progress: Progress) -> None:
    """Follow the run for a moment."""

    async def follow() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await progress.follow(planned(), live())

    asyncio.run(follow())


def test_a_terminal_shows_phase_counts_leader_and_faults() -> None:
    screen = io.StringIO()
    terminal = Terminal(Console(file=screen, force_terminal=True, width=100))
    shown(terminal)
    text = screen.getvalue()
    for words in (
        "mine",
        "main",
        "2.5 s of 5 s",
        "1,234 ok, 5 fail, 6 info",
        "n2",
        "term 7",
        "n1 dead",
    ):
        assert words in text


def test_a_log_gets_a_line_a_phase() -> None:
    log = io.StringIO()
    shown(Lines(log))
    assert log.getvalue() == "   2.5 s  main: 1,234 ok, 5 fail, 6 info\n"


def test_quiet_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    quiet = Quiet()
    quiet.say("hello")
    asyncio.run(quiet.follow(planned(), live()))
    assert capsys.readouterr() == ("", "")
