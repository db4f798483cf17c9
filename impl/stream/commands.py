"""What the Raft log of a group holds: one record per created table and per appended batch."""

import msgspec


class CreateTable(msgspec.Struct, frozen=True, array_like=True):
    """A new table; `schema` in Arrow IPC form."""

    table: str
    schema: bytes


class AppendRows(msgspec.Struct, frozen=True, array_like=True):
    """One batch, all rows or none (V20); `body` in Arrow IPC form without schema."""

    table: str
    rows: int
    body: memoryview


_encoder = msgspec.msgpack.Encoder()
_create = msgspec.msgpack.Decoder(CreateTable)
_append = msgspec.msgpack.Decoder(AppendRows)


def encode(command: CreateTable | AppendRows) -> bytes:
    """The payload of a log entry."""
    return _encoder.encode(command)


def decode_create(payload: bytes) -> CreateTable:
    """Undo `encode`; the log's own CRC has already vouched for the bytes."""
    return _create.decode(payload)


def decode_append(payload: bytes) -> AppendRows:
    """Undo `encode`; the body is a view of the payload, not a copy."""
    return _append.decode(payload)
