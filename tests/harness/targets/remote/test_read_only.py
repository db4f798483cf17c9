"""A member on a host may not write its files: it runs, and its receipt says what it is denied."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from delphic.harness.hosts.inventory import Entry, Inventory
from delphic.harness.lab import rootless
from delphic.harness.lab.host import WITHOUT_ROOT
from delphic.harness.rundir import RunDir
from delphic.harness.system import Setup
from delphic.harness.targets.remote.cluster import RemoteCluster
from delphic.harness.targets.remote.placement import Spot
from delphic.harness.targets.target import Capability
from shells import HereShell


@pytest.fixture(autouse=True)
def root_with_setpriv(require: Callable[[object, str], None]) -> None:
    """To others than root permissions mean something anyway."""
    require(os.geteuid() == 0, "permissions mean nothing to root alone: run the tests as root")
    require(shutil.which("setpriv"), "there is no setpriv: apt-get install util-linux")


_MEMBER = """
while read -r word; do { true > "data/$word"; } 2> /dev/null && echo ok || echo denied; done
"""


class Agent:
    """It starts what it is told to, on this machine."""

    alive = True

    def __init__(self, way: Sequence[str]) -> None:
        self.way = way
        self.events: asyncio.Queue[Any] = asyncio.Queue()
        self.process: subprocess.Popen[str] | None = None

    async def call(self, do: str, *, words: list[str], cwd: str, **_: object) -> dict[str, int]:
        assert do == "spawn"
        pipe = subprocess.PIPE
        self.process = await asyncio.to_thread(
            subprocess.Popen, [*self.way, *words], cwd=cwd, stdin=pipe, stdout=pipe, text=True
        )
        return {"pid": self.process.pid}

    def makes_a_file(self, name: str) -> bool:
        """Whether the member can."""
        assert self.process is not None
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{name}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline() == "ok\n"

    def end(self) -> None:
        if self.process is not None:
            self.process.communicate()


class Writer:
    """A system whose members make files of the names that they read."""

    def command(self, *_: object) -> list[str]:
        return ["sh", "-c", _MEMBER]

    def bulk(self, home: Path) -> list[Path]:
        return [home / "data"]


async def denied(
    home: Path, needs: set[Capability], user: str = "root", way: Sequence[str] = ()
) -> tuple[bool, bool, bool]:
    """Whether a member that runs is denied a file, what the receipt says, and whether for good."""
    system: Any = Writer()
    lease: Any = SimpleNamespace(name="0123456789")
    entry = Entry("h1", "127.0.0.1", user, directory=str(home))
    made = RemoteCluster(Setup(("n1",)), system, RunDir(home), lease, Inventory((entry,)))
    made.furnish(needs)
    agent = Agent(way)
    station: Any = SimpleNamespace(
        name="h1",
        entry=entry,
        host=HereShell("h1"),
        agent=agent,
        is_sudo=False,
        deployed=SimpleNamespace(python="python3"),
    )
    made.fleet.stations["h1"] = station
    made.fleet.folder = lambda name: str(home)  # type: ignore[method-assign]
    made._spots = {"n1": Spot("h1", "127.0.0.1")}
    made._sites = {"n1": SimpleNamespace()}  # type: ignore[dict-item]
    made._daemons["n1"] = made._daemon("n1")
    (home / "n1" / "data").mkdir(parents=True)
    try:
        await made._daemons["n1"].start()
        assert agent.makes_a_file("one")
        await made.set_writable("n1", False)
        seen = not await made.is_writable("n1")
        is_denied = not agent.makes_a_file("two")
        await made.set_writable("n1", True)
        assert await made.is_writable("n1")
        return is_denied, seen, not agent.makes_a_file("three")
    finally:
        agent.end()


def test_a_member_that_runs_as_root_is_denied_its_files(tmp_path: Path) -> None:
    assert asyncio.run(denied(tmp_path, {Capability.PERMISSIONS})) == (True, True, False)


def test_a_member_that_is_no_root_and_has_all_of_its_powers_is_denied_its_files(
    tmp_path: Path, require: Callable[[object, str], None]
) -> None:
    """As on hosts of a laboratory without root."""
    reason = rootless.hindrance()
    require(reason is None, reason or "")
    needs = {Capability.PERMISSIONS}
    found = asyncio.run(denied(tmp_path, needs, user="operator", way=WITHOUT_ROOT))
    assert found == (True, True, False)


def test_where_permissions_mean_nothing_to_it_the_receipt_says_so(tmp_path: Path) -> None:
    assert asyncio.run(denied(tmp_path, set())) == (False, False, False)
