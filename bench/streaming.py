"""What replication costs: HA and ordinary stream tables side by side, as JSON and as a table.

The cases are the 16 rows of the document's two tables (haStreamingTutorial §5): 11 and 211 columns,
batches of 1 to 10,000 rows, 1 and 4 writers. Both kinds of table flush their log before they
acknowledge. They live on the same three nodes of this machine and take turns of a fraction of a
second, so that whatever else the machine does hits both alike; the ordinary table is on the node
that leads. Writers send ready-made bytes: what a client spends on making a batch would hide the
difference. A case has a cluster of its own.

Two things bound the ratio, and are measured besides: what a sync of as many bytes costs while two
other files on the same disk are synced, too, against a sync alone; and the processor time that the
leader, a follower and the writers spend on a batch, for all of them share the cores. From these it
is computed, and only computed, what the ratio would be if each member had a core of its own, and if
the ordinary table took as long as it did in the document; see docs/performance.md.
"""

import argparse
import asyncio
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import uvloop
from delphic.impl.client import functions
from delphic.impl.client.connection import Connection
from delphic.impl.client.session import Session
from delphic.impl.stream.schema import fingerprint
from processes import ALIASES, GROUP, Processes
from throughput import median_sync_ms


class Documented(NamedTuple):
    """A row of the document: rows a second, on three servers with two kinds of disk each."""

    columns: int
    writers: int
    rows: int
    ha: float
    ordinary: float
    ratio: float


DOCUMENT = (
    Documented(11, 1, 1, 671.9, 1_515.8, 0.443),
    Documented(11, 1, 100, 2_383.4, 2_451.1, 0.972),
    Documented(11, 1, 1_000, 22_714.4, 23_697.2, 0.959),
    Documented(11, 1, 10_000, 379_046.3, 529_997.9, 0.715),
    Documented(11, 4, 1, 884.7, 5_618.0, 0.157),
    Documented(11, 4, 100, 9_488.4, 9_776.4, 0.971),
    Documented(11, 4, 1_000, 89_536.3, 93_496.2, 0.958),
    Documented(11, 4, 10_000, 675_641.4, 1_126_475.0, 0.600),
    Documented(211, 1, 1, 23.4, 23.9, 0.981),
    Documented(211, 1, 100, 3_895.2, 4_121.1, 0.945),
    Documented(211, 1, 1_000, 21_833.6, 29_430.8, 0.742),
    Documented(211, 1, 10_000, 59_755.4, 89_136.1, 0.670),
    Documented(211, 4, 1, 93.2, 96.2, 0.969),
    Documented(211, 4, 100, 13_522.3, 23_371.3, 0.579),
    Documented(211, 4, 1_000, 77_011.2, 107_458.7, 0.717),
    Documented(211, 4, 10_000, 67_816.2, 122_075.9, 0.556),
)

KINDS = ("ha", "ordinary")

LONG_VALUES = 200_000
PATIENT_TICK = 400
"""The documents' 800 makes each election take up to 16 s; those of `Processes` are meant to be
quick, and too quick for batches of so many values: on a busy machine members are silent for longer.
"""


def batch_of(columns: int, rows: int) -> pa.RecordBatch:
    """Sensors: integers, floats, and text in turn."""
    values = (
        pa.array(range(rows), pa.int64()),
        pa.array([i / 7 for i in range(rows)], pa.float64()),
        pa.array([f"host{i % 100}" for i in range(rows)], pa.string()),
    )
    return pa.record_batch({f"c{i}": values[i % len(values)] for i in range(columns)})


