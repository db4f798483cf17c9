"""Asks a node for what the workload `replicate` does: tables, tasks, switches, rights."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from ...impl.client import cluster, functions
from ...impl.client.connection import Connection
from ...impl.client.errors import (
    DATABASE_EXISTS,
    NO_SUCH_DATABASE,
    NO_SUCH_TABLE,
    NOT_LEADER,
    TABLE_EXISTS,
    RequestError,
)
from ...impl.cluster.operations import Condition
from ...impl.runtime import ClientRuntime
from ...impl.stream.schema import to_bytes
from ..language.sides import is_controller
from ..op import OpType
from ..system import Answer, Site, Status

CATALOG = 1
"""The id of the controllers' Raft group."""

SCHEMA = pa.schema(
    [
        pa.field("id", pa.int64(), nullable=False),
        pa.field("part", pa.int64(), nullable=False),
        pa.field("value", pa.int64(), nullable=False),
    ]
)
"""A row: who it is, which partition it is in, what was last written into it."""

PARTITION, KEY = "part", "id"
EXECUTOR_PASSWORD = "let-me-replicate"  # noqa: S105 - nothing here is secret

ALL_TIME = -1

_DONE_ALREADY = {
    "make-db": (DATABASE_EXISTS,),
    "make-table": (TABLE_EXISTS,),
    "drop-table": (NO_SUCH_TABLE, NO_SUCH_DATABASE),
    "drop-db": (NO_SUCH_DATABASE,),
}
"""What was asked for before, and whose answer was lost."""


class ReplicatedConnection:
    """One client's connection to one node of a master or a slave."""

    def __init__(self, alias: str, connection: Connection) -> None:
        self._alias = alias
        self._connection = connection

    @property
    def is_open(self) -> bool:
        return self._connection.is_open

    async def perform(self, f: str, key: Any, value: Any, timeout_s: float) -> Answer:
        try:
            done = OPERATIONS[f](self._connection, key, value, timeout_s)
            return Answer(OpType.OK, await done)
        except RequestError as error:
            if error.name in _DONE_ALREADY.get(f, ()):
                return Answer(OpType.OK)
            leader = error.site.alias if error.name == NOT_LEADER and error.site else None
            kind = OpType.FAIL if error.definite else OpType.INFO
            return Answer(kind, error=f"{error.name}: {error.message}", leader=leader)

    async def status(self, key: Any, timeout_s: float) -> Status | None:
        """Of controllers: the others lead nothing."""
        if not is_controller(self._alias):
            return None
        try:
            said = await functions.raft_status(self._connection, CATALOG, timeout_s=timeout_s)
        except RequestError:
            return None
        return Status(said["role"], said["term"], said["leader"], said["applied"], 0, "")

    def close(self) -> None:
        self._connection.close()


async def open_node(
    site: Site, timeout_s: float, runtime: ClientRuntime | None = None
) -> ReplicatedConnection | None:
    """Connect to a node; None if it does not greet in time."""
    wait_s = max(0.0, timeout_s)
    try:
        connection = await Connection.open(site.host, site.port, timeout_s=wait_s, runtime=runtime)
    except RequestError:
        return None
    return ReplicatedConnection(site.alias, connection)


def _place(key: str) -> tuple[str, str]:
    """`dfs://database/table`, apart."""
    database, _, table = key.removeprefix("dfs://").partition("/")
    return f"dfs://{database}", table


def batch(rows: list[list[int]]) -> pa.RecordBatch:
    """Rows of [id, partition, value]."""
    columns = list(zip(*rows, strict=True))
    return pa.RecordBatch.from_arrays([pa.array(c, pa.int64()) for c in columns], schema=SCHEMA)


def meant(value: Mapping[str, Any]) -> tuple[Condition, ...]:
    """Which rows are meant: some by id, or a partition, or all."""
    if value.get("ids") is not None:
        return (Condition(KEY, "in", tuple(value["ids"])),)
    if value.get("p") is not None:
        return (Condition(PARTITION, "=", value["p"]),)
    return ()


