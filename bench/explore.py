"""How fast the explorer is: Raft bounds of 10^7 states and more, each in a fresh process; JSON.

python bench/explore.py            every case on one worker and on two, three times each
python bench/explore.py --large    one bound of more than 10^8 states, to the end
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from delphic.model.actor import Model
from delphic.model.explore.explorer import explore
from delphic.model.explore.limits import Limits, Progress
from delphic.model.raft_group import raft_group, vars_of
from delphic.model.raft_types import Options
from kernel import status


@dataclass(frozen=True)
class Case:
    """A bound of the Raft model, with all its promises; a soup, the network that allows most."""

    options: Options
    crashes: int = 0
    symmetry: bool = False

    def model(self) -> Model:
        return raft_group(self.options, crashes=self.crashes)

    def bound(self) -> dict[str, Any]:
        """What differs from the least bound, by name."""
        plain, asked = vars_of(Options(entries=0)), vars_of(self.options)
        named = {k: v for k, v in asked.items() if v != plain[k] or k in ("members", "terms")}
        return named | {"crashes": self.crashes} | ({"symmetry": True} if self.symmetry else {})


CASES = {
    "crash": Case(Options(entries=2), crashes=1),
    "synced reads": Case(Options(entries=0, quorum=True, reads=1, sync=True)),
    "all but snapshots": Case(
        Options(members=2, entries=2, prevote=True, quorum=True, reads=1, sync=True), crashes=1
    ),
    "orbits": Case(Options(entries=2), crashes=1, symmetry=True),
}
LARGE = Case(Options(entries=2), crashes=3)
LARGE_COUNTS = (156_177_681, 3_016_638_627, 42)
"""States, transitions and depth of that bound, from the first time that it was explored."""

LARGE_MEMORY = 10 << 30
SMALL = Case(Options(entries=0))

BARS = {
    "transitions_per_s_one_worker": 10e6,
    "transitions_per_s_two_workers": 25e6,
    "bytes_per_state": 60,
    "warm_start_s": 3,
}


def measure(case: Case, workers: int, limits: Limits, *, talks: bool = False) -> dict[str, Any]:
    """Explore once in this process, which did nothing else before but load the kernels."""
    explore(SMALL.model(), workers=workers, symmetry=case.symmetry, limits=Limits(good_states=0))
    model = case.model()
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = status("VmRSS")
    began, cpu = time.perf_counter(), time.process_time()
    result = explore(
        model,
        symmetry=case.symmetry,
        workers=workers,
        limits=limits,
        watch=report if talks else None,
    )
    wall_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    assert result.complete, result.violation or result.stopped_by
    grown = status("VmHWM") - before
    return {
        "states": result.states,
        "transitions": result.transitions,
        "depth": result.depth,
        "wall_s": wall_s,
        "cpu_s": cpu_s,
        "resident_bytes": grown,
        "bytes_per_state": grown / result.states,
        "step_calls": result.statistics["step_calls"],
        "local_states": result.statistics["local_states"],
        "messages": result.statistics["messages"],
        "collision_probability": result.collision_probability(),
    }


def counts(found: dict[str, Any]) -> tuple[int, int, int]:
    """What does not depend on the machine."""
    return found["states"], found["transitions"], found["depth"]


def report(now: Progress) -> None:
    rate = now.transitions / max(now.seconds, 1e-9) / 1e6
    words = f"depth {now.depth}, {now.states:,} states, {rate:.1f} M transitions/s"
    print(f"{words}, {now.bytes_held >> 20:,} MiB held", file=sys.stderr, flush=True)


def first_state_s() -> float:
    """Seconds from the start of a process to its first level, code compiled by an earlier one."""
    began = time.time()
    told = subprocess.run(
        [sys.executable, __file__, "--tell-first"], check=True, capture_output=True, text=True
    )
    return float(told.stdout) - began


def tell_first() -> None:
    """Print when the first level was done."""
    seen: list[float] = []

    def watch(now: Progress) -> None:
        seen.append(time.time())

    limits = Limits(depth=1, good_states=0)
    explore(CASES["crash"].model(), workers=os.cpu_count() or 1, limits=limits, watch=watch)
    print(seen[0])


def alone(name: str, workers: int) -> dict[str, Any]:
    """One measurement in a fresh process."""
    words = ["--one", name, "--workers", str(workers)]
    told = subprocess.run(
        [sys.executable, __file__, *words], check=True, stdout=subprocess.PIPE, text=True
    )
    found: dict[str, Any] = json.loads(told.stdout)
    return found


def summary(values: Iterable[float], best: Any, digits: int = 2) -> dict[str, float]:
    ordered = list(values)
    return {
        "best": round(best(ordered), digits),
        "median": round(statistics.median(ordered), digits),
    }


def repeated(name: str, workers: int, repeats: int) -> dict[str, Any]:
    """A case, measured several times: the machine is not ours alone."""
    runs = [alone(name, workers) for _ in range(repeats)]
    counted = ("states", "transitions", "depth", "step_calls", "local_states", "messages")
    assert all(run[key] == runs[0][key] for run in runs for key in counted), "counts differ"
    states, transitions = runs[0]["states"], runs[0]["transitions"]
    return {
        "case": name,
        "bound": CASES[name].bound(),
        "workers": workers,
        **{key: runs[0][key] for key in counted},
        "wall_s": summary((run["wall_s"] for run in runs), min),
        "cpu_s": summary((run["cpu_s"] for run in runs), min),
        "transitions_per_s": summary((transitions / r["wall_s"] for r in runs), max, 0),
        "transitions_per_cpu_s": summary((transitions / r["cpu_s"] for r in runs), max, 0),
        "states_per_s": summary((states / r["wall_s"] for r in runs), max, 0),
        "states_per_cpu_s": summary((states / r["cpu_s"] for r in runs), max, 0),
        "bytes_per_state": summary((run["bytes_per_state"] for run in runs), min, 1),
    }


def bars(cases: list[dict[str, Any]], warm: float) -> dict[str, Any]:
    """What was aimed at, what the first case reached (best of its runs), and whether it did."""
    crash = {c["workers"]: c for c in cases if c["case"] == "crash"}
    reached = {
        "transitions_per_s_one_worker": crash[1]["transitions_per_s"]["best"],
        "transitions_per_s_two_workers": crash[2]["transitions_per_s"]["best"],
        "bytes_per_state": max(c["bytes_per_state"]["best"] for c in crash.values()),
        "warm_start_s": warm,
    }
    return {
        name: {
            "aim": aim,
            "reached": reached[name],
            "met": reached[name] >= aim if name.startswith("transitions") else reached[name] <= aim,
        }
        for name, aim in BARS.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--large", action="store_true", help="explore more than 10^8 states")
    parser.add_argument("--one", choices=list(CASES), help="one measurement, in this process")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--tell-first", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.tell_first:
        tell_first()
        return
    if asked.one:
        print(json.dumps(measure(CASES[asked.one], asked.workers, Limits(good_states=0))))
        return
    if asked.large:
        limits = Limits(memory=LARGE_MEMORY, good_states=0)
        found = measure(LARGE, asked.workers, limits, talks=True)
        told = {"bound": LARGE.bound(), "workers": asked.workers, **found}
        print(json.dumps(told, indent=2))
        sys.exit(0 if counts(found) == LARGE_COUNTS else 1)
    load = os.getloadavg()[0]
    first_state_s()  # compiles, if nobody has
    warm = [first_state_s() for _ in range(max(3, asked.repeats))]
    cases = [repeated(name, workers, asked.repeats) for name in CASES for workers in (1, 2)]
    told = {
        "cores": os.cpu_count(),
        "load_before": round(load, 1),
        "repeats": asked.repeats,
        "bars": bars(cases, min(warm)),
        "warm_start_s": summary(warm, min),
        "cases": cases,
    }
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
