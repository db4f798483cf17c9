"""Ordinary stream tables: of one node, in no Raft group, answered once its disk has the rows.

Each has a log of its own, written as a Raft log is, and no data file beside it: rows are written
once. What arrives while a sync runs goes into the next one, for all tables (group commit). Rows can
be read once they are durable. A catalog names the tables; it is replaced as a whole.
"""

import posixpath
import zlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pyarrow as pa

from ..client.errors import OVERLOADED, RequestError
from ..raft.debts import CALLS_MAX, PAYLOAD_BYTES_MAX
from ..raft.disk import Disk
from ..raft.messages import Entry, HardState, Kind
from ..raft.wal import Wal
from ..runtime import Clock, Worker
from .checks import (
    COLUMNS_SHARE,
    check_fits,
    check_range,
    checked_batch,
    checked_schema,
    exists,
    missing,
)
from .datafile import remove_table
from .schema import from_bytes, to_bytes
from .table import StreamTable

CATALOG = "catalog"
FRESH_CATALOG = CATALOG + ".new"
CRC_BYTES = 4

TERM = 1
GROUP = 0
"""What the logs say of term and group: no group has this id (HS-19)."""

Answer = Callable[[Any], None]
"""Called once with the result, or with the RequestError that it ended in."""


class CatalogError(Exception):
    """The catalog is not what was written. The node cannot know its tables."""


class _Listed(msgspec.Struct, frozen=True, array_like=True):
    """A table in the catalog."""

    id: int
    name: str
    schema: bytes


class _Catalog(msgspec.Struct, frozen=True, array_like=True):
    """All tables, and the greatest id that any ever had."""

    last_id: int = 0
    tables: tuple[_Listed, ...] = ()


@dataclass(slots=True, eq=False)
class OrdinaryTable:
    """A table and its log. `is_dropped`: appends that come later are refused."""

    listed: _Listed
    rows: StreamTable
    wal: Wal
    folder: str
    logged: int = 0
    is_dropped: bool = False


@dataclass(frozen=True, slots=True)
class _Append:
    table: OrdinaryTable
    rows: int
    body: bytes
    answer: Answer


@dataclass(frozen=True, slots=True)
class _Drop:
    table: OrdinaryTable
    answer: Answer


@dataclass(slots=True)
class _Queue:
    """What is asked and not begun, in order, and how many bytes that is."""

    waiting: deque[_Append | _Drop] = field(default_factory=deque)
    size: int = 0

    def add(self, asked: _Append | _Drop) -> None:
        self.waiting.append(asked)
        self.size += len(asked.body) if isinstance(asked, _Append) else 0

    def take(self) -> _Append | _Drop:
        taken = self.waiting.popleft()
        self.size -= len(taken.body) if isinstance(taken, _Append) else 0
        return taken


