"""The records of the storage model in the implementation's words, and back."""

from functools import cache
from typing import NamedTuple

import pyarrow as pa

from ....impl.raft.messages import Entry, HardState
from ....impl.raft.messages import Kind as EntryKind
from ....impl.raft.replay import WalCorruption
from ....impl.stream.commands import (
    AppendRows,
    CommandError,
    CreateTable,
    TableOptions,
    decode_append,
    decode_create,
    encode,
)
from ....impl.stream.record import DataFileError
from ....impl.stream.schema import to_bytes
from ....model.storage_types import TABLE_NAMES, Kind, Record, Records

SCHEMA = to_bytes(pa.schema([("row", pa.int64())]))


class NotARecordError(Exception):
    """What was recovered is nothing that was ever written."""


REFUSALS = (AssertionError, WalCorruption, DataFileError, NotARecordError)
"""How the implementation, or what is made of it here, says that a step cannot be."""


class Image(NamedTuple):
    """What a recovery of the log finds, or may find: term and vote, and the records."""

    hard_state: HardState
    records: Records

    def __str__(self) -> str:
        vote = f", vote for {self.hard_state.vote}" if self.hard_state.vote else ""
        records = ", ".join(map(str, self.records))
        return f"[{records}] in term {self.hard_state.term}{vote}"


@cache
def entry_of(record: Record, batch: int, padding: int = 0, made: int = 0) -> Entry:
    """The log entry of a record, whose table record `made` made; its rows say which they are."""
    name = TABLE_NAMES[record.table]
    if record.kind is Kind.CREATE:
        return Entry(
            record.term, EntryKind.CREATE_TABLE, encode(CreateTable(name, SCHEMA, TableOptions()))
        )
    assert record.kind is Kind.ROWS
    body = rows_of(record.lsn, record.term, record.start).ljust(padding, b".")
    command = AppendRows(name, made, batch, memoryview(body))
    return Entry(record.term, EntryKind.APPEND, encode(command))


def record_of(index: int, entry: Entry) -> Record:
    """The record that an entry is of; where its rows are another record's, that record's LSN."""
    if entry.kind is EntryKind.CREATE_TABLE:
        try:
            table = TABLE_NAMES.index(decode_create(entry.payload).table)
        except (CommandError, ValueError) as error:
            raise NotARecordError(f"entry {index} is no creation: {error}") from None
        return Record(index, entry.term, Kind.CREATE, table, 0)
    try:
        command = decode_append(entry.payload)
        table = TABLE_NAMES.index(command.table)
    except (CommandError, ValueError) as error:
        raise NotARecordError(f"entry {index} is no batch: {error}") from None
    lsn, _, start = told(bytes(command.body))
    return Record(lsn, entry.term, Kind.ROWS, table, start)


def rows_of(lsn: int, term: int, start: int) -> bytes:
    """The rows of a record: they say which they are."""
    return f"{lsn}.{term}.{start}".encode()


@cache
def told(body: bytes) -> tuple[int, int, int]:
    """What rows say of themselves: LSN, term and start. Raises NotARecordError."""
    try:
        lsn, term, start = map(int, body.rstrip(b".").split(b"."))
    except ValueError:
        raise NotARecordError(f"rows that nobody wrote: {body!r}") from None
    return lsn, term, start
