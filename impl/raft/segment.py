"""The bytes of the write-ahead log: a header, then records that carry their own checksum.

A segment is `DWAL`, version (u16), group (u32), number (u64) and their CRC-32 (u32), little-endian,
then records: length of the body (u32), CRC-32 of the body (u32), body. The body's first byte is its
type; the rest is MessagePack.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from .messages import Entry, HardState

MAGIC = b"DWAL"
VERSION = 1
_HEADER = struct.Struct("<4sHIQ")
_FRAME = struct.Struct("<II")
_CRC = struct.Struct("<I")
HEADER_BYTES = _HEADER.size + _CRC.size
BODY_BYTES_MAX = 1 << 30

STATE, ENTRY, TRUNCATE = b"S", b"E", b"T"


class StateRecord(msgspec.Struct, frozen=True, array_like=True):
    """Term and vote from here on."""

    hard_state: HardState


class EntryRecord(msgspec.Struct, frozen=True, array_like=True):
    """The entry at `index`."""

    index: int
    entry: Entry


class TruncateRecord(msgspec.Struct, frozen=True, array_like=True):
    """The log ends before `index`."""

    index: int


Record = StateRecord | EntryRecord | TruncateRecord

_encode = msgspec.msgpack.Encoder().encode
_DECODERS: dict[bytes, msgspec.msgpack.Decoder[Record]] = {
    STATE: msgspec.msgpack.Decoder(StateRecord),
    ENTRY: msgspec.msgpack.Decoder(EntryRecord),
    TRUNCATE: msgspec.msgpack.Decoder(TruncateRecord),
}


def header(group: int, number: int) -> bytes:
    """The first bytes of segment `number`."""
    fields = _HEADER.pack(MAGIC, VERSION, group, number)
    return fields + _CRC.pack(zlib.crc32(fields))


def check_header(data: bytes, group: int, number: int) -> str | None:
    """What is wrong with a header, or None."""
    fields = data[: _HEADER.size]
    if len(data) < HEADER_BYTES:
        return "the header is cut off"
    if data[_HEADER.size : HEADER_BYTES] != _CRC.pack(zlib.crc32(fields)):
        return "the header's checksum does not match"
    magic, version, its_group, its_number = _HEADER.unpack(fields)
    if magic != MAGIC:
        return "this is no write-ahead log"
    if version != VERSION:
        return f"version {version} is not known (this is {VERSION})"
    if (its_group, its_number) != (group, number):
        return f"it belongs to group {its_group}, segment {its_number}"
    return None


def pack(record: Record) -> bytes:
    """One record, framed."""
    kind = {StateRecord: STATE, EntryRecord: ENTRY, TruncateRecord: TRUNCATE}[type(record)]
    body = kind + _encode(record)
    assert len(body) <= BODY_BYTES_MAX
    return _FRAME.pack(len(body), zlib.crc32(body)) + body


@dataclass(frozen=True, slots=True)
class Damage:
    """Where a segment stops making sense, and why."""

    offset: int
    reason: str


def unpack_at(data: bytes, offset: int) -> tuple[Record, int] | Damage:
    """The record at `offset` and where the next begins."""
    if len(data) - offset < _FRAME.size:
        return Damage(offset, "a record's frame is cut off")
    size, crc = _FRAME.unpack_from(data, offset)
    start = offset + _FRAME.size
    if not 0 < size <= BODY_BYTES_MAX:
        return Damage(offset, f"a record of {size} bytes cannot be")
    body = data[start : start + size]
    if len(body) < size:
        return Damage(offset, "a record is cut off")
    if zlib.crc32(body) != crc:
        return Damage(offset, "a record's checksum does not match")
    decoder = _DECODERS.get(body[:1])
    if decoder is None:
        return Damage(offset, f"type {body[:1]!r} is not known")
    try:
        return decoder.decode(body[1:]), start + size
    except msgspec.DecodeError as error:
        return Damage(offset, f"a record cannot be read: {error}")


def records(data: bytes) -> Iterator[tuple[int, Record] | Damage]:
    """Records with their offsets; a Damage, if any, comes last."""
    offset = HEADER_BYTES
    while offset < len(data):
        found = unpack_at(data, offset)
        if isinstance(found, Damage):
            yield found
            return
        record, following = found
        yield offset, record
        offset = following


def whole_record_after(data: bytes, offset: int) -> int | None:
    """Where, behind a damaged place, a whole record stands: then it was no torn end.

    Every byte is a candidate, for the damage may be in a length. Lengths that do not fit are
    passed over cheaply; a checksum decides.
    """
    for at in range(offset + 1, len(data) - _FRAME.size):
        size, _ = _FRAME.unpack_from(data, at)
        fits = 0 < size <= len(data) - at - _FRAME.size
        if (
            fits
            and data[at + _FRAME.size : at + _FRAME.size + 1] in _DECODERS
            and not isinstance(unpack_at(data, at), Damage)
        ):
            return at
    return None
