"""The same bounded Raft model in Delphic, TLC and Stateright: states per CPU second, as JSON.

python bench/peers/run.py              bounds of up to ten million states; TLC on the small ones
python bench/peers/run.py --long       TLC and Stateright on one bound more each (half an hour)
python bench/peers/run.py --only NAME  that bound alone

Exit code 1: a tool failed, or the tools do not agree on the number of distinct states. A tool that
is not to be had is told as absent.
"""

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bounds import BARS, BOUNDS, Bound, bars, disagreements, ratios
from tools import Absent, Run, Stateright, Tlc, run_child

HERE = Path(__file__).resolve().parent

NOTES = (
    "states_per_cpu_s charges each tool with its whole process. *_explore_only leaves out the "
    "start of Python and the loading of kernels for ours, and nothing for the peers.",
    "transitions: ours and TLC's count moves that change nothing, Stateright's does not: its model "
    "drops them before a state is built.",
    "Ours checks 21 promises, most of them on steps; the peers check six in every state.",
    "Where a bar is missed, bench/peers/README.md says where the time goes, as far as was seen.",
)


def ours(bound: Bound) -> Run:
    """`explore` on one worker, in a fresh process that finds the kernels compiled."""
    run = run_child([sys.executable, str(HERE / "ours.py"), bound.name])
    told = json.loads(run.output)
    return Run(told["states"], told["transitions"], run.wall_s, run.cpu_s, told["explore_cpu_s"])


def measured(bound: Bound, peers: dict[str, Any], *, long: bool) -> dict[str, Any]:
    """One bound in every tool that is there and meant to do it."""
    tools: dict[str, Any] = {}
    for name in ("ours", *peers):
        print(f"{bound.name}: {name}", file=sys.stderr, flush=True)
        if name == "ours":
            tools[name] = ours(bound).told()
        elif isinstance(peers[name], Absent):
            tools[name] = {"absent": str(peers[name])}
        elif name in bound.left_out and not long:
            tools[name] = {"not_run": "takes long; asked for by --long"}
        elif name in bound.never:
            tools[name] = {"not_run": "too long: by its rate 40 minutes of processor time or more"}
        else:
            tools[name] = peers[name].run(bound).told()
    return {**asdict(bound), "tools": tools, "ratios": ratios(tools)}


def prepared() -> dict[str, Any]:
    """Every peer, built, or the reason why it is absent."""
    peers: dict[str, Any] = {}
    for name, tool in (("tlc", Tlc), ("stateright", Stateright)):
        try:
            peers[name] = tool.prepare(HERE)
        except Absent as absent:
            peers[name] = absent
    return peers


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--long", action="store_true", help="more, and takes half an hour")
    parser.add_argument("--only", choices=[b.name for b in BOUNDS], action="append")
    asked = parser.parse_args()
    load = os.getloadavg()[0]
    peers = prepared()
    ours(BOUNDS[0])  # compiles the kernels, if nobody has
    chosen = [b for b in BOUNDS if (b.name in asked.only if asked.only else asked.long or b.usual)]
    results = [measured(bound, peers, long=asked.long) for bound in chosen]
    differences = disagreements(results)
    told = {
        "cores": os.cpu_count(),
        "load_before": round(load, 1),
        "load_after": round(os.getloadavg()[0], 1),
        "versions": {
            name: f"absent: {p}" if isinstance(p, Absent) else p.version
            for name, p in peers.items()
        },
        "counts_agree": not differences,
        "differences": differences,
        "bars": bars(results, BARS),
        "bounds": results,
        "notes": NOTES,
    }
    print(json.dumps(told, indent=2))
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
