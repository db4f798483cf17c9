"""Databases and partitioned tables as typed calls, over a Connection or a Session.

A Session whose sites are data nodes fails over from one to another: each of them takes every call.
Reads are asked again; a write that may have happened raises an indefinite RequestError. Its
`attempt_s` has to be as long as the longest write takes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pyarrow as pa

from ..cluster.operations import Condition, Scalar
from ..stream.schema import fingerprint, plain, to_bytes
from .functions import CALL_S, Caller, batch_of, schema_of, understood

WRITE_S = 30.0
"""How long a write may take unless the caller says otherwise."""


class Written(msgspec.Struct, frozen=True):
    """What became of a write: its transaction, and how many rows it was about."""

    tid: int
    rows: int


class Rows(msgspec.Struct, frozen=True):
    """An answer of `sqlSelect`, in Arrow IPC form."""

    schema: bytes
    batches: list[bytes]


async def create_database(
    caller: Caller,
    path: str,
    kind: str,
    column_type: str,
    partitions: Sequence[int | str] | int,
    *,
    timeout_s: float = CALL_S,
) -> None:
    """Create `dfs://…`: VALUE with values, RANGE with ascending borders, HASH with a number.

    `column_type` is that of the partition column, by its documented name or by Arrow's.
    """
    args = (path, kind, column_type, partitions)
    await caller.call("database", args, timeout_s=timeout_s)


async def drop_database(caller: Caller, path: str, *, timeout_s: float = CALL_S) -> None:
    """Drop a database with all its tables."""
    await caller.call("dropDatabase", (path,), timeout_s=timeout_s)


async def exists_database(caller: Caller, path: str, *, timeout_s: float = CALL_S) -> bool:
    """Whether there is such a database."""
    answer = await caller.call("existsDatabase", (path,), timeout_s=timeout_s)
    return understood(bool, answer)


async def create_partitioned_table(
    caller: Caller,
    path: str,
    table: str,
    schema: pa.Schema,
    column: str,
    *,
    timeout_s: float = CALL_S,
) -> None:
    """Create a table whose rows are partitioned by that column, as its database says."""
    args = (path, table, to_bytes(plain(schema)), column)
    await caller.call("createPartitionedTable", args, timeout_s=timeout_s)


async def drop_partitioned_table(
    caller: Caller, path: str, table: str, *, timeout_s: float = CALL_S
) -> None:
    """Drop a table."""
    await caller.call("dropTable", (path, table), timeout_s=timeout_s)


async def drop_partition(
    caller: Caller, path: str, table: str, keys: Sequence[str], *, timeout_s: float = CALL_S
) -> None:
    """Drop partitions of a table, by their keys."""
    await caller.call("dropPartition", (path, table, keys), timeout_s=timeout_s)


async def truncate(caller: Caller, path: str, table: str, *, timeout_s: float = CALL_S) -> None:
    """Drop all rows of a table."""
    await caller.call("truncate", (path, table), timeout_s=timeout_s)


async def exists_table(caller: Caller, path: str, table: str, *, timeout_s: float = CALL_S) -> bool:
    """Whether there is such a table."""
    answer = await caller.call("existsTable", (path, table), timeout_s=timeout_s)
    return understood(bool, answer)


async def schema(
    caller: Caller, path: str, *table: str, timeout_s: float = CALL_S
) -> dict[str, Any]:
    """How a database is made, `clusterReplicationEnabled` included; and how a table of it is."""
    answer = await caller.call("schema", (path, *table), timeout_s=timeout_s)
    return understood(dict[str, Any], answer)


async def load_table(
    caller: Caller, path: str, table: str, *, timeout_s: float = CALL_S
) -> dict[str, Any]:
    """A table's `schema` (Arrow IPC form), `partitionColumn`, and data nodes by `partitions`."""
    answer = await caller.call("loadTable", (path, table), timeout_s=timeout_s)
    return understood(dict[str, Any], answer)


async def table_insert(
    caller: Caller, path: str, table: str, batch: pa.RecordBatch, *, timeout_s: float = WRITE_S
) -> Written:
    """Append rows, all or none."""
    args = (path, table, fingerprint(batch.schema), batch.serialize().to_pybytes())
    return understood(Written, await caller.call("tableInsert", args, timeout_s=timeout_s))


async def upsert(
    caller: Caller,
    path: str,
    table: str,
    batch: pa.RecordBatch,
    key_columns: Sequence[str],
    *,
    timeout_s: float = WRITE_S,
) -> Written:
    """Put rows in the place of those with the same keys, or add them; all or none."""
    body = batch.serialize().to_pybytes()
    args = (path, table, fingerprint(batch.schema), body, key_columns)
    return understood(Written, await caller.call("upsert", args, timeout_s=timeout_s))


async def sql_update(
    caller: Caller,
    path: str,
    table: str,
    values: Mapping[str, Scalar],
    conditions: Sequence[Condition] = (),
    *,
    timeout_s: float = WRITE_S,
) -> Written:
    """Write values into columns of the rows that fulfil all conditions."""
    args = (path, table, values, conditions)
    return understood(Written, await caller.call("sqlUpdate", args, timeout_s=timeout_s))


async def sql_delete(
    caller: Caller,
    path: str,
    table: str,
    conditions: Sequence[Condition] = (),
    *,
    timeout_s: float = WRITE_S,
) -> Written:
    """Delete the rows that fulfil all conditions."""
    args = (path, table, conditions)
    return understood(Written, await caller.call("sqlDelete", args, timeout_s=timeout_s))


async def sql_select(
    caller: Caller,
    path: str,
    table: str,
    columns: Sequence[str] = (),
    conditions: Sequence[Condition] = (),
    limit: int | None = None,
    *,
    timeout_s: float = WRITE_S,
) -> pa.Table:
    """The rows that fulfil all conditions, partition by partition, as they were at one moment."""
    args = (path, table, columns, conditions, limit)
    rows = understood(Rows, await caller.call("sqlSelect", args, timeout_s=timeout_s))
    made = schema_of(rows.schema)
    return pa.Table.from_batches([batch_of(body, made) for body in rows.batches], made)


async def sql_count(
    caller: Caller,
    path: str,
    table: str,
    conditions: Sequence[Condition] = (),
    *,
    timeout_s: float = WRITE_S,
) -> int:
    """How many rows fulfil all conditions."""
    args = (path, table, conditions)
    return understood(int, await caller.call("sqlCount", args, timeout_s=timeout_s))
