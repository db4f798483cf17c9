"""The records of the storage model in the implementation's words, and back."""

from functools import cache
from typing import NamedTuple

import pyarrow as pa

from ....impl.raft.messages import Entry, HardState
from ....impl.raft.messages import Kind as EntryKind
from ....impl.stream.commands import (
    AppendRows,
    CreateTable,
    decode_append,
    decode_create,
    encode,
)
from ....impl.stream.schema import to_bytes
from ....model.storage_types import TABLE_NAMES, Kind, Record, Records

SCHEMA = to_bytes(pa.schema([("row", pa.int64())]))


class Image(NamedTuple):
    """What a recovery of the log finds, or may find: term and vote, and the records."""

    hard_state: HardState
    records: Records

    def __str__(self) -> str:
        vote = f", vote for {self.hard_state.vote}" if self.hard_state.vote else ""
        records = ", ".join(map(str, self.records))
        return f"[{records}] in term {self.hard_state.term}{vote}"


@cache
def entry_of(record: Record, batch: int, padding: int = 0) -> Entry:
    """The log entry of a record; its rows say which they are."""
    name = TABLE_NAMES[record.table]
    if record.kind is Kind.CREATE:
        return Entry(record.term, EntryKind.CREATE_TABLE, encode(CreateTable(name, SCHEMA)))
    assert record.kind is Kind.ROWS
    body = f"{record.lsn}.{record.term}.{record.start}".encode().ljust(padding, b".")
    command = AppendRows(name, batch, memoryview(body))
    return Entry(record.term, EntryKind.APPEND, encode(command))


def record_of(index: int, entry: Entry) -> Record:
    """The record that an entry is of; where its rows are another record's, that record's LSN."""
    if entry.kind is EntryKind.CREATE_TABLE:
        table = TABLE_NAMES.index(decode_create(entry.payload).table)
        return Record(index, entry.term, Kind.CREATE, table, 0)
    command = decode_append(entry.payload)
    lsn, _, start = told(bytes(command.body))
    return Record(lsn, entry.term, Kind.ROWS, TABLE_NAMES.index(command.table), start)


@cache
def told(body: bytes) -> tuple[int, int, int]:
    """What rows say of themselves: LSN, term and start."""
    lsn, term, start = body.rstrip(b".").split(b".")
    return int(lsn), int(term), int(start)
