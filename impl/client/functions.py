"""The functions of a data node as typed calls, over a Connection or a Session."""

from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple, Protocol, TypeVar

import msgspec
import pyarrow as pa

from ..runtime import Clock
from ..stream import batch_bytes
from ..stream.commands import RETENTION_MINUTES
from ..stream.schema import SchemaError, fingerprint, from_bytes, plain, to_bytes
from .errors import BAD_ANSWER, TIMEOUT, RequestError, table_replaced

T = TypeVar("T")

CALL_S = 5.0
"""How long a call may take unless the caller says otherwise."""


READ_ONLY = frozenset(
    {
        "readRows",
        "pollRows",
        "getStreamingRaftGroups",
        "getStreamingLeader",
        "getPersistenceMeta",
        "getStreamingStat",
        "raftStatus",
        "nodeStatus",
        "existsDatabase",
        "existsTable",
        "schema",
        "loadTable",
        "sqlSelect",
        "sqlCount",
    }
)
"""Functions that may be called again without harm."""


NUMBER_MAX = 2**63 - 2

TableId = tuple[
    Annotated[int, msgspec.Meta(ge=-1, le=NUMBER_MAX)],
    Annotated[int, msgspec.Meta(ge=0, le=NUMBER_MAX)],
]
"""Tells a table from others of its name: its group, -1 without one, and its number there."""


class Rows(msgspec.Struct, frozen=True):
    """An answer of `readRows`: schema and batches in Arrow IPC form, and the table's length."""

    schema: bytes
    batches: list[bytes]
    end: int
    table: TableId


class Caller(Protocol):
    """Whatever can call a function of a node by name; raises RequestError."""

    @property
    def clock(self) -> Clock:
        """What time limits are measured with."""

    async def call(self, function: str, args: tuple[Any, ...] = (), *, timeout_s: float) -> Any:
        """One call."""


async def create_table(
    caller: Caller,
    group: int,
    name: str,
    schema: pa.Schema,
    *,
    cache_limit: int = 0,
    key_columns: Sequence[str] = (),
    retention_minutes: int = RETENTION_MINUTES,
    timeout_s: float = CALL_S,
) -> None:
    """Create an HA stream table in a Raft group, through any of its members.

    `cache_limit`: rows kept in memory, 0 for all; `retention_minutes`: how long old rows are kept.
    With `key_columns`, no two of the last `cache_limit` rows have the same values there.
    """
    args = (group, to_bytes(plain(schema)), name, cache_limit, key_columns, retention_minutes)
    await caller.call("haStreamTable", args, timeout_s=timeout_s)


async def create_ordinary_table(
    caller: Caller, name: str, schema: pa.Schema, *, timeout_s: float = CALL_S
) -> None:
    """Create a stream table that is in no group: on the node that answers, and nowhere else."""
    await caller.call("streamTable", (to_bytes(plain(schema)), name), timeout_s=timeout_s)


async def drop_table(caller: Caller, name: str, *, timeout_s: float = CALL_S) -> None:
    """Drop a stream table on all members, through any member of its group."""
    await caller.call("dropStreamTable", (name,), timeout_s=timeout_s)


async def set_filter_column(
    caller: Caller, name: str, column: str, *, timeout_s: float = CALL_S
) -> None:
    """Let subscribers choose rows by their values in this column, for ever."""
    await caller.call("setStreamTableFilterColumn", (name, column), timeout_s=timeout_s)


class Inserted(NamedTuple):
    """What became of a batch: its new rows lie one after another from `offset` on.

    A table with key columns drops rows whose keys it knows; `rows` 0 and `offset` -1: all of them.
    """

    offset: int
    rows: int


async def append(
    caller: Caller, table: str, batch: pa.RecordBatch, *, timeout_s: float = CALL_S
) -> int:
    """Append a batch, all rows or none; gives the offset of its first row.

    Where the table has key columns: of its first new row, or -1 if it has none.
    """
    inserted = await insert(caller, table, batch, timeout_s=timeout_s)
    return inserted.offset


