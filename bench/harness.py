"""What the harness costs: operations a second at full speed, time to the first operation.

Also what it costs to check while a run goes on, with and without in turns: operations a second, and
the processor's time for each, of harness and members together, from which other work on the machine
takes little; and how much of it hearing one op takes.

Prints one JSON object. Needs no arguments: python bench/harness.py
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from delphic.harness.checkers.online import WATCHES
from delphic.harness.checkers.online.listener import Listener
from delphic.harness.history import load

FULL_SPEED = """\
name: full-speed
title: As many operations as the harness can make
cluster: {members: 3, trace: false}
workload:
  name: log
  clients: 128
  rate: max
  batch: {min: 1, max: 1}
  read_share: 0.5
  routing: follow
duration: 10s
"""


ROUNDS = 4
"""How often each is measured, with and without checks, in turns: who is first changes."""

WAYS = {"alone": (), "checked": ("--stop-on-violation",)}


def run(scenario: str, folder: Path, *options: str) -> tuple[Path, float]:
    """Run a scenario with the installed command; its run directory, and when it was called."""
    called = time.time()
    words = ["run", scenario, "--seed", "1", "--quiet", "--out", str(folder), *options]
    subprocess.run(
        [sys.executable, "-m", "delphic", *words],
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "DELPHIC_STATE": str(folder / "state")},
    )
    return (folder / "latest").resolve(), called


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def first_operation_s(directory: Path, called: float) -> float:
    """Seconds from the command's start to its first client operation."""
    ops = lines(directory / "history.jsonl")
    first = next(op for op in ops if isinstance(op["process"], int))
    up = next(entry for entry in lines(directory / "journal.jsonl") if entry["phase"] == "up")
    # The history's clock starts within a millisecond of the journal's line "up".
    return round(float(up["unix_s"] + first["time_ns"] / 1e9 - called), 3)


def throughput(directory: Path) -> dict[str, Any]:
    """Client operations that were answered, in the main phase."""
    ops = lines(directory / "history.jsonl")
    bounds = {op["value"]: op["time_ns"] for op in ops if op["f"] == "phase"}
    began, ended = bounds["main"], bounds["heal"]
    client = [op for op in ops if isinstance(op["process"], int) and began <= op["time_ns"] < ended]
    answered = sum(op["type"] == "ok" for op in client)
    seconds = (ended - began) / 1e9
    return {
        "ops_ok_per_s": round(answered / seconds),
        "ops_fail": sum(op["type"] == "fail" for op in client),
        "ops_info": sum(op["type"] == "info" for op in client),
        "seconds": round(seconds, 3),
    }


def cpu_s() -> float:
    """What processes of ours that have ended took, with their own."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def per_operation(found: dict[str, Any], used_s: float) -> dict[str, Any]:
    """With the whole run's time of the processor, its start and verdict among it."""
    operations = found["ops_ok_per_s"] * found["seconds"]
    return found | {"cpu_us_per_op": round(used_s / operations * 1e6)}


def hearing(directory: Path) -> float:
    """Microseconds of the processor's time that hearing one op of a history takes."""
    with (directory / "history.jsonl").open("rb") as stream:
        ops = load(stream).ops
    listener = Listener([WATCHES["linearizable"](), WATCHES["elections"]()], lambda: None)
    began = time.process_time()
    for op in ops:
        listener.hear(op)
    assert listener.first is None
    return round((time.process_time() - began) / len(ops) * 1e6, 1)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scenario = folder / "full-speed.yaml"
        scenario.write_text(FULL_SPEED)
        made: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
        for turn in range(ROUNDS):
            for way in sorted(WAYS, reverse=turn % 2 == 1):
                before = cpu_s()
                directory, _ = run(str(scenario), folder, *WAYS[way])
                made[way].append(per_operation(throughput(directory), cpu_s() - before))
        found: dict[str, Any] = dict(made)
        for key in ("ops_ok_per_s", "cpu_us_per_op"):
            alone, checked = (median(one[key] for one in made[way]) for way in WAYS)
            found[f"{key}, checked to alone"] = round(checked / alone, 3)
        found["hearing_us_per_op"] = hearing(directory)
        directory, called = run("quickstart", folder)
        found["quickstart_first_operation_s"] = first_operation_s(directory, called)
        print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
