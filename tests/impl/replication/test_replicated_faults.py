"""Two clusters and more in a simulated world in which things break: nothing is lost in silence."""

from random import Random

import pytest
from clusters import Clusters
from delphic.harness.targets.faults import SOUND, DiskState

pytestmark = pytest.mark.slow

SYNC = "clusterReplicationSyncPersistence=true\n"
LIMIT = "clusterReplicationFailureLimit=3\n"


def test_slaves_do_not_wait_for_one_another() -> None:
    async def story(world: Clusters) -> None:
        await world.create()
        await world.insert(1)

        async def truncated() -> bool:
            return [row["isTruncated"] for row in await world.queue()] == [True] * 3

        await world.until(truncated)
        await world.control("t", "stopClusterReplication")
        await world.insert(2)
        await world.arrived("s")
        assert await world.ids("t1") == [1]
        # What one slave has still to do stays, data and all.
        await world.wait(5)
        assert [row["isTruncated"] for row in await world.queue()] == [True] * 3 + [False]
        await world.control("t", "startClusterReplication")
        await world.arrived("t")

    with Clusters(11, slaves=("s", "t")) as world:
        world.run(story)


def test_one_slave_too_many_gets_nothing() -> None:
    async def story(world: Clusters) -> None:
        await world.create()
        await world.insert(1)
        await world.wait(5)
        (first,) = await world.control("m", "getRecentSlaveReplicationInfo")
        sites = {f"127.0.0.1:{world.ports[name + 'c1']}": name for name in ("s", "t")}
        name = sites.pop(first["connectedController"])
        assert await world.ids(f"{name}1") == [1]
        (other,) = sites.values()
        assert await world.ids(f"{other}1") is None
        assert await world.tasks(other) == []

    with Clusters(12, slaves=("s", "t"), slaves_max=1) as world:
        world.run(story)


def test_a_slave_that_is_no_more_is_forgotten() -> None:
    async def story(world: Clusters) -> None:
        await world.create()
        await world.insert(1)
        await world.arrived()
        world.kill("tc1", "t1", "t2")
        await world.insert(2)
        await world.arrived("s")
        await world.wait(3)
        assert not (await world.queue())[-1]["isTruncated"]
        gone = f"127.0.0.1:{world.ports['tc1']}"
        await world.control("m", "forgetReplicationSlave", gone)
        assert [row["isTruncated"] for row in await world.queue()] == [True] * 4
        (left,) = await world.control("m", "getRecentSlaveReplicationInfo")
        assert left["connectedController"] == f"127.0.0.1:{world.ports['sc1']}"

    with Clusters(14, slaves=("s", "t")) as world:
        world.run(story)


@pytest.mark.parametrize("side", ["m", "s"])
def test_another_controller_goes_on_where_the_leader_was(side: str) -> None:
    async def story(world: Clusters) -> None:
        await world.create()
        await world.insert(1)
        await world.arrived()
        for number in (2, 3, 4):
            leader = await world.leader(side)
            await world.insert(10 * number)
            world.kill(leader)
            await world.insert(10 * number + 1)
            world.start(leader)
            await world.arrived()
        await world.finished(2 + 7)
        assert await world.ids("s1") == [1, 20, 21, 30, 31, 40, 41]
        assert [row["taskId"] for row in await world.queue()] == [*range(1, 10)]

    with Clusters(13, controllers=3) as world:
        world.run(story)


def test_a_slave_whose_configured_controller_is_down_asks_the_others() -> None:
    async def story(world: Clusters) -> None:
        await world.create()
        await world.arrived()
        world.kill("mc1")
        world.kill(*world.controllers["s"])
        for alias in world.controllers["s"]:
            world.start(alias)
        await world.insert(1)
        await world.arrived()

    with Clusters(14, controllers=3) as world:
        world.run(story)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_whatever_dies_and_comes_back_every_task_is_done_once(seed: int) -> None:
    async def story(world: Clusters) -> None:
        chance = Random(seed)
        await world.create()
        for number in range(1, 9):
            victim = chance.choice([alias for alias in world.aliases if alias != "m1"])
            await world.insert(number)
            world.kill(victim)
            await world.wait(chance.uniform(0, 1.5))
            world.start(victim)
            await world.insert(100 + number)
        await world.arrived(within_s=120)
        assert await world.ids("s1") == [*range(1, 9), *range(101, 109)]
        assert await world.status() == "ENABLED"

    with Clusters(20 + seed, controllers=3) as world:
        world.run(story)


def test_asynchronous_persistence_can_lose_a_task_and_then_says_so() -> None:
    """PR-20: missing data is a failure that everybody sees, never a silent gap."""

    async def story(world: Clusters) -> None:
        await world.create()
        await world.insert(1)
        await world.arrived()
        world.kill("sc1")
        # The power goes in the very turn of the answer, before the disk has the data.
        world.world.hosts["m1"].disk.set(DiskState(slow=100.0))
        await world.insert(2)
        world.cut_power("m1")
        world.world.hosts["m1"].disk.set(SOUND)
        world.start("m1")
        world.start("sc1")

        async def stopped() -> bool:
            return await world.status() == "STOPPED"

        await world.until(stopped)
        (*_, task) = await world.tasks()
        assert (task["state"], "Missing taskData" in task["details"]) == ("FAILED", True)
        assert await world.ids("s1") == [1]
        await world.control("s", "skipClusterReplicationTask", task["taskId"])
        await world.control("s", "startClusterReplication")
        await world.insert(3)

        async def went_on() -> bool:
            return await world.ids("s1") == [1, 3]

        await world.until(went_on)
        assert await world.known() == [1, 2, 3]

    with Clusters(31, options={"s.controller": LIMIT}) as world:
        world.run(story)


def test_synchronous_persistence_loses_nothing() -> None:
    """PR-19."""

    async def story(world: Clusters) -> None:
        await world.create()
        await world.insert(1)
        await world.arrived()
        world.kill("sc1")
        for number in range(2, 8):
            await world.insert(number)
            world.cut_power("m1")
            world.start("m1")
        world.start("sc1")
        await world.arrived()
        assert await world.ids("s1") == [*range(1, 8)]

    options = {"s.controller": LIMIT, "m.cluster": SYNC}
    with Clusters(32, options=options) as world:
        world.run(story)


def test_a_master_that_comes_back_after_a_long_time_is_caught_up_with() -> None:
    async def story(world: Clusters) -> None:
        await world.create()
        await world.insert(1)
        await world.arrived()
        world.kill("sc1", "s1", "s2")
        for number in range(2, 40):
            await world.insert(number)
        for alias in ("sc1", "s1", "s2"):
            world.start(alias)
        await world.arrived()
        groups = {row["groupId"] for row in await world.tasks()}
        assert len(groups) < 40, "tasks about other chunks share a group"

    with Clusters(33) as world:
        world.run(story)
