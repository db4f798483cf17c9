"""Two clusters in a simulated world: what the tutorial does, and what the functions then say."""

from typing import Any

import pytest
from clusters import PATH, TABLE, Clusters, rows
from delphic.impl.client import cluster as client
from delphic.impl.client.errors import RequestError

pytestmark = pytest.mark.slow

EXECUTOR = "clusterReplicationExecutionUsername=repl\n"


def test_what_a_master_does_a_slave_does_and_all_functions_tell_so() -> None:
    async def story(world: Clusters) -> None:
        await world.create()
        await world.insert(*range(20), at="m2")
        await world.arrived()
        await world.finished(3)
        tasks = await world.tasks()
        assert [row["operationType"] for row in tasks] == [
            "CREATE_DOMAIN",
            "CREATE_PARTITIONED_TABLE",
            "APPEND",
        ]
        assert [row["groupId"] for row in tasks] == [1, 2, 3]
        assert [row["executionNode"] for row in tasks] == ["s2", "s1", "s2"]
        assert [row["tableName"] for row in tasks] == ["", TABLE, TABLE]
        assert all(row["finishTime"] >= row["createTime"] for row in tasks)

        async def truncated() -> bool:
            return all(row["isTruncated"] for row in await world.queue())

        await world.until(truncated)
        queue = await world.queue()
        assert [(row["taskId"], row["tid"]) for row in queue] == [
            (row["taskId"], row["masterTid"]) for row in tasks
        ]
        assert {row["srcPort"] for row in queue} == {world.ports["m1"], world.ports["m2"]}
        assert [row["dbName"] for row in queue] == [PATH] * 3
        (slave,) = await world.control("m", "getRecentSlaveReplicationInfo")
        site = f"127.0.0.1:{world.ports['sc1']}"
        assert (slave["connectedController"], slave["allControllersInRaft"]) == (site, site)
        assert slave["lastFinishedTaskId"] == 3
        (metrics,) = await world.control("s", "getClusterReplicationMetrics", -1)
        assert (metrics["finishedTasks"], metrics["unfinishedTasks"]) == (3, 0)
        assert metrics["status"] == "ENABLED"
        assert await world.call("m1", "getDatabaseClusterReplicationStatus") == [
            {"dbName": PATH, "enabled": True}
        ]
        assert (await world.call("m1", "schema", PATH))["clusterReplicationEnabled"] is True
        assert len(await world.control("s", "getSlaveReplicationStatus", 2)) == 2

        async def deleted() -> bool:
            return not [
                path
                for alias in ("m1", "m2")
                for path in world.world.hosts[alias].disk.tree()
                if path.endswith(".task")
            ]

        await world.until(deleted)

    with Clusters(1) as world:
        world.run(story)


def test_every_operation_is_repeated_on_the_slave() -> None:
    async def story(world: Clusters) -> None:
        await world.create()
        await world.insert(*range(20))
        one = await world.connect("m1")
        await client.sql_update(one, PATH, TABLE, {"n": 5}, [client.Condition("id", ">=", 15)])
        await client.sql_delete(one, PATH, TABLE, [client.Condition("id", "<", 5)])
        await client.upsert(one, PATH, TABLE, rows(7, 99, n=7), ["id"])
        await world.arrived()
        other = await world.connect("s1")
        for alias in (one, other):
            found = await client.sql_select(alias, PATH, TABLE)
            ns = dict(zip(found["id"].to_pylist(), found["n"].to_pylist(), strict=True))
            assert ns == {i: 5 if i >= 15 else 0 for i in range(5, 20)} | {7: 7, 99: 7}
        await client.drop_partition(one, PATH, TABLE, ["1"])
        await world.arrived()
        await client.truncate(one, PATH, TABLE)
        await world.insert(1)
        await world.arrived()
        assert await world.ids("s1") == [1]
        await client.drop_partitioned_table(one, PATH, TABLE)
        await world.arrived()
        assert await world.ids("s1") is None
        await client.drop_database(one, PATH)

        async def gone() -> bool:
            return not await client.exists_database(other, PATH)

        await world.until(gone)
        operations = [row["operationType"] for row in await world.tasks()]
        assert operations == [
            "CREATE_DOMAIN",
            "CREATE_PARTITIONED_TABLE",
            "APPEND",
            "SQL_UPDATE",
            "SQL_DELETE",
            "UPSERT",
            "DROP_PARTITION",
            "TRUNCATE_TABLE",
            "APPEND",
            "DROP_TABLE",
            "DROP_DB",
        ]

    with Clusters(2) as world:
        world.run(story)


