"""Where a group's tables are on disk: opens their files, and makes durable what was applied.

A checkpoint (D5, D6, V5) is a moment in the log. First all data files are synced, then a manifest
takes the place of the last one: it names the tables after that entry, and what of their files is
durable. Nothing that a manifest names is removed before another manifest is durable.
"""

import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from ..bugs import AGES_FORGOTTEN, CHECKPOINT_BEFORE_SYNC, REDO_EQUAL_LSN
from ..raft.disk import Disk
from ..raft.terms import Position
from ..runtime import Worker
from .commands import TableOptions
from .datafile import DataFiles, remove_table
from .manifest import KeptTable, Manifest, read_manifest, write_manifest
from .retention import Ages
from .schema import from_bytes
from .table import StreamTable

_FOLDER = re.compile(r"[A-Za-z0-9_]+\.(\d+)")
"""A table's, with its id."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A table and its data files. `id`: the LSN of its creation."""

    id: int
    table: StreamTable
    files: DataFiles
    folder: str
    schema_bytes: bytes
    options: TableOptions
    ages: Ages

    def persistence(self) -> dict[str, Any]:
        """What getPersistenceMeta tells, but for the group; sizes in rows."""
        table, rows = self.table, self.table.rows
        return {
            "lastLogSeqNum": max(self.id, self.files.settled.lsn),
            "sizeInMemory": rows - table.memory_offset,
            "asynWrite": False,
            "totalSize": rows,
            "compress": False,
            "memoryOffset": table.memory_offset,
            "sizeOnDisk": rows - table.disk_offset,
            "retentionMinutes": self.options.retention_minutes,
            "persistenceDir": self.files.folder,
            "hashValue": 0,
            "diskOffset": table.disk_offset,
            "tableId": self.id,
        }


