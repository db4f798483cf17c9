"""Trace validation: records and steps a second, spoiled traces that are noticed, cost of tracing.

Everything but the cost of tracing is simulated and seeded, so that it can be had again.
"""

import argparse
import asyncio
import json
import platform
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import throughput
import uvloop
from delphic.harness.conform.trace.corrupt import CORRUPTIONS
from delphic.harness.conform.trace.validator import validate
from delphic.harness.plan import plan
from delphic.harness.shipped import scenario
from delphic.harness.simulate.execute import simulate_plan
from delphic.harness.traces import Record, Trace

SPOILED = "chaos"
"""The scenario whose traces are spoiled: short ones with every fault."""

CASES = ((1, 64, 4), (100, 4, 4))
"""Rows a batch, producers, connections: many small calls at once, and some larger ones."""


def traced(name: str, seed: int) -> dict[str, bytes]:
    """What members trace in a simulated run."""
    planned = plan(scenario(name), seed=seed, target="sim", command="")
    return simulate_plan(planned).traces


def speed(name: str, seed: int, rounds: int) -> dict[str, Any]:
    """The best of some rounds, in CPU time: decoding alone, and all of validating."""
    data = traced(name, seed)
    decoding, whole = [], []
    for _ in range(rounds):
        began = time.process_time()
        traces = {alias: Trace(lines) for alias, lines in data.items()}
        records = sum(len(trace.records) for trace in traces.values())
        decoding.append(time.process_time() - began)
        found = validate(sorted(data), traces)
        whole.append(time.process_time() - began)
        assert not found.rejected
        assert not found.undecided
    return {
        "scenario": name,
        "records": records,
        "records_decoded_per_s": round(records / min(decoding)),
        "steps_validated_per_s": round(found.steps / min(whole)),
    }


def spoil(seeds: int, draws: int) -> dict[str, dict[str, int]]:
    """How many spoiled traces are rejected, undecided, legal for a reason, or missed; by kind."""
    counts: dict[str, Counter[str]] = {}
    for seed in range(1, seeds + 1):
        records = {a: Trace(data).records for a, data in traced(SPOILED, seed).items()}
        for kind, outcome in _outcomes(records, f"{SPOILED}/{seed}", draws):
            counts.setdefault(kind, Counter())[outcome] += 1
    return {kind: dict(found) for kind, found in sorted(counts.items())}


def _outcomes(
    records: dict[str, tuple[Record, ...]], title: str, draws: int
) -> Iterator[tuple[str, str]]:
    for corruption in CORRUPTIONS:
        for draw in range(draws):
            spoiled = corruption(records, Random(f"{title}/{corruption.__name__}/{draw}"))
            if spoiled is None:
                continue
            traces = {alias: Trace.of(lines) for alias, lines in spoiled.traces.items()}
            found = validate(sorted(records), traces)
            if found.rejected:
                yield spoiled.kind, "rejected"
            elif found.undecided:
                yield spoiled.kind, "undecided"
            else:
                yield spoiled.kind, "legal" if spoiled.harmless else "missed"


def cost(rounds: int, seconds: float) -> list[dict[str, Any]]:
    """Rows a second of a real group that traces and of one that does not, turn by turn."""
    return [_cost(case, rounds, seconds) for case in CASES]


def _cost(case: tuple[int, int, int], rounds: int, seconds: float) -> dict[str, Any]:
    settings = {"traced": "traceFile=trace.jsonl\n", "untraced": ""}
    found: dict[str, list[float]] = {name: [] for name in settings}
    for _ in range(rounds):
        for name, extra in settings.items():
            found[name].append(_rows_per_s(case, seconds, extra))
    ratios = [t / u for t, u in zip(found["traced"], found["untraced"], strict=True)]
    return {
        "rows_per_batch": case[0],
        "producers": case[1],
        "rows_per_s": {name: [round(v) for v in values] for name, values in found.items()},
        "cost_percent": round(100 * (1 - statistics.median(ratios)), 1),
    }


def _rows_per_s(case: tuple[int, int, int], seconds: float, extra: str) -> float:
    with (
        tempfile.TemporaryDirectory(prefix="traces-") as folder,
        throughput.members(Path(folder), extra) as sites,
    ):
        measured = throughput.measure(sites, *case, seconds)
        found = uvloop.run(asyncio.wait_for(measured, seconds + 60))
    return float(found["rows_per_s"])


def main() -> None:
    """Print everything as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=4, help="simulated runs to spoil")
    parser.add_argument("--draws", type=int, default=25, help="of each kind and run")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each round on real members")
    parser.add_argument("--no-cost", action="store_true", help="start no real members")
    chosen = parser.parse_args()
    found: dict[str, Any] = {
        "python": platform.python_version(),
        "speed": [speed(name, 1, chosen.rounds) for name in ("quickstart", "chaos")],
        "spoiled": spoil(chosen.seeds, chosen.draws),
    }
    if not chosen.no_cost:
        found["tracing"] = cost(chosen.rounds, chosen.seconds)
    json.dump(found, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
