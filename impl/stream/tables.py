"""The tables of one Raft group: checks what may be logged, and applies what was committed."""

import posixpath
import re
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from ..client.errors import (
    BAD_REQUEST,
    NO_SUCH_TABLE,
    SCHEMA_MISMATCH,
    TABLE_EXISTS,
    RequestError,
)
from ..raft.disk import Disk
from ..raft.messages import Entry, Kind
from .commands import AppendRows, CreateTable, decode_append, decode_create, encode
from .datafile import DataFile
from .schema import SchemaError, from_bytes, to_bytes
from .table import BatchError, StreamTable

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
"""A table's name is also its folder's."""

DATA_FILE = "data0.log"


@dataclass(frozen=True, slots=True)
class Stored:
    """A table and its data file."""

    table: StreamTable
    file: DataFile
    schema_bytes: bytes


class Tables:
    """A state machine: the same entries give the same tables on every member (promise HS-4)."""

    def __init__(self, disk: Disk, folder: str) -> None:
        self._disk = disk
        self._folder = folder
        self._tables: dict[str, Stored] = {}
        self._touched: set[str] = set()

    def creation(self, name: str, schema_bytes: bytes) -> bytes:
        """The log record of a new table; raises RequestError."""
        if not NAME.fullmatch(name):
            message = f"a table's name is a letter or _, then letters, digits, _; got '{name}'"
            raise RequestError(BAD_REQUEST, True, message)
        try:
            schema = from_bytes(schema_bytes)
        except SchemaError as error:
            raise RequestError(BAD_REQUEST, True, str(error)) from None
        if name in self._tables:
            raise _exists(name)
        return encode(CreateTable(name, to_bytes(schema)))

    def insertion(self, name: str, fingerprint: bytes, body: bytes) -> bytes:
        """The log record of a batch; raises RequestError.

        What does not fit the table is refused here, before it is logged (W7): once in the log, it
        would break every member.
        """
        table = self._stored(name).table
        if fingerprint != table.fingerprint:
            columns = ", ".join(f"{field.name} {field.type}" for field in table.schema)
            raise RequestError(SCHEMA_MISMATCH, True, f"table {name} has the columns {columns}")
        try:
            batch = table.decode(body)
        except BatchError as error:
            raise RequestError(BAD_REQUEST, True, str(error)) from None
        if not batch.num_rows:
            raise RequestError(BAD_REQUEST, True, "a batch has at least one row")
        return encode(AppendRows(name, batch.num_rows, memoryview(body)))

    def apply(self, index: int, entry: Entry) -> int | RequestError | None:
        """Execute a committed entry; gives what its producer is told. Then call `flush`."""
        match entry.kind:
            case Kind.APPEND:
                return self._append(index, decode_append(entry.payload))
            case Kind.CREATE_TABLE:
                return self._create(decode_create(entry.payload))
            case _:
                return None

    def flush(self) -> None:
        """Put what was applied into the data files; raises OSError."""
        for name in sorted(self._touched):
            self._tables[name].file.flush()
        self._touched.clear()

    def read(self, name: str, start: int, limit: int | None, bytes_max: int) -> dict[str, Any]:
        """Rows from `start` on, with the schema and the table's length; raises RequestError."""
        stored = self._stored(name)
        if start < 0 or (limit is not None and limit < 0):
            raise RequestError(BAD_REQUEST, True, "offsets and limits are not negative")
        batches = stored.table.read(start, limit, bytes_max)
        return {
            "schema": stored.schema_bytes,
            "batches": [batch.serialize().to_pybytes() for batch in batches],
            "end": stored.table.rows,
        }

    def summary(self) -> dict[str, dict[str, Any]]:
        """Rows and digest of each table."""
        return {
            name: {"rows": stored.table.rows, "digest": stored.table.digest}
            for name, stored in self._tables.items()
        }

    def close(self) -> None:
        """Give the files back."""
        for stored in self._tables.values():
            stored.file.close()

    def _stored(self, name: str) -> Stored:
        stored = self._tables.get(name)
        if stored is None:
            raise RequestError(NO_SUCH_TABLE, True, f"there is no table {name}")
        return stored

    def _create(self, command: CreateTable) -> RequestError | None:
        # Two members may have asked at once; the first entry in the log wins, on all replicas.
        if command.table in self._tables:
            return _exists(command.table)
        schema: pa.Schema = from_bytes(command.schema)
        folder = posixpath.join(self._folder, command.table)
        self._disk.make_folder(folder)
        self._tables[command.table] = Stored(
            StreamTable(command.table, schema),
            DataFile(self._disk, posixpath.join(folder, DATA_FILE)),
            command.schema,
        )
        return None

    def _append(self, index: int, command: AppendRows) -> int:
        stored = self._tables[command.table]
        table = stored.table
        crc = stored.file.write(index, table.rows, command.rows, command.body)
        self._touched.add(command.table)
        return table.append(command.rows, command.body, crc)


def _exists(name: str) -> RequestError:
    return RequestError(TABLE_EXISTS, True, f"there is already a table {name}")
