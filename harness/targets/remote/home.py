"""What hosts have to tell of a run comes home before anything of it is removed there."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from ...clocks import Steady
from ...errors import DelphicError, WorldError
from ...rundir import RunDir
from ...running.journal import entries
from ...system import Site
from . import story
from .daemons import RemoteDaemon
from .fleet import Clock, Fleet, Station, all_of, failures
from .merge import merged

SCHEMA = 1


class HostFacts(msgspec.Struct, frozen=True):
    """What is known of one host at the end of a run."""

    address: str
    members: dict[str, str]
    """Where each of them listened: `address:port`."""
    system: str
    boot: str
    python: str
    environment: str
    """The name of what its nodes ran in: the same content, the same name."""
    sent: tuple[str, ...]
    """What of that was not there before."""
    clock_before: Clock
    clock_after: Clock
    steady_before: Steady
    steady_after: Steady
    packets: list[dict[str, Any]]
    """By link, what became of them, as the host counted."""


async def bring_home(
    fleet: Fleet,
    daemons: Mapping[str, RemoteDaemon],
    sites: Mapping[str, Site],
    run: RunDir,
    began: datetime,
) -> list[DelphicError]:
    """Homes of members, facts about hosts, and one log of all that happened; what is missing."""
    by_host: dict[str, list[RemoteDaemon]] = defaultdict(list)
    for daemon in daemons.values():
        by_host[daemon.station.name].append(daemon)

    async def homes(station: Station) -> None:
        station.is_kept = True
        coming = (_home(daemon, run) for daemon in by_host[station.name])
        # What comes is not to suffer from what does not.
        failed = all_of(failures(await asyncio.gather(*coming, return_exceptions=True)))
        if failed is not None:
            raise failed
        station.is_kept = False

    async def facts(station: Station) -> HostFacts:
        return await _facts(station, [sites[one.alias] for one in by_host[station.name]])

    _, errors = await fleet.each(homes)
    known, failed = await fleet.each(facts)
    errors += failed
    ahead_s = {
        daemon.alias: known[name].clock_after.ahead_s
        for name, there in by_host.items()
        for daemon in there
        if name in known
    }
    try:
        if known:
            said = {"schema": SCHEMA, "hosts": known}
            run.hosts.write_bytes(msgspec.json.format(msgspec.json.encode(said), indent=2) + b"\n")
        _merge(run, ahead_s, _diaries(fleet), began)
    except OSError as error:
        errors.append(WorldError(f"cannot write {error.filename}: {error.strerror}"))
    return errors


async def _home(daemon: RemoteDaemon, run: RunDir) -> None:
    await daemon.station.host.get(daemon.home, run.node(daemon.alias), sudo=daemon.station.is_sudo)


async def _facts(station: Station, sites: list[Site]) -> HostFacts:
    system = await station.host.must("uname", "-srm", again=True)
    clock, steady = await station.look_at_clocks()
    return HostFacts(
        address=station.entry.address,
        members={site.alias: f"{site.host}:{site.port}" for site in sites},
        system=system.text,
        boot=station.agent.hello["boot"],
        python=station.deployed.version,
        environment=station.deployed.environment,
        sent=station.deployed.sent,
        clock_before=station.clock,
        clock_after=clock,
        steady_before=station.steady,
        steady_after=steady,
        packets=await station.agent.call("counters"),
    )


def _diaries(fleet: Fleet) -> dict[str, str]:
    """What each host's agent was told and said, by the clock that is ours."""
    return {
        name: story.told(station.agent.diary, f"{name} agent")
        for name, station in fleet.stations.items()
    }


def _merge(
    run: RunDir, ahead_s: Mapping[str, float], diaries: Mapping[str, str], began: datetime
) -> None:
    logs = {alias: _text(run.node_log(alias)) for alias in run.node_aliases()}
    if not logs:
        return
    # A member may be called as a host is.
    logs |= {f"agent of {name}": diary for name, diary in diaries.items()}
    zeroes = [entry["zero_unix_s"] for entry in entries(run.journal) if entry["phase"] == "up"]
    if zeroes:
        # Of lines of the same millisecond those come first: what is asked for is then done.
        logs[""] = story.faults(run.history, zeroes[0])
    began_s = began.hour * 3600 + began.minute * 60 + began.second + began.microsecond / 1e6
    with run.merged_log.open("w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in merged(logs, ahead_s, began_s))


def _text(log: Path) -> str:
    try:
        return log.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