class OrdinaryTables:
    """All ordinary tables of a node. `open` it first; calls belong to the node's event loop."""

    # Invariant: at most one sync is under way, and nothing is written meanwhile.

    def __init__(
        self,
        disk: Disk,
        folder: str,
        clock: Clock,
        worker: Worker,
        failed: Callable[[str], None],
        answer_bytes_max: int,
    ) -> None:
        """`failed` is told when the disk is not to be trusted any more."""
        self._disk = disk
        self._folder = folder
        self._clock = clock
        self._worker = worker
        self._failed = failed
        self._answer_bytes_max = answer_bytes_max
        self._last_id = 0
        self._tables: dict[str, OrdinaryTable] = {}
        self._queue = _Queue()
        self._is_scheduled = False
        self._syncing: list[_Append] | None = None
        self._is_closed = False
        self.sync_count = 0

    def open(self) -> None:
        """Recover what the disk holds; raises OSError, CatalogError, or WalCorruption."""
        self._disk.make_folder(self._folder)
        catalog = self._catalog()
        self._last_id = catalog.last_id
        for listed in catalog.tables:
            self._tables[listed.name] = self._recover(listed)
        folders = {table.folder for table in self._tables.values()}
        for name in self._disk.names(self._folder):
            folder = posixpath.join(self._folder, name)
            if name not in (CATALOG, FRESH_CATALOG) and folder not in folders:
                remove_table(self._disk, folder)

    def close(self) -> None:
        """Give the files back; calls under way are not answered, their connections end."""
        self._is_closed = True
        for table in self._tables.values():
            table.wal.close()

    def __contains__(self, name: str) -> bool:
        return name in self._tables

    @property
    def names(self) -> list[str]:
        """Of all tables."""
        return sorted(self._tables)

    @property
    def waiting_count(self) -> int:
        """Calls that are not answered yet."""
        return len(self._queue.waiting) + len(self._syncing or ())

    def create(self, name: str, schema_bytes: bytes, answer: Answer) -> None:
        """Create a table; answers with None. Raises RequestError."""
        schema = checked_schema(name, schema_bytes)
        check_fits("a schema", len(schema_bytes), self._answer_bytes_max // COLUMNS_SHARE)
        if name in self._tables:
            raise exists(name)
        listed = _Listed(self._last_id + 1, name, to_bytes(schema))
        try:
            table = self._recover(listed)
            self._last_id = listed.id
            self._list(*(other.listed for other in self._tables.values()), listed)
        except OSError as error:
            self._fail(error)
            return
        self._tables[name] = table
        answer(None)

    def drop(self, name: str, answer: Answer) -> None:
        """Drop a table behind all that was asked before; answers with None. Raises RequestError."""
        self._ask(_Drop(self._known(name), answer))

    def append(self, name: str, fingerprint: bytes, body: bytes, answer: Answer) -> None:
        """Append a batch, all rows or none; answers with the offset of its first row.

        Raises RequestError.
        """
        table = self._known(name)
        batch = checked_batch(table.rows, fingerprint, body)
        check_fits("a batch", len(body), self._answer_bytes_max - len(table.listed.schema))
        size = self._queue.size + len(body)
        if self.waiting_count >= CALLS_MAX or (self._queue.size and size > PAYLOAD_BYTES_MAX):
            message = f"{self.waiting_count} calls with {self._queue.size} bytes wait already"
            raise RequestError(OVERLOADED, True, message)
        self._ask(_Append(table, batch.num_rows, body, answer))

    def read(self, name: str, start: int, limit: int | None) -> dict[str, Any]:
        """Rows from `start` on, schema, identity and the table's length; raises RequestError."""
        table = self._known(name)
        check_range(start, limit)
        batches = table.rows.read(start, limit, self._answer_bytes_max - len(table.listed.schema))
        return {
            "schema": table.listed.schema,
            "batches": [batch.serialize().to_pybytes() for batch in batches],
            "end": table.rows.rows,
            "table": (-1, table.listed.id),
        }

    def persistence(self, name: str) -> dict[str, Any]:
        """What getPersistenceMeta tells; sizes in rows. All rows are kept for ever (-1 minutes).

        Raises RequestError.
        """
        table = self._known(name)
        rows = table.rows.rows
        return {
            "lastLogSeqNum": -1,
            "sizeInMemory": rows,
            "asynWrite": False,
            "totalSize": rows,
            "raftGroup": -1,
            "compress": False,
            "memoryOffset": 0,
            "sizeOnDisk": rows,
            "retentionMinutes": -1,
            "persistenceDir": table.folder,
            "hashValue": 0,
            "diskOffset": 0,
        }

    def _known(self, name: str) -> OrdinaryTable:
        table = self._tables.get(name)
        if table is None:
            raise missing(name)
        return table

    def _ask(self, asked: _Append | _Drop) -> None:
        self._queue.add(asked)
        if self._syncing is None and not self._is_scheduled:
            # Whatever else arrives in this turn of the loop shares the sync.
            self._is_scheduled = True
            self._clock.call_soon(self._turn)

    # One sync after another.

    def _turn(self) -> None:
        self._is_scheduled = False
        if self._is_closed or self._syncing is not None:
            return
        try:
            batch = self._begin()
            wals = self._write(batch)
        except OSError as error:
            self._fail(error)
            return
        if not batch:
            return

        def sync() -> None:
            for wal in wals:
                wal.sync()

        self._syncing = batch
        self.sync_count += 1
        self._worker.submit(sync, self._synced)

    def _begin(self) -> list[_Append]:
        """The appends up to the next drop; a drop is done when nothing is before it."""
        batch: list[_Append] = []
        while self._queue.waiting:
            if isinstance(self._queue.waiting[0], _Drop) and batch:
                break
            asked = self._queue.take()
            if asked.table.is_dropped:
                asked.answer(missing(asked.table.listed.name))
            elif isinstance(asked, _Drop):
                self._remove(asked.table)
                asked.answer(None)
            else:
                batch.append(asked)
        return batch

    def _write(self, batch: list[_Append]) -> list[Wal]:
        entries: dict[OrdinaryTable, list[Entry]] = {}
        for append in batch:
            entries.setdefault(append.table, []).append(Entry(TERM, Kind.APPEND, append.body))
        for table, new in entries.items():
            first = None if table.logged else HardState(TERM)
            table.wal.save(first, None, table.logged + 1, new)
            table.logged += len(new)
        return [table.wal for table in entries]

    def _synced(self, error: OSError | None) -> None:
        if self._is_closed:
            return
        if error is not None:
            self._fail(error)
            return
        assert self._syncing is not None
        batch, self._syncing = self._syncing, None
        for append in batch:
            append.answer(append.table.rows.append(append.rows, memoryview(append.body), 0))
        self._turn()

    def _fail(self, error: OSError) -> None:
        self._is_closed = True
        self._failed(f"ordinary tables: {error}")

    # What the disk holds.

    def _recover(self, listed: _Listed) -> OrdinaryTable:
        folder = posixpath.join(self._folder, f"{listed.name}.{listed.id}")
        found = Wal.recover(self._disk, folder, GROUP)
        schema: pa.Schema = from_bytes(listed.schema)
        rows = StreamTable(listed.name, schema)
        for entry in found.entries:
            batch = pa.ipc.read_record_batch(pa.py_buffer(entry.payload), schema)
            rows.append(batch.num_rows, memoryview(entry.payload), 0)
        return OrdinaryTable(listed, rows, found.wal, folder, len(found.entries))

    def _remove(self, table: OrdinaryTable) -> None:
        """First from the catalog; files that a crash leaves are removed at the next start."""
        table.is_dropped = True
        del self._tables[table.listed.name]
        table.wal.close()
        self._list(*(other.listed for other in self._tables.values()))
        remove_table(self._disk, table.folder)

    def _catalog(self) -> _Catalog:
        path = posixpath.join(self._folder, CATALOG)
        data = self._disk.read(path)
        if data is None:
            return _Catalog()
        if zlib.crc32(data[CRC_BYTES:]).to_bytes(CRC_BYTES, "big") != data[:CRC_BYTES]:
            raise CatalogError(f"{path}: the checksum does not match")
        return msgspec.msgpack.decode(data[CRC_BYTES:], type=_Catalog)

    def _list(self, *tables: _Listed) -> None:
        """Replace the catalog, durably."""
        data = msgspec.msgpack.encode(_Catalog(self._last_id, tables))
        fresh = posixpath.join(self._folder, FRESH_CATALOG)
        file = self._disk.open(fresh)
        try:
            file.truncate(0)
            file.append(zlib.crc32(data).to_bytes(CRC_BYTES, "big") + data)
            file.sync()
        finally:
            file.close()
        self._disk.rename(fresh, posixpath.join(self._folder, CATALOG))
        self._disk.sync_folder(self._folder)
