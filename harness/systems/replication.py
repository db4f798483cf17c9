"""A master and its slaves: how the nodes of each cluster are configured, started and asked."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ...impl.bugs import ALL_BUGS
from ...impl.config import (
    CATALOG_GROUP,
    CLUSTER_FILE,
    CONTROLLER_FILE,
    NODES_FILE,
    NODES_HEADER,
    ConfigError,
    NodeConfig,
)
from ...impl.config import load as load_config
from ...impl.runtime import ClientRuntime, Runtime
from ..language.sides import MASTER, is_controller, side_of
from ..system import Connection, Member, Option, Place, Setup, SideSetup, Site
from . import node
from .replicated import EXECUTOR_PASSWORD, ReplicatedConnection, open_node

EXECUTOR = "replicator"
"""Who executes tasks on slaves."""

TASK_DATA, VOLUMES, META = "task-data", "volumes", "meta"
"""Folders of a node: what slaves will ask for, chunks, the controllers' log."""

CONTROLLERS: dict[str, Option] = {"raftElectionTick": 30}
"""Where a scenario says nothing: elections take 0.3 to 0.6 s, not the documents' 8 to 16."""

SLAVES_CONTROLLERS: dict[str, Option] = {
    **CONTROLLERS,
    "clusterReplicationPullInterval": 200,
    "clusterReplicationFailureLimit": 30,
    "clusterReplicationRetryDelay": 100,
    "clusterReplicationPersistDelay": 500,
}
"""The same of slaves: thirty failures take three seconds, not forty minutes."""

_LIMIT = "clusterReplicationFailureLimit"

