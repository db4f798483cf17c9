"""Rows per second and fsyncs per batch of a three-member group on loopback, as JSON.

The cases are those of the documents' table (11 columns; 1 and 4 producers), and one with many
concurrent calls. Each case has a group of its own, so that none pays for the one before.
"""

import argparse
import asyncio
import contextlib
import json
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import uvloop
from delphic.impl.client import functions
from delphic.impl.client.connection import Connection
from delphic.impl.client.session import Session
from processes import ALIASES, GROUP, Processes

COLUMNS = 11
SCHEMA = pa.schema(
    [(f"c{i}", (pa.int64(), pa.float64(), pa.string())[i % 3]) for i in range(COLUMNS)]
)
CASES = [(rows, producers, producers) for rows in (1, 100, 1_000, 10_000) for producers in (1, 4)]
CASES.append((1, 64, 4))
"""Rows per batch, producers at once, connections that they share."""

BYTES_MAX = 256 << 20
"""A case stops early when it has appended this much: the group keeps all of it in memory."""


def batch_of(rows: int) -> pa.RecordBatch:
    """Rows that differ, so that no two batches' columns are trivially equal."""
    kinds = (
        list(range(rows)),
        [i / 7 for i in range(rows)],
        [f"host{i % 100}" for i in range(rows)],
    )
    return pa.record_batch([kinds[i % 3] for i in range(COLUMNS)], schema=SCHEMA)


def median_sync_ms(folder: Path) -> float:
    """What one fdatasync of 4 kB costs here; figures from tmpfs say little."""
    times = []
    with (folder / "probe").open("wb", buffering=0) as file:
        for _ in range(50):
            file.write(bytes(4096))
            start = time.perf_counter()
            os.fdatasync(file)
            times.append((time.perf_counter() - start) * 1e3)
    return sorted(times)[len(times) // 2]


@contextlib.contextmanager
def members(folder: Path, extra: str = "") -> Iterator[list[str]]:
    """Three nodes as processes, with `extra` settings; gives their sites; ends and reaps them."""
    with Processes(folder, extra) as processes:
        processes.start(*ALIASES)
        yield processes.sites


async def leader_of(sites: list[str]) -> tuple[str, int]:
    """Where the leader listens, once there is one."""
    with contextlib.closing(Session(sites)) as session:
        await session.create_table(GROUP, "bench", SCHEMA)
        host, _, port = session.target.rpartition(":")
        connection = await Connection.open(host, int(port))
        with contextlib.closing(connection):
            alias = await functions.get_streaming_leader(connection, GROUP)
    host, _, port = sites[ALIASES.index(alias)].rpartition(":")
    return host, int(port)


async def measure(
    sites: list[str], rows: int, producers: int, connections: int, seconds: float
) -> dict[str, Any]:
    """One case: every producer appends its batch as soon as the last one is acknowledged."""
    batch = batch_of(rows)
    size = batch.serialize().size
    host, port = await leader_of(sites)
    opened = [await Connection.open(host, port) for _ in range(connections)]
    latencies: list[float] = []
    left = BYTES_MAX // size

    async def produce(connection: Connection, until: float) -> None:
        nonlocal left
        while left > 0 and (start := time.perf_counter()) < until:
            left -= 1
            await functions.append(connection, "bench", batch, timeout_s=30)
            latencies.append((time.perf_counter() - start) * 1e3)

    async def syncs() -> int:
        status = await opened[0].call("nodeStatus", timeout_s=5)
        return int(status["syncs"])

    before = await syncs()
    start = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for i in range(producers):
            tasks.create_task(produce(opened[i % connections], start + seconds))
    elapsed = time.perf_counter() - start
    after = await syncs()
    for connection in opened:
        connection.close()
    latencies.sort()
    batches = len(latencies)
    return {
        "rows_per_batch": rows,
        "bytes_per_batch": size,
        "producers": producers,
        "connections": connections,
        "batches": batches,
        "seconds": round(elapsed, 3),
        "batches_per_s": round(batches / elapsed, 1),
        "rows_per_s": round(batches * rows / elapsed, 1),
        "latency_ms_p50": round(latencies[batches // 2], 3),
        "latency_ms_p99": round(latencies[batches * 99 // 100], 3),
        "fsyncs_per_batch": round((after - before) / batches, 4),
    }


def main() -> None:
    """Run every case and print the document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0, help="per case")
    parser.add_argument("--folder", type=Path, help="where to write; a real disk tells more")
    options = parser.parse_args()
    cases = []
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="throughput-") as name:
        sync_ms = median_sync_ms(Path(name))
        for i, (rows, producers, connections) in enumerate(CASES):
            with (
                tempfile.TemporaryDirectory(dir=name, prefix=f"{i}-") as folder,
                members(Path(folder)) as sites,
            ):
                case = measure(sites, rows, producers, connections, options.seconds)
                cases.append(uvloop.run(asyncio.wait_for(case, options.seconds + 60)))
    document = {
        "bench": "throughput",
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "columns": COLUMNS,
        "fdatasync_4kB_ms_p50": round(sync_ms, 3),
        "cases": cases,
    }
    print(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
