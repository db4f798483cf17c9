"""Members with real tables: batches are judged, logged and applied by the implementation."""

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

from ....impl.raft.messages import Entry, Kind
from ....impl.stream.commands import AppendRows, CreateTable, TableOptions, decode_append, encode
from ....impl.stream.insertion import Insertion
from ....impl.stream.schema import fingerprint, to_bytes
from ....impl.stream.tables import Tables
from ....model.keyed_types import Keys
from ..wal.disk import ImageDisk

FOLDER = "/2"
NAME = "t"
CREATED = 1
"""The LSN of the table's creation; the model's entries follow."""

SCHEMA = pa.schema([("key", pa.int64()), ("nth", pa.int64())])
BYTES_MAX = 1 << 20

Rows = list[tuple[int, int]]
"""Keys, each with the row's place in the batch that was sent."""


def body_of(keys: Keys) -> bytes:
    """A batch with these keys; every row says where in it it was."""
    columns = [list(keys), list(range(len(keys)))]
    return bytes(pa.record_batch(columns, schema=SCHEMA).serialize().to_pybytes())


def entry_of(keys: Keys) -> Entry:
    """A batch in the log that some leader has logged."""
    return entry(encode(AppendRows(NAME, CREATED, len(keys), memoryview(body_of(keys)))))


def entry(payload: bytes) -> Entry:
    """A batch in the log. Its term is of no matter here."""
    return Entry(1, Kind.APPEND, payload)


def rows_in(logged: Entry) -> Rows:
    """What an entry adds to the table."""
    body = decode_append(logged.payload).body
    return _rows([pa.ipc.read_record_batch(pa.py_buffer(body), SCHEMA)])


def _rows(batches: Sequence[pa.RecordBatch]) -> Rows:
    found: Rows = []
    for batch in batches:
        found += zip(batch["key"].to_pylist(), batch["nth"].to_pylist(), strict=True)
    return found


class _Here:
    """A worker that does its jobs at once."""

    def submit(self, job: Callable[[], None], done: Callable[[OSError | None], None]) -> None:
        job()
        done(None)

    async def close(self) -> None:
        """Nothing is under way."""


class Seat:
    """One member: its disk and its tables."""

    def __init__(self, window: int, bugs: frozenset[str]) -> None:
        self._options = TableOptions(cache_limit=window, key_columns=("key",))
        self._bugs = bugs
        self._disk = ImageDisk()
        self.restart()

    def restart(self) -> None:
        """The process ends, and another one finds the disk; the log is redone from there."""
        self.tables = Tables(self._disk, FOLDER, bugs=self._bugs)
        if NAME not in self.tables:
            create = CreateTable(NAME, to_bytes(SCHEMA), self._options)
            self.tables.apply(CREATED, Entry(1, Kind.CREATE_TABLE, encode(create)))

    @property
    def applied(self) -> int:
        """How many of the model's entries are applied."""
        return self.tables.applied.index - CREATED

    def apply(self, logged: Entry) -> Any:
        """The next entry; gives what the table makes of it."""
        outcome = self.tables.apply(self.tables.applied.index + 1, logged)
        self.tables.flush()
        return outcome

    def judge(self, keys: Keys) -> tuple[Entry, Insertion]:
        """As a leader does: the entry that it logs, and how its producer is told."""
        insertion = self.tables.insertion(NAME, fingerprint(SCHEMA), body_of(keys))
        insertion.logged()
        return entry(insertion.payload), insertion

    def save(self) -> None:
        """A checkpoint. Raises OSError."""
        outcomes: list[OSError | None] = []
        assert self.tables.checkpoint(_Here(), outcomes.append)
        assert outcomes == [None]

    def keys(self) -> Keys:
        """Of all rows of the table."""
        return tuple(key for key, _ in _rows(self.tables.table(NAME).read(0, None, BYTES_MAX)))
