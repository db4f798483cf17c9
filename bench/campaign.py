"""Many seeds of many scenarios, in a ledger that the next campaign goes on with.

A line of the ledger is a range of seeds of one scenario at one place: how many gave which verdict,
and of which commit. Ranges that a ledger has are not run again; all scenarios grow together. Usage:
python bench/campaign.py --on sim|local|lab [--seeds N] [--ledger FILE] [--fresh] [--minutes M]
[--jobs N] [SCENARIO …] runs what is missing and prints the ledger's sums as JSON (without --ledger:
of this campaign alone), and on standard error how much was missing and how much of it was run. With
--fresh, lines of other commits count for nothing, neither as done nor in the sums. --table FILE
writes such a ledger as a page. Exit code 1 when something else came out than expected.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from delphic.harness.commands.suite import able

CHUNKS = {"sim": 50, "local": 1, "lab": 1}
"""Seeds of one line."""

CHUNK_TIMEOUT_S = 3600
FINE = "as expected"
Line = dict[str, Any]

PAGE = """# Campaigns on the correct build

How many simulated worlds and runs of real processes, here and on hosts of a laboratory, each
scenario has passed, and on which commits; a scenario that was changed, or that has found a mistake
in the implementation, begins anew. Every seed draws its own faults, moments and operations. An
unknown or inconclusive world is one in which a drawn fault found nobody to hit, or a check could
not be decided: no promise was broken in it.

`bench/campaign.py --ledger` goes on where [the ledger](campaigns.jsonl) ends, `--table` writes this
page.

"""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Seeds `first` to `last` of a scenario."""

    scenario: str
    first: int
    last: int


def shipped(on: str) -> list[str]:
    """The scenarios that can be run there and are no seeded bugs and no drills."""
    listed = json.loads(_called("list", "--json").stdout)["scenarios"]
    names = [row["name"] for row in listed]
    return able([name for name in names if not name.startswith(("bug-", "drill"))], on)[0]


def _called(*words: str, **more: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "delphic", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=CHUNK_TIMEOUT_S, **more)


def missing(names: Sequence[str], seeds: int, on: str, lines: Sequence[Line]) -> Iterator[Chunk]:
    """What the ledger lacks, the lowest seeds of all scenarios first."""
    done = {
        (line["scenario"], seed)
        for line in lines
        if line["on"] == on
        for seed in range(line["first"], line["last"] + 1)
    }
    size = CHUNKS[on]
    for first in range(1, seeds + 1, size):
        for name in names:
            left = [s for s in range(first, min(first + size, seeds + 1)) if (name, s) not in done]
            if left:
                yield Chunk(name, left[0], left[-1])


def simulated(chunk: Chunk, _: str, folder: Path) -> Line:
    """The verdicts of a range of worlds."""
    seeds = f"{chunk.first}..{chunk.last}"
    words = ("simulate", chunk.scenario, "--seeds", seeds, "--keep-going", "--jobs", "1", "--json")
    done = _called(*words, "--quiet", "--out", str(folder))
    try:
        found = json.loads(done.stdout)
    except ValueError:
        return {"verdicts": {"refused": 1}, "unexpected": [(done.stdout + done.stderr)[-500:]]}
    verdicts = {verdict: count for verdict, count in found["verdicts"].items() if count}
    return {"verdicts": verdicts, "cpu_s": found["cpu_s"], "unexpected": found["failures"]}


def run(chunk: Chunk, on: str, folder: Path) -> Line:
    """How one run of real processes ended."""
    began = time.monotonic()
    words = ("run", chunk.scenario, "--on", on, "--seed", str(chunk.first), "--quiet")
    environment = {**os.environ, "DELPHIC_STATE": str(folder / "state")}
    done = _called(*words, "--out", str(folder), env=environment)
    verdicts = [json.loads(path.read_text()) for path in folder.glob("*/verdict.json")]
    told = verdicts[0]["validity"] if verdicts else "refused"
    unexpected = [(done.stdout + done.stderr)[-500:]] if done.returncode else []
    return {
        "verdicts": {told: 1},
        "seconds": round(time.monotonic() - began, 1),
        "unexpected": unexpected,
    }


TRIED = {"sim": simulated, "local": run, "lab": run}


