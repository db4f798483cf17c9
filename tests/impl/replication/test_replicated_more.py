"""Clusters that replicate: users, traces, restarts of everything, cut networks, detours."""

import json
from contextlib import suppress
from typing import Any

import pytest
from clusters import PATH, Clusters
from delphic.harness.targets.links import CUT, Links
from delphic.impl.client import cluster as client
from delphic.impl.client.errors import RequestError
from delphic.impl.cluster.commands import Commit

pytestmark = pytest.mark.slow

TRACED = {
    f"{name}.{file}": "traceFile=trace.jsonl\n"
    for name in ("m", "s")
    for file in ("controller", "cluster")
}


def traced(world: Clusters, alias: str, group: str) -> list[dict[str, Any]]:
    """What one core of one node did."""
    lines = world.world.hosts[alias].trace.splitlines()
    return [record for line in lines if (record := json.loads(line))["group"] == group]


def test_all_controllers_make_the_same_steps_and_say_so() -> None:
    async def story(world: Clusters) -> None:
        await world.create()
        await world.insert(1)
        await world.arrived()
        await world.finished(3)
        await world.wait(2)
        for side, group in (("m", "master"), ("s", "slave")):
            told = [traced(world, alias, group) for alias in world.controllers[side]]
            steps = [
                {r["index"]: (r["event"], r["post"], r.get("out")) for r in records if r["index"]}
                for records in told
            ]
            assert steps[0] == steps[1] == steps[2]
            assert [*steps[0]] == [*range(1, len(steps[0]) + 1)]
        kinds = [r["event"]["kind"] for r in traced(world, "mc1", "master")]
        assert kinds[0] == "boot"
        assert {"flagset", "completed", "pulled"} <= set(kinds)
        leader = await world.leader("s")
        news = [r["event"]["kind"] for r in traced(world, leader, "dispatcher")]
        assert {"led", "pullanswered", "attemptended", "applied"} <= set(news)
        for alias in world.controllers["s"]:
            lines = [json.loads(line) for line in world.world.hosts[alias].trace.splitlines()]
            numbers = [r["seq"] for r in lines if r["group"] in ("slave", "dispatcher")]
            assert numbers == [*range(len(numbers))]

    with Clusters(41, controllers=3, options=TRACED) as world:
        world.run(story)


def test_status_skips_and_failures_survive_a_restart_of_everything() -> None:
    async def story(world: Clusters) -> None:
        await world.create()
        await world.insert(1)
        await world.arrived()
        await world.control("s", "stopClusterReplication")
        await world.control("m", "stopClusterReplication")
        for _ in range(2):
            world.cut_power(*world.aliases)
            for alias in world.aliases:
                world.start(alias)
            assert await world.status() == "DISABLED"
            await world.insert(2)
            assert len(await world.queue()) == 3
        await world.control("m", "startClusterReplication")
        await world.insert(4)
        await world.insert(5)
        await world.control("s", "startClusterReplication")

        async def took_it() -> bool:
            return await world.ids("s1") == [1, 4, 5]

        await world.until(took_it)
        assert [row["taskId"] for row in await world.queue()] == [1, 2, 3, 4, 5]

    with Clusters(42, controllers=3) as world:
        world.run(story)


def test_a_cut_between_the_clusters_only_delays() -> None:
    async def story(world: Clusters) -> None:
        await world.create()
        await world.insert(1)
        await world.arrived()
        master = world.controllers["m"] + world.data_nodes["m"]
        slave = world.controllers["s"] + world.data_nodes["s"]
        ways = [(one, other) for one in master for other in slave]
        cut: Links = {pair: CUT for one, other in ways for pair in ((one, other), (other, one))}
        world.world.net.set_links(cut)
        for number in range(2, 12):
            await world.insert(number)
        await world.wait(20)
        assert await world.ids("s1") == [1]
        assert await world.status() == "ENABLED"
        world.world.net.set_links({})
        await world.arrived()

    with Clusters(43) as world:
        world.run(story)


