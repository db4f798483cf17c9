"""How fast simulated worlds are: operations a second, time against real time, two cores; JSON.

python bench/simulate.py [--seeds N]

`quickstart` as it is shipped, each world checked, its traces held against the model step by step;
once with one process, once with two; then without traces, judged by its history and its replicas
alone; and a group that is asked once a second for ten minutes, in which idle time dominates.
Operations are those that clients began and the checkers judged, refused ones included; a third of
them is refused, for every second client stays with its member whatever that says.
"""

import argparse
import json
import os
import statistics
from dataclasses import dataclass
from typing import Any

from delphic.harness.language import shipped
from delphic.harness.simulate.campaign import Campaign, Case, Job, campaign

TRACED, UNTRACED = "cluster:\n", "cluster:\n  trace: false\n"

BARS = {"operations_per_core_s": 2_000, "idle_times_real": 20, "two_cores_over_one": 1.8}

IDLE = """
name: idle
title: Asked once a second
cluster: {members: 3}
workload: {name: log, clients: 1, rate: 1}
duration: 600s
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """One campaign, in figures."""

    worlds: int
    operations: int
    acknowledged: int
    wall_s: float
    cpu_s: float
    virtual_s: float

    @classmethod
    def of(cls, found: Campaign) -> "Measured":
        assert not found.failed, found.failed[0].sentence
        return cls(
            len(found.tried),
            sum(one.asked for one in found.tried),
            sum(one.operations for one in found.tried),
            found.wall_s,
            sum(one.cpu_s for one in found.tried),
            sum(one.virtual_s for one in found.tried),
        )

    def plain(self) -> dict[str, Any]:
        return {
            "worlds": self.worlds,
            "operations": self.operations,
            "acknowledged": self.acknowledged,
            "wall_s": round(self.wall_s, 2),
            "cpu_s": round(self.cpu_s, 2),
            "virtual_s": round(self.virtual_s, 1),
            "operations_per_wall_s": round(self.operations / self.wall_s),
            "operations_per_cpu_s": round(self.operations / self.cpu_s),
            "acknowledged_per_cpu_s": round(self.acknowledged / self.cpu_s),
            "worlds_per_minute": round(60 * self.worlds / self.wall_s, 1),
            "times_real": round(self.virtual_s / self.wall_s, 1),
        }


def measure(job: Job, seeds: int, jobs: int) -> Measured:
    campaign(job, [Case(0) for _ in range(jobs)], jobs=jobs)  # imports, caches
    cases = [Case(seed) for seed in range(1, seeds + 1)]
    return Measured.of(campaign(job, cases, jobs=jobs, keep_going=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3, help="one and two processes, in turns")
    asked = parser.parse_args()
    load = os.getloadavg()[0]
    text, file = shipped.text_of("quickstart")
    job = Job(text, file, "quickstart")
    one, two = [], []
    for _ in range(asked.rounds):
        one.append(measure(job, asked.seeds, 1))
        two.append(measure(job, asked.seeds, 2))
    assert text.count(TRACED) == 1, "quickstart says `cluster:` once"
    alone = measure(Job(text.replace(TRACED, UNTRACED), file, "quickstart"), asked.seeds, 1)
    idle = measure(Job(IDLE, "idle.yaml", "idle"), 1, 1)
    speed_up = statistics.median(a.wall_s / b.wall_s for a, b in zip(one, two, strict=True))
    reached = {
        "operations_per_core_s": round(alone.operations / alone.cpu_s),
        "idle_times_real": round(idle.virtual_s / idle.wall_s, 1),
        "two_cores_over_one": round(speed_up, 2),
    }
    told = {
        "cores": os.cpu_count(),
        "load_before": round(load, 1),
        "bars": {
            name: {"aim": aim, "reached": reached[name], "met": reached[name] >= aim}
            for name, aim in BARS.items()
        },
        "one_process": [m.plain() for m in one],
        "two_processes": [m.plain() for m in two],
        "one_process_without_traces": alone.plain(),
        "idle": idle.plain(),
    }
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
