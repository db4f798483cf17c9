"""Trace validation: records and steps a second, spoiled traces that are noticed, cost of tracing.

Everything but the cost of tracing is simulated and seeded, so that it can be had again.
"""

import argparse
import contextlib
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

import streaming
import uvloop
from delphic.harness.conform.trace.corrupt import CORRUPTIONS
from delphic.harness.conform.trace.validator import validate
from delphic.harness.language.shipped import scenario
from delphic.harness.plan import plan
from delphic.harness.simulate.execute import simulate_plan
from delphic.harness.traces import Record, Trace
from processes import ALIASES, Processes

SPOILED = "chaos"
"""The scenario whose traces are spoiled: short ones with every fault."""

COLUMNS = 11
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


def cost(turns: int, seconds: float) -> list[dict[str, Any]]:
    """Processor time of a real group that traces and of one that does not, per batch.

    Wall time tells more about what else the machine does. Both groups are there all the time and
    take short turns; what counts is the median of the ratios of neighbouring turns.
    """
    return [uvloop.run(_cost(case, turns, seconds)) for case in CASES]


async def _cost(case: tuple[int, int, int], turns: int, seconds: float) -> dict[str, Any]:
    rows, producers, connections = case
    settings = {"traced": "traceFile=trace.jsonl\n", "untraced": ""}
    with contextlib.ExitStack() as stack:
        benches = {}
        for name, extra in settings.items():
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="traces-"))
            processes = stack.enter_context(Processes(Path(folder), extra))
            processes.start(*ALIASES)
            batch = streaming.batch_of(COLUMNS, rows)
            benches[name] = await streaming.bench_of(processes, batch, producers, connections)
        spent: dict[str, list[float]] = {name: [] for name in settings}
        for number in range(-1, turns):
            for name in settings if number % 2 == 0 else reversed(settings):
                benches[name].measured["ha"] = streaming.Measured()
                await benches[name].turn("ha", seconds, sys.maxsize, counts=True)
                if number >= 0:
                    shown = benches[name].measured["ha"].shown(rows)
                    spent[name].append(shown["cpu_ms_per_batch"]["nodes"])
    ratios = [t / u for t, u in zip(spent["traced"], spent["untraced"], strict=True)]
    return {
        "rows_per_batch": rows,
        "producers": producers,
        "connections": connections,
        "turns": turns,
        "cpu_ms_per_batch_median": {
            name: round(statistics.median(some), 4) for name, some in spent.items()
        },
        "cost_percent": round(100 * (statistics.median(ratios) - 1), 1),
        "cost_percent_quartiles": [
            round(100 * (ratio - 1), 1) for ratio in statistics.quantiles(ratios)[::2]
        ],
    }


def main() -> None:
    """Print everything as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=4, help="simulated runs to spoil")
    parser.add_argument("--draws", type=int, default=25, help="of each kind and run")
    parser.add_argument("--rounds", type=int, default=5, help="of validating; the best counts")
    parser.add_argument("--turns", type=int, default=60, help="of each group of real members")
    parser.add_argument("--seconds", type=float, default=0.15, help="of each turn")
    parser.add_argument("--no-cost", action="store_true", help="start no real members")
    parser.add_argument("--only-cost", action="store_true", help="simulate nothing")
    chosen = parser.parse_args()
    found: dict[str, Any] = {"python": platform.python_version()}
    if not chosen.only_cost:
        found["speed"] = [speed(name, 1, chosen.rounds) for name in ("quickstart", "chaos")]
        found["spoiled"] = spoil(chosen.seeds, chosen.draws)
    if not chosen.no_cost:
        found["tracing"] = cost(chosen.turns, chosen.seconds)
    json.dump(found, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
