"""Guided against unguided search: the model's local steps seen, and the time to find seeded bugs.

Both get the same processor time, measuring included: what guiding costs is part of it. Prints JSON.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Iterator
from itertools import count
from typing import Any

import yaml
from delphic.harness.language import shipped
from delphic.harness.simulate.campaign import Campaign, Case, Job, Tried, try_case
from delphic.harness.simulate.guided import guided

BUGS = ("commit-old-term", "stale-vote-counted", "folder-not-synced")

BROKEN = ["HS-1", "HS-2", "HS-4", "HS-5", "HS-20", "HS-23", "HS-25"]

WORLDS_MAX = 5_000


class Spent(Exception):
    """The processor time is over."""


def chaos(bug: str | None = None) -> Job:
    """`chaos` as it ships, or with a seeded bug."""
    text, file = shipped.text_of("chaos")
    if bug is None:
        return Job(text, file, "chaos")
    data = yaml.safe_load(text)
    data["cluster"]["bugs"] = {"all": [bug]}
    data["expect"] = {"verdict": "fail", "promises": BROKEN}
    return Job(yaml.safe_dump(data, sort_keys=False), file, "chaos")


def is_seen(one: Tried) -> bool:
    """Whether clients saw a promise break: no checker that looks into traces counts here."""
    return any(not line.startswith("conformance") for line in one.signature)


def _worlds(job: Job, first: int, *, measure: bool) -> Iterator[Tried]:
    return (try_case(job, Case(seed), measure=measure) for seed in count(first))


def search(job: Job, first: int, cpu_s: float, *, guide: bool, hunt: bool) -> dict[str, Any]:
    """Worlds until the time is over, or with `hunt` until one shows the bug."""
    points: list[tuple[float, int]] = []
    state: dict[str, Any] = {"found": False}
    began = time.process_time()

    def watch(found: Campaign) -> None:
        spent = time.process_time() - began
        points.append((round(spent, 2), len(found.local_steps)))
        state["kinds"] = len(found.exercised.seen)
        state["found"] = hunt and is_seen(found.tried[-1])
        if state["found"] or spent > cpu_s:
            raise Spent

    try:
        if guide:
            guided(job, range(first, first + WORLDS_MAX), keep_going=True, watch=watch)
        else:
            plain = Campaign(expects_failure=hunt)
            # A hunt without a guide needs no measuring; to count steps, both have to measure.
            for one in _worlds(job, first, measure=not hunt):
                plain.add(one)
                watch(plain)
    except Spent:
        pass
    spent, steps = points[-1]
    told = {"worlds": len(points), "cpu_s": spent}
    if hunt:
        return {**told, "found": state["found"]}
    return {
        **told,
        "local_steps": steps,
        "kinds": state["kinds"],
        "at": points[:: len(points) // 8],
    }


def main() -> int:
    """Print what came of it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cpu", type=float, default=60.0, help="processor seconds of each search")
    parser.add_argument(
        "--starts", type=int, default=3, help="searches, each from seeds of its own"
    )
    options = parser.parse_args()
    firsts = [1 + 5_000 * start for start in range(options.starts)]
    result: dict[str, Any] = {"cpu_s": options.cpu, "coverage": {}, "bugs": {}}
    for name, guide in (("unguided", False), ("guided", True)):
        result["coverage"][name] = [
            search(chaos(), first, options.cpu, guide=guide, hunt=False) for first in firsts
        ]
        for bug in BUGS:
            hunts = [
                search(chaos(bug), first, options.cpu, guide=guide, hunt=True) for first in firsts
            ]
            result["bugs"].setdefault(bug, {})[name] = {
                "found": sum(one["found"] for one in hunts),
                "of": len(hunts),
                "median_cpu_s": statistics.median(one["cpu_s"] for one in hunts),
                "hunts": hunts,
            }
            print(name, bug, result["bugs"][bug][name], file=sys.stderr)
    print(json.dumps(result, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
