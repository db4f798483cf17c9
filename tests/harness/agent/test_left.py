"""Whoever is killed in the middle of whichever fault: the host is sound in the lease and 2 s."""

import asyncio
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import doomed
import pytest
from delphic.harness.agent import proc
from delphic.harness.agent.proc import Identity
from delphic.harness.hosts.agent import heal
from doomed import FAULTS, LEASE_S
from near_host import NearHost, loops, no_fuse, until
from net_hosts import Net, nets

pytestmark = pytest.mark.slow

HEALS_S = LEASE_S + 2.0


class Broken:
    """A host that a doomed harness breaks."""

    def __init__(self, net: Net, folder: Path, harness: asyncio.subprocess.Process) -> None:
        self.net = net
        self.host = NearHost(folder, *net.enter)
        self.harness = harness
        self.pids: dict[str, int] = {}
        self.marks: list[str] = []

    async def line(self) -> Any:
        assert self.harness.stdout is not None
        return json.loads(await asyncio.wait_for(self.harness.stdout.readline(), 30))

    def kill(self, *who: str) -> None:
        for each in who:
            pid = self.harness.pid if each == "harness" else self.pids[each]
            os.kill(pid, signal.SIGKILL)

    def processes(self) -> list[Identity]:
        """Everything that lives in the namespace, and what carries a mark of the run."""
        words = ["ip", "netns", "pids", self.net.name]
        listed = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
        inside = [found for pid in listed if (found := proc.identity(int(pid))) is not None]
        return inside + [each for mark in self.marks for each in proc.marked(mark)]

    def tables(self) -> str:
        words = [*self.net.enter, "nft", "list", "ruleset"]
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout

    def groups(self) -> list[Path]:
        """Control groups of ours, wherever the machine shows them."""
        return list(Path("/sys/fs/cgroup").glob("*/delphic_doomed*"))

    def sound(self) -> bool:
        """Whether nothing of ours is left: no process, rule, file, control group, mount."""
        left = self.host.runs or self.processes() or self.tables() or self.groups()
        return not (left or loops(self.host.entry.directory))


@asynccontextmanager
async def broken(tmp_path: Path, fault: str, path: str = "") -> AsyncIterator[Broken]:
    """Its programs are looked for in `path` first."""
    with nets(1) as (net,):
        harness = await asyncio.create_subprocess_exec(
            sys.executable,
            doomed.__file__,
            str(tmp_path),
            net.name,
            fault,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "PATH": f"{path}{os.pathsep}{os.environ['PATH']}"},
        )
        made = Broken(net, tmp_path, harness)
        try:
            made.pids = await made.line()
            yield made
        finally:
            if harness.returncode is None:
                harness.kill()
            await harness.communicate()
            await until(made.sound, 30)


@pytest.fixture(autouse=True)
def _able(require: Callable[[object, str], None]) -> None:
    require(os.geteuid() == 0, "network namespaces are made by root")


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("killed", [("harness",), ("harness", "pid")], ids=["harness", "both"])
def test_a_host_is_sound_again_after_the_harness_and_its_agent_are_killed(
    tmp_path: Path, fault: str, killed: tuple[str, ...], require: Callable[[object, str], None]
) -> None:
    require(not fault.endswith("-fuse") or no_fuse() is None, str(no_fuse()))
    require(fault != "shim" or shutil.which("cc"), "there is no C compiler: apt-get install gcc")

    async def go() -> None:
        async with broken(tmp_path, fault) as host:
            host.marks = await host.line()
            assert not host.sound()
            host.kill(*killed)
            assert await until(host.sound, HEALS_S)

    asyncio.run(go())


@pytest.mark.parametrize(
    ("fault", "within_s", "seed"),
    [*(("everything", 0.8, n) for n in range(8)), *(("cuts-fuse", 2.0, n) for n in range(4))],
)
def test_a_host_is_sound_again_whenever_the_agent_is_killed(
    tmp_path: Path,
    fault: str,
    within_s: float,
    seed: int,
    require: Callable[[object, str], None],
) -> None:
    """At any moment of a sequence of faults, for what undoes a thing stands there before it."""
    require(not fault.endswith("-fuse") or no_fuse() is None, str(no_fuse()))

    async def go() -> None:
        async with broken(tmp_path, fault) as host:
            await asyncio.sleep(random.Random(seed).uniform(0.0, within_s))
            host.marks = host.host.marks
            host.kill("pid")
            assert await until(host.sound, HEALS_S)
            assert proc.letter(host.harness.pid) is not None

    asyncio.run(go())


def slow_once(folder: Path, program: str) -> tuple[str, Callable[[str], bool]]:
    """A folder with one that is slow the first time, and whether that has begun or ended."""
    real, bin_ = shutil.which(program), folder / "bin"
    bin_.mkdir()
    text = f"""#!/bin/sh
        test -e {bin_}/begun && exec {real} "$@"
        : > {bin_}/begun
        sleep 0.5
        {real} "$@"
        : > {bin_}/ended
    """
    (bin_ / program).write_text(text)
    (bin_ / program).chmod(0o755)
    return str(bin_), lambda what: (bin_ / what).exists()


def test_what_a_program_does_after_its_agent_was_killed_is_undone(tmp_path: Path) -> None:
    """It was started before; what it does when all has been undone would stay for ever."""
    path, has = slow_once(tmp_path, "nft")

    async def go() -> None:
        async with broken(tmp_path, "cut", path) as host:
            assert await until(lambda: has("begun"))
            host.marks = host.host.marks
            host.kill("pid")
            assert await until(lambda: has("ended"), HEALS_S)
            assert await until(host.sound, HEALS_S)

    asyncio.run(go())


def test_links_open_by_themselves_and_heal_removes_the_rest_when_all_are_killed(
    tmp_path: Path,
) -> None:
    async def go() -> None:
        async with broken(tmp_path, "everything") as host:
            host.marks = await host.line()
            host.kill("harness", "guardian", "pid")
            assert "expires" in host.tables()
            assert await until(lambda: "expires" not in host.tables(), HEALS_S)
            assert not host.sound()
            (sentence,), is_sound = await heal(host.host)
            assert "everything is undone" in sentence
            assert is_sound
            assert await until(host.sound, 5.0)

    asyncio.run(go())