def test_databases_that_are_off_are_not_replicated() -> None:
    async def story(world: Clusters) -> None:
        await world.create("dfs://off", replicated=False)
        await world.create()
        await world.insert(1, path="dfs://off")
        await world.insert(1)
        await world.arrived()
        assert await world.ids("s1", "dfs://off") is None
        await world.call("m1", "setDatabaseForClusterReplication", PATH, False)
        await world.insert(2)
        await world.call("m1", "setDatabaseForClusterReplication", PATH, True)
        await world.insert(3)

        async def three() -> bool:
            return await world.ids("s1") == [1, 3]

        await world.until(three)
        assert len(await world.queue()) == 4
        with pytest.raises(RequestError, match="has tables already"):
            await world.call("m1", "setDatabaseForClusterReplication", "dfs://off", True)

    with Clusters(3) as world:
        world.run(story)


def test_a_stopped_master_forgets_and_a_stopped_slave_catches_up() -> None:
    async def story(world: Clusters) -> None:
        await world.create()
        await world.insert(1)
        await world.arrived()
        await world.control("m", "stopClusterReplication")
        await world.insert(2)
        await world.control("m", "startClusterReplication")
        await world.control("s", "stopClusterReplication")
        assert await world.status() == "DISABLED"
        await world.insert(3)
        await world.wait(2)
        assert await world.ids("s1") == [1]
        await world.control("s", "startClusterReplication")

        async def caught_up() -> bool:
            return await world.ids("s1") == [1, 3]

        await world.until(caught_up)
        assert await world.status() == "ENABLED"
        assert await world.ids("m1") == [1, 2, 3]

    with Clusters(4) as world:
        world.run(story)


def test_thirty_failures_stop_the_slave_and_a_cure_and_a_start_go_on() -> None:
    async def story(world: Clusters) -> None:
        for right in ("DB_WRITE", "DB_MANAGE"):
            if right == "DB_WRITE":
                await world.call("s1", "createUser", "repl", "secret", False)
            await world.call("s1", "grant", "repl", right, "*")
        await world.create()
        await world.insert(1)
        await world.arrived()
        await world.call("s1", "revoke", "repl", "DB_WRITE", "*")
        await world.insert(2)

        async def stopped() -> bool:
            return await world.status() == "STOPPED"

        await world.until(stopped)
        task = (await world.tasks())[-1]
        assert (task["taskId"], task["state"]) == (4, "FAILED")
        assert "repl has no DB_WRITE on dfs://db" in task["details"]
        # 29 pauses of 200 ms, and the attempts themselves.
        assert task["finishTime"] - task["createTime"] > 29 * 200_000_000
        assert await world.ids("s1") == [1]
        await world.call("s1", "grant", "repl", "DB_WRITE", "*")
        await world.wait(2)
        assert await world.status() == "STOPPED"
        await world.control("s", "startClusterReplication")
        await world.arrived()
        assert await world.ids("s1") == [1, 2]

    with Clusters(5, options={"s.cluster": EXECUTOR}) as world:
        world.run(story)


