"""Processes of a run, in this process."""

import asyncio
import os
from pathlib import Path

import pytest
from delphic.harness.agent import processes
from delphic.harness.agent.processes import Processes
from delphic.harness.agent.run import Run
from delphic.harness.agent.undo import UndoLog


def _has_ended(pid: int) -> None:
    """Wait for its end, but do not take it. Raises ChildProcessError if somebody has."""
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


@pytest.mark.parametrize(("ends", "code"), [("exit 7", 7), ("kill -TERM $$", -15)])
def test_to_ask_how_a_process_ended_does_not_give_its_number_away(
    tmp_path: Path, ends: str, code: int
) -> None:
    """What it left behind in its group is ended by that number, when the loop comes to it."""
    said: list[dict[str, object]] = []
    log = UndoLog(tmp_path)
    run = Run("mine", tmp_path, 1.0, "M=1", None, has_loops=False, log=log, say=said.append)

    async def go() -> None:
        made = Processes(run)
        pid = (await made.spawn("n1", ["sh", "-c", ends]))["pid"]
        assert isinstance(pid, int)
        _has_ended(pid)
        state = await made.state("n1")
        assert (state["state"], state["code"]) == ("dead", code)
        _has_ended(pid)
        await asyncio.wait_for(made._daemons["n1"].gone.wait(), 10)
        assert await made.state("n1") == state
        assert [(each["event"], each["code"]) for each in said] == [("ended", code)]

    asyncio.run(go())
    assert log.undo(processes.UNDO) == []
