"""What hosts have to tell of a run: nothing is removed there that has not come home."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from delphic.harness.errors import WorldError
from delphic.harness.hosts import left
from delphic.harness.hosts.connection import Host
from delphic.harness.hosts.inventory import Entry, Inventory
from delphic.harness.lab import lab
from delphic.harness.rundir import RunDir
from delphic.harness.running.leases import Lease
from delphic.harness.system import Setup, Site
from delphic.harness.systems.hastream import HASTREAM
from delphic.harness.targets.remote.cluster import RemoteCluster
from delphic.harness.targets.remote.daemons import RemoteDaemon
from delphic.harness.targets.remote.fleet import Fleet
from delphic.harness.targets.remote.home import bring_home


class OneHost:
    """It has n1, which cannot come, and n2, which takes a moment longer."""

    async def get(self, remote: str, local: Path, *, sudo: bool) -> None:
        if remote == "/n1":
            raise WorldError("cannot get /n1")
        await asyncio.to_thread(local.mkdir, parents=True)

    async def must(self, *words: str, again: bool) -> None:
        raise WorldError("cannot run")


def test_a_member_that_cannot_come_home_hinders_no_other(tmp_path: Path) -> None:
    agent = SimpleNamespace(alive=True, diary=[])
    station: Any = SimpleNamespace(
        name="a", host=OneHost(), agent=agent, is_sudo=False, is_gone=False, is_kept=False
    )
    fleet = Fleet(Inventory(()), "some-run")
    fleet.stations["a"] = station
    daemons: Any = {
        alias: SimpleNamespace(alias=alias, station=station, home=f"/{alias}")
        for alias in ("n1", "n2")
    }
    sites = {alias: Site(alias, "127.0.0.1", 1) for alias in daemons}
    run = RunDir(tmp_path / "run")
    errors = asyncio.run(bring_home(fleet, daemons, sites, run, datetime.now(UTC)))
    assert [str(error) for error in errors] == ["cannot get /n1", "cannot run"]
    assert run.node("n2").is_dir()
    assert station.is_kept


class SlowHost(OneHost):
    """What it has takes longer than anybody waits."""

    def __init__(self, asked: asyncio.Event) -> None:
        self._asked = asked
        self.ran: list[str] = []

    async def get(self, remote: str, local: Path, *, sudo: bool) -> None:
        self._asked.set()
        await asyncio.Event().wait()


@dataclass
class Member:
    """It ends when it is told to."""

    station: Any
    alias: str = "n1"
    home: str = "/n1"
    is_subject: bool = False

    async def stop(self) -> None:
        self.station.host.ran.append("stop")


class FarAgent:
    """One that does as it is told, and notes it with its host."""

    alive = True
    diary: tuple[str, ...] = ()

    def __init__(self, host: SlowHost) -> None:
        self._host = host

    async def bye(self) -> None:
        self._host.ran.append("bye")

    async def abandon(self) -> None:
        self._host.ran.append("abandon")


@pytest.mark.parametrize("at_once", [False, True])
def test_who_is_in_a_hurry_leaves_what_has_not_come_home_on_the_hosts(
    tmp_path: Path, at_once: bool
) -> None:
    async def work() -> tuple[SlowHost, Any, str]:
        asked = asyncio.Event()
        host = SlowHost(asked)
        station: Any = SimpleNamespace(
            name="a", host=host, agent=FarAgent(host), is_sudo=False, is_gone=False, is_kept=False
        )
        inventory = Inventory((Entry("a", "127.0.0.1", "me"),))
        setup, lease = Setup(("n1",)), SimpleNamespace(name="0123456789")
        run = RunDir(tmp_path / "run")
        cluster = RemoteCluster(setup, HASTREAM, run, cast(Lease, lease), inventory)
        cluster.fleet.stations["a"] = station
        cluster._daemons["n1"] = cast(RemoteDaemon, Member(station))
        if at_once:
            cluster.hurry()
        down = asyncio.create_task(cluster.down())
        if not at_once:
            await asyncio.wait_for(asked.wait(), 5)
            cluster.hurry()
        with pytest.raises(WorldError) as caught:
            await asyncio.wait_for(down, 5)
        return host, station, str(caught.value)

    host, station, error = asyncio.run(work())
    assert "not all that members wrote has come home" in error
    assert host.ran == ["stop", "bye", "abandon"], "members are ended, and nothing is removed"
    assert station.is_kept


async def come_home(made: lab.Lab, run: RunDir) -> list[str]:
    """A run whose members have written one line each; what went wrong at its end."""
    fleet = Fleet(made.inventory, "some-run")
    await fleet.up()
    daemons: dict[str, Any] = {}
    for alias, station in zip(("n1", "n2", "n3"), fleet.stations.values(), strict=True):
        home = f"{fleet.folder(station.name)}/{alias}"
        await station.host.put(f"12:00:00.000 {alias} INFO here\n".encode(), f"{home}/log.txt")
        daemons[alias] = SimpleNamespace(alias=alias, station=station, home=home)
    sites = {alias: Site(alias, "127.0.0.1", 1) for alias in daemons}
    errors = await bring_home(fleet, daemons, sites, run, datetime.now(UTC))
    return [str(error) for error in errors + await fleet.down()]


async def kept(entry: Entry) -> list[str]:
    host = await Host.open(entry)
    try:
        return [one.name for one in await left.left(host) if not one.is_served]
    finally:
        host.close()


@pytest.mark.slow
def test_what_cannot_be_brought_home_stays_on_its_host(
    require: Callable[[object, str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require(lab.hindrance() is None, lab.hindrance() or "")
    monkeypatch.setenv("DELPHIC_STATE", str(tmp_path / "state"))
    run = RunDir(tmp_path / "run")
    run.node("n2").mkdir(parents=True)
    (run.node("n2") / "mine").touch()
    made = lab.up(3)
    try:
        (error,) = asyncio.run(come_home(made, run))
        assert "is there already" in error
        assert [asyncio.run(kept(at)) for at in made.inventory.hosts] == [[], ["some-run"], []]
    finally:
        lab.down(made)
    assert run.node_log("n1").read_text().endswith("n1 INFO here\n")
    assert run.node_log("n3").is_file()