_OWN = {
    "clusterReplicationSlaveNum": "the harness counts `cluster.slaves`",
    "clusterReplicationMasterCtl": "the harness sets it",
    "clusterReplicationMode": "the harness sets it",
    "clusterReplicationWorkDir": "it lies in the run directory",
    "clusterReplicationExecutionUsername": "the harness makes a user of its own",
    "clusterReplicationExecutionPassword": "the harness makes a user of its own",
    "dfsMetaDir": "it lies in the run directory",
    "volumes": "they lie in the run directory",
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

Where = tuple[str | int, ...]
"""Where below `cluster` something is said."""


class Replication:
    """The system `replication`: a master and its slaves, each a cluster of its own."""

    name = "replication"
    bugs = ALL_BUGS

    def problems(self, setup: Setup) -> Iterator[tuple[Where, str]]:
        for part, options in _parts(setup):
            for name in options:
                sentence = node.refused(name, _OWN)
                if sentence is not None:
                    path = (*part, name)
                    yield path, f"{_spelled(path if name in _OWN else part)}: {sentence}"
                    return
        sites = _anywhere(setup)
        for alias in setup.members:
            try:
                self._read(setup, alias, sites)
            except ConfigError as error:
                path, sentence = _placed(setup, alias, error)
                yield path, f"{_spelled(path)}: {sentence}"
                return

    def facts(self, setup: Setup) -> dict[str, Any]:
        """Whether all of the master sync task data first; how many failures make a slave STOPPED.

        And how long that takes at least: of several slaves the shortest time.
        """
        options = [{**SLAVES_CONTROLLERS, **side.controller_config} for side in setup.sides[1:]]
        limits = [int(found[_LIMIT]) for found in options]
        delays_ms = [int(found["clusterReplicationRetryDelay"]) for found in options]
        names = [side.name for side in setup.sides[1:]]
        sites = _anywhere(setup)
        master = [self._read(setup, alias, sites) for alias in setup.sides[0].data]
        pairs = zip(limits, delays_ms, strict=True)
        return {
            "synced": all(config.replication.sync_persistence for config in master),
            "failure_limits": dict(zip(names, limits, strict=True)),
            "stops_after_s": min((limit - 1) * delay_ms / 1000 for limit, delay_ms in pairs),
        }

    def _read(self, setup: Setup, alias: str, sites: Mapping[str, Site]) -> NodeConfig:
        """What the member will make of its files. Raises ConfigError."""
        text = self.files(setup, alias, sites, Path("/"))
        return load_config("/", alias, partial(_read, text), allow_seeded_bugs=True)

    def files(
        self, setup: Setup, alias: str, sites: Mapping[str, Site], home: Path
    ) -> dict[str, str]:
        side = _side(setup, alias)
        nodes = [NODES_HEADER]
        for mode, aliases in (("controller", side.controllers), ("datanode", side.data)):
            nodes += [f"{sites[a].host}:{sites[a].port}:{a},{mode}" for a in aliases]
        found = {NODES_FILE: nodes}
        found |= {file: [line for _, line in _lines(setup, side, file, sites)] for file in _FILES}
        return {file: "\n".join(lines) + "\n" for file, lines in found.items()}

    def command(
        self,
        setup: Setup,
        alias: str,
        place: Place,
        sites: Mapping[str, Site],
        dials: Mapping[str, Site],
    ) -> list[str]:
        # Members of another cluster are known by where they are.
        known = {
            peer: peer if side_of(peer) == side_of(alias) else _address(sites[peer])
            for peer in dials
        }
        at = (f"{known[peer]}={_address(site)}" for peer, site in dials.items())
        return node.command(setup, alias, place, at)

    def bulk(self, home: Path) -> list[Path]:
        return [home / folder for folder in (VOLUMES, META, TASK_DATA, "data", "log")]

    def task_data(self, home: Path) -> list[Path]:
        return [home / TASK_DATA]

    def keeps(self, setup: Setup, alias: str) -> Collection[str]:
        if is_controller(alias):
            return (META,)
        return (VOLUMES, TASK_DATA) if side_of(alias) == MASTER else (VOLUMES,)

    async def program(
        self,
        setup: Setup,
        alias: str,
        home: Path,
        started: Callable[[Member], None],
        runtime: Runtime,
    ) -> None:
        await node.program(setup, alias, home, started, runtime, CATALOG_GROUP)

    async def open(
        self, site: Site, timeout_s: float, runtime: ClientRuntime | None = None
    ) -> ReplicatedConnection | None:
        return await open_node(site, timeout_s, runtime)

    def roam(
        self, setup: Setup, sites: Sequence[Site], name: str, runtime: ClientRuntime | None = None
    ) -> Connection:
        raise AssertionError("no workload of this system has clients that roam")


_FILES = (CONTROLLER_FILE, CLUSTER_FILE)


def _anywhere(setup: Setup) -> dict[str, Site]:
    """Sites for all members, to read configurations with before anybody lives anywhere."""
    return {a: Site(a, "127.0.0.1", n) for n, a in enumerate(setup.members, start=1)}


def _read(text: Mapping[str, str], file: str) -> bytes | None:
    return text[file].encode() if file in text else None


def _side(setup: Setup, alias: str) -> SideSetup:
    return next(side for side in setup.sides if alias in side.members)


def _lines(
    setup: Setup, side: SideSetup, file: str, sites: Mapping[str, Site]
) -> list[tuple[Where, str]]:
    """The lines of a file of one cluster, each with the place below `cluster` it comes from."""
    of_controllers = file == CONTROLLER_FILE
    part = _part(setup, side)
    section = "controller_config" if of_controllers else "config"
    own = _own(setup, side, sites, of_controllers=of_controllers)
    given = {**own, **(side.controller_config if of_controllers else side.config)}
    lines: list[tuple[Where, str]] = [
        ((*part, section, name), f"{name}={_text(value)}") for name, value in given.items()
    ]
    for alias in side.controllers if of_controllers else side.data:
        for name, value in setup.node_config.get(alias, {}).items():
            lines.append((("node_config", alias, name), f"{alias}.{name}={_text(value)}"))
        if alias in setup.bugs:
            bugs = ",".join(setup.bugs[alias])
            lines.append((("bugs", alias), f"{alias}.seededBugs={bugs}"))
    return lines


def _own(
    setup: Setup, side: SideSetup, sites: Mapping[str, Site], *, of_controllers: bool
) -> dict[str, Option]:
    """What the harness says by itself."""
    is_master = side.name == MASTER
    own: dict[str, Option] = {"authentication": "off"}
    if setup.trace:
        own["traceFile"] = "trace.jsonl"
    if of_controllers and is_master:
        slaves = {"clusterReplicationSlaveNum": len(setup.sides) - 1}
        return {**own, **CONTROLLERS, **slaves, "dfsMetaDir": META}
    if of_controllers:
        master = {"clusterReplicationMasterCtl": _address(sites[setup.sides[0].controllers[0]])}
        return {**own, **SLAVES_CONTROLLERS, **master, "dfsMetaDir": META}
    own |= {"volumes": VOLUMES, "clusterReplicationMode": "master" if is_master else "slave"}
    if is_master:
        return {**own, "clusterReplicationWorkDir": TASK_DATA}
    return {
        **own,
        "clusterReplicationExecutionUsername": EXECUTOR,
        "clusterReplicationExecutionPassword": EXECUTOR_PASSWORD,
    }


def _part(setup: Setup, side: SideSetup) -> Where:
    at = setup.sides.index(side)
    return ("master",) if at == 0 else ("slaves", at - 1)


def _parts(setup: Setup) -> Iterator[tuple[Where, Mapping[str, Option]]]:
    for side in setup.sides:
        part = _part(setup, side)
        yield (*part, "controller_config"), side.controller_config
        yield (*part, "config"), side.config
    for alias, options in setup.node_config.items():
        yield ("node_config", alias), options


def _placed(setup: Setup, alias: str, error: ConfigError) -> tuple[Where, str]:
    """Where below `cluster` a complaint about a file belongs, without the place in it."""
    side = _side(setup, alias)
    sites = _anywhere(setup)
    if error.file not in _FILES or error.line is None:
        return _part(setup, side), error.message
    path, line = _lines(setup, side, error.file, sites)[error.line - 1]
    return path, error.message.removeprefix(f"{line.partition('=')[0]}: ")


def _spelled(path: Where) -> str:
    return ".".join(str(word) for word in path)


def _address(site: Site) -> str:
    return f"{site.host}:{site.port}"


def _text(value: Option) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


REPLICATION = Replication()
