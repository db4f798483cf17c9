"""How soon each seeded bug is found: seeds and seconds until its scenario shows it; JSON.

python bench/zoo.py [BUG …] > docs/zoo.json           several starts for every bug, or for these
python bench/zoo.py --table docs/zoo.json > docs/zoo.md
"""

import argparse
import gc
import json
import os
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from delphic.harness.simulate.campaign import Case, Job
from delphic.harness.simulate.cli import job_of
from delphic.harness.simulate.execute import simulate_plan
from delphic.harness.verdict import Validity
from delphic.impl.bugs import BUGS

STARTS = 5
SEEDS_MAX = 200
"""A bug that so many seeds do not show counts as not found from that start."""

HEAD = """# The zoo: seeded bugs, and how soon they are found

Written by `python bench/zoo.py --table docs/zoo.json`: do not edit.

Each mistake was made in the field, or is one that a paper warns of. A bug's scenario is
`bug-NAME`; it ran in simulated worlds with one seed after another until a promise that it names was
seen to break, from {starts} starts. *row*: the number in the harness notes' list of bugs, and where
it was seen. *breaks*: promises of which the mistake is known to break one. *caught by*: whose
verdict it was, and the promises that broke, the most frequent first. *seeds*: how many it took, the
median and, in brackets, the most. *seconds*: of one core until then, the median.

| bug | row | mistake | breaks | caught by | seeds | seconds |
|---|---|---|---|---|--:|--:|
"""

FOOT = """
## Rows of the list that are not here

Mistakes can only be seeded where the code is in which they are made.

| row | mistake | what is missing |
|---|---|---|
| R4 | leases by the wall clock | leases: every read asks a majority |
| R10, R11, R12 | snapshots | snapshots and log compaction |
| R16 | a cache of entries survives a truncation | a cache: a member holds its whole log in memory |
| R17 | applied index and data apart on disk | an applied index: each record has its LSN |
| R18, R19, R20, R28, R30 | membership | changes of membership |
| R21 | a retry is stored twice | sessions: without, it may be stored twice (HS-15) |
| R23 | a corrupt minority overrides the majority | nothing but the seeded mistake itself |
| R24 | a batch leaves a gap | limits that drop an entry instead of ending the request |
| R27, the ABA of reports | a late report of the disk is taken by its index only | more than one \
sync at a time, or more than one request to a follower that has not answered: the late report can \
vouch for no more than the new leader's first, empty entry |
| R29 | completions of the disk out of order | more than one sync at a time |
"""


@dataclass(frozen=True, slots=True)
class Found:
    """One start: the seed that showed the bug, or None; all seeds up to it cost `cpu_s`."""

    start: int
    seed: int | None
    seeds: int
    cpu_s: float
    virtual_s: float
    caught: tuple[tuple[str, str, str], ...]
    """Checker, promises and sentence of each verdict that a promise broke."""


def search(job: Job, start: int) -> Found:
    """Try one seed after another."""
    began, virtual_s = time.process_time(), 0.0
    for seed in range(start, start + SEEDS_MAX):
        taken_s, caught = world(job, seed)
        gc.collect()
        virtual_s += taken_s
        if caught:
            cpu_s = time.process_time() - began
            return Found(start, seed, seed - start + 1, cpu_s, virtual_s, caught)
    return Found(start, None, SEEDS_MAX, time.process_time() - began, virtual_s, ())


def world(job: Job, seed: int) -> tuple[float, tuple[tuple[str, str, str], ...]]:
    """How long one world lasted, and who caught the bug there."""
    plan = job.plan(Case(seed))
    gc.disable()
    found = simulate_plan(plan)
    gc.enable()
    hoped = set(plan.expect.promises)
    caught = (
        (one.checker, ", ".join(one.promises), one.sentence)
        for one in found.verdict.verdicts
        if one.validity is Validity.FAIL and hoped.intersection(one.promises)
    )
    return found.ending.duration_s, tuple(caught) if found.verdict.as_expected else ()


def measure(names: Sequence[str], jobs: int) -> Iterator[dict[str, Any]]:
    """Every bug from every start."""
    with ProcessPoolExecutor(
        jobs, mp_context=get_context("forkserver"), max_tasks_per_child=1
    ) as pool:
        begun = {
            name: [
                pool.submit(search, job_of(f"bug-{name}"), 1 + at * SEEDS_MAX)
                for at in range(STARTS)
            ]
            for name in names
        }
        for name, futures in begun.items():
            found = [future.result() for future in futures]
            told = summary(name, found)
            print(f"{name}: {told['seeds_median']} seeds", file=sys.stderr, flush=True)
            yield told


def summary(name: str, found: Sequence[Found]) -> dict[str, Any]:
    """What the page says of one bug, and what it was made from."""
    bug = BUGS[name]
    caught = Counter((checker, promises) for one in found for checker, promises, _ in one.caught)
    return {
        "bug": name,
        "row": bug.source,
        "mistake": bug.mistake,
        "promises": list(bug.promises),
        "found": sum(one.seed is not None for one in found),
        "starts": len(found),
        "seeds_median": statistics.median(one.seeds for one in found),
        "seeds_max": max(one.seeds for one in found),
        "cpu_s_median": round(statistics.median(one.cpu_s for one in found), 2),
        "virtual_s_median": round(statistics.median(one.virtual_s for one in found), 1),
        "caught_by": [
            {"checker": checker, "promises": promises, "starts": count}
            for (checker, promises), count in caught.most_common()
        ],
        "example": next((one.caught[0][2] for one in found if one.caught), None),
        "searches": [asdict(one) for one in found],
    }


def table(told: dict[str, Any]) -> str:
    """The page."""
    rows = [
        "| "
        + " | ".join(
            (
                f"`{one['bug']}`",
                one["row"],
                one["mistake"],
                ", ".join(one["promises"]),
                "; ".join(f"`{c['checker']}` {c['promises']}" for c in one["caught_by"][:2]),
                f"{one['seeds_median']:g} ({one['seeds_max']})",
                f"{one['cpu_s_median']:.1f}",
            )
        )
        + " |\n"
        for one in told["bugs"]
    ]
    return HEAD.format(starts=told["starts"]) + "".join(rows) + FOOT


def main() -> None:
    """Measure, or write the page of what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bugs", nargs="*", choices=[[], *BUGS], metavar="BUG")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--table", type=Path, metavar="JSON")
    asked = parser.parse_args()
    if asked.table is not None:
        print(table(json.loads(asked.table.read_text())), end="")
        return
    measured = list(measure(asked.bugs or list(BUGS), asked.jobs))
    told = {"starts": STARTS, "seeds_max": SEEDS_MAX, "bugs": measured}
    print(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
