"""What replication costs a master, and how fast its slave catches up, as JSON and as a table.

A master and a slave on loopback, one controller and two data nodes each. Of three databases of the
master one is switched on; writers append to them in turns of about a second, so that whatever else
the machine does hits all alike: the two that are off tell how true that is. What counts is the
middle of a turn, when task data is written as it will be for as long as somebody writes. That is
done with the slave's processes stopped (what the master pays), and again with them running (they
take their part of the same cores, and the master serves them). After the first the slave goes on,
and its catch-up is measured. Then the tutorial's 1,210,000 rows are written in one transaction,
several times in a row. All of that without and with synchronous persistence of task data.

Writers send ready-made bytes, and each has a partition of its own, as transactions on one chunk
wait for one another.
"""

import argparse
import asyncio
import contextlib
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import uvloop
from delphic.impl.client import cluster
from delphic.impl.client.connection import Connection
from delphic.impl.client.errors import RequestError
from delphic.impl.client.session import Session
from delphic.impl.replication.task_segment import SegmentWriter
from delphic.impl.replication.taskdata import DELAY_S
from delphic.impl.runtime_disk import RealDisk
from pair import CONTROLLER, DATA, EXECUTOR, FRAME_BYTES_MAX, MASTER, PASSWORD, SLAVE, Clusters
from rows import MINUTES, SECURITIES, WRITE_S, Insert, batch_of
from throughput import median_sync_ms
from turns import DATABASES, HEAD, OFF, ON, Measured, compared, line_of, order, quartiles

CASES = [(rows, writers) for rows in (1, 100, 1_000, 10_000) for writers in (1, 4)]
T = TypeVar("T")

READY_S, ARRIVE_S = 30.0, 300.0
POLL_S = 0.05
LEAD_S = 0.3
"""Writers have begun so long before they are measured, so that task data is written, too."""

BATCHES_MIN = 4
"""So many are acknowledged while they are measured, however long that takes."""

QUIET_S = 2 * DELAY_S
"""Nodes that have written no task data for so long have written all."""

BULK_TIMES = 3
"""Large transactions follow each other without a pause: task data of one is written in the next."""


def task_data_ms(folder: Path, size: int) -> float:
    """What it takes to make the data of one task durable, with nothing else under way."""
    disk = RealDisk()
    disk.make_folder(str(folder))
    writer = SegmentWriter(disk, str(folder), 0)
    times = []
    for tid in range(20):
        start = time.perf_counter()
        writer.write([(tid, bytes(size))])
        times.append((time.perf_counter() - start) * 1e3)
    writer.close()
    return round(float(np.median(times)), 3)