async def append_body(
    caller: Caller, table: str, schema: bytes, body: bytes, *, timeout_s: float = CALL_S
) -> int:
    """As `append`, for who has the batch as bytes: Arrow IPC, and its schema's fingerprint."""
    told = await insert_body(caller, table, schema, body, timeout_s=timeout_s)
    return told if type(told) is int else told[0]


async def insert_body(
    caller: Caller, table: str, schema: bytes, body: bytes, *, timeout_s: float = CALL_S
) -> Any:
    """As `append_body`; where the table has key columns, gives offset and count of the new rows."""
    told = await caller.call("tableInsert", (table, schema, body), timeout_s=timeout_s)
    return told if type(told) is int else understood(tuple[int, int], told)


async def insert(
    caller: Caller, table: str, batch: pa.RecordBatch, *, timeout_s: float = CALL_S
) -> Inserted:
    """As `append`; says how many rows were new, too."""
    args = (table, fingerprint(batch.schema), batch.serialize().to_pybytes())
    told = await caller.call("tableInsert", args, timeout_s=timeout_s)
    if type(told) is int:
        return Inserted(told, batch.num_rows)
    return Inserted(*understood(tuple[int, int], told))


async def read(
    caller: Caller, table: str, start: int, limit: int | None = None, *, timeout_s: float = CALL_S
) -> pa.Table:
    """The rows from `start` on, at most `limit`: what the table held at one moment of the call."""
    schema, batches = await read_batches(caller, table, start, limit, timeout_s=timeout_s)
    return pa.Table.from_batches(batches, schema)


async def read_batches(
    caller: Caller, table: str, start: int, limit: int | None = None, *, timeout_s: float = CALL_S
) -> tuple[pa.Schema, list[pa.RecordBatch]]:
    """As `read`, in the pieces in which they came.

    More than one answer's worth is fetched in parts, all within `timeout_s`. The first part fixes
    the moment: rows never change, so that later parts cannot differ from what was there then.
    Raises RequestError, also where the table was replaced in between (TableReplaced).
    """
    return await _in_parts(caller, "readRows", table, start, limit, timeout_s)


async def poll_batches(
    caller: Caller, table: str, start: int, limit: int | None = None, *, timeout_s: float = CALL_S
) -> tuple[pa.Schema, list[pa.RecordBatch]]:
    """As `read_batches`, of what the node that answers has applied, leader or not.

    Not linearizable: rows may be missing at the end. Call it on a Connection: over a Session parts
    may come from several members.
    """
    return await _in_parts(caller, "pollRows", table, start, limit, timeout_s)


async def get_streaming_raft_groups(
    caller: Caller, *, timeout_s: float = CALL_S
) -> list[dict[str, Any]]:
    """The groups of the node that answers: `id` and `sites`."""
    answer = await caller.call("getStreamingRaftGroups", (), timeout_s=timeout_s)
    return understood(list[dict[str, Any]], answer)


async def get_streaming_leader(caller: Caller, group: int, *, timeout_s: float = CALL_S) -> str:
    """The alias of the leader, as far as the node that answers knows."""
    answer = await caller.call("getStreamingLeader", (group,), timeout_s=timeout_s)
    return understood(str, answer)


async def get_persistence_meta(
    caller: Caller, table: str, *, timeout_s: float = CALL_S
) -> dict[str, Any]:
    """How the node that answers keeps a table."""
    meta: dict[str, Any] = await caller.call("getPersistenceMeta", (table,), timeout_s=timeout_s)
    return meta


async def get_streaming_stat(
    caller: Caller, *, timeout_s: float = CALL_S
) -> dict[str, list[dict[str, Any]]]:
    """What streaming does on the node that answers: tables by name, as rows by column."""
    stat: dict[str, list[dict[str, Any]]] = await caller.call(
        "getStreamingStat", (), timeout_s=timeout_s
    )
    return stat


