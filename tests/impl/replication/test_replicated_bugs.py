"""Seeded bugs of what drives the cores, each where it first shows; without it all goes well."""

import asyncio
from random import Random

import pytest
from clusters import PATH, TABLE, Clusters
from delphic.harness.targets.links import CUT, Links
from delphic.impl.client import cluster as client
from delphic.impl.client.errors import RequestError
from delphic.impl.cluster.operations import Operation
from delphic.impl.replication.seats import SlaveSeat, encode_entry
from delphic.impl.replication.status import TaskState
from delphic.impl.replication.taskdata import Lack
from queue_makers import queued, task
from test_taskdata import FOLDER, Node

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("bug", ["", "recorded-at-begin"])
def test_a_task_is_finished_by_its_commit_and_not_before(bug: str) -> None:
    seat = SlaveSeat(b"", frozenset((bug,)))
    assert seat.step(encode_entry(queued(task(1)))) is None
    assert seat.refusal("dfs://a", 1) is None
    state = seat.slave.records[1].state
    assert (state is TaskState.FINISH) == (bug != "")
    assert seat.recorded(1) is None
    seat.finished(1, "s1", 9)
    assert seat.slave.finished == 1


@pytest.mark.parametrize("bug", ["", "task-data-unchecked"])
def test_damaged_data_is_missing(bug: str) -> None:
    node = Node()
    node.bugs = frozenset((bug,))
    node.start()
    node.save(7, b"many rows")
    node.worker.work()
    assert node.disk.flip(Random(1), [FOLDER]) is not None
    found = node.store.fetch(7)
    assert (found is Lack.MISSING) == (bug == "")


@pytest.mark.parametrize("bug", ["", "serves-uncommitted"])
def test_slaves_are_told_of_what_is_committed_and_of_nothing_else(bug: str) -> None:
    async def story(world: Clusters) -> None:
        await world.create()
        await world.insert(*range(8))
        await world.arrived()
        leader = await world.leader("m")
        others = [alias for alias in world.controllers["m"] if alias != leader]
        cut: Links = {pair: CUT for other in others for pair in ((leader, other), (other, leader))}
        connection = await world.connect("m1")
        world.world.net.set_links(cut)
        lost = asyncio.ensure_future(client.truncate(connection, PATH, TABLE, timeout_s=20))
        await world.wait(1)
        world.world.net.set_links({})
        with pytest.raises(RequestError) as unknown:
            await lost
        assert not unknown.value.definite
        assert await world.known() == [*range(8)]
        await world.wait(3)
        truncated = [
            row for row in await world.tasks() if row["operationType"] == Operation.TRUNCATE_TABLE
        ]
        assert (truncated != []) == (bug != "")
        if not bug:
            await world.arrived()

    options = {"s.controller": "clusterReplicationPullInterval=20\n"}
    if bug:
        options["m.controller"] = f"seededBugs={bug}\n"
    with Clusters(51, controllers=3, options=options) as world:
        world.run(story)
