"""Who leads a slave acts on all that is committed; what a log had before a restart comes first."""

from typing import Any

import pytest
from clusters import Clusters
from delphic.harness.conform.cores.validator import follow
from delphic.harness.traces import Trace

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("bug", ["", "read-before-noop"])
def test_a_controller_that_starts_again_leads_when_it_has_applied_its_log(bug: str) -> None:
    async def story(world: Clusters) -> None:
        await world.create()
        await world.insert(1)
        await world.arrived()
        world.kill("sc1")
        world.start("sc1")
        await world.insert(2)
        await world.arrived()
        trace = Trace(world.world.hosts["sc1"].trace)
        unlike = follow({"sc1": trace.cores}).unlike
        assert [one.what for one in unlike] == (["entries applied by who leads"] if bug else [])

    options: dict[str, Any] = {"s.controller": "traceFile=trace.jsonl\n"}
    if bug:
        options["s.controller"] += f"seededBugs={bug}\n"
    with Clusters(61, options=options) as world:
        world.run(story)