class Store:
    """The folder of one group's tables.

    # Invariant: of the tables that the manifest names, all files that it names are there.
    """

    def __init__(
        self,
        disk: Disk,
        folder: str,
        *,
        now_ns: Callable[[], int],
        file_bytes: int,
        bugs: frozenset[str] = frozenset(),
    ) -> None:
        """Read the last checkpoint; raises OSError, or DataFileError where it is not whole."""
        self._disk = disk
        self._folder = folder
        self._now_ns = now_ns
        self._file_bytes = file_bytes
        self._is_hasty = CHECKPOINT_BEFORE_SYNC in bugs
        self._redoes_equal = REDO_EQUAL_LSN in bugs
        self._forgets_ages = AGES_FORGOTTEN in bugs
        self.manifest = read_manifest(disk, folder)
        """The last checkpoint; with no tables and index 0 if there was none."""
        self._dropped: list[Stored] = []
        """Tables that are no more, and that this checkpoint or the next one names."""
        self._found: list[Stored] = []
        """Tables whose files had rows, when they were opened, that the log has not come to yet."""
        self._is_saving = False
        self.damaged: Callable[[Exception], None] = lambda error: None
        """Whom to tell that files cannot be read."""
        self._to_close: Mapping[str, Stored] | None = None
        self._remove_leftovers()

    def open(self, kept: KeptTable) -> Stored:
        """A table with its durable rows, none of them in memory; raises as `DataFiles` does."""
        folder = posixpath.join(self._folder, kept.folder)
        self._disk.make_folder(folder)
        files = DataFiles(self._disk, folder, kept.files, file_bytes=self._file_bytes)
        files.redoes_equal = self._redoes_equal
        table = StreamTable(
            kept.name,
            from_bytes(kept.schema),
            files,
            cache_limit=kept.options.cache_limit,
            filter_column=kept.options.filter_column,
            rows=kept.files.rows,
            digest=kept.digest,
            damaged=lambda error: self.damaged(error),
        )
        ages = Ages(kept.files, self._now_ns(), forgotten=self._forgets_ages)
        stored = Stored(kept.id, table, files, kept.folder, kept.schema, kept.options, ages)
        self._found.append(stored)
        return stored

    def roll_back(self, holds: Callable[[int, int], bool]) -> None:
        """Cut off what a restart found and the log does not have (HS-11). Raises OSError."""
        if self._found:
            self._found = [stored for stored in self._found if stored.files.cut_found(holds)]

    def open_all(self) -> dict[str, Stored]:
        """The tables of the last checkpoint by name; raises as `open` does."""
        return {kept.name: self.open(kept) for kept in self.manifest.tables}

    def drop(self, stored: Stored) -> None:
        """A table is no more: its files go, now or with the next checkpoint. Raises OSError."""
        self._found = [found for found in self._found if found is not stored]
        is_named = any(kept.id == stored.id for kept in self.manifest.tables)
        if is_named or self._is_saving:
            self._dropped.append(stored)
        else:
            stored.files.remove()

    def save(
        self,
        applied: Position,
        tables: Mapping[str, Stored],
        worker: Worker,
        done: Callable[[OSError | None], None],
    ) -> bool:
        """Begin a checkpoint of the tables, of which all is written; see `Tables.checkpoint`."""
        if self._is_saving:
            return False
        now_ns = self._now_ns()
        kept = tuple(_kept(name, stored, now_ns) for name, stored in sorted(tables.items()))
        manifest = Manifest(applied.index, applied.term, kept)
        saved = list(tables.values())
        syncs = [stored.files.begin_sync() for stored in saved]

        def job() -> None:
            for files, folder in syncs if not self._is_hasty else ():
                for file in files:
                    file.sync()
                if folder is not None:
                    self._disk.sync_folder(folder)
            write_manifest(self._disk, self._folder, manifest)

        def over(error: OSError | None) -> None:
            self._is_saving = False
            for stored in saved:
                stored.files.end_sync()
            if self._to_close is not None:
                self._close(self._to_close)
                return
            done(error or self._saved(manifest, saved))

        self._is_saving = True
        worker.submit(job, over)
        return True

    def close(self, tables: Mapping[str, Stored]) -> None:
        """Give the files back, once no thread uses them."""
        if self._is_saving:
            self._to_close = tables
        else:
            self._close(tables)

    def _saved(self, manifest: Manifest, saved: list[Stored]) -> OSError | None:
        """A checkpoint is durable: remove what it names no more."""
        self.manifest = manifest
        named = {kept.id: kept for kept in manifest.tables}
        try:
            for stored in [stored for stored in self._dropped if stored.id not in named]:
                self._dropped.remove(stored)
                stored.files.remove()
            for stored in [stored for stored in saved if stored not in self._dropped]:
                first = named[stored.id].files.first_file
                stored.files.drop_before(first)
                stored.ages.forget_before(first)
        except OSError as error:
            return error
        return None

    def _remove_leftovers(self) -> None:
        """Files of tables that had been dropped when the last checkpoint was made."""
        named = {kept.folder for kept in self.manifest.tables}
        for folder in self._disk.names(self._folder):
            found = _FOLDER.fullmatch(folder)
            if found and folder not in named and int(found[1]) <= self.manifest.index:
                remove_table(self._disk, posixpath.join(self._folder, folder))

    def _close(self, tables: Mapping[str, Stored]) -> None:
        for stored in [*tables.values(), *self._dropped]:
            stored.files.close()


def _kept(name: str, stored: Stored, now_ns: int) -> KeptTable:
    """What a checkpoint says of a table."""
    files, table, ages = stored.files, stored.table, stored.ages
    first = ages.first_kept(files, stored.options.retention_minutes, now_ns)
    kept = msgspec.structs.replace(
        files.settled,
        first_file=first,
        first_row=files.first_row_in(first) if first > files.first_file else files.first_row,
        ages_s=ages.ages_s(files, first, now_ns),
    )
    assert kept.rows == table.rows
    return KeptTable(
        name, stored.id, stored.folder, stored.schema_bytes, stored.options, table.digest, kept
    )
