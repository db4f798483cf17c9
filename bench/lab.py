"""A laboratory comes up, answers over SSH, and goes; prints JSON.

python bench/lab.py [--hosts 5] [--times 5]
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import Sequence

from delphic.harness.hosts.connection import Host
from delphic.harness.lab import lab

COMMANDS = 30


async def work(made: lab.Lab) -> dict[str, float]:
    """What connecting to all hosts, a command, and a command on all of them take."""
    began = time.monotonic()
    hosts = await asyncio.gather(*(Host.open(entry) for entry in made.inventory.hosts))
    connected = time.monotonic()
    single, every = [], []
    for _ in range(COMMANDS):
        start = time.monotonic()
        await hosts[0].must("true")
        middle = time.monotonic()
        await asyncio.gather(*(host.must("true") for host in hosts))
        single.append(middle - start)
        every.append(time.monotonic() - middle)
    for host in hosts:
        host.close()
    return {
        "connect_s": connected - began,
        "command_ms": 1000 * statistics.median(single),
        "command_on_all_ms": 1000 * statistics.median(every),
    }


def once(count: int) -> dict[str, float]:
    """One laboratory from nothing to nothing."""
    began = time.monotonic()
    made = lab.up(count)
    up = time.monotonic()
    try:
        found = asyncio.run(work(made))
    finally:
        before = time.monotonic()
        lab.down(made)
    return {"up_s": up - began, "down_s": time.monotonic() - before, **found}


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=5)
    parser.add_argument("--times", type=int, default=5)
    chosen = parser.parse_args(arguments)
    runs = [once(chosen.hosts) for _ in range(chosen.times)]
    measured = {
        name: {
            "median": round(statistics.median(run[name] for run in runs), 3),
            "worst": round(max(run[name] for run in runs), 3),
        }
        for name in runs[0]
    }
    shown = {"hosts": chosen.hosts, "times": chosen.times, "load": os.getloadavg()[0], **measured}
    print(json.dumps(shown, indent=2))


if __name__ == "__main__":
    main(sys.argv[1:])
