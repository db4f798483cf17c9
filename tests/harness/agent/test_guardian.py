"""The guardian undoes what a dead agent left, however hard it dies, and lets a living one do it."""

import asyncio
import fcntl
import os
import select
import uuid
from collections.abc import Sequence
from pathlib import Path

import pytest
from delphic.harness.agent import guardian, proc
from delphic.harness.agent.guardian import BYE, ENDING, RENEW, Guardian
from delphic.harness.agent.proc import Identity
from delphic.harness.agent.undo import Kinds
from delphic.harness.hosts.agent import Agent
from near_host import NearHost, watched

pytestmark = pytest.mark.slow


def test_an_agent_that_does_not_die_at_once_is_outwaited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that waits for its disk: it would go on after everything has been undone."""

    def end(_: Identity) -> bool:
        with (tmp_path / "tried").open("a") as file:
            file.write("x")
        if (tmp_path / "tried").stat().st_size < 3:
            raise OSError("it does not die")
        return True

    def finish(_: Path, __: Kinds) -> list[str]:
        (tmp_path / "undone").write_text((tmp_path / "tried").read_text())
        return []

    monkeypatch.setattr(guardian, "end", end)
    monkeypatch.setattr(guardian, "finish", finish)
    monkeypatch.setattr(guardian, "_PATIENCE_S", 0.0)
    made = Guardian(tmp_path, 0.0, {}, proc.me())
    _, status = os.waitpid(made.pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert (tmp_path / "undone").read_text() == "xxx"


def test_an_agent_that_is_ending_has_longer_than_its_lease(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reading, writing = os.pipe()
    left: list[float] = []
    said = [RENEW, ENDING, RENEW, BYE]

    def wait(
        readers: Sequence[int], _: Sequence[int], __: Sequence[int], left_s: float
    ) -> tuple[list[int], list[int], list[int]]:
        left.append(left_s)
        os.write(writing, said.pop(0))
        return list(readers), [], []

    monkeypatch.setattr(select, "select", wait)
    try:
        assert guardian._until_bye(reading, 2.0)
    finally:
        os.close(reading)
        os.close(writing)
    assert all(each <= 2.0 for each in left[:2])
    assert all(50.0 < each <= 60.0 for each in left[2:])


def test_an_agent_may_take_longer_than_its_lease_to_undo_everything(tmp_path: Path) -> None:
    host, lease_s = NearHost(tmp_path), 1.0

    async def go() -> None:
        async with host:
            agent = await Agent.start(host, f"run {uuid.uuid4().hex}", lease_s)
            async with watched(agent):
                # It stands for a program that the agent has started, and that is slow.
                tools = os.open(tmp_path / "agent/runs" / host.runs[0] / "tools", os.O_RDWR)
                fcntl.flock(tools, fcntl.LOCK_SH)
                asyncio.get_running_loop().call_later(lease_s + 1.5, os.close, tools)
                await agent.bye()
            assert await host.channels[0].process.wait() == 0

    asyncio.run(go())
    assert host.runs == []
