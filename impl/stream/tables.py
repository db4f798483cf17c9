"""The tables of one Raft group: checks what may be logged, and applies what was committed."""

import errno
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec

from ..bugs import DROP_KEEPS_TABLE, NO_ROLLBACK, REDO_EQUAL_LSN
from ..client.errors import BAD_REQUEST, RequestError
from ..raft.disk import Disk
from ..raft.machine import Export, Job, Staging
from ..raft.messages import Entry, Kind
from ..raft.terms import Position, Runs
from ..runtime import Worker
from .ahead import WrittenAhead, may_be_ahead
from .checks import (
    being_replaced,
    check_range,
    checked_batch,
    checked_options,
    checked_schema,
    exists,
    missing,
)
from .commands import (
    AppendRows,
    CommandError,
    CreateTable,
    DropTable,
    FilterColumn,
    TableOptions,
    decode_append,
    decode_create,
    decode_drop,
    decode_filter,
    encode,
)
from .datafile import FILE_BYTES, DataFileError
from .dedup import Dedup, check_columns, recent
from .filtering import check_filter_column
from .insertion import Insertion
from .manifest import NOTHING_KEPT, KeptTable
from .schema import SchemaError, from_bytes, to_bytes
from .snapshot import Outgoing, catch_up, staging, unpack
from .store import Store, Stored
from .table import StreamTable


