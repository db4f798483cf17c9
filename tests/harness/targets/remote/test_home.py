"""What hosts have to tell of a run: nothing is removed there that has not come home."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from delphic.harness.errors import WorldError
from delphic.harness.hosts import left
from delphic.harness.hosts.connection import Host
from delphic.harness.hosts.inventory import Entry, Inventory
from delphic.harness.lab import lab
from delphic.harness.rundir import RunDir
from delphic.harness.system import Site
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
