"""What the harness costs: operations a second at full speed, time to the first operation.

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


def run(scenario: str, folder: Path) -> tuple[Path, float]:
    """Run a scenario with the installed command; its run directory, and when it was called."""
    called = time.time()
    words = ["run", scenario, "--seed", "1", "--quiet", "--out", str(folder)]
    subprocess.run(
        [sys.executable, "-m", "delphic", *words],
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "DELPHIC_STATE": str(folder / "state")},
    )
    return folder / "latest", called


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


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scenario = folder / "full-speed.yaml"
        scenario.write_text(FULL_SPEED)
        directory, _ = run(str(scenario), folder)
        found = throughput(directory)
        directory, called = run("quickstart", folder)
        found["quickstart_first_operation_s"] = first_operation_s(directory, called)
        print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