class Tables:
    """A state machine: the same entries give the same tables on every member (promise HS-4).

    Checkpoints (D5, D6, V5). `checkpoint` makes all durable that is applied at this moment; when it
    says so, `checkpointed` is the last entry of the log whose effect no crash can take, and no
    restart needs an entry up to there again (HS-10). A restart begins with `applied` there: the
    tables with their schemas, options and ids (HS-18), their rows, of which none is in memory, and
    their digests; then the log redoes what comes after. A member whose checkpoint fails must stop,
    for the disk may have lost what it was told.
    """

    # Invariant: checkpointed <= applied.
    what = "data file"

    def __init__(
        self,
        disk: Disk,
        folder: str,
        *,
        now_ns: Callable[[], int] = lambda: 0,
        file_bytes: int = FILE_BYTES,
        bugs: frozenset[str] = frozenset(),
        base: Runs = (),
    ) -> None:
        """Load the last checkpoint; raises OSError, or DataFileError where it is not whole.

        `now_ns` is for the age of data files. `folder` is this group's own. The log begins behind
        `base`: if no checkpoint goes so far, a snapshot does that was staged.
        """
        self._disk = disk
        self._folder = folder
        self._open_store = partial(
            Store, disk, folder, now_ns=now_ns, file_bytes=file_bytes, bugs=bugs
        )
        disk.make_folder(folder)
        catch_up(disk, folder, base)
        self._staging = staging(disk, folder)
        self._store = self._open_store()
        self._tables = self._store.open_all()
        self._staging.begin()
        self._installed: tuple[Store, dict[str, Stored]] | None = None
        self._is_installing = False
        self._keeps = DROP_KEEPS_TABLE in bugs
        self._spoils_files = bool(bugs & {NO_ROLLBACK, REDO_EQUAL_LSN})
        self._touched: set[str] = set()
        self._dedup = Dedup(bugs)
        self._ahead = WrittenAhead(bugs)
        self._index, self._term = self.checkpointed.index, self.checkpointed.term

    @property
    def applied(self) -> Position:
        """The last entry that was applied."""
        return Position(self._index, self._term)

    @property
    def checkpointed(self) -> Position:
        """All up to here is durable in the data files."""
        return self._store.manifest.position

    def __contains__(self, name: str) -> bool:
        """Whether a table of that name exists, as far as applied."""
        return name in self._tables

    @property
    def names(self) -> list[str]:
        """Of all tables."""
        return sorted(self._tables)

    def persistence(self, name: str) -> dict[str, Any]:
        """What getPersistenceMeta tells, but for the group; sizes in rows. Raises RequestError."""
        return self._stored(name).persistence()

    def creation(self, name: str, schema_bytes: bytes, options: TableOptions) -> bytes:
        """The log record of a new table; raises RequestError."""
        schema = checked_schema(name, schema_bytes)
        try:
            check_columns(schema, options.key_columns)
        except SchemaError as error:
            raise RequestError(BAD_REQUEST, True, str(error)) from None
        if name in self._tables:
            raise exists(name)
        return encode(CreateTable(name, to_bytes(schema), checked_options(options)))

    def removal(self, name: str) -> bytes:
        """The log record of a table's end; raises RequestError."""
        return encode(DropTable(name, self._stored(name).id))

    def filtering(self, name: str, column: str) -> bytes:
        """The log record of a table's filter column; raises RequestError."""
        stored = self._stored(name)
        check_filter_column(stored.table.schema, stored.options.filter_column, column)
        return encode(FilterColumn(name, stored.id, column))

    def role_changed(self) -> None:
        """Another leader may have logged what this one knows nothing of (promise HS-16)."""
        self._dedup.reset()

    def insertion(self, name: str, fingerprint: bytes, body: bytes) -> Insertion:
        """The log record of a batch; raises RequestError. Only for a leader.

        What does not fit the table is refused here, before it is logged (W7): once in the log, it
        would break every member. A batch of nothing but known keys is logged without rows: whoever
        repeats a row is answered once that row is committed, and not before.
        """
        stored = self._stored(name)
        table = stored.table
        batch = checked_batch(table, fingerprint, body)
        options, beside = stored.options, len(stored.schema_bytes)
        if not options.key_columns:
            command = AppendRows(name, stored.id, batch.num_rows, memoryview(body))
            return Insertion(encode(command), beside)
        screened = self._dedup.screen(
            stored.id,
            options.key_columns,
            options.cache_limit,
            batch,
            lambda: recent(table, options.cache_limit),
        )
        left = memoryview(body if screened.body is None else screened.body)
        command = AppendRows(name, stored.id, screened.rows, left)
        return Insertion(encode(command), beside, screened)

    def apply(self, index: int, entry: Entry) -> int | RequestError | None:
        """Execute a committed entry; gives what its producer is told. Then call `flush`."""
        self._index, self._term = index, entry.term
        ahead = self._ahead.take(index, entry.term)
        if ahead is not None and ahead.command is not None:
            return self._append(index, entry.term, ahead.command, ahead.crc)
        match entry.kind:
            case Kind.APPEND:
                return self._append(index, entry.term, decode_append(entry.payload))
            case Kind.CREATE_TABLE:
                return self._create(index, decode_create(entry.payload))
            case Kind.DROP_TABLE:
                return self._drop(decode_drop(entry.payload))
            case Kind.FILTER_COLUMN:
                return self._filter(decode_filter(entry.payload))
            case _:
                return None

    def write_ahead(self, index: int, entry: Entry) -> bool:
        """Write a durable entry's rows before it is committed; false if it has to wait.

        Call `flush` in the end. Raises CommandError.
        """
        if not may_be_ahead(entry):
            return False
        if command := self._ahead.write(index, entry, self._tables):
            self._touched.add(command.table)
        return True

    def roll_back(self, holds: Callable[[int, int], bool]) -> None:
        """Cut off what was written ahead and is not in the log any more; raises OSError."""
        self._ahead.roll_back(holds, self._tables)
        self._store.roll_back(holds)

    @property
    def written_ahead(self) -> int:
        """The last entry that was written ahead; 0 if there is none."""
        return self._ahead.last

    def flush(self) -> None:
        """Put what was applied into the data files; raises OSError."""
        for name in sorted(self._touched):
            stored = self._tables[name]
            stored.files.flush()
            stored.table.evict()
        self._touched.clear()

    def read(self, name: str, start: int, limit: int | None, bytes_max: int) -> dict[str, Any]:
        """Rows from `start` on, with the schema and the table's length; raises RequestError.

        Schema and rows take about `bytes_max`, and more only for a single row.
        """
        stored = self._stored(name)
        check_range(start, limit)
        if self._is_installing and start < stored.table.memory_offset:
            raise being_replaced(name)
        batches = stored.table.read(start, limit, bytes_max - len(stored.schema_bytes))
        return {
            "schema": stored.schema_bytes,
            "batches": [batch.serialize().to_pybytes() for batch in batches],
            "end": stored.table.rows,
        }

    def table(self, name: str) -> StreamTable:
        """The rows of a table, as far as applied; raises RequestError."""
        return self._stored(name).table

    def number(self, name: str) -> int:
        """No other table of this group has it, or had; raises RequestError."""
        return self._stored(name).id

    def piece(self, name: str, start: int, bytes_max: int) -> tuple[int, tuple[bytes, ...]]:
        """As a publisher sends it: how many rows from `start` on, and their batches."""
        table = self._stored(name).table
        if start >= table.rows:
            return 0, ()
        batches = table.read(start, None, bytes_max)
        count = sum(batch.num_rows for batch in batches)
        return count, tuple(batch.serialize().to_pybytes() for batch in batches)

    def summary(self) -> dict[str, dict[str, Any]]:
        """Rows and digest of each table."""
        return {
            name: {"rows": stored.table.rows, "digest": stored.table.digest}
            for name, stored in self._tables.items()
        }

    def checkpoint(self, worker: Worker, done: Callable[[OSError | None], None]) -> bool:
        """Begin to make durable what is applied; false if that is under way already.

        The worker syncs; then `checkpointed` has moved, files are removed that are too old or of
        dropped tables, and `done` is called, with the error if there was one. Raises OSError.
        """
        self.flush()
        return self._store.save(self._ahead.named(self.applied), self._tables, worker, done)

    # Snapshots: see Machine.

    def export(self) -> Export | None:
        """The last checkpoint as bytes; raises OSError."""
        manifest = self._store.manifest
        return Outgoing(self._disk, self._folder, manifest) if manifest.index else None

    @property
    def staging(self) -> Staging:
        """Where an arriving snapshot is collected."""
        return self._staging

    def install(self, terms: Runs) -> Job:
        """What puts the staged snapshot on disk in the place of all tables, and opens it."""
        self._is_installing = True  # Files are no longer those of the tables that readers see.

        def job() -> None:
            try:
                unpack(self._disk, self._folder, terms)
                store = self._open_store()
                self._installed = (store, store.open_all())
            except DataFileError as error:
                raise OSError(errno.EIO, str(error)) from None

        return job

    def install_done(self) -> None:
        """From now on the tables are those of the snapshot; raises OSError."""
        assert self._installed is not None
        self._is_installing = False
        damaged = self._store.damaged
        self._store.close(self._tables)
        (self._store, self._tables), self._installed = self._installed, None
        self._store.damaged = damaged
        self._index, self._term = self.checkpointed.index, self.checkpointed.term
        self._touched.clear()
        self._ahead.clear()
        self._dedup.reset()

    def tell_damage(self, damaged: Callable[[Exception], None]) -> None:
        """Let somebody know when rows cannot be read: the member must stop then."""
        self._store.damaged = damaged

    def close(self) -> None:
        """Give the files back, once no thread uses them."""
        self._store.close(self._tables)
        self._staging.close()

    def _stored(self, name: str) -> Stored:
        stored = self._tables.get(name)
        if stored is None:
            raise missing(name)
        return stored

    def _create(self, index: int, command: CreateTable) -> RequestError | None:
        # Two members may have asked at once; the first entry in the log wins, on all replicas.
        if command.table in self._tables:
            return exists(command.table)
        try:
            from_bytes(command.schema)
        except SchemaError as error:
            raise CommandError(str(error)) from None
        # Redoing the log meets every table that ever was: none finds another's rows.
        folder = f"{command.table}.{index}"
        kept = KeptTable(
            command.table, index, folder, command.schema, command.options, "", NOTHING_KEPT
        )
        self._tables[command.table] = self._store.open(kept)
        return None

    def _drop(self, command: DropTable) -> RequestError | None:
        stored = self._tables.get(command.table)
        if stored is None or stored.id != command.id:
            return missing(command.table)
        if self._keeps:
            return None
        del self._tables[command.table]
        self._touched.discard(command.table)
        self._dedup.forget(command.id)
        self._store.drop(stored)
        return None

    def _filter(self, command: FilterColumn) -> RequestError | None:
        stored = self._tables.get(command.table)
        if stored is None or stored.id != command.id:
            return missing(command.table)
        try:
            check_filter_column(stored.table.schema, stored.options.filter_column, command.column)
        except RequestError as refusal:
            return refusal
        stored.table.filter_column = command.column
        options = msgspec.structs.replace(stored.options, filter_column=command.column)
        self._tables[command.table] = replace(stored, options=options)
        return None

    def _append(
        self, index: int, term: int, command: AppendRows, ahead_crc: int | None = None
    ) -> int | RequestError:
        stored = self._tables.get(command.table)
        if stored is None or stored.id != command.id:
            # Dropped by an entry that was logged before this one, and applied after it was checked.
            return missing(command.table)
        table = stored.table
        if not command.rows:
            return table.rows
        crc = ahead_crc
        if crc is None:
            start = stored.files.next_row
            assert start == table.rows or self._spoils_files
            crc = stored.files.write(index, term, start, command.rows, command.body)
        stored.files.settle(index)
        self._touched.add(command.table)
        return table.append(command.rows, command.body, crc)
