"""Many seeds of many scenarios: how often each gives the verdict that it expects.

Prints one JSON object: per scenario the runs, those as expected, verdicts, promises that broke, and
witness lengths. Usage: python bench/campaign.py [--seeds N] [--first K] [--jobs N] [SCENARIO …]
Runs of the same seed repeat the same plan; real processes decide the rest.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

RUN_TIMEOUT_S = 300
DELPHIC = (sys.executable, "-m", "delphic")


def scenarios() -> list[str]:
    listed = subprocess.run([*DELPHIC, "list"], check=True, capture_output=True, text=True)
    return [line.split()[0] for line in listed.stdout.splitlines()]


def one(scenario: str, seed: int, folder: Path) -> dict[str, Any]:
    """One run: its exit code and verdict.json, without the run directory's bulk."""
    out = folder / f"{scenario}-{seed}"
    out.mkdir()
    done = subprocess.run(
        [*DELPHIC, "run", scenario, "--seed", str(seed), "--quiet", "--out", str(out)],
        capture_output=True,
        text=True,
        timeout=RUN_TIMEOUT_S,
        env={**os.environ, "DELPHIC_STATE": str(out / "state")},
    )
    found = sorted(out.glob("*/verdict.json"))
    verdict = json.loads(found[0].read_text()) if found else {}
    return {
        "exit": done.returncode,
        "verdict": verdict,
        "words": (done.stdout + done.stderr)[-500:],
    }


def summary(runs: list[dict[str, Any]], seeds: list[int]) -> dict[str, Any]:
    """What the runs of one scenario came to."""
    broken = [
        v for run in runs for v in run["verdict"].get("verdicts", []) if v["validity"] == "fail"
    ]
    unexpected = [
        {"seed": seed, "exit": run["exit"], "words": run["words"]}
        for seed, run in zip(seeds, runs, strict=True)
        if run["exit"] != 0
    ]
    return {
        "runs": len(runs),
        "as_expected": sum(run["exit"] == 0 for run in runs),
        "verdicts": dict(Counter(run["verdict"].get("validity", "refused") for run in runs)),
        "promises_broken": dict(
            sorted(Counter(p for v in broken for p in v.get("promises", ())).items())
        ),
        "witness_operations": dict(
            sorted(Counter(len(v.get("witness", ())) for v in broken).items())
        ),
        "unexpected": unexpected,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=3)
    parser.add_argument("scenario", nargs="*")
    arguments = parser.parse_args()
    names = arguments.scenario or scenarios()
    seeds = list(range(arguments.first, arguments.first + arguments.seeds))
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(arguments.jobs) as pool:
        pending = {
            name: [pool.submit(one, name, seed, Path(folder)) for seed in seeds] for name in names
        }
        results = {
            name: summary([run.result() for run in runs], seeds) for name, runs in pending.items()
        }
    print(
        json.dumps(
            {"seeds": [seeds[0], seeds[-1]], "seconds": round(time.monotonic() - began), **results},
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
