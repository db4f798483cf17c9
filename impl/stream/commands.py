"""What the Raft log of a group holds: a record per table made or dropped and per appended batch."""

import msgspec

RETENTION_MINUTES = 1440


class TableOptions(msgspec.Struct, frozen=True, array_like=True):
    """What haStreamTable was told besides name and schema."""

    cache_limit: int = 0
    """Rows kept in memory, more or less; 0: all."""
    key_columns: tuple[str, ...] = ()
    retention_minutes: int = RETENTION_MINUTES


class CreateTable(msgspec.Struct, frozen=True, array_like=True):
    """A new table; `schema` in Arrow IPC form. The LSN of this record becomes the table's id."""

    table: str
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
    rows: int
    body: memoryview


Command = CreateTable | DropTable | AppendRows

_encoder = msgspec.msgpack.Encoder()
_create = msgspec.msgpack.Decoder(CreateTable)
_drop = msgspec.msgpack.Decoder(DropTable)
_append = msgspec.msgpack.Decoder(AppendRows)


def encode(command: Command) -> bytes:
    """The payload of a log entry."""
    return _encoder.encode(command)


def decode_create(payload: bytes) -> CreateTable:
    """Undo `encode`; the log's own CRC has already vouched for the bytes."""
    return _create.decode(payload)


def decode_drop(payload: bytes) -> DropTable:
    """Undo `encode`."""
    return _drop.decode(payload)


def decode_append(payload: bytes) -> AppendRows:
    """Undo `encode`; the body is a view of the payload, not a copy."""
    return _append.decode(payload)
