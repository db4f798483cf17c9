"""How far subscribers are behind: from a batch's acknowledgement to the handler's call; as JSON.

python bench/subscribers.py [--seconds S]

One producer appends batches at an even pace through the leader, one subscriber has subscribed
through a follower, and both are this process, so that one clock tells both moments. A batch may be
handled before its producer has heard of it: then the lag is negative. From the moment when the
batch was due to the handler is told, too: what waits behind a stalled one has waited.
"""

import argparse
import asyncio
import json
import os
import platform
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import uvloop
from delphic.impl.client import functions
from delphic.impl.client.connection import Connection
from delphic.impl.client.session import Session
from delphic.impl.client.subscriber import Subscriber
from processes import ALIASES, GROUP, Processes
from throughput import SCHEMA, batch_of

CASES = ((1, 100.0), (100, 50.0), (10_000, 5.0))
"""Rows a batch, batches a second."""

DRAIN_S = 30.0


async def measure(sites: Sequence[str], rows: int, rate: float, seconds: float) -> dict[str, Any]:
    """One case, on members of its own."""
    session = Session(sites)
    await session.create_table(GROUP, "bench", SCHEMA)
    leader = await functions.get_streaming_leader(session, GROUP)
    session.close()
    host, _, port = sites[ALIASES.index(leader)].rpartition(":")
    connection = await Connection.open(host, int(port))
    other = next(site for alias, site in zip(ALIASES, sites, strict=True) if alias != leader)
    batch = batch_of(rows)
    count = max(10, int(rate * seconds))
    acked, handled = [0.0] * count, [0.0] * count
    got, done = 0, asyncio.Event()

    def handle(message: pa.Table) -> None:
        nonlocal got
        now, first = time.perf_counter(), got
        got += message.num_rows
        # A batch is handled when its last row is.
        for number in range(first // rows, got // rows):
            handled[number] = now
        if got == count * rows:
            done.set()

    async with Subscriber([other]) as subscriber:
        await subscriber.subscribe_table("bench", handle, offset=0, msg_as_table=True)

        async def produce(number: int) -> None:
            await functions.append(connection, "bench", batch, timeout_s=30)
            acked[number] = time.perf_counter()

        due = await at_an_even_pace(count, rate, produce)
        took = time.perf_counter() - due[0]
        await asyncio.wait_for(done.wait(), DRAIN_S)
    connection.close()
    return {
        "rows_per_batch": rows,
        "batches": count,
        "batches_per_s_wanted": rate,
        "batches_per_s": round(count / took, 1),
        "ack_to_handler_ms": _quantiles(acked, handled),
        "due_to_handler_ms": _quantiles(due, handled),
        "due_to_ack_ms": _quantiles(due, acked),
    }


async def at_an_even_pace(
    count: int, rate: float, produce: Callable[[int], Awaitable[None]]
) -> list[float]:
    """Produce one after another, `rate` a second, none before it is due; when each was due.

    What takes longer makes the next ones late; they follow at once.
    """
    begin = time.perf_counter()
    due = [begin + number / rate for number in range(count)]
    for number, moment in enumerate(due):
        await asyncio.sleep(max(0.0, moment - time.perf_counter()))
        await produce(number)
    return due


def _quantiles(since: Sequence[float], until: Sequence[float]) -> dict[str, float]:
    lags = sorted((b - a) * 1e3 for a, b in zip(since, until, strict=True))
    last = len(lags) - 1
    return {
        "p50": round(lags[last // 2], 3),
        "p99": round(lags[last * 99 // 100], 3),
        "max": round(lags[last], 3),
    }


def main() -> None:
    """Run every case and print the document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="per case")
    parser.add_argument("--folder", type=Path, help="where to write; a real disk tells more")
    options = parser.parse_args()
    cases = []
    for rows, rate in CASES:
        with (
            tempfile.TemporaryDirectory(dir=options.folder, prefix="subscribers-") as folder,
            Processes(Path(folder)) as processes,
        ):
            processes.start(*ALIASES)
            case = measure(processes.sites, rows, rate, options.seconds)
            cases.append(uvloop.run(asyncio.wait_for(case, 4 * options.seconds + 60)))
    document = {
        "bench": "subscribers",
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "cases": cases,
    }
    print(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
