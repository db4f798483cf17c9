"""Databases of a simulated cluster: every operation through any data node, reads at one moment."""

from typing import Any

import pyarrow as pa
import pytest
from cluster_world import ClusterWorld
from delphic.impl.client import cluster as client
from delphic.impl.client.connection import Connection
from delphic.impl.client.errors import RequestError
from delphic.impl.cluster.operations import Condition

PATH, TABLE = "dfs://db", "t"
SCHEMA = pa.schema([("id", pa.int64()), ("n", pa.int64())])


def rows(*ids: int, n: int = 0) -> pa.RecordBatch:
    return pa.record_batch([list(ids), [n] * len(ids)], schema=SCHEMA)


async def made(connection: Connection, kind: str = "HASH", partitions: Any = 4) -> None:
    """The database and its table."""
    await client.create_database(connection, PATH, kind, "LONG", partitions, timeout_s=20)
    await client.create_partitioned_table(connection, PATH, TABLE, SCHEMA, "id", timeout_s=20)


async def ids(connection: Connection, *conditions: Condition) -> list[int]:
    found = await client.sql_select(connection, PATH, TABLE, ("id",), conditions)
    return sorted(found["id"].to_pylist())


def test_every_operation_does_what_it_says_through_any_data_node() -> None:
    async def story(world: ClusterWorld) -> None:
        one, other = await world.connect("n1"), await world.connect("n2")
        assert not await client.exists_database(one, PATH, timeout_s=20)
        await made(one)
        assert await client.exists_database(other, PATH)
        assert await client.exists_table(other, PATH, TABLE)
        assert not await client.exists_table(other, PATH, "other")
        written = await client.table_insert(one, PATH, TABLE, rows(*range(20)))
        assert written.rows == 20
        assert await ids(other) == list(range(20))
        loaded = await client.load_table(other, PATH, TABLE)
        assert sorted(loaded["partitions"]) == ["0", "1", "2", "3"]
        assert set(loaded["partitions"].values()) == {"n1", "n2"}
        changed = await client.sql_update(other, PATH, TABLE, {"n": 5}, [Condition("id", ">=", 15)])
        assert changed.rows == 5
        assert await client.sql_count(one, PATH, TABLE, [Condition("n", "=", 5)]) == 5
        gone = await client.sql_delete(one, PATH, TABLE, [Condition("id", "<", 10)])
        assert gone.rows == 10
        put = await client.upsert(one, PATH, TABLE, rows(10, 99, n=7), ["id"])
        assert put.rows == 2
        assert await ids(other) == [*range(10, 20), 99]
        assert await ids(other, Condition("n", "=", 7)) == [10, 99]
        found = await client.sql_select(one, PATH, TABLE, limit=3)
        assert (found.num_rows, found.column_names) == (3, ["id", "n"])
        told = await client.schema(one, PATH, TABLE)
        assert told["clusterReplicationEnabled"] is False
        assert (told["partitionType"], told["partitionColumnName"]) == ("HASH", "id")
        await client.drop_partition(one, PATH, TABLE, ["2"])
        assert await ids(other) == [11, 12, 13, 15, 16, 17, 19, 99]
        await client.truncate(other, PATH, TABLE)
        assert await client.sql_count(one, PATH, TABLE) == 0
        await client.table_insert(other, PATH, TABLE, rows(1))
        assert await ids(one) == [1]
        await client.drop_partitioned_table(one, PATH, TABLE)
        with pytest.raises(RequestError, match="no table t"):
            await ids(other)
        await client.drop_database(other, PATH)
        assert not await client.exists_database(one, PATH)

    with ClusterWorld(1) as world:
        world.run(story(world))


def test_values_get_partitions_as_they_come_and_ranges_refuse_what_lies_outside() -> None:
    async def story(world: ClusterWorld) -> None:
        connection = await world.connect("n1")
        await made(connection, "VALUE", [1, 2])
        await client.table_insert(connection, PATH, TABLE, rows(1, 5, 5))
        loaded = await client.load_table(connection, PATH, TABLE)
        assert sorted(loaded["partitions"]) == ["1", "5"]
        await client.drop_database(connection, PATH)
        await made(connection, "RANGE", [0, 10, 20])
        with pytest.raises(RequestError, match="lies in no range") as refused:
            await client.table_insert(connection, PATH, TABLE, rows(5, 20))
        assert refused.value.definite
        assert await client.sql_count(connection, PATH, TABLE) == 0
        await client.table_insert(connection, PATH, TABLE, rows(5, 19))
        assert await ids(connection) == [5, 19]

    with ClusterWorld(2, controllers=["c1"]) as world:
        world.run(story(world))


