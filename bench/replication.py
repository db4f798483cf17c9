"""What replication costs a master, and how fast its slave catches up, in rows a second, as JSON.

Two clusters on loopback, one controller and two data nodes each. The master's write rate is
measured on a database that is not replicated, then on one that is, without and with synchronous
persistence of task data; the slave is stopped while rows come, and then started.
"""

import argparse
import asyncio
import contextlib
import json
import platform
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import uvloop
from delphic.harness.cluster_part import ClusterPart
from delphic.harness.system import Setup, Site
from delphic.harness.systems.replicated import PARTITION, SCHEMA, at_controller
from delphic.harness.systems.replication import EXECUTOR, EXECUTOR_PASSWORD, REPLICATION
from delphic.impl.client import cluster
from delphic.impl.client.connection import Connection
from delphic.impl.client.errors import RequestError
from delphic.impl.stream.schema import to_bytes

ROWS, WRITERS, PARTITIONS = 1_000, 4, 4
READY_S, ARRIVE_S = 30.0, 120.0


@contextlib.contextmanager
def clusters(folder: Path, *, synced: bool) -> Iterator[dict[str, Site]]:
    """All nodes as processes; gives their sites; ends and reaps them."""
    part = ClusterPart.model_validate(
        {
            "system": REPLICATION.name,
            "master": {"config": {"clusterReplicationSyncPersistence": synced}},
            "trace": False,
        }
    )
    setup: Setup = part.setup()
    with contextlib.ExitStack() as stack:
        sites = {}
        for alias in setup.members:
            # The port stays ours until the node binds it, too.
            kept = stack.enter_context(socket.socket())
            kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            kept.bind(("127.0.0.1", 0))
            sites[alias] = Site(alias, "127.0.0.1", kept.getsockname()[1])
        processes = []
        for alias in setup.members:
            home = folder / alias
            for name, text in REPLICATION.files(setup, alias, sites, home).items():
                (home / name).parent.mkdir(parents=True, exist_ok=True)
                (home / name).write_text(text)
            log = stack.enter_context((home / "log.txt").open("wb"))
            command = REPLICATION.command(setup, alias, home, sites, {})
            processes.append(subprocess.Popen(command, stderr=log))
        try:
            yield sites
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait(timeout=30)


async def connected(site: Site) -> Connection:
    """A connection, as soon as the node listens."""
    deadline = time.monotonic() + READY_S
    while True:
        try:
            return await Connection.open(site.host, site.port, timeout_s=1)
        except RequestError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.1)


async def again(call: Any) -> Any:
    """Do it until there is a leader to do it."""
    deadline = time.monotonic() + READY_S
    while True:
        try:
            return await call()
        except RequestError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.1)


async def database(master: Connection, path: str, *, replicated: bool) -> None:
    """A database with one table."""
    values = tuple(range(PARTITIONS))
    await again(lambda: cluster.create_database(master, path, "VALUE", "int64", values))
    if replicated:
        await master.call("setDatabaseForClusterReplication", (path, True), timeout_s=10)
    args = (path, "t", to_bytes(SCHEMA), PARTITION)
    await master.call("createPartitionedTable", args, timeout_s=10)


async def write(nodes: list[Connection], path: str, seconds: float) -> float:
    """Rows a second of several writers, each with a partition of its own."""
    until, rows = time.perf_counter() + seconds, 0

    async def writer(number: int) -> None:
        nonlocal rows
        ids = np.arange(ROWS, dtype=np.int64)
        parts = np.full(ROWS, number % PARTITIONS, np.int64)
        while time.perf_counter() < until:
            columns = [pa.array(ids), pa.array(parts), pa.array(ids)]
            batch = pa.RecordBatch.from_arrays(columns, schema=SCHEMA)
            done = await cluster.table_insert(nodes[number % len(nodes)], path, "t", batch)
            rows += done.rows
            ids += ROWS

    began = time.perf_counter()
    await asyncio.gather(*(writer(number) for number in range(WRITERS)))
    return rows / (time.perf_counter() - began)


async def drained(master: Connection) -> float:
    """Seconds until the slave has finished everything."""
    began = time.monotonic()
    while time.monotonic() - began < ARRIVE_S:
        queue = await at_controller(master, "getMasterReplicationStatus", (), 30)
        if all(row["isTruncated"] for row in queue):
            return time.monotonic() - began
        await asyncio.sleep(0.1)
    raise SystemExit("the slave did not catch up")


async def catch_up(
    slave: Connection, master: Connection, nodes: list[Connection], seconds: float
) -> dict[str, float]:
    """The slave is stopped while rows come; how fast has it got them after its start?"""
    await at_controller(slave, "stopClusterReplication", (), 10)
    before = await cluster.sql_count(slave, "dfs://on", "t", timeout_s=30)
    rate = await write(nodes, "dfs://on", seconds)
    wanted = await cluster.sql_count(master, "dfs://on", "t", timeout_s=30)
    began = time.perf_counter()
    await at_controller(slave, "startClusterReplication", (), 10)
    deadline = time.monotonic() + ARRIVE_S
    while await cluster.sql_count(slave, "dfs://on", "t", timeout_s=30) < wanted:
        if time.monotonic() > deadline:
            raise SystemExit("the slave did not catch up")
        await asyncio.sleep(0.05)
    took_s = time.perf_counter() - began
    return {
        "master_rows_per_s": round(rate),
        "rows": wanted - before,
        "seconds": round(took_s, 2),
        "slave_rows_per_s": round((wanted - before) / took_s),
    }


async def measured(sites: dict[str, Site], seconds: float) -> dict[str, Any]:
    """One pair of clusters: alone, replicated, and the slave's catch-up."""
    master, other = await connected(sites["md1"]), await connected(sites["md2"])
    slave = await connected(sites["s1d1"])
    who = (EXECUTOR, EXECUTOR_PASSWORD, True)
    await again(lambda: slave.call("createUser", who, timeout_s=10))
    await database(master, "dfs://off", replicated=False)
    await database(master, "dfs://on", replicated=True)
    nodes = [master, other]
    alone = await write(nodes, "dfs://off", seconds)
    replicated = await write(nodes, "dfs://on", seconds)
    found = {
        "alone_rows_per_s": round(alone),
        "replicated_rows_per_s": round(replicated),
        "ratio": round(replicated / alone, 3),
        "behind_s": round(await drained(master), 2),
        "catch_up": await catch_up(slave, master, nodes, seconds),
    }
    for connection in (master, other, slave):
        connection.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    options = parser.parse_args()
    found: dict[str, Any] = {"python": platform.python_version(), "rows_per_batch": ROWS}
    for name, synced in (("async", False), ("sync", True)):
        with (
            tempfile.TemporaryDirectory() as folder,
            clusters(Path(folder), synced=synced) as sites,
        ):
            found[name] = uvloop.run(measured(sites, options.seconds))
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
