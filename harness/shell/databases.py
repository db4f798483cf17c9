"""What the shell can call of databases, replication and users of a cluster with controllers."""

from typing import Any

import pyarrow as pa

from ...impl.client import cluster
from ...impl.client.functions import Caller, schema_of, understood
from ...impl.stream.types import name_of
from .function import Args, Function, Parameter, Perform, optional
from .kinds import row_batch


async def _schema_of(caller: Caller, args: Args, timeout_s: float) -> pa.Schema:
    path, table = args["path"], args["tableName"]
    loaded = await cluster.load_table(caller, path, table, timeout_s=timeout_s)
    return schema_of(loaded["schema"])


async def _create_table(caller: Caller, args: Args, timeout_s: float) -> Any:
    path, name, column = args["path"], args["tableName"], args["partitionColumn"]
    await cluster.create_partitioned_table(
        caller, path, name, args["table"], column, timeout_s=timeout_s
    )


async def _load(caller: Caller, args: Args, timeout_s: float) -> dict[str, Any]:
    path, table = args["path"], args["tableName"]
    loaded = await cluster.load_table(caller, path, table, timeout_s=timeout_s)
    places = loaded["partitions"].items()
    columns = schema_of(loaded["schema"])
    return {
        "columns": [{"name": field.name, "type": name_of(field.type)} for field in columns],
        "partitions": [{"partition": key, "node": node} for key, node in places],
    }


async def _append(caller: Caller, args: Args, timeout_s: float) -> dict[str, int]:
    batch = row_batch(args["rows"], await _schema_of(caller, args, timeout_s))
    path, table = args["path"], args["tableName"]
    return _told(await cluster.table_insert(caller, path, table, batch, timeout_s=timeout_s))


async def _upsert(caller: Caller, args: Args, timeout_s: float) -> dict[str, int]:
    batch = row_batch(args["rows"], await _schema_of(caller, args, timeout_s))
    path, table, keys = args["path"], args["tableName"], args["keyColNames"]
    return _told(await cluster.upsert(caller, path, table, batch, keys, timeout_s=timeout_s))


async def _select(caller: Caller, args: Args, timeout_s: float) -> pa.Table:
    path, table, columns = args["path"], args["tableName"], args["columns"]
    limit, conditions = args["limit"], args["filter"]
    return await cluster.sql_select(
        caller, path, table, columns, conditions, limit, timeout_s=timeout_s
    )


async def _schema(caller: Caller, args: Args, timeout_s: float) -> dict[str, Any]:
    tables = () if args["tableName"] is None else (args["tableName"],)
    return await cluster.schema(caller, args["path"], *tables, timeout_s=timeout_s)


def _told(written: cluster.Written) -> dict[str, int]:
    return {"tid": written.tid, "rows": written.rows}


def _at_controller(name: str) -> Perform:
    """As `rpc(getControllerAlias(), name)` of the documents."""

    async def perform(caller: Caller, args: Args, timeout_s: float) -> Any:
        answer = await caller.call("getControllerAlias", (), timeout_s=timeout_s)
        given = tuple(value for value in args.values() if value is not None)
        call = (understood(str, answer), name, given)
        return await caller.call("rpc", call, timeout_s=timeout_s)

    return perform


_PATH = Parameter("path", "STRING")
_TABLE = Parameter("tableName", "STRING")
_ROWS = Parameter("rows", "ROWS")
_BOTH = (_PATH, _TABLE)
_FILTER = optional("filter", "FILTER", ())
_LIMIT = optional("limit", "INT")
_RIGHT = (Parameter("user", "STRING"), Parameter("right", "WORD"), Parameter("object", "STRING"))
_NEW_USER = (
    Parameter("user", "STRING"),
    Parameter("password", "STRING"),
    optional("admin", "BOOL", False),
)
_CREATE = (
    _PATH,
    Parameter("partitionType", "WORD"),
    Parameter("columnType", "WORD"),
    Parameter("partitions", "PARTITIONS"),
)
_CREATE_TABLE = (*_BOTH, Parameter("table", "SCHEMA"), Parameter("partitionColumn", "STRING"))
_SELECT = (*_BOTH, optional("columns", "NAMES", ()), _FILTER, _LIMIT)
_FLAG = (Parameter("db", "STRING"), optional("option", "BOOL", False))


def _controllers(name: str, parameters: tuple[Parameter, ...], says: str) -> Function:
    return Function(name, parameters, says, _at_controller(name))


DATABASES = (
    Function("database", _CREATE, "Creates dfs://…: VALUE, HASH or RANGE."),
    Function("dropDatabase", (_PATH,), "Drops a database with its tables."),
    Function("existsDatabase", (_PATH,), "Whether there is such a database."),
    Function("createPartitionedTable", _CREATE_TABLE, "Creates a table.", _create_table),
    Function("dropTable", _BOTH, "Drops a table."),
    Function("dropPartition", (*_BOTH, Parameter("keys", "NAMES")), "Drops partitions."),
    Function("truncate", _BOTH, "Drops all rows of a table."),
    Function("existsTable", _BOTH, "Whether there is such a table."),
    Function(
        "schema", (_PATH, optional("tableName", "STRING")), "How a database is made.", _schema
    ),
    Function("loadTable", _BOTH, "A table's columns and partitions.", _load),
    Function("append", (*_BOTH, _ROWS), "Appends rows to a partitioned table.", _append),
    Function(
        "upsert",
        (*_BOTH, _ROWS, Parameter("keyColNames", "NAMES")),
        "Replaces rows by key, or appends them.",
        _upsert,
    ),
    Function(
        "sqlUpdate", (*_BOTH, Parameter("values", "VALUES"), _FILTER), "Writes values into rows."
    ),
    Function("sqlDelete", (*_BOTH, _FILTER), "Deletes rows."),
    Function("sqlSelect", _SELECT, "Rows of a partitioned table.", _select),
    Function("sqlCount", (*_BOTH, _FILTER), "How many rows there are."),
    Function("getControllerAlias", (), "Who leads the controllers."),
    Function("createUser", _NEW_USER, "Makes a user."),
    Function("deleteUser", (Parameter("user", "STRING"),), "Deletes a user."),
    Function("getUserList", (), "The users."),
    Function("grant", _RIGHT, "Gives DB_READ, DB_WRITE or DB_MANAGE on dfs://… or *."),
    Function("revoke", _RIGHT, "Takes a right away."),
    Function("setDatabaseForClusterReplication", _FLAG, "Switches a database's replication."),
    Function("getDatabaseClusterReplicationStatus", (), "Which databases are replicated."),
    _controllers("startClusterReplication", (), "Lets replication go on."),
    _controllers("stopClusterReplication", (), "Stops replication."),
    _controllers("skipClusterReplicationTask", (Parameter("taskIds", "INTS"),), "Skips tasks."),
    _controllers(
        "forgetReplicationSlave",
        (Parameter("allControllersInRaft", "STRING"),),
        "The master waits for this slave no more.",
    ),
    _controllers("getMasterReplicationStatus", (_LIMIT,), "The master's tasks."),
    _controllers("getSlaveReplicationStatus", (_LIMIT,), "The slave's tasks."),
    _controllers("getRecentSlaveReplicationInfo", (), "The slaves that have pulled."),
    _controllers("getClusterReplicationMetrics", (optional("secs", "INT"),), "A slave's speed."),
)