def test_what_makes_no_sense_is_refused_definitely() -> None:
    async def story(world: ClusterWorld) -> None:
        connection = await world.connect("n2")
        for kind, type_, partitions in (
            ("LIST", "LONG", [1]),
            ("HASH", "DOUBLE", 3),
            ("HASH", "LONG", [1]),
            ("RANGE", "LONG", [1]),
        ):
            with pytest.raises(RequestError) as refused:
                await client.create_database(
                    connection, PATH, kind, type_, partitions, timeout_s=20
                )
            assert (refused.value.name, refused.value.definite) == ("BadRequest", True)
        await made(connection)
        with pytest.raises(RequestError, match="no database dfs://x"):
            await client.sql_count(connection, "dfs://x", TABLE)
        with pytest.raises(RequestError, match="no table x"):
            await client.table_insert(connection, PATH, "x", rows(1))
        other = pa.record_batch({"id": [1]})
        with pytest.raises(RequestError) as mismatch:
            await client.table_insert(connection, PATH, TABLE, other)
        assert (mismatch.value.name, mismatch.value.definite) == ("SchemaMismatch", True)
        with pytest.raises(RequestError, match="cannot leave"):
            await client.sql_update(connection, PATH, TABLE, {"id": 1})
        with pytest.raises(RequestError, match="no column x"):
            await client.sql_select(connection, PATH, TABLE, ("x",))
        with pytest.raises(RequestError, match="tableInsert"):
            await connection.call("tableInsert", (PATH, TABLE, b"", b"", 1), timeout_s=5)
        text = pa.schema([("n", pa.string())])
        with pytest.raises(RequestError, match="partitioned by int64; column n is string"):
            await client.create_partitioned_table(connection, PATH, "u", text, "n")

    with ClusterWorld(3, controllers=["c1"]) as world:
        world.run(story(world))


def test_everything_is_there_after_a_restart_of_the_whole_cluster() -> None:
    async def fill(world: ClusterWorld) -> None:
        connection = await world.connect("n1")
        await made(connection)
        for first in range(0, 50, 10):
            await client.table_insert(connection, PATH, TABLE, rows(*range(first, first + 10)))
        connection.close()

    async def look(world: ClusterWorld) -> None:
        connection = await world.connect("n2")
        assert await ids(connection) == list(range(50))
        await client.table_insert(connection, PATH, TABLE, rows(50))
        assert await ids(connection) == list(range(51))

    with ClusterWorld(4) as world:
        world.run(fill(world))
        world.world.cut_power(world.aliases, keeps_nothing=True)
        for alias in world.aliases:
            world.start(alias)
        world.run(look(world))


SECRET = "initialAdminPassword=correct horse\n"


def test_whoever_lacks_a_right_is_refused_and_nothing_happens() -> None:
    async def story(world: ClusterWorld) -> None:
        admin = await world.connect("n1")
        await admin.call("login", ("admin", "correct horse"), timeout_s=30)
        await made(admin)
        await admin.call("createUser", ("bob", "hunter2", False), timeout_s=30)
        bob = await world.connect("n2")
        with pytest.raises(RequestError) as stranger:
            await client.sql_count(bob, PATH, TABLE)
        assert stranger.value.name == "NotAuthenticated"
        await bob.call("login", ("bob", "hunter2"), timeout_s=30)
        with pytest.raises(RequestError, match="no DB_READ"):
            await client.sql_count(bob, PATH, TABLE)
        with pytest.raises(RequestError, match="no DB_WRITE") as refused:
            await client.table_insert(bob, PATH, TABLE, rows(1))
        assert (refused.value.name, refused.value.definite) == ("NotAuthorized", True)
        with pytest.raises(RequestError, match="no DB_MANAGE"):
            await client.drop_database(bob, PATH)
        await admin.call("grant", ("bob", "DB_WRITE", PATH), timeout_s=30)
        await client.table_insert(bob, PATH, TABLE, rows(1, 2))
        await admin.call("grant", ("bob", "DB_READ", "*"), timeout_s=30)
        assert await ids(bob) == [1, 2]
        await admin.call("revoke", ("bob", "DB_WRITE", PATH), timeout_s=30)
        with pytest.raises(RequestError, match="no DB_WRITE"):
            await client.sql_delete(bob, PATH, TABLE)
        assert await ids(admin) == [1, 2]

    with ClusterWorld(5, controllers=["c1"], cluster="", controller=SECRET) as world:
        world.run(story(world))