async def _append(c: Connection, key: str, value: Any, timeout_s: float) -> Any:
    done = await cluster.table_insert(c, *_place(key), batch(value["rows"]), timeout_s=timeout_s)
    return {"tid": done.tid, "rows": done.rows}


async def _bulk(c: Connection, key: str, value: Any, timeout_s: float) -> Any:
    """Many rows at once; their ids say everything."""
    ids = np.arange(value["rows"], dtype=np.int64)
    columns = [pa.array(ids), pa.array(ids % value["partitions"]), pa.array(ids)]
    rows = pa.RecordBatch.from_arrays(columns, schema=SCHEMA)
    done = await cluster.table_insert(c, *_place(key), rows, timeout_s=timeout_s)
    return {"tid": done.tid, "rows": done.rows}


async def _count(c: Connection, key: str, value: Any, timeout_s: float) -> Any:
    try:
        return await cluster.sql_count(c, *_place(key), timeout_s=timeout_s)
    except RequestError as error:
        if error.name in (NO_SUCH_TABLE, NO_SUCH_DATABASE):
            return 0
        raise


async def _upsert(c: Connection, key: str, value: Any, timeout_s: float) -> Any:
    rows = batch(value["rows"])
    done = await cluster.upsert(c, *_place(key), rows, (KEY,), timeout_s=timeout_s)
    return {"tid": done.tid, "rows": done.rows}


async def _update(c: Connection, key: str, value: Any, timeout_s: float) -> Any:
    new = {"value": value["v"]}
    done = await cluster.sql_update(c, *_place(key), new, meant(value), timeout_s=timeout_s)
    return {"tid": done.tid, "rows": done.rows}


async def _delete(c: Connection, key: str, value: Any, timeout_s: float) -> Any:
    done = await cluster.sql_delete(c, *_place(key), meant(value), timeout_s=timeout_s)
    return {"tid": done.tid, "rows": done.rows}


async def _read(c: Connection, key: str, value: Any, timeout_s: float) -> Any:
    try:
        found = await cluster.sql_select(
            c, *_place(key), conditions=meant(value or {}), timeout_s=timeout_s
        )
    except RequestError as error:
        if error.name in (NO_SUCH_TABLE, NO_SUCH_DATABASE):
            return None
        raise
    rows = zip(*(found.column(name).to_pylist() for name in SCHEMA.names), strict=True)
    return sorted([identity, part, number] for identity, part, number in rows)


async def _make_db(c: Connection, key: str, value: Any, timeout_s: float) -> Any:
    partitions = value["buckets"] if value["kind"] == "HASH" else tuple(value["values"])
    args = (key, value["kind"], "int64", partitions)
    return await c.call("database", args, timeout_s=timeout_s)


async def _make_table(c: Connection, key: str, value: Any, timeout_s: float) -> Any:
    args = (*_place(key), to_bytes(SCHEMA), PARTITION)
    return await c.call("createPartitionedTable", args, timeout_s=timeout_s)


async def _drop_partition(c: Connection, key: str, value: Any, timeout_s: float) -> Any:
    keys = tuple(str(one) for one in value["keys"])
    return await c.call("dropPartition", (*_place(key), keys), timeout_s=timeout_s)


def _ddl(function: str) -> "Perform":
    async def perform(c: Connection, key: str, value: Any, timeout_s: float) -> Any:
        database, table = _place(key)
        return await c.call(function, (database, table)[: 1 + bool(table)], timeout_s=timeout_s)

    return perform


async def _flag(c: Connection, key: str, value: Any, timeout_s: float) -> Any:
    await c.call("setDatabaseForClusterReplication", (key, value), timeout_s=timeout_s)


async def _flags(c: Connection, key: str, value: Any, timeout_s: float) -> Any:
    rows = await c.call("getDatabaseClusterReplicationStatus", (), timeout_s=timeout_s)
    return {row["dbName"]: row["enabled"] for row in rows}


async def at_controller(
    c: Connection, function: str, args: tuple[Any, ...], timeout_s: float
) -> Any:
    """`rpc(getControllerAlias(), function, args…)`."""
    alias = await c.call("getControllerAlias", (), timeout_s=timeout_s)
    return await c.call("rpc", (alias, function, args), timeout_s=timeout_s)


