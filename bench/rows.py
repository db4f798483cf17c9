"""The rows of the replication tutorial, and how a client appends them."""

import numpy as np
import pyarrow as pa
from delphic.impl.client.connection import Connection
from delphic.impl.stream.schema import fingerprint

DAY_S = 24 * 60 * 60
BEGIN = np.datetime64("2023-01-08T09:30:00")
SECURITIES, MINUTES = 5_000, 242
"""The tutorial's rows: a minute of a security each."""

WRITE_S = 120.0


def batch_of(rows: int, day: int) -> pa.RecordBatch:
    """Rows of the tutorial's table, all of one day: that is one partition."""
    chance = np.random.default_rng(day)
    securities = np.arange(rows) // MINUTES
    names = pa.array([f"{number:06}" for number in range(int(securities[-1]) + 1)])
    moments = BEGIN + day * DAY_S + np.arange(rows) % MINUTES * 60
    columns = {
        "SecurityID": names.take(pa.array(securities)),
        "DateTime": pa.array(moments, pa.timestamp("s")),
    }
    for name in ("PreClosePx", "OpenPx", "HighPx", "LowPx", "LastPx"):
        columns[name] = np.round(10 + chance.random(rows) * 100, 2)
    columns["Volume"] = chance.integers(100, 200, rows, dtype=np.int32)
    columns["Amount"] = np.round(columns["LastPx"] * columns["Volume"], 2)
    return pa.record_batch(columns)


class Insert:
    """An append of the same rows again and again, as a client sends it."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        self._fingerprint = fingerprint(batch.schema)
        self._body = batch.serialize().to_pybytes()

    @property
    def size(self) -> int:
        return len(self._body)

    async def into(self, connection: Connection, path: str, table: str) -> None:
        """One transaction."""
        args = (path, table, self._fingerprint, self._body)
        await connection.call("tableInsert", args, timeout_s=WRITE_S)
