"""What the Raft log of a group holds: a record per table made, changed, dropped, and per batch."""

from typing import Annotated, TypeVar

import msgspec

from ..raft.machine import MachineError
from .batch_bytes import ROWS_MAX

C = TypeVar("C")

RETENTION_MINUTES = 1440


class TableOptions(msgspec.Struct, frozen=True, array_like=True):
    """What haStreamTable was told besides name and schema."""

    cache_limit: int = 0
    """Rows kept in memory, more or less; 0: all."""
    key_columns: tuple[str, ...] = ()
    retention_minutes: int = RETENTION_MINUTES
    filter_column: str = ""
    """Whose values subscribers may choose from; set later on, by an entry of its own."""


class CreateTable(msgspec.Struct, frozen=True, array_like=True):
    """A new table; `schema` in Arrow IPC form. The LSN of this record becomes the table's id."""

    table: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}\Z")]
    schema: bytes
    options: TableOptions


class DropTable(msgspec.Struct, frozen=True, array_like=True):
    """The end of the table of that id, rows and all."""

    table: str
    id: int


class AppendRows(msgspec.Struct, frozen=True, array_like=True):
    """One batch, all rows or none (V20); `body` in Arrow IPC form without schema.

    The id tells the table from another of that name that took its place.
    """

    table: str
    id: int
    rows: Annotated[int, msgspec.Meta(ge=0, le=ROWS_MAX)]
    body: memoryview


class FilterColumn(msgspec.Struct, frozen=True, array_like=True):
    """The column of the table of that id by which subscribers may choose rows."""

    table: str
    id: int
    column: str


Command = CreateTable | DropTable | AppendRows | FilterColumn


class CommandError(MachineError):
    """A log record that is no command: whoever logged it was no member of this version."""


_encoder = msgspec.msgpack.Encoder()
_create = msgspec.msgpack.Decoder(CreateTable)
_drop = msgspec.msgpack.Decoder(DropTable)
_filter = msgspec.msgpack.Decoder(FilterColumn)
_append = msgspec.msgpack.Decoder(AppendRows)


def encode(command: Command) -> bytes:
    """The payload of a log entry."""
    return _encoder.encode(command)


def decode_create(payload: bytes) -> CreateTable:
    """Undo `encode`; raises CommandError. The log's own CRC has already vouched for the bytes."""
    return _decoded(_create, payload)


def decode_drop(payload: bytes) -> DropTable:
    """Undo `encode`; raises CommandError."""
    return _decoded(_drop, payload)


def decode_filter(payload: bytes) -> FilterColumn:
    """Undo `encode`; raises CommandError."""
    return _decoded(_filter, payload)


def decode_append(payload: bytes) -> AppendRows:
    """Undo `encode`; raises CommandError. The body is a view of the payload, not a copy."""
    return _decoded(_append, payload)


def _decoded(decoder: msgspec.msgpack.Decoder[C], payload: bytes) -> C:
    try:
        return decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CommandError(f"no command: {error}") from None