async def raft_status(caller: Caller, group: int, *, timeout_s: float = CALL_S) -> dict[str, Any]:
    """What the node that answers thinks of itself and holds; not linearizable."""
    answer = await caller.call("raftStatus", (group,), timeout_s=timeout_s)
    return understood(dict[str, Any], answer)


async def change_pwd(caller: Caller, old: str, new: str, *, timeout_s: float = CALL_S) -> None:
    """Give the user who has logged in here another password, at the node that answers."""
    await caller.call("changePwd", (old, new), timeout_s=timeout_s)


async def create_user(
    caller: Caller, user: str, password: str, *, admin: bool = False, timeout_s: float = CALL_S
) -> None:
    """Make a user at the node that answers; only for administrators."""
    await caller.call("createUser", (user, password, admin), timeout_s=timeout_s)


async def delete_user(caller: Caller, user: str, *, timeout_s: float = CALL_S) -> None:
    """Delete a user at the node that answers; for administrators.

    The user's connections end, too. In a cluster with controllers the user is that of all nodes:
    all that can be reached end them before this returns.
    """
    await caller.call("deleteUser", (user,), timeout_s=timeout_s)


async def get_user_list(caller: Caller, *, timeout_s: float = CALL_S) -> list[dict[str, Any]]:
    """The users of the node that answers: `user` and `admin`; only for administrators."""
    answer = await caller.call("getUserList", (), timeout_s=timeout_s)
    return understood(list[dict[str, Any]], answer)


def understood(kind: type[T], answer: Any) -> T:
    """What a node answered, as what it must be; raises RequestError."""
    try:
        return msgspec.convert(answer, kind)
    except (msgspec.ValidationError, RecursionError) as error:
        raise _bad_answer(str(error)) from None


def _bad_answer(message: str) -> RequestError:
    return RequestError(BAD_ANSWER, False, message)


async def _in_parts(
    caller: Caller, function: str, table: str, start: int, limit: int | None, timeout_s: float
) -> tuple[pa.Schema, list[pa.RecordBatch]]:
    deadline_ns = caller.clock.now_ns() + int(timeout_s * 1e9)
    first, schema, batches = await _part(caller, function, table, start, limit, timeout_s)
    end = first.end if limit is None else min(first.end, start + limit)
    at = start + sum(batch.num_rows for batch in batches)
    while at < end:
        left_s = (deadline_ns - caller.clock.now_ns()) / 1e9
        if left_s <= 0:
            message = (
                f"rows {start} to {at - 1} came within {timeout_s:g} s, not those to {end - 1}"
            )
            raise RequestError(TIMEOUT, True, message)
        part, _, more = await _part(caller, function, table, at, end - at, left_s)
        if part.table != first.table:
            raise table_replaced(table)
        if not more:
            raise _bad_answer(f"no rows from {at} on, of {end}")
        batches += more
        at += sum(batch.num_rows for batch in more)
    return schema, batches


async def _part(
    caller: Caller, function: str, table: str, start: int, limit: int | None, timeout_s: float
) -> tuple[Rows, pa.Schema, list[pa.RecordBatch]]:
    answer = await caller.call(function, (table, start, limit), timeout_s=timeout_s)
    rows = understood(Rows, answer)
    schema = schema_of(rows.schema)
    return rows, schema, [batch_of(body, schema) for body in rows.batches]


def schema_of(data: bytes) -> pa.Schema:
    """What a node sent as a schema; raises RequestError."""
    try:
        return from_bytes(data)
    except SchemaError as error:
        raise _bad_answer(str(error)) from None


def batch_of(body: bytes, schema: pa.Schema) -> pa.RecordBatch:
    """What a node sent as rows; raises RequestError.

    Every value is checked: what a node sends must not lead a client astray in its memory.
    """
    complaint = batch_bytes.complaint(body)
    if complaint is not None:
        raise _bad_answer(complaint)
    try:
        batch = pa.ipc.read_record_batch(pa.py_buffer(body), schema)
        batch.validate(full=True)
    except (pa.ArrowException, OSError, EOFError) as error:
        raise _bad_answer(str(error)) from None
    return batch
