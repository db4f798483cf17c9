"""How long a group is away: kill to next acknowledgement, and starts against log size; as JSON.

python bench/failover.py [--kills N] [--mib N ...]

One producer appends one row after the other through a Session. Its member is the leader; that is
killed (SIGKILL), and the clock runs until the first append that began afterwards is acknowledged.
An election waits for one to two ticks of silence (500 ms here, so 0.5 to 1 s), which is most of it.
Then the member comes back, and the next round waits until it has caught up. Restart, with a log of
that size: from starting one member, its peers down, until it answers; from starting all three
until an append is acknowledged, and until each has applied all that was committed. Before that, a
member that was away while all of it was appended: until it has caught up. Checkpoints are put off,
so that the whole log is sent and redone; but none grows beyond what brings one by its size.
"""

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import uvloop
from delphic.impl.client import functions
from delphic.impl.client.connection import Connection
from delphic.impl.client.errors import RequestError
from delphic.impl.client.session import Session
from processes import ALIASES, GROUP, Processes
from throughput import SCHEMA, batch_of

PATIENCE_S = 60.0
BATCH_ROWS = 10_000


async def main_async(kills: int, sizes_mib: list[int]) -> dict[str, Any]:
    """Both parts, one after the other."""
    return {
        "cpus": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "fail_over": await fail_over(kills),
        "restart": [await restart(mib) for mib in sizes_mib],
    }


async def fail_over(kills: int) -> dict[str, Any]:
    """Seconds without an acknowledgement, one figure a kill."""
    away: list[float] = []
    with tempfile.TemporaryDirectory(prefix="failover-") as folder, Processes(Path(folder)) as all_:
        all_.start(*ALIASES)
        with contextlib.closing(Session(all_.sites, total_s=PATIENCE_S, attempt_s=0.5)) as session:
            await session.create_table(GROUP, "bench", SCHEMA)
            row = batch_of(1)
            for _ in range(kills):
                await session.append("bench", row)
                leader = await functions.get_streaming_leader(session, GROUP)
                all_.kill(leader)
                away.append(await _first_ack(session))
                all_.start(leader)
                await _caught_up(all_, leader, session)
    away.sort()
    return {
        "kills": kills,
        "median_s": round(statistics.median(away), 3),
        "p99_s": round(away[min(len(away) - 1, int(0.99 * len(away)))], 3),
        "max_s": round(away[-1], 3),
        "election_tick_s": 0.5,
    }


async def _first_ack(session: Session) -> float:
    """From now until an append is acknowledged; one whose fate is unknown does not count."""
    began = time.monotonic()
    while time.monotonic() < began + PATIENCE_S:
        try:
            await session.append("bench", batch_of(1))
        except RequestError as error:
            if error.definite:
                raise
        else:
            return time.monotonic() - began
    raise TimeoutError(f"no acknowledgement within {PATIENCE_S:g} s")


async def _status(site: str) -> dict[str, Any]:
    """What a member says, as soon as it answers."""
    host, _, port = site.rpartition(":")
    began = time.monotonic()
    while True:
        try:
            connection = await Connection.open(host, int(port))
            with contextlib.closing(connection):
                return await functions.raft_status(connection, GROUP)
        except RequestError:
            if time.monotonic() > began + PATIENCE_S:
                raise
            await asyncio.sleep(0.005)


async def _caught_up(all_: Processes, alias: str, session: Session) -> None:
    leader = await functions.get_streaming_leader(session, GROUP)
    wanted = (await _status(all_.site(leader)))["applied"]
    while True:
        if (await _status(all_.site(alias)))["applied"] >= wanted:
            return
        await asyncio.sleep(0.02)


async def restart(mib: int) -> dict[str, Any]:
    """Start to first answer of a member alone, after `mib` MiB were appended and all ended."""
    batch = batch_of(BATCH_ROWS)
    count = max(1, (mib << 20) // batch.serialize().size)
    with (
        tempfile.TemporaryDirectory(prefix="restart-") as folder,
        Processes(Path(folder), "streamingHAPurgeInterval=86400\n") as all_,
    ):
        all_.start(*ALIASES)
        with contextlib.closing(Session(all_.sites, total_s=PATIENCE_S)) as session:
            await session.create_table(GROUP, "bench", SCHEMA)
            # So that the session has found the leader, and does not talk to whom we kill.
            await session.append("bench", batch)
            leader = await functions.get_streaming_leader(session, GROUP)
            away = next(alias for alias in ALIASES if alias != leader)
            all_.kill(away)
            for _ in range(count):
                await session.append("bench", batch)
            began = time.monotonic()
            all_.start(away)
            await _caught_up(all_, away, session)
            absent = time.monotonic() - began
            for alias in ALIASES:
                await _caught_up(all_, alias, session)
        wal = _log_bytes(Path(folder) / "n1")
        for alias in ALIASES:
            all_.kill(alias)
        began = time.monotonic()
        all_.start("n1")
        status = await _status(all_.site("n1"))
        alone = time.monotonic() - began
        all_.kill("n1")
        began = time.monotonic()
        all_.start(*ALIASES)
        with contextlib.closing(Session(all_.sites, total_s=PATIENCE_S, attempt_s=0.5)) as session:
            await _first_ack(session)
            acknowledged = time.monotonic() - began
            for alias in ALIASES:
                await _caught_up(all_, alias, session)
            caught_up = time.monotonic() - began
    return {
        "log_mib": round(wal / (1 << 20)),
        "entries": status["last"],
        "absent_member_caught_up_s": round(absent, 2),
        "one_answers_s": round(alone, 2),
        "first_ack_s": round(acknowledged, 2),
        "all_caught_up_s": round(caught_up, 2),
    }


def _log_bytes(home: Path) -> int:
    return sum(file.stat().st_size for file in home.glob("log/**/*.wal"))


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--mib", type=int, nargs="*", default=[10, 100, 500])
    asked = parser.parse_args()
    print(json.dumps(uvloop.run(main_async(asked.kills, asked.mib)), indent=2))


if __name__ == "__main__":
    main()
