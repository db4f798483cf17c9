"""What the harness costs: operations a second at full speed, time to the first operation.

Also what it costs to check while a run goes on: how many operations are made with and without, in
turns, and how much of the processor's time each op takes of those that are heard.

Prints one JSON object. Needs no arguments: python bench/harness.py
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
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


ROUNDS = 2
"""How often each is measured, with and without checks, in turns."""


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
        alone, checked = [], []
        for _ in range(ROUNDS):
            directory, _ = run(str(scenario), folder)
            alone.append(throughput(directory))
            directory, _ = run(str(scenario), folder, "--stop-on-violation")
            checked.append(throughput(directory))
        found = alone[0]
        rates = [sum(one["ops_ok_per_s"] for one in ones) for ones in (alone, checked)]
        found["checked_ops_ok_per_s"] = [one["ops_ok_per_s"] for one in checked]
        found["alone_ops_ok_per_s"] = [one["ops_ok_per_s"] for one in alone]
        found["checked_to_alone"] = round(rates[1] / rates[0], 3)
        found["hearing_us_per_op"] = hearing(directory)
        directory, called = run("quickstart", folder)
        found["quickstart_first_operation_s"] = first_operation_s(directory, called)
        print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
