"""Daemons: started, stopped, continued, killed, and what the kernel says of them."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import uvloop
from delphic.harness.agent import proc
from delphic.harness.errors import WorldError
from delphic.harness.running.leases import Lease
from delphic.harness.targets.processes import Daemon, tail
from delphic.harness.targets.target import ProcessState

pytestmark = pytest.mark.slow

SLEEP = "import time; print('up', flush=True); time.sleep(600)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"


SERVER = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print('up', flush=True)
time.sleep(600)
"""

STARTS_SERVER = f"""
import subprocess, sys
server = subprocess.Popen([sys.executable, '-c', {SERVER!r}], stdout=subprocess.PIPE)
server.stdout.readline()
print(server.pid, flush=True)
"""


def check(folder: Path, code: str, scene: Callable[[Daemon], Awaitable[None]]) -> None:
    async def run() -> None:
        lease = Lease(folder)
        daemon = Daemon("n1", [sys.executable, "-c", code], log=folder / "log.txt", lease=lease)
        try:
            async with asyncio.timeout(30):
                await scene(daemon)
        finally:
            await daemon.stop()
            lease.release()
        assert daemon.state() is ProcessState.DEAD

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


async def until(daemon: Daemon, state: ProcessState) -> None:
    deadline = asyncio.get_running_loop().time() + 10
    while daemon.state() is not state:
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.001)


def test_a_daemon_is_paused_resumed_killed_and_started_again(tmp_path: Path) -> None:
    async def scene(daemon: Daemon) -> None:
        assert daemon.state() is ProcessState.DEAD
        await daemon.start()
        assert daemon.state() is ProcessState.RUNNING
        daemon.pause()
        await until(daemon, ProcessState.PAUSED)
        daemon.resume()
        await until(daemon, ProcessState.RUNNING)
        await daemon.kill()
        assert daemon.state() is ProcessState.DEAD
        assert daemon.death() is None
        await daemon.start()
        assert daemon.state() is ProcessState.RUNNING

    check(tmp_path, SLEEP, scene)


def test_a_paused_daemon_can_be_killed(tmp_path: Path) -> None:
    async def scene(daemon: Daemon) -> None:
        await daemon.start()
        daemon.pause()
        await until(daemon, ProcessState.PAUSED)
        await daemon.kill()
        assert daemon.state() is ProcessState.DEAD

    check(tmp_path, SLEEP, scene)


def test_a_death_of_its_own_is_told_once_and_how(tmp_path: Path) -> None:
    async def scene(daemon: Daemon) -> None:
        await daemon.start()
        await until(daemon, ProcessState.DEAD)
        assert daemon.death() == "exit status 3"
        assert daemon.death() is None
        assert "why" in str(daemon.failure("ended"))

    check(tmp_path, "import sys; print('why'); sys.exit(3)", scene)


async def started(log: Path) -> int:
    """The pid of what the daemon started, which does not listen to SIGTERM."""
    deadline = asyncio.get_running_loop().time() + 10
    while not tail(log).isdigit():
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.001)
    return int(tail(log))


def test_what_a_daemon_started_ends_with_it(tmp_path: Path) -> None:
    async def scene(daemon: Daemon) -> None:
        await daemon.start()
        server = await started(tmp_path / "log.txt")
        await daemon.stop()
        assert proc.letter(server) is None

    check(tmp_path, STARTS_SERVER + "server.wait()", scene)


def test_what_a_daemon_left_behind_is_not_there_in_its_next_life(tmp_path: Path) -> None:
    async def scene(daemon: Daemon) -> None:
        await daemon.start()
        server = await started(tmp_path / "log.txt")
        await until(daemon, ProcessState.DEAD)
        assert proc.letter(server) is not None
        assert daemon.death() == "exit status 3"
        await daemon.start()
        assert proc.letter(server) is None

    check(tmp_path, STARTS_SERVER + "sys.exit(3)", scene)


def _until_dead(pid: int) -> None:
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def test_a_death_is_told_as_soon_as_the_kernel_knows_of_it(tmp_path: Path) -> None:
    """Who is started again at once would have to answer for it later: nobody excuses it then."""

    async def scene(daemon: Daemon) -> None:
        await daemon.start()
        pid = daemon.pid
        assert pid is not None
        _until_dead(pid)  # The loop hears nothing of it before this coroutine waits.
        assert daemon.state() is ProcessState.DEAD
        assert daemon.death() == "exit status 3"
        assert daemon.death() is None

    check(tmp_path, "import sys; sys.exit(3)", scene)


def test_a_daemon_that_ignores_sigterm_is_ended_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("delphic.harness.targets.processes._GRACE_S", 0.2)

    async def scene(daemon: Daemon) -> None:
        await daemon.start()
        await daemon.stop()
        assert daemon.state() is ProcessState.DEAD

    check(tmp_path, STUBBORN, scene)


def test_what_cannot_be_started_is_told(tmp_path: Path) -> None:
    async def run() -> None:
        lease = Lease(tmp_path)
        daemon = Daemon("n1", ["/nowhere/python"], log=tmp_path / "log.txt", lease=lease)
        with pytest.raises(WorldError, match="n1: cannot start /nowhere/python: No such file"):
            await daemon.start()
        lease.release()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


def test_the_tail_of_a_log_is_its_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    assert tail(log) == "(it wrote no log)"
    log.write_text("")
    assert tail(log) == "(its log is empty)"
    log.write_text("".join(f"{number}\n" for number in range(100)))
    assert tail(log).split("\n") == [str(number) for number in range(85, 100)]
