"""The command `up`: a cluster from a directory, until Ctrl-C."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from .. import leases
from ..errors import UsageError
from ..leases import Lease
from .cluster import Cluster, Teller, Wishes
from .directory import Directory, create, of_this_host, understood
from .leaders import Leader


@click.command("up")
@click.argument("directory", metavar="[DIR]", default=".", type=click.Path(path_type=Path))
@click.option("--new", is_flag=True, help="Write the directory first; never over another.")
@click.option("--members", type=click.IntRange(3, 99), help="With --new: how many nodes.  [3]")
@click.option("--groups", help="With --new: as streamingRaftGroups, say 2:n1:n2:n3,3:n2:n3:n4.")
@click.option(
    "--controllers", type=click.Choice(["1", "3", "5"]), help="With --new: for databases, too."
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
    restart: bool,
    follow: bool,
    as_json: bool,
) -> None:
    """Start the nodes of this host that DIR/config names, and end them on Ctrl-C.

    Each node keeps its data and its log, node.log, in its own folder DIR/ALIAS; a later `up` goes
    on with them. Exit code: 0 ended by Ctrl-C or SIGTERM, 2 a mistake in the command or the
    configuration, 4 the machine failed us: a port is taken, a node does not start, all have died.
    """
    if not new and (members, groups, controllers) != (None, None, None):
        raise UsageError("--members, --groups, --controllers say what --new writes; give it, too")
    for sentence in leases.heal():
        click.echo(sentence, err=True)
    path = directory.resolve()
    if new:
        create(path, members or 3, groups, int(controllers or 0))
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


def _teller(directory: Directory, as_json: bool) -> Teller:
    def say(text: str) -> None:
        click.echo(text, err=as_json)

    def started(pids: Mapping[str, int]) -> None:
        if not as_json:
            click.echo(_connection(directory, pids))

    def ready(pids: Mapping[str, int], leaders: Mapping[int, Leader | None]) -> None:
        if as_json:
            click.echo(json.dumps(_state(directory, pids, leaders)))

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