async def _queue(c: Connection, key: str, value: Any, timeout_s: float) -> Any:
    rows = await at_controller(c, "getMasterReplicationStatus", (), timeout_s)
    return [
        [
            row["taskId"],
            row["tid"],
            row["groupId"],
            row["operationType"],
            row["dbName"],
            row["tableName"],
            row["isTruncated"],
        ]
        for row in rows
    ]


async def _tasks(c: Connection, key: str, value: Any, timeout_s: float) -> Any:
    rows = await at_controller(c, "getSlaveReplicationStatus", (), timeout_s)
    return [
        [
            row["taskId"],
            row["masterTid"],
            row["groupId"],
            row["operationType"],
            row["dbName"],
            row["tableName"],
            row["state"],
            row["executionNode"],
            row["details"],
            row["createTime"],
            row["finishTime"],
        ]
        for row in rows
    ]


async def _slaves(c: Connection, key: str, value: Any, timeout_s: float) -> Any:
    rows = await at_controller(c, "getRecentSlaveReplicationInfo", (), timeout_s)
    return [
        {"slave": row["allControllersInRaft"], "finished": row["lastFinishedTaskId"]}
        for row in rows
    ]


async def _metrics(c: Connection, key: str, value: Any, timeout_s: float) -> Any:
    row = await at_controller(c, "getClusterReplicationMetrics", (ALL_TIME,), timeout_s)
    row = row[0] if isinstance(row, list | tuple) else row
    return {
        "status": row["status"],
        "finished": row["finishedTasks"],
        "unfinished": row["unfinishedTasks"],
    }


def _switch(function: str) -> "Perform":
    async def perform(c: Connection, key: str, value: Any, timeout_s: float) -> Any:
        args = () if value is None else (value,)
        await at_controller(c, function, args, timeout_s)

    return perform


async def _executor(c: Connection, key: str, value: Any, timeout_s: float) -> Any:
    """The user who executes tasks on this slave; whoever made it before made the same."""
    try:
        args = (value["user"], EXECUTOR_PASSWORD, False)
        await c.call("createUser", args, timeout_s=timeout_s)
    except RequestError as error:
        if "already" not in error.message:
            raise
    for database in value["databases"]:
        for right in ("DB_READ", "DB_WRITE", "DB_MANAGE"):
            await c.call("grant", (value["user"], right, database), timeout_s=timeout_s)


def _right(function: str) -> "Perform":
    async def perform(c: Connection, key: str, value: Any, timeout_s: float) -> Any:
        await c.call(function, tuple(value), timeout_s=timeout_s)

    return perform


async def _misuse(c: Connection, key: str, value: Any, timeout_s: float) -> Any:
    """A function where it may not run: at the controller of the wrong side, or at a data node."""
    function, where = value
    if where == "controller":
        return await at_controller(c, function, (), timeout_s)
    return await c.call(function, (), timeout_s=timeout_s)


Perform = Callable[[Connection, Any, Any, float], Awaitable[Any]]

OPERATIONS: Mapping[str, Perform] = {
    "append": _append,
    "bulk": _bulk,
    "count": _count,
    "intrude": _append,
    "upsert": _upsert,
    "update": _update,
    "delete": _delete,
    "read": _read,
    "make-db": _make_db,
    "make-table": _make_table,
    "drop-db": _ddl("dropDatabase"),
    "drop-table": _ddl("dropTable"),
    "truncate": _ddl("truncate"),
    "drop-partition": _drop_partition,
    "flag": _flag,
    "flags": _flags,
    "queue": _queue,
    "tasks": _tasks,
    "slaves": _slaves,
    "metrics": _metrics,
    "start": _switch("startClusterReplication"),
    "stop": _switch("stopClusterReplication"),
    "skip": _switch("skipClusterReplicationTask"),
    "make-executor": _executor,
    "grant": _right("grant"),
    "revoke": _right("revoke"),
    "misuse": _misuse,
}
"""What the workload may ask for."""
