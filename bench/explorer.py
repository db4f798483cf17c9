"""What a click costs the server of `delphic explore --ui`, in a space of 3.9 x 10^7 states; JSON.

python bench/explorer.py                  1,000 clicks, and links that a fresh server opens
python bench/explorer.py --clicks 10000
"""

import argparse
import json
import random
import statistics
import sys
import threading
import time
from typing import Any

import msgspec
from delphic.harness.explorer.api import About, Api
from delphic.harness.explorer.atlas import Atlas
from delphic.harness.explorer.hunt import Hunt
from delphic.model.explore.limits import Limits
from delphic.model.raft_group import raft_group
from delphic.model.raft_types import Options
from delphic.reports.server import application
from starlette.testclient import TestClient

STATES = 38_770_613
"""Of this bound: bench/explore.py counts them."""

BAR_MS = 100.0
LINKS = 20


def client() -> TestClient:
    """A fresh server: it knows no state."""
    model = raft_group(Options(members=3, terms=2, entries=2), crashes=1)
    atlas, lock = Atlas(model, "bench"), threading.Lock()
    about = About("raft", "", "", "soup", (), (), None, None)
    api = Api(about, atlas, Hunt(atlas, lock, limits=Limits()), lock)
    return TestClient(application(api.routes(), None), base_url="http://127.0.0.1")


class Here(msgspec.Struct):
    """What the clicks need of an answer."""

    link: str
    depth: int
    choices: list[dict[str, Any]]


class Asked(msgspec.Struct):
    """An answer: milliseconds until its last byte, those of the processor, and its size."""

    here: Here
    ms: float
    cpu_ms: float
    size: int


def asked(server: TestClient, address: str) -> Asked:
    """A state; this process is client and server."""
    began, cpu = time.perf_counter(), time.process_time()
    answer = server.get(f"/api/state/{address}")
    ms, cpu_ms = (time.perf_counter() - began) * 1e3, (time.process_time() - cpu) * 1e3
    assert answer.status_code == 200, answer.text
    here = msgspec.json.decode(answer.content, type=Here)
    return Asked(here, ms, cpu_ms, len(answer.content))


def clicks(count: int) -> tuple[dict[str, Any], list[str]]:
    """Wander, and begin anew where nothing more happens; and the deepest links on the way."""
    server, chance = client(), random.Random(7)
    found, links = [], {}
    address = "start"
    for _ in range(count):
        one = asked(server, address)
        found.append(one)
        links[one.here.link] = one.here.depth
        moving = [choice for choice in one.here.choices if not choice.get("stays")]
        address = chance.choice(moving)["address"] if moving else "start"
    deepest = sorted(links, key=lambda link: -links[link])[:LINKS]
    return {
        "clicks": count,
        **times(found),
        "kilobytes": round(statistics.median(one.size for one in found) / 1e3, 1),
        "deepest": max(links.values()),
    }, deepest


def opened(links: list[str]) -> dict[str, Any]:
    """Links of many steps, each on a server that has seen nothing."""
    found = [asked(client(), link) for link in links]
    return {
        "links": len(links),
        "steps": statistics.median(one.here.depth for one in found),
        **times(found),
    }


def times(found: list[Asked]) -> dict[str, Any]:
    """By the wall, and by the processor, which does not know who else works here."""
    return {"ms": spread([o.ms for o in found]), "cpu_ms": spread([o.cpu_ms for o in found])}


def spread(values: list[float]) -> dict[str, float]:
    """The middle, what one of a hundred exceeds, and the most."""
    ordered = sorted(values)
    return {
        "median": round(statistics.median(ordered), 1),
        "p99": round(ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)], 1),
        "most": round(ordered[-1], 1),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--clicks", type=int, default=1_000)
    asking = parser.parse_args()
    clicked, links = clicks(asking.clicks)
    found = {"states": STATES, "click": clicked, "fresh_link": opened(links)}
    found["holds"] = clicked["ms"]["p99"] < BAR_MS
    print(json.dumps(found, indent=2))
    return 0 if found["holds"] else 1


if __name__ == "__main__":
    sys.exit(main())
