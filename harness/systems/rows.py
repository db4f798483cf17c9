"""Asks a data node for what the workload `log` does: rows by id, appended and polled."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa

from ...impl.client import functions
from ...impl.client.connection import Connection
from ...impl.client.errors import NOT_LEADER, OFFSET_PURGED, TABLE_EXISTS, RequestError
from ...impl.runtime import ClientRuntime
from ...impl.stream.commands import RETENTION_MINUTES
from ...impl.stream.schema import fingerprint
from ..op import OpType
from ..system import Answer, Site, Status
from . import tables

SCHEMA = pa.schema(
    [
        pa.field("id", pa.int64(), nullable=False),
        pa.field("time", pa.timestamp("ns"), nullable=False),
        pa.field("device", pa.string(), nullable=False),
        pa.field("temperature", pa.float64(), nullable=False),
    ]
)
"""What a row of a sensor looks like. The id alone is compared; the rest follows from it."""


_FINGERPRINT = fingerprint(SCHEMA)
_DEVICES = pa.array([f"device-{number % 16:02}" for number in range(10_000)], pa.string())
_NS_PER_ID = 1_000_000
_TEMPERATURES = pa.array([20.0 + number % 100 / 10 for number in range(10_000)], pa.float64())


def devices(places: Sequence[int]) -> tuple[str, ...]:
    """What rows in these places of their batches have in the column `device`."""
    return tuple(f"device-{place:02}" for place in places)


def batch(ids: list[int]) -> pa.RecordBatch:
    """At most 10,000 rows with these ids, from numpy and ready-made columns: 10 us, not 60."""
    rows, count = np.array(ids, np.int64), len(ids)
    times = (rows * _NS_PER_ID).view("datetime64[ns]")
    columns = [
        pa.array(rows),
        pa.array(times),
        _DEVICES.slice(0, count),
        _TEMPERATURES.slice(0, count),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def body(ids: list[int]) -> bytes:
    """What `batch` has as bytes, from those of another batch as long: 4 us, not 16."""
    head, between, tail = _around(len(ids))
    rows = np.array(ids, np.int64)
    return b"".join((head, rows.tobytes(), between, (rows * _NS_PER_ID).tobytes(), tail))


@lru_cache(maxsize=32)
def _around(count: int) -> tuple[bytes, bytes, bytes]:
    """The bytes of any batch of so many rows: before its ids, between them and its times, after.

    Neither column has a buffer but that of its values.
    """
    data = batch(list(range(count))).serialize()
    columns = pa.ipc.read_record_batch(data, SCHEMA).columns[:2]
    ids, times = (column.buffers()[1].address - data.address for column in columns)
    whole, size = data.to_pybytes(), 8 * count
    return whole[:ids], whole[ids + size : times], whole[times + size :]


class RowConnection:
    """One client's connection to one data node."""

    def __init__(self, connection: Connection, group: int) -> None:
        self._connection = connection
        self._group = group

    @property
    def is_open(self) -> bool:
        return self._connection.is_open

    async def perform(self, f: str, key: Any, value: Any, timeout_s: float) -> Answer:
        try:
            return Answer(OpType.OK, await self._do(f, key, value, timeout_s))
        except RequestError as error:
            if f == "make" and error.name == TABLE_EXISTS:
                return Answer(OpType.FAIL, error=f"{error.name}: {error.message}")
            return answer_to(error)

    async def status(self, key: Any, timeout_s: float) -> Status | None:
        try:
            said = await functions.raft_status(self._connection, self._group, timeout_s=timeout_s)
        except RequestError:
            return None
        found = said["tables"]
        none = {"rows": 0, "digest": ""}
        table = tables.together(found) if key is None else found.get(key, none)
        return Status(
            role=said["role"],
            term=said["term"],
            leader=said["leader"],
            applied=said["applied"],
            rows=table["rows"],
            digest=table["digest"],
        )

    def close(self) -> None:
        self._connection.close()

    async def _do(self, f: str, key: Any, value: Any, timeout_s: float) -> Any:
        connection = self._connection
        if f in tables.OPERATIONS or (f == "append" and isinstance(value, dict)):
            return await tables.perform(connection, self._group, f, key, value, timeout_s)
        match f:
            case "append":
                told = await functions.insert_body(
                    connection, key, _FINGERPRINT, body(value), timeout_s=timeout_s
                )
                return list(told) if isinstance(told, tuple) else told
            case "read":
                start, limit = value
                _, batches = await functions.read_batches(
                    connection, key, start, limit, timeout_s=timeout_s
                )
                return _ids(batches)
            case "poll":
                start, limit = value
                _, batches = await functions.poll_batches(
                    connection, key, start, limit, timeout_s=timeout_s
                )
                return _ids(batches)
            case "create":
                wanted = value or {}
                await functions.create_table(
                    connection,
                    self._group,
                    key,
                    SCHEMA,
                    cache_limit=wanted.get("cache_limit", 0),
                    retention_minutes=wanted.get("retention_minutes", RETENTION_MINUTES),
                    key_columns=wanted.get("key_columns", ()),
                    timeout_s=timeout_s,
                )
                return None
            case "filter":
                await functions.set_filter_column(connection, key, value, timeout_s=timeout_s)
                return None
            case _:
                raise AssertionError(f"the system has no operation {f!r}")


def _ids(batches: list[pa.RecordBatch]) -> list[int]:
    return [row for batch in batches for row in batch.column(0).to_pylist()]


async def open_connection(
    site: Site, group: int, timeout_s: float, runtime: ClientRuntime | None = None
) -> RowConnection | None:
    """Connect to a data node; None if it does not greet in time."""
    wait_s = max(0.0, timeout_s)
    try:
        connection = await Connection.open(site.host, site.port, timeout_s=wait_s, runtime=runtime)
    except RequestError:
        return None
    return RowConnection(connection, group)


def answer_to(error: RequestError) -> Answer:
    """The one place that says how certain an error is: exactly what `definite` says."""
    if error.name == TABLE_EXISTS:
        return Answer(OpType.OK)
    leader = error.site.alias if error.name == NOT_LEADER and error.site is not None else None
    kind = OpType.FAIL if error.definite else OpType.INFO
    return Answer(
        kind,
        error=f"{error.name}: {error.message}",
        leader=leader,
        lasting=error.name == OFFSET_PURGED,
        kept_from=error.kept_from,
    )
