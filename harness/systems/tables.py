"""Asks a data node for what the workload `multi-table` does: tables, made, dropped and looked at.

Every making has its number in the name of a column, so that whoever looks at a table knows which
one it is.
"""

import hashlib
from functools import lru_cache
from typing import Any

import pyarrow as pa

from ...impl.client import functions
from ...impl.client.connection import Connection
from ...impl.client.errors import NO_SUCH_TABLE, RequestError
from ...impl.stream.schema import fingerprint

OPERATIONS = frozenset({"make", "drop", "scan", "tables"})
_PREFIX = "made_"


@lru_cache(maxsize=4096)
def schema(made: int) -> pa.Schema:
    """The columns of one making."""
    return pa.schema([("id", pa.int64()), (f"{_PREFIX}{made}", pa.int64())])


async def perform(
    connection: Connection, group: int, f: str, key: str, value: Any, timeout_s: float
) -> Any:
    """Do one operation; raises RequestError."""
    match f:
        case "make":
            await functions.create_table(connection, group, key, schema(value), timeout_s=timeout_s)
            return None
        case "drop":
            await functions.drop_table(connection, key, timeout_s=timeout_s)
            return None
        case "append":
            columns = schema(value["made"])
            batch = pa.record_batch([value["rows"], value["rows"]], schema=columns)
            body = batch.serialize().to_pybytes()
            return await functions.append_body(
                connection, key, fingerprint(columns), body, timeout_s=timeout_s
            )
        case "scan":
            return await _scan(connection, key, timeout_s)
        case _:
            said = await functions.raft_status(connection, group, timeout_s=timeout_s)
            return {name: table["rows"] for name, table in said["tables"].items()}


async def _scan(connection: Connection, key: str, timeout_s: float) -> Any:
    """Which making the table is of, and its rows; None if there is no table."""
    try:
        columns, batches = await functions.read_batches(connection, key, 0, timeout_s=timeout_s)
    except RequestError as error:
        if error.name == NO_SUCH_TABLE and error.definite:
            return None
        raise
    rows = [row for batch in batches for row in batch.column(0).to_pylist()]
    return {"made": int(columns.names[1].removeprefix(_PREFIX)), "rows": rows}


def together(tables: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Rows and digest of all tables at once: equal where all are."""
    parts = [f"{name}:{table['rows']}:{table['digest']}" for name, table in sorted(tables.items())]
    digest = hashlib.blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()
    return {"rows": sum(table["rows"] for table in tables.values()), "digest": digest}
