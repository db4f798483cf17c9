"""The command `up`: a cluster from a directory, until Ctrl-C."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from .. import data
from ..errors import UsageError
from ..reading import resolved
from ..running import leases
from ..running.leases import Lease
from .cluster import Cluster, Teller, Wishes
from .directory import Directory, Replication, a_controller, create, of_this_host, understood
from .leaders import Leader


@click.command("up")
@click.argument("directory", metavar="[DIR]", default=".", type=click.Path(path_type=Path))
@click.option("--new", is_flag=True, help="Write the directory first; never over another.")
@click.option("--members", type=click.IntRange(3, 99), help="With --new: how many nodes.  [3]")
@click.option("--groups", help="With --new: as streamingRaftGroups, say 2:n1:n2:n3,3:n2:n3:n4.")
@click.option(
    "--controllers", type=click.Choice(["1", "3", "5"]), help="With --new: for databases, too."
)
@click.option(
    "--slaves", type=click.IntRange(1, 99), help="With --controllers: for so many slave clusters."
)
@click.option(
    "--slave-of",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="With --controllers: a slave of the cluster there.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="OPTION=VALUE",
    help="With --new: an option more, say maxFrameSize=268435456.",
)
@click.option("--restart", is_flag=True, help="Start nodes that die again.")
@click.option("--follow", is_flag=True, help="Show what the nodes log.")
@click.option("--json", "as_json", is_flag=True, help="One line for programs once it is ready.")
def up_command(
    directory: Path,
    new: bool,
    members: int | None,
    groups: str | None,
    controllers: str | None,
    slaves: int | None,
    slave_of: Path | None,
    settings: tuple[str, ...],
    restart: bool,
    follow: bool,
    as_json: bool,
) -> None:
    """Start the nodes of this host that DIR/config names, and end them on Ctrl-C.

    Each node keeps its data and its log, node.log, in its own folder DIR/ALIAS; a later `up` goes
    on with them. Exit code: 0 ended by Ctrl-C or SIGTERM, 2 a mistake in the command or the
    configuration, 4 the machine failed us: a port is taken, a node does not start, all have died.
    """
    wanted = {
        "--members": members,
        "--groups": groups,
        "--controllers": controllers,
        "--slaves": slaves,
        "--slave-of": slave_of,
        "--set": settings or None,
    }
    given = [name for name, value in wanted.items() if value is not None]
    if given and not new:
        raise UsageError(f"{', '.join(given)} says what --new writes; give it, too")
    replication = _replication(slaves, slave_of)
    if replication is not None and controllers is None:
        raise UsageError("replication is of databases, which need --controllers; give it, too")
    for sentence in leases.heal()[0]:
        click.echo(sentence, err=True)
    path = resolved(directory)
    if new:
        create(path, members or 3, groups, int(controllers or 0), replication, settings)
    cluster = understood(path)
    ours = of_this_host(cluster.sites)
    if not ours:
        named = ", ".join(str(site) for site in cluster.sites)
        raise UsageError(f"none of the nodes is of this host: {named}")
    others = [site.alias for site in cluster.sites if site not in ours]
    if others:
        click.echo(f"of other hosts, not started here: {', '.join(others)}", err=True)
    lease = Lease(path, who="cluster")
    try:
        running = Cluster(cluster, ours, lease, Wishes(restart, follow), _teller(cluster, as_json))
        signal = asyncio.run(running.run())
    finally:
        # Of a node that does not die the lease remembers, for `delphic heal`.
        lease.release_if_empty()
    click.echo(f"{signal}: all nodes have ended; the data is kept in {path}", err=as_json)


def _replication(slaves: int | None, slave_of: Path | None) -> Replication | None:
    if slaves is not None and slave_of is not None:
        raise UsageError("a cluster is a master (--slaves) or a slave (--slave-of), not both")
    if slaves is not None:
        return Replication("master", f"clusterReplicationSlaveNum={slaves}")
    if slave_of is not None:
        site = a_controller(resolved(slave_of))
        return Replication("slave", f"clusterReplicationMasterCtl={site.host}:{site.port}")
    return None


def _teller(directory: Directory, as_json: bool) -> Teller:
    def say(text: str) -> None:
        click.echo(text, err=as_json)

    def started(pids: Mapping[str, int]) -> None:
        if not as_json:
            click.echo(_connection(directory, pids))

    def ready(pids: Mapping[str, int], leaders: Mapping[int, Leader | None]) -> None:
        if as_json:
            data.line(_state(directory, pids, leaders))

    return Teller(say, say, started, ready)


def _shell(directory: Directory) -> str:
    return "delphic shell " + ",".join(f"{s.host}:{s.port}" for s in directory.sites)


def _connection(directory: Directory, pids: Mapping[str, int]) -> str:
    lines = [f"{directory.path}: {len(pids)} nodes are up (logs: {directory.log('*')})"]
    lines += [
        f"  {site.alias}  {site.host}:{site.port}  pid {pids[site.alias]}"
        for site in directory.sites
        if site.alias in pids
    ]
    lines += [f"  group {group}: {', '.join(who)}" for group, who in directory.groups.items()]
    lines += ["connect:  " + _shell(directory), "end:      Ctrl-C"]
    return "\n".join(lines)


def _state(
    directory: Directory, pids: Mapping[str, int], leaders: Mapping[int, Leader | None]
) -> dict[str, Any]:
    nodes = [
        {
            "alias": site.alias,
            "site": f"{site.host}:{site.port}",
            "pid": pids.get(site.alias),
            "log": str(directory.log(site.alias)),
        }
        for site in directory.sites
    ]
    groups = [
        {"id": group, "members": list(who), "leader": leader.alias if leader else None}
        for group, who in directory.groups.items()
        for leader in [leaders.get(group)]
    ]
    return {
        "directory": str(directory.path),
        "nodes": nodes,
        "groups": groups,
        "shell": _shell(directory),
    }
