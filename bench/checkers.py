"""How long checking takes, and against which bar: all parts as one JSON object.

python bench/checkers.py                  everything: hours, nearly all of them Porcupine's
python bench/checkers.py --quick          shorter histories, and 5 seconds for each: some minutes
python bench/checkers.py --parts monitors registers

monitors     a million operations of each object: seconds to read and to judge, highest memory
registers    values that repeat never, by 5 to 50 clients: our monitor, and Porcupine beside it
ambiguous    values that repeat, compare-and-set that fails: our search, and Porcupine beside it
recorded     histories recorded from etcd and key-value stores, and the verdicts that others expect
logs         the checks of a run's own log

Each part is a program of its own, whose output stands under its name. Porcupine comes from the Go
module proxy; where that or Go is missing, `absent` says so, and `recorded` has nothing to judge.
Exit code 1: a program failed, a monitor judged wrongly, or two judges contradict each other. A bar
that was missed is told, and one that was not measured is neither met nor missed: `met` is null.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
OPERATIONS = 1_000_000
CHECK_S, MEMORY_MIB = 5.0, 1536
CELL_S = 1.0
RATIO = 5.0

PROGRAMS = {
    "monitors": ("monitors.py",),
    "registers": ("peers/linearizability.py", "--kind", "unique"),
    "ambiguous": ("peers/linearizability.py", "--kind", "ambiguous"),
    "recorded": ("peers/recorded.py",),
    "logs": ("logs.py",),
}
QUICK = {
    "monitors": ("--operations", "100000"),
    "registers": ("--only", " 1,000 operations", "--seconds", "5"),
    "ambiguous": ("--only", " 1,000 operations", "--seconds", "5"),
    "logs": ("--operations", "20000"),
}


def measured(part: str, *, is_quick: bool) -> dict[str, Any]:
    """What a part's program prints; its messages pass through."""
    name, *words = (*PROGRAMS[part], *(QUICK.get(part, ()) if is_quick else ()))
    done = subprocess.run([sys.executable, HERE / name, *words], stdout=subprocess.PIPE)
    if not done.stdout:
        return {"failed": done.returncode}
    told: dict[str, Any] = json.loads(done.stdout)
    return told if done.returncode == 0 else {**told, "failed": done.returncode}


def bars(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Each bar with what was reached of it."""
    told = {
        f"{case['spec']}, {'one late violation' if case['violate'] else 'valid'}": monitored(case)
        for case in found.get("monitors", {}).get("monitors", ())
    }
    for part, kind, judged in (
        ("registers", "unique", of_registers),
        ("ambiguous", "ambiguous", of_ambiguous),
    ):
        summary = found.get(part, {}).get("summary", {}).get(kind)
        if summary:
            told[part] = judged(summary)
    return told


def monitored(case: dict[str, Any]) -> dict[str, Any]:
    validity = "fail" if case["violate"] else "pass"
    is_soon = case["check_s"] <= CHECK_S and case["memory_mib"] <= MEMORY_MIB
    is_met = is_soon and case["validity"] == validity
    aim = {"operations": OPERATIONS, "check_s": CHECK_S, "memory_mib": MEMORY_MIB}
    return {
        "aim": {"validity": validity, **aim},
        "reached": {key: case[key] for key in ("validity", "check_s", "check_cpu_s", "memory_mib")},
        # Fewer operations than asked for prove nothing.
        "met": is_met if case["asked"] >= OPERATIONS else None,
    }


def of_registers(summary: dict[str, Any]) -> dict[str, Any]:
    decided, cells = summary["decided"]["monitor"], summary["cells"]
    return {
        "aim": {"decided": cells, "slowest_s": CELL_S},
        "reached": {"decided": decided}
        | {key: summary[key] for key in ("slowest_s", "slowest_cpu_s")},
        "met": decided == cells and summary["slowest_s"] < CELL_S,
    }


def of_ambiguous(summary: dict[str, Any]) -> dict[str, Any]:
    counts, ratio = summary["decided"], summary.get("ours/porcupine")
    told = {
        "aim": {"ours/porcupine": RATIO, "decided": counts.get("porcupine")},
        "reached": {"ours/porcupine": ratio, "decided": counts["search"]},
    }
    if ratio is None:
        return {**told, "met": None, "why": "Porcupine is absent, or decided nothing"}
    return {**told, "met": ratio <= RATIO and counts["search"] >= counts["porcupine"]}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--parts", nargs="+", choices=list(PROGRAMS), default=list(PROGRAMS))
    parser.add_argument("--quick", action="store_true", help="smaller and sooner")
    asked = parser.parse_args()
    found = {part: measured(part, is_quick=asked.quick) for part in asked.parts}
    print(json.dumps({"quick": asked.quick, "bars": bars(found), **found}, indent=2))
    return 1 if any("failed" in told for told in found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
