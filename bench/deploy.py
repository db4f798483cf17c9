"""What nodes are made of comes to the hosts of a laboratory, and links are cut; prints JSON.

python bench/deploy.py [--hosts 5] [--times 5] [--cold]

`--cold`: also once with empty caches, here and on the hosts.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence

from delphic.harness.hosts.connection import Host
from delphic.harness.lab import lab
from delphic.harness.targets.links import HEALED, components, cut, halves
from delphic.harness.targets.remote.deploy import Berth, deploy
from delphic.harness.targets.remote.fleet import Fleet
from delphic.harness.targets.remote.placement import placed
from delphic.harness.targets.remote.wires import Wires


async def deployment(made: lab.Lab) -> tuple[float, int]:
    """Seconds from connected hosts to all of them ready; how many parts were sent."""
    entries = made.inventory.hosts
    hosts = await asyncio.gather(*(Host.open(entry) for entry in entries))
    began = time.monotonic()
    found = await deploy(
        [Berth(host, host.entry.python, f"{host.entry.cache_directory}/nodes") for host in hosts]
    )
    took = time.monotonic() - began
    for host in hosts:
        host.close()
    return took, sum(len(one.sent) for one in found.values())


async def cuts(made: lab.Lab, times: int) -> dict[str, list[float]]:
    """Seconds until all hosts have a group cut in two, and have it whole again."""
    members = tuple(f"n{number}" for number in range(1, len(made.inventory.hosts) + 1))
    fleet = Fleet(made.inventory, f"bench-{uuid.uuid4().hex[:8]}")
    took: dict[str, list[float]] = {"cut_s": [], "heal_s": []}
    try:
        await fleet.up()
        wires = Wires(fleet, placed(members, made.inventory.hosts))
        wanted = cut(components(halves(members)))
        for _ in range(times):
            for what, links in (("cut_s", wanted), ("heal_s", HEALED)):
                began = time.monotonic()
                await wires.set(links)
                took[what].append(time.monotonic() - began)
    finally:
        await fleet.down()
    return took


def cold(count: int) -> dict[str, float]:
    """A deployment where nothing is there, and nothing packed."""
    before = os.environ.get("DELPHIC_CACHE")
    with tempfile.TemporaryDirectory() as empty:
        os.environ["DELPHIC_CACHE"] = empty
        made = lab.up(count)
        try:
            took, sent = asyncio.run(deployment(made))
        finally:
            lab.down(made)
            os.environ.pop("DELPHIC_CACHE")
            if before is not None:
                os.environ["DELPHIC_CACHE"] = before
    return {"cold_s": round(took, 3), "cold_parts_sent": sent}


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=5)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--cold", action="store_true")
    chosen = parser.parse_args(arguments)
    shown: dict[str, object] = {"hosts": chosen.hosts, "load": os.getloadavg()[0]}
    if chosen.cold:
        shown |= cold(chosen.hosts)
    made = lab.up(chosen.hosts)
    try:
        asyncio.run(deployment(made))
        warm = [asyncio.run(deployment(made)) for _ in range(chosen.times)]
        took = asyncio.run(cuts(made, chosen.times))
    finally:
        lab.down(made)
    shown["warm_parts_sent"] = sum(sent for _, sent in warm)
    for what, seconds in {"warm_s": [one for one, _ in warm], **took}.items():
        shown[what] = {
            "median": round(statistics.median(seconds), 3),
            "worst": round(max(seconds), 3),
        }
    print(json.dumps(shown, indent=2))


if __name__ == "__main__":
    main(sys.argv[1:])