class Bench:
    """A master, its slave, and connections to the nodes of both."""

    def __init__(
        self, clusters: Clusters, nodes: list[Connection], controller: Connection, slave: Session
    ) -> None:
        self.clusters = clusters
        self._nodes = nodes
        self._controller = controller
        self._slave = slave

    async def turn(self, path: str, table: str, inserts: list[Insert], seconds: float) -> Measured:
        """Each writer appends as soon as it is answered; `seconds` in the middle count."""
        found = Measured()
        ended: list[tuple[float, float]] = []
        """When a batch was acknowledged, and how long that took."""
        enough = asyncio.Event()
        least = sys.maxsize
        is_over = False

        async def append(number: int) -> None:
            connection = self._nodes[number % len(self._nodes)]
            while not is_over:
                start = time.perf_counter()
                await inserts[number].into(connection, path, table)
                end = time.perf_counter()
                ended.append((end, end - start))
                if len(ended) >= least:
                    enough.set()

        async with asyncio.TaskGroup() as tasks:
            for number in range(len(inserts)):
                tasks.create_task(append(number))
            await asyncio.sleep(LEAD_S)
            syncs, cpu = await self._syncs(), self._cpu()
            begin, least = time.perf_counter(), len(ended) + BATCHES_MIN
            await asyncio.sleep(seconds)
            await enough.wait()
            end, spent = time.perf_counter(), self._cpu()
            synced = await self._syncs()
            is_over = True
        found.seconds = end - begin
        found.appended = len(ended)
        found.latencies_ms = [took * 1e3 for at, took in ended if begin < at <= end]
        changes = [now - then for now, then in zip(spent, cpu, strict=True)]
        found.controller_cpu_s, found.data_nodes_cpu_s, found.writers_cpu_s = changes
        counts = [now - then for now, then in zip(synced, syncs, strict=True)]
        found.controller_syncs, found.data_node_syncs = counts
        found.behind_s = await self._settled()
        return found

    async def _settled(self) -> float:
        """Wait until no more task data is written; gives how long that took."""
        begin = last = time.perf_counter()
        known = self.clusters.task_data()
        while time.perf_counter() < last + QUIET_S:
            await asyncio.sleep(QUIET_S / 5)
            found = self.clusters.task_data()
            if found.items() - known.items():
                last = time.perf_counter()
            known = found
        return last - begin

    async def turns(
        self,
        table: str,
        inserts: list[Insert],
        rows: int,
        seconds: float,
        turns: int,
        *,
        slave_runs: bool,
    ) -> dict[str, Any]:
        """All databases, one after another; `seconds` for each of the turns."""
        found: dict[str, list[Measured]] = {path: [] for path in DATABASES}
        for number in range(turns):
            for path in order(number):
                found[path].append(await self.turn(path, table, inserts, seconds))
                if slave_runs and path == ON:
                    await self.arrived(table)
        return compared(found, rows)

    async def make(self, table: str, days: int) -> None:
        """A table in each database, with a row in each of its partitions.

        As many on each data node as on the other, so that those of all databases lie on the same
        ones: a write costs its coordinator more where the rows are elsewhere.
        """
        days += -days % len(DATA)
        schema = batch_of(1, 0).schema
        for path in DATABASES:
            await cluster.create_partitioned_table(
                self._nodes[0], path, table, schema, "DateTime", timeout_s=WRITE_S
            )
            for day in range(days):
                await Insert(batch_of(1, day)).into(self._nodes[0], path, table)

    async def drop(self, table: str) -> None:
        """Nodes keep all rows in memory: a case leaves none behind."""
        for path in DATABASES:
            await cluster.drop_partitioned_table(self._nodes[0], path, table, timeout_s=WRITE_S)

    async def master_count(self, table: str) -> int:
        return await cluster.sql_count(self._nodes[0], ON, table, timeout_s=WRITE_S)

    async def slave_count(self, table: str) -> int:
        """How many rows the slave shows; none before it has the table."""
        try:
            return await cluster.sql_count(self._slave, ON, table, timeout_s=WRITE_S)
        except RequestError as error:
            if error.name in ("NoSuchTable", "NoSuchDatabase"):
                return 0
            raise

    async def arrived(self, table: str) -> None:
        """Wait until the slave has all of the master's rows."""
        wanted = await self.master_count(table)
        until = time.monotonic() + ARRIVE_S
        while await self.slave_count(table) != wanted:
            if time.monotonic() > until:
                raise SystemExit(f"the slave did not catch up within {ARRIVE_S:.0f} s")
            await asyncio.sleep(POLL_S)

    async def case(
        self, table: str, rows: int, writers: int, seconds: float, turns: int
    ) -> dict[str, Any]:
        """A table of its own; the slave stopped, catching up, and running."""
        inserts = [Insert(batch_of(rows, day)) for day in range(writers)]
        await self.make(table, writers)
        await self.arrived(table)
        before = await self.master_count(table)
        with self.clusters.paused(SLAVE):
            for path in DATABASES:
                await self.turn(path, table, inserts, 0.0)
            stopped = await self.turns(table, inserts, rows, seconds, turns, slave_runs=False)
            wanted = await self.master_count(table)
        begin, cpu = time.perf_counter(), self.clusters.cpu_s(SLAVE, DATA)
        await self.arrived(table)
        took_s = time.perf_counter() - begin
        catch_up = {
            "rows": wanted - before,
            "tasks": (wanted - before) // rows,
            "seconds": round(took_s, 3),
            "rows_per_s": round((wanted - before) / took_s, 1),
            "tasks_per_s": round((wanted - before) / rows / took_s, 1),
            "data_nodes_cpu_s": round(self.clusters.cpu_s(SLAVE, DATA) - cpu, 3),
        }
        half = (turns + 1) // 2
        running = await self.turns(table, inserts, rows, seconds, half, slave_runs=True)
        await self.drop(table)
        return {
            "rows_per_batch": rows,
            "writers": writers,
            "bytes_per_batch": inserts[0].size,
            "slave_stopped": stopped,
            "catch_up": catch_up,
            "slave_running_shares_the_cores": running,
        }

    async def bulk(self, rows: int, turns: int) -> dict[str, Any]:
        """So many rows in one transaction, a few in a row while the slave is stopped.

        Of several turns the medians. Then one more, which the slave is to have.
        """
        insert = Insert(batch_of(rows, 0))
        took: dict[str, list[float]] = {OFF: [], ON: []}
        behind: list[float] = []
        reached: list[float] = []
        for number in range(turns):
            table = f"bulk{number}"
            await self.make(table, 1)
            await self.arrived(table)
            with self.clusters.paused(SLAVE):
                for path in (OFF, ON) if number % 2 == 0 else (ON, OFF):
                    begin = time.perf_counter()
                    for _ in range(BULK_TIMES):
                        await insert.into(self._nodes[0], path, table)
                    took[path].append((time.perf_counter() - begin) / BULK_TIMES)
                    left = await self._settled()
                    if path == ON:
                        behind.append(left)
            await self.arrived(table)
            await insert.into(self._nodes[0], ON, table)
            begin = time.perf_counter()
            await self.arrived(table)
            reached.append(time.perf_counter() - begin)
            await self.drop(table)
        off, on = (float(np.median(took[path])) for path in (OFF, ON))
        return {
            "rows": rows,
            "bytes": insert.size,
            "turns": turns,
            "master_alone_rows_per_s": round(rows / off),
            "replicated_rows_per_s": round(rows / on),
            "ratio": round(off / on, 3),
            "ratio_quartiles": quartiles([a / b for a, b in zip(took[OFF], took[ON], strict=True)]),
            "task_data_behind_s": round(float(np.median(behind)), 2),
            "on_the_slave_after_s": round(float(np.median(reached)), 2),
            "catch_up_rows_per_s": round(rows / float(np.median(reached))),
        }

    def _cpu(self) -> tuple[float, float, float]:
        """Of the master's controller, its data nodes, and the writers: all since the start."""
        controller = self.clusters.cpu_s(MASTER, (CONTROLLER,))
        return controller, self.clusters.cpu_s(MASTER, DATA), time.process_time()

    async def _syncs(self) -> tuple[int, int]:
        """Of the master's controller and its data nodes."""
        connections = (self._controller, *self._nodes)
        told = [await c.call("nodeStatus", timeout_s=WRITE_S) for c in connections]
        controller, *nodes = (int(status["syncs"]) for status in told)
        return controller, sum(nodes)