def test_a_failed_task_can_be_skipped_and_what_follows_is_done() -> None:
    async def story(world: Clusters) -> None:
        await world.call("s1", "createUser", "repl", "secret", False)
        await world.call("s1", "grant", "repl", "DB_WRITE", "*")
        await world.call("s1", "grant", "repl", "DB_MANAGE", "*")
        await world.create()
        await world.insert(1)
        await world.arrived()
        with pytest.raises(RequestError, match="must be stopped before"):
            await world.control("s", "skipClusterReplicationTask", 3)
        await world.call("s1", "revoke", "repl", "DB_WRITE", "*")
        await world.insert(2)

        async def stopped() -> bool:
            return await world.status() == "STOPPED"

        await world.until(stopped)
        await world.insert(3)
        with pytest.raises(RequestError, match="there is no task 99"):
            await world.control("s", "skipClusterReplicationTask", [4, 99])
        await world.control("s", "skipClusterReplicationTask", 4)
        task = (await world.tasks())[3]
        assert (task["state"], task["details"]) == ("FINISH", "skipped")
        await world.call("s1", "grant", "repl", "DB_WRITE", "*")
        await world.wait(2)
        assert await world.ids("s1") == [1]
        await world.control("s", "startClusterReplication")

        async def went_on() -> bool:
            return await world.ids("s1") == [1, 3]

        await world.until(went_on)

    limit = "clusterReplicationFailureLimit=3\n"
    with Clusters(6, options={"s.cluster": EXECUTOR, "s.controller": limit}) as world:
        world.run(story)


def test_clients_do_not_write_what_is_replicated() -> None:
    async def story(world: Clusters) -> None:
        await world.create()
        await world.insert(1)
        await world.arrived()
        connection = await world.connect("s1")
        for write in (
            world.insert(7, at="s1"),
            client.truncate(connection, PATH, TABLE),
            client.drop_database(connection, PATH),
        ):
            with pytest.raises(RequestError, match="S01023") as refused:
                await write
            assert refused.value.definite
        await client.create_database(connection, "dfs://own", "HASH", "LONG", 2)
        await world.control("s", "stopClusterReplication")
        await world.insert(7, at="s1")
        assert await world.ids("s1") == [1, 7]

    with Clusters(7) as world:
        world.run(story)


@pytest.mark.parametrize(
    ("alias", "function", "args", "message"),
    [
        ("m1", "getMasterReplicationStatus", (), "on the controller of the master cluster"),
        ("m1", "startClusterReplication", (), "on the controller of the master or slave cluster"),
        ("mc1", "getSlaveReplicationStatus", (), "on the controller of the slave cluster"),
        ("mc1", "skipClusterReplicationTask", (1,), "on the controller of the slave cluster"),
        ("mc1", "getClusterReplicationMetrics", (), "on the controller of the slave cluster"),
        ("sc1", "getMasterReplicationStatus", (), "on the controller of the master cluster"),
        ("sc1", "getRecentSlaveReplicationInfo", (), "on the controller of the master cluster"),
        ("sc1", "forgetReplicationSlave", ("x:1",), "on the controller of the master cluster"),
        ("s1", "setDatabaseForClusterReplication", (PATH,), "on a data node of the master"),
        ("mc1", "setDatabaseForClusterReplication", (PATH,), "on a data node of the master"),
    ],
)
def test_functions_say_where_they_belong(
    alias: str, function: str, args: tuple[Any, ...], message: str
) -> None:
    async def story(world: Clusters) -> None:
        with pytest.raises(RequestError, match=f"{function} must be executed {message}") as refused:
            await world.call(alias, function, *args)
        assert "S01024" in refused.value.message
        assert refused.value.definite

    with Clusters(8) as world:
        world.run(story)


def test_arguments_that_make_no_sense_are_refused() -> None:
    async def story(world: Clusters) -> None:
        for name, function, args in (
            ("m", "getMasterReplicationStatus", (-2,)),
            ("m", "getMasterReplicationStatus", (1, 2)),
            ("s", "getClusterReplicationMetrics", (-3,)),
            ("s", "skipClusterReplicationTask", ([],)),
            ("s", "skipClusterReplicationTask", ("x",)),
        ):
            with pytest.raises(RequestError) as refused:
                await world.control(name, function, *args)
            assert refused.value.name == "BadRequest"
        with pytest.raises(RequestError, match="true or false"):
            await world.call("m1", "setDatabaseForClusterReplication")

    with Clusters(9) as world:
        world.run(story)