@dataclass(slots=True)
class Measured:
    """What one kind of table did in all its turns."""

    seconds: float = 0.0
    syncs: int = 0
    leader_cpu_s: float = 0.0
    followers_cpu_s: float = 0.0
    writers_cpu_s: float = 0.0
    latencies_ms: list[float] = field(default_factory=list)

    def cpu(self) -> tuple[float, float, float]:
        """Of leader, followers and writers, in seconds."""
        return self.leader_cpu_s, self.followers_cpu_s, self.writers_cpu_s

    def shown(self, rows: int) -> dict[str, Any]:
        """As JSON."""
        batches = len(self.latencies_ms)
        ordered = sorted(self.latencies_ms)
        leader, followers = self.leader_cpu_s, self.followers_cpu_s
        cpu_s = {
            "nodes": leader + followers,
            "leader": leader,
            "follower": followers / (len(ALIASES) - 1),
            "writers": self.writers_cpu_s,
        }
        return {
            "batches": batches,
            "seconds": round(self.seconds, 3),
            "rows_per_s": round(batches * rows / self.seconds, 1),
            "latency_ms_p50": round(ordered[batches // 2], 3),
            "latency_ms_p99": round(ordered[batches * 99 // 100], 3),
            "syncs_per_batch": round(self.syncs / batches, 3),
            "cpu_ms_per_batch": {who: round(s / batches * 1e3, 3) for who, s in cpu_s.items()},
            "cores_busy": round(sum(self.cpu()) / self.seconds, 2),
        }


class Bench:
    """The writers of one case, and the two tables that they write to in turns."""

    def __init__(
        self,
        processes: Processes,
        leader: str,
        connections: Sequence[Connection],
        batch: pa.RecordBatch,
    ) -> None:
        self._processes = processes
        self._leader = leader
        self.connections = connections
        self._fingerprint = fingerprint(batch.schema)
        self._body = batch.serialize().to_pybytes()
        self.measured = {kind: Measured() for kind in KINDS}

    @property
    def batch_bytes(self) -> int:
        return len(self._body)

    async def turn(self, kind: str, seconds: float, bytes_max: int, *, counts: bool) -> None:
        """Every writer appends as soon as its last batch is acknowledged, at least once."""
        found = Measured()
        left = bytes_max // self.batch_bytes
        before, cpu_before = await self._syncs(), self._cpu()
        begin = time.perf_counter()

        async def write(connection: Connection) -> None:
            nonlocal left
            while True:
                left -= 1
                start = time.perf_counter()
                await functions.append_body(
                    connection, kind, self._fingerprint, self._body, timeout_s=60
                )
                end = time.perf_counter()
                found.latencies_ms.append((end - start) * 1e3)
                if left <= 0 or end >= begin + seconds:
                    return

        async with asyncio.TaskGroup() as tasks:
            for connection in self.connections:
                tasks.create_task(write(connection))
        if counts:
            total = self.measured[kind]
            total.seconds += time.perf_counter() - begin
            total.syncs += await self._syncs() - before
            spent = [now - then for now, then in zip(self._cpu(), cpu_before, strict=True)]
            total.leader_cpu_s += spent[0]
            total.followers_cpu_s += spent[1]
            total.writers_cpu_s += spent[2]
            total.latencies_ms += found.latencies_ms

    def _cpu(self) -> tuple[float, float, float]:
        """As `Measured.cpu`: all since the start."""
        followers = sum(self._processes.cpu_s(a) for a in ALIASES if a != self._leader)
        return self._processes.cpu_s(self._leader), followers, time.process_time()

    async def _syncs(self) -> int:
        status = await self.connections[0].call("nodeStatus", timeout_s=5)
        return int(status["syncs"])


async def leader_of(sites: Sequence[str], schema: pa.Schema) -> str:
    """Make the HA table; gives who leads."""
    session = Session(sites)
    try:
        await session.create_table(GROUP, "ha", schema)
        return await functions.get_streaming_leader(session, GROUP)
    finally:
        session.close()


async def bench_of(
    processes: Processes, batch: pa.RecordBatch, writers: int, connections: int
) -> Bench:
    """The HA table, its writers, and the connections to its leader that they share."""
    leader = await leader_of(processes.sites, batch.schema)
    host, _, port = processes.site(leader).rpartition(":")
    opened = [await Connection.open(host, int(port)) for _ in range(connections)]
    shared = [opened[number % connections] for number in range(writers)]
    return Bench(processes, leader, shared, batch)


def sync_ms(folder: Path, size: int, files: int) -> float:
    """What it takes to append so many bytes to each of some files at once, and to sync them."""
    data = bytes(size)
    count = max(3, min(30, (16 << 20) // size))

    def write(number: int) -> list[float]:
        times = []
        with (folder / f"probe{number}").open("wb", buffering=0) as file:
            for _ in range(count):
                start = time.perf_counter()
                file.write(data)
                os.fdatasync(file)
                times.append((time.perf_counter() - start) * 1e3)
        return times

    with ThreadPoolExecutor(files) as pool:
        times = sorted(ms for found in pool.map(write, range(files)) for ms in found)
    return round(times[len(times) // 2], 3)


async def measure(
    processes: Processes, case: Documented, seconds: float, turns: int, megabytes: int
) -> dict[str, Any]:
    """One case; `seconds` and `megabytes` for each kind of table, in so many turns."""
    batch = batch_of(case.columns, case.rows)
    bench = await bench_of(processes, batch, case.writers, case.writers)
    await functions.create_ordinary_table(bench.connections[0], "ordinary", batch.schema)
    bytes_max = (megabytes << 20) // turns
    for kind in KINDS:
        await bench.turn(kind, seconds / turns / 4, bytes_max // 4, counts=False)
    for number in range(turns):
        for kind in KINDS if number % 2 == 0 else reversed(KINDS):
            await bench.turn(kind, seconds / turns, bytes_max, counts=True)
    for connection in bench.connections:
        connection.close()
    shown = {kind: bench.measured[kind].shown(case.rows) for kind in KINDS}
    ratio = shown["ha"]["rows_per_s"] / shown["ordinary"]["rows_per_s"]
    return {
        "columns": case.columns,
        "writers": case.writers,
        "rows_per_batch": case.rows,
        "bytes_per_batch": bench.batch_bytes,
        **shown,
        "ratio": round(ratio, 3),
        "document": {
            "ha_rows_per_s": case.ha,
            "ordinary_rows_per_s": case.ordinary,
            "ratio": case.ratio,
        },
        "ratio_reached": ratio >= case.ratio,
        "rate_reached": shown["ha"]["rows_per_s"] >= case.ha,
    }


def own_cores_ratio(found: dict[str, Any]) -> float:
    """COMPUTED, not measured: the ratio if every member and the writers had a core of their own.

    One writer waits for one thing after the other: for itself, the leader's processor, that of a
    follower, and one sync, for theirs run at the same time. Several writers keep all busy at once:
    whoever needs most for a batch decides.
    """
    ha, ordinary = (found[kind]["cpu_ms_per_batch"] for kind in KINDS)
    sync = found["sync_alone_ms"]
    if found["writers"] == 1:
        alone = ordinary["writers"] + ordinary["leader"] + sync
        return round(alone / (ha["writers"] + ha["leader"] + ha["follower"] + sync), 3)
    need = {
        kind: max(
            found[kind]["cpu_ms_per_batch"]["leader"],
            found[kind]["cpu_ms_per_batch"]["writers"],
            sync * found[kind]["syncs_per_batch"],
        )
        for kind in KINDS
    }
    return round(need["ordinary"] / max(need["ha"], ha["follower"]), 3)


def there_ratio(found: dict[str, Any]) -> float:
    """COMPUTED, not measured: the ratio if the ordinary table took as long here as in the document.

    To that time is added what replication adds here, by the medians of the latencies.
    """
    rows = found["writers"] * found["rows_per_batch"]
    there = rows / found["document"]["ordinary_rows_per_s"] * 1e3
    added = found["ha"]["latency_ms_p50"] - found["ordinary"]["latency_ms_p50"]
    return round(there / (there + max(0.0, added)), 3)


def patience_for(case: Documented) -> str:
    """Settings under which no leader is given up while batches of megabytes pass."""
    is_long = case.columns * case.rows > LONG_VALUES
    return "".join(f"{a}.raftElectionTick={PATIENT_TICK}\n" for a in ALIASES) if is_long else ""


def line_of(found: dict[str, Any]) -> str:
    """A case for people."""
    ha, ordinary, document = found["ha"], found["ordinary"], found["document"]
    cpu, alone = ha["cpu_ms_per_batch"], ordinary["cpu_ms_per_batch"]
    return (
        f"{found['columns']:4} {found['writers']:7} {found['rows_per_batch']:6} "
        f"{ha['rows_per_s']:11,.0f} {ordinary['rows_per_s']:11,.0f} {found['ratio']:7.1%} "
        f"{document['ha_rows_per_s']:10,.0f} {document['ratio']:7.1%}  "
        f"{ha['latency_ms_p50']:8.2f} {ha['latency_ms_p99']:7.2f} "
        f"{cpu['leader']:8.2f} {cpu['follower']:6.2f} {alone['leader']:6.2f} "
        f"{found['sync_alone_ms']:6.2f} {found['own_cores_ratio_computed']:7.1%} "
        f"{found['there_ratio_computed']:7.1%}  "
        f"{'' if found['ratio_reached'] else 'ratio'} {'' if found['rate_reached'] else 'rate'}"
    )


HEAD = (
    "cols writers   rows   HA rows/s  ord. rows/s   ratio  doc. HA/s   doc.   "
    "HA p50 ms  p99 ms CPU lead  foll.   ord.   sync    own*  there*  missed"
)


def main() -> None:
    """Run the cases; the table goes to stderr as it grows, the document to stdout."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="per case and kind of table")
    parser.add_argument("--turns", type=int, default=4, help="into which these are divided")
    parser.add_argument("--megabytes", type=int, default=256, help="no more per case and kind")
    parser.add_argument("--columns", type=int, choices=(11, 211), help="only these cases")
    parser.add_argument("--rows", type=int, choices=(1, 100, 1_000, 10_000), help="only these")
    parser.add_argument("--writers", type=int, choices=(1, 4), help="only these")
    parser.add_argument("--folder", type=Path, help="where to write; a real disk tells more")
    options = parser.parse_args()
    cases = []
    print(HEAD, file=sys.stderr)
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="streaming-") as name:
        small_sync_ms = median_sync_ms(Path(name))
        for number, case in enumerate(DOCUMENT):
            asked = (options.columns, options.writers, options.rows)
            if any(a not in (None, c) for a, c in zip(asked, case, strict=False)):
                continue
            with (
                tempfile.TemporaryDirectory(dir=name, prefix=f"{number}-") as folder,
                Processes(Path(folder), patience_for(case)) as processes,
            ):
                processes.start(*ALIASES)
                found = measure(processes, case, options.seconds, options.turns, options.megabytes)
                cases.append(uvloop.run(asyncio.wait_for(found, 10 * options.seconds + 60)))
                size = cases[-1]["bytes_per_batch"]
                cases[-1]["sync_alone_ms"] = sync_ms(Path(folder), size, 1)
                cases[-1]["sync_of_three_ms"] = sync_ms(Path(folder), size, len(ALIASES))
                cases[-1]["own_cores_ratio_computed"] = own_cores_ratio(cases[-1])
                cases[-1]["there_ratio_computed"] = there_ratio(cases[-1])
            print(line_of(cases[-1]), file=sys.stderr)
    print("CPU and sync: ms a batch. * computed, see docs/performance.md", file=sys.stderr)
    document = {
        "bench": "streaming",
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "fdatasync_4kB_ms_p50": round(small_sync_ms, 3),
        "ratios_reached": sum(case["ratio_reached"] for case in cases),
        "rates_reached": sum(case["rate_reached"] for case in cases),
        "cases": cases,
    }
    print(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