async def patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """Nodes have just been started: ask until one answers."""
    until = time.monotonic() + READY_S
    while True:
        try:
            return await ask()
        except RequestError:
            if time.monotonic() > until:
                raise
            await asyncio.sleep(POLL_S)


async def measure(clusters: Clusters, options: argparse.Namespace) -> dict[str, Any]:
    """All cases of one master."""

    def opened(alias: str) -> Awaitable[Connection]:
        site = clusters.site(MASTER, alias)
        return patiently(lambda: Connection.open(*site, frame_bytes_max=FRAME_BYTES_MAX))

    with contextlib.ExitStack() as stack:
        nodes = [await opened(alias) for alias in DATA]
        controller = await opened(CONTROLLER)
        slave = Session(clusters.sites(SLAVE), attempt_s=5, total_s=READY_S)
        for connection in (*nodes, controller, slave):
            stack.callback(connection.close)
        user = (EXECUTOR, PASSWORD, True)
        await patiently(lambda: cluster.exists_database(slave, ON, timeout_s=READY_S))
        await slave.call("createUser", user, timeout_s=READY_S)
        for path in DATABASES:
            args = (nodes[0], path, "VALUE", "DATE", ["2023-01-08"])
            await patiently(lambda args=args: cluster.create_database(*args))
        await nodes[0].call("setDatabaseForClusterReplication", (ON, True), timeout_s=READY_S)
        bench = Bench(clusters, nodes, controller, slave)
        cases = []
        for number, (rows, writers) in enumerate(CASES):
            if options.rows in (None, rows) and options.writers in (None, writers):
                table = f"t{number}"
                found = await bench.case(table, rows, writers, options.seconds, options.turns)
                print(line_of(found), file=sys.stderr, flush=True)
                cases.append(found)
        bulk = await bench.bulk(options.bulk_rows, options.bulk_turns)
        print(json.dumps(bulk), file=sys.stderr, flush=True)
        return {"cases": cases, "one_transaction": bulk}


KINDS = ("async", "sync")


def main() -> None:
    """Print cases to stderr as they come, the document to stdout."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=0.6, help="that a turn is measured")
    parser.add_argument(
        "--turns", type=int, default=16, help="of each database; half, slave running"
    )
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--rows", type=int, choices=(1, 100, 1_000, 10_000), help="only these")
    parser.add_argument("--writers", type=int, choices=(1, 4), help="only these")
    parser.add_argument("--bulk-rows", type=int, default=SECURITIES * MINUTES)
    parser.add_argument("--bulk-turns", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where to write; a real disk tells more")
    options = parser.parse_args()
    document: dict[str, Any] = {
        "bench": "replication",
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
    }
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="replication-") as name:
        document["fdatasync_4kB_ms_p50"] = round(median_sync_ms(Path(name)), 3)
        document["task_data_4kB_ms_p50"] = task_data_ms(Path(name) / "probes", 4096)
        for kind in options.kinds:
            print(f"{kind}\n{HEAD}", file=sys.stderr, flush=True)
            folder = Path(name) / kind
            with Clusters(folder, synced=kind == "sync") as clusters:
                document[kind] = uvloop.run(measure(clusters, options))
        document["load_after"] = [round(load, 2) for load in os.getloadavg()]
    print(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
