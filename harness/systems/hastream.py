"""Delphic's own HA stream table: how its data nodes are configured, started and asked."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...impl.bugs import BUGS
from ...impl.config import CLUSTER_FILE, NODES_FILE, NODES_HEADER, ConfigError
from ...impl.config import load as load_config
from ...impl.runtime import ClientRuntime, Runtime
from ..system import Member, Option, Place, Setup, Site
from . import node
from .rows import RowConnection, open_connection
from .subscriber import SubscriberConnection

GROUP = 2
"""The id of the one Raft group; ids below 2 are not for streams (HS-19)."""

DEFAULTS: dict[str, Option] = {"raftElectionTick": 30}
"""Where a scenario says nothing: elections take 0.3 to 0.6 s, not the documents' 8 to 16."""

_OWN = {
    "streamingHAMode": "the harness sets it",
    "streamingRaftGroups": "the harness sets it from `cluster.members`",
    "persistenceDir": "it lies in the run directory",
    "streamingHADir": "it lies in the run directory",
    "authentication": "the harness calls as anybody",
    "usersFile": "the harness calls as anybody",
    "initialAdminPassword": "the harness calls as anybody",
    "tlsCertificate": "links are shaped, not read: nothing is secret here",
    "tlsKey": "links are shaped, not read: nothing is secret here",
    "tlsAuthority": "links are shaped, not read: nothing is secret here",
    "traceFile": "say `cluster.trace: true` or `false`",
    "seededBugs": "say it in `cluster.bugs`",
}


class HaStream:
    """The system `hastream`: one group, one table."""

    name = "hastream"
    bugs = BUGS

    def problems(self, setup: Setup) -> Iterator[tuple[tuple[str | int, ...], str]]:
        for part, options in _parts(setup):
            for name in options:
                sentence = node.refused(name, _OWN)
                if sentence is not None:
                    path = (*part, name)
                    said = path if name in _OWN else part
                    yield path, f"{'.'.join(said)}: {sentence}"
                    return
        lines = _settings(setup)
        sites = {
            alias: Site(alias, "127.0.0.1", number)
            for number, alias in enumerate(setup.members, start=1)
        }
        text = self.files(setup, setup.members[0], sites, Path("/"))
        try:
            load_config(
                "/",
                setup.members[0],
                lambda file: text[file].encode() if file in text else None,
                allow_seeded_bugs=True,
            )
        except ConfigError as error:
            path, sentence = _placed(error, lines)
            yield path, f"{'.'.join(path)}: {sentence}"

    def facts(self, setup: Setup) -> dict[str, Any]:
        return {}

    def files(
        self, setup: Setup, alias: str, sites: Mapping[str, Site], home: Path
    ) -> dict[str, str]:
        nodes = [NODES_HEADER, *(f"{s.host}:{s.port}:{s.alias},datanode" for s in sites.values())]
        settings = [line for _, line in _settings(setup)]
        return {NODES_FILE: "\n".join(nodes) + "\n", CLUSTER_FILE: "\n".join(settings) + "\n"}

    def command(
        self,
        setup: Setup,
        alias: str,
        place: Place,
        sites: Mapping[str, Site],
        dials: Mapping[str, Site],
    ) -> list[str]:
        at = (f"{peer}={site.host}:{site.port}" for peer, site in dials.items())
        return node.command(setup, alias, place, at)

    def bulk(self, home: Path) -> list[Path]:
        return [home / "data", home / "log"]

    def task_data(self, home: Path) -> list[Path]:
        return []

    def keeps(self, setup: Setup, alias: str) -> Collection[str]:
        return ("data", "log")

    async def program(
        self,
        setup: Setup,
        alias: str,
        home: Path,
        started: Callable[[Member], None],
        runtime: Runtime,
    ) -> None:
        await node.program(setup, alias, home, started, runtime, GROUP)

    async def open(
        self, site: Site, timeout_s: float, runtime: ClientRuntime | None = None
    ) -> RowConnection | None:
        return await open_connection(site, GROUP, timeout_s, runtime)

    def roam(
        self, setup: Setup, sites: Sequence[Site], name: str, runtime: ClientRuntime | None = None
    ) -> SubscriberConnection:
        # Seeded bugs of subscribers are those that any member has: a subscriber is no member.
        bugs = frozenset(bug for found in setup.bugs.values() for bug in found)
        return SubscriberConnection(sites, name, bugs, runtime)


def _placed(
    error: ConfigError, lines: list[tuple[tuple[str, ...], str]]
) -> tuple[tuple[str, ...], str]:
    """Where below `cluster` a complaint about cluster.cfg belongs, without the place in it."""
    if error.file != CLUSTER_FILE or error.line is None:
        return ("config",), error.message
    path, line = lines[error.line - 1]
    return path, error.message.removeprefix(f"{line.partition('=')[0]}: ")


def _parts(setup: Setup) -> Iterator[tuple[tuple[str, ...], Mapping[str, Option]]]:
    yield ("config",), setup.config
    for alias, options in setup.node_config.items():
        yield ("node_config", alias), options


def _settings(setup: Setup) -> list[tuple[tuple[str, ...], str]]:
    """The lines of cluster.cfg, each with the place below `cluster` that it comes from."""
    group = ":".join((str(GROUP), *setup.members))
    lines: list[tuple[tuple[str, ...], str]] = [
        (("config",), "streamingHAMode=raft"),
        (("members",), f"streamingRaftGroups={group}"),
        (("config",), "persistenceDir=data"),
        # Whoever breaks clusters on purpose need not say who it is.
        (("config",), "authentication=off"),
    ]
    if setup.trace:
        lines.append((("trace",), "traceFile=trace.jsonl"))
    for name, value in {**DEFAULTS, **setup.config}.items():
        lines.append((("config", name), f"{name}={_spelled(value)}"))
    for alias, options in setup.node_config.items():
        for name, value in options.items():
            lines.append((("node_config", alias, name), f"{alias}.{name}={_spelled(value)}"))
    for alias, bugs in setup.bugs.items():
        lines.append((("bugs", alias), f"{alias}.seededBugs={','.join(bugs)}"))
    return lines


def _spelled(value: Option) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


HASTREAM = HaStream()