def sums(lines: Sequence[Line]) -> dict[str, Any]:
    """The ledger by place and scenario."""
    verdicts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    commits: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    for line in lines:
        key = line["on"], line["scenario"]
        verdicts[key].update(line["verdicts"])
        commits[key][line["commit"]] = None
    told: dict[str, Any] = {}
    for key in sorted(verdicts):
        row = {"verdicts": dict(verdicts[key]), "commits": list(commits[key])}
        told.setdefault(key[0], {})[key[1]] = row
    told["unexpected"] = [line for line in lines if line["unexpected"]]
    return told


def page(lines: Sequence[Line]) -> str:
    """The ledger for people."""
    told = sums(lines)
    rows = [
        "| Scenario | Simulated worlds | Local runs | Laboratory | Commits |",
        "| --- | --: | --: | --: | --- |",
    ]
    for name in sorted({line["scenario"] for line in lines}):
        at = [told.get(on, {}).get(name, {"verdicts": {}, "commits": []}) for on in TRIED]
        commits = sorted({commit for one in at for commit in one["commits"]})
        cells = (_verdicts(one["verdicts"]) for one in at)
        rows.append(f"| `{name}` | {' | '.join(cells)} | {', '.join(commits)} |")
    return PAGE + "\n".join(rows) + "\n"


def _verdicts(found: dict[str, int]) -> str:
    others = [f"{count:,} {verdict}" for verdict, count in found.items() if verdict != "pass"]
    return ", ".join([f"{found.get('pass', 0):,} pass", *others]) if found else "–"


def read(ledger: Path | None) -> list[Line]:
    """The lines of a ledger; none where there is no file yet."""
    if ledger is None or not ledger.exists():
        return []
    return [json.loads(line) for line in ledger.read_text().splitlines()]


def commit_of_here() -> str:
    """What is tried; a tree with changes ends in `-dirty`."""
    words = ["git", "describe", "--always", "--dirty"]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()


def of_commit(commit: str, lines: Sequence[Line]) -> list[Line]:
    """What was found on exactly this commit: never of a tree with changes, which may be others."""
    return [line for line in lines if line["commit"] == commit and not commit.endswith("-dirty")]


def campaign(
    on: str, chunks: Sequence[Chunk], jobs: int, until: float, ledger: Path | None
) -> list[Line]:
    """Try all, so many at a time, none begun after `until` (monotonic); lines are kept at once."""
    commit = commit_of_here()
    found: list[Line] = []
    lock = Lock()

    def tried(chunk: Chunk) -> None:
        if time.monotonic() > until:
            return
        folder = Path(tempfile.mkdtemp(prefix="campaign-"))
        line = {"scenario": chunk.scenario, "on": on, "first": chunk.first, "last": chunk.last}
        line |= {"commit": commit, **TRIED[on](chunk, on, folder)}
        if line["unexpected"]:
            print(f"kept: {folder}", file=sys.stderr)
        else:
            shutil.rmtree(folder)
        with lock:
            found.append(line)
            if ledger is not None:
                with ledger.open("a") as file:
                    file.write(json.dumps(line) + "\n")

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(tried, chunks))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--on", choices=list(TRIED), default="local")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--ledger", type=Path)
    parser.add_argument("--fresh", action="store_true", help="only this commit's lines count")
    parser.add_argument("--minutes", type=float, default=float("inf"))
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--table", type=Path)
    parser.add_argument("scenario", nargs="*")
    asked = parser.parse_args()
    if asked.table is not None:
        print(page(read(asked.table)), end="")
        return 0
    lines = read(asked.ledger)
    if asked.fresh:
        lines = of_commit(commit_of_here(), lines)
    chunks = list(missing(asked.scenario or shipped(asked.on), asked.seeds, asked.on, lines))
    until = time.monotonic() + 60 * asked.minutes
    ran = campaign(asked.on, chunks, asked.jobs, until, asked.ledger)
    told = sums(lines + ran)
    how_many = f"{len(ran)} of {len(chunks)} missing ranges were run"
    print(how_many if chunks else "nothing was missing: nothing was run", file=sys.stderr)
    print(json.dumps(told, indent=2))
    return 1 if told["unexpected"] else 0


if __name__ == "__main__":
    sys.exit(main())