def test_with_users_a_slave_logs_in_and_only_administrators_operate() -> None:
    async def story(world: Clusters) -> None:
        admin = {alias: await signed_in(world, alias) for alias in ("m1", "s1")}
        master, slave = admin["m1"], admin["s1"]
        await master.call("database", ("dfs://db", "HASH", "LONG", 4), timeout_s=20)
        await master.call("setDatabaseForClusterReplication", ("dfs://db", True), timeout_s=20)
        await master.call("createUser", ("bob", "secret", False), timeout_s=20)
        await slave.call("createUser", ("bob", "secret", False), timeout_s=20)

        async def has_it() -> bool:
            found: bool = await slave.call("existsDatabase", ("dfs://db",), timeout_s=20)
            return found

        await world.until(has_it)
        bob = {alias: await signed_in(world, alias, "bob") for alias in ("m1", "s1")}
        for alias, function, args in (
            ("m1", "setDatabaseForClusterReplication", ("dfs://db", False)),
            ("m1", "getDatabaseClusterReplicationStatus", ()),
            ("m1", "fetchTaskData", (1,)),
        ):
            with pytest.raises(RequestError) as refused:
                await bob[alias].call(function, args, timeout_s=20)
            assert refused.value.name == "NotAuthorized"
        leaders = {
            alias: await admin[alias].call("getControllerAlias", timeout_s=20) for alias in bob
        }
        for alias, function, args in (
            ("m1", "getMasterReplicationStatus", ()),
            ("m1", "getRecentSlaveReplicationInfo", ()),
            ("m1", "forgetReplicationSlave", ("x:1",)),
            ("m1", "stopClusterReplication", ()),
            ("m1", "startClusterReplication", ()),
            ("m1", "pullClusterReplication", ("x:1", ["x:1"], 0, 0, 9)),
            ("s1", "getSlaveReplicationStatus", ()),
            ("s1", "getClusterReplicationMetrics", ()),
            ("s1", "skipClusterReplicationTask", (1,)),
        ):
            rpc = (leaders[alias], function, args)
            with pytest.raises(RequestError) as refused:
                await bob[alias].call("rpc", rpc, timeout_s=20)
            assert refused.value.name == "NotAuthorized", function
        status = await slave.call(
            "rpc", (leaders["s1"], "getClusterReplicationMetrics", ()), timeout_s=20
        )
        assert status[0]["status"] == "ENABLED"

    options = dict.fromkeys(("m.controller", "s.controller"), "initialAdminPassword=secret\n")
    options["s.cluster"] = "clusterReplicationExecutionPassword=secret\n"
    with Clusters(44, options=options, login="ms") as world:
        world.run(story)


def test_a_slave_where_nobody_logs_in_logs_in_at_its_master() -> None:
    async def story(world: Clusters) -> None:
        master = await signed_in(world, "m1")
        await client.create_database(master, PATH, "HASH", "LONG", 4, timeout_s=20)
        await master.call("setDatabaseForClusterReplication", (PATH, True), timeout_s=20)
        await world.finished(1)

    options = {
        "m.controller": "initialAdminPassword=secret\n",
        "s.cluster": "clusterReplicationExecutionPassword=secret\n",
    }
    with Clusters(48, options=options, login="m") as world:
        world.run(story)


async def signed_in(world: Clusters, alias: str, user: str = "admin") -> Any:
    """A connection of that user, as soon as there are users."""
    for _ in range(100):
        connection = await world.connect(alias)
        try:
            await connection.call("login", (user, "secret"), timeout_s=20)
        except RequestError:
            connection.close()
            await world.wait(0.1)
        else:
            return connection
    raise AssertionError("nobody can log in")


class AtDecision:
    """Follows the catalog: stops a node when the next transaction is decided."""

    def __init__(self, world: Clusters, alias: str) -> None:
        self._world = world
        self._alias = alias

    def applied(self, command: Any, outcome: Any) -> None:
        if isinstance(command, Commit) and self._alias in self._world.nodes:
            self._world.nodes.pop(self._alias).stop()

    def led(self) -> None:
        """It leads already."""

    def stood_down(self) -> None:
        """There is no other."""


def test_a_data_node_that_is_stopped_leaves_the_data_of_what_has_just_been_decided() -> None:
    async def story(world: Clusters) -> None:
        await world.create()
        await world.insert(1)
        await world.arrived()
        role: Any = world.nodes["mc1"].role
        role.group.follow(AtDecision(world, "m1"))
        with suppress(RequestError):
            await world.insert(2)
        await world.wait(1)
        assert world.world.deaths == [("m1", "ended by itself, exit code 0")]
        world.world.deaths.clear()
        world.start("m1")

        async def is_there() -> bool:
            return await world.ids("s1") == [1, 2]

        await world.until(is_there)

    with Clusters(47) as world:
        world.run(story)
