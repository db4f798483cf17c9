"""The bytes of the write-ahead log: records that carry their place, their kind and a checksum.

A record is, little-endian: marker (3 bytes), kind (1), length of the body (u32), sequence (u64),
synced (u64), CRC-32 of all that and of the body (u32), body. Sequence numbers are dense from 1 on
over all segments. `synced` is the last sequence that was durable when the record was written: a
record at or below it that is damaged now was whole once, and no crash tore it.

Bodies. H, first in each segment: magic, version (u16), group (u32), and since version 2 all that is
known when the segment begins: term (u64), whether there is a vote (u8), count of runs (u32), base
(u64), runs, vote. A run is a term (u64) and the index of its last entry (u64); the runs go to the
end of the log, the base is the entry that it begins behind. S: term (u64), whether there is a vote
(u8), vote. E: index (u64), term (u64), kind (u8), payload. T: index (u64). B: base (u64), runs: the
log begins behind the base; if it has other runs, none of its entries stays.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from ..checksum import crc32
from .messages import Entry, HardState, Kind
from .terms import Runs, are_runs

MARKER = b"\xd7\xae\x9b"
MAGIC = b"DELPHICW"
VERSION = 2
SECTOR_BYTES = 512
"""Of a disk: written whole or not at all."""

HEADER, STATE, ENTRY, TRUNCATE, BASE = b"H", b"S", b"E", b"T", b"B"
KINDS = frozenset({HEADER, STATE, ENTRY, TRUNCATE, BASE})

_FRAME = struct.Struct("<3scIQQ")
_CRC = struct.Struct("<I")
_HEADER_BODY = struct.Struct(f"<{len(MAGIC)}sHI")
_PLACE = struct.Struct("<Q?IQ")
_RUN = struct.Struct("<QQ")
_BASE = struct.Struct("<Q")
_STATE_BODY = struct.Struct("<Q?")
_ENTRY_BODY = struct.Struct("<QQB")
_TRUNCATE_BODY = struct.Struct("<Q")
FRAME_BYTES = _FRAME.size + _CRC.size
BODY_BYTES_MAX = (1 << 32) - 1


class BodyError(ValueError):
    """A record whose checksum is right and whose content is none of ours."""


@dataclass(frozen=True, slots=True)
class Record:
    """A whole record, and where it ends."""

    kind: bytes
    sequence: int
    synced: int
    body: memoryview
    end: int


@dataclass(frozen=True, slots=True)
class Place:
    """What a log knows where a segment begins; `runs` go to its end."""

    hard_state: HardState = field(default_factory=HardState)
    base: int = 0
    runs: Runs = ()


NOWHERE = Place()
"""Where the first segment of a log begins."""


@dataclass(frozen=True, slots=True)
class Damage:
    """Where a segment stops making sense, and why."""

    offset: int
    reason: str


def pack(kind: bytes, sequence: int, synced: int, head: bytes, tail: bytes = b"") -> list[bytes]:
    """The bytes of a record with the body head + tail, in pieces: payloads are not copied."""
    assert kind in KINDS
    assert 0 <= synced < sequence
    assert len(head) + len(tail) <= BODY_BYTES_MAX
    frame = _FRAME.pack(MARKER, kind, len(head) + len(tail), sequence, synced)
    crc = crc32(tail, zlib.crc32(head, zlib.crc32(frame)))
    return [frame, _CRC.pack(crc), head, tail]


def unpack(data: bytes, offset: int) -> Record | Damage:
    """The record at `offset`."""
    body_at = offset + FRAME_BYTES
    if body_at > len(data):
        return Damage(offset, "a record is cut off in its first bytes")
    marker, kind, size, sequence, synced = _FRAME.unpack_from(data, offset)
    if marker != MARKER or kind not in KINDS:
        return Damage(offset, "no record begins here")
    end = body_at + size
    if end > len(data):
        return Damage(offset, f"a record of {size} bytes is cut off")
    view = memoryview(data)
    frame, body = view[offset : offset + _FRAME.size], view[body_at:end]
    (crc,) = _CRC.unpack_from(data, offset + _FRAME.size)
    if zlib.crc32(body, zlib.crc32(frame)) != crc:
        return Damage(offset, "the checksum does not match")
    return Record(kind, sequence, synced, body, end)


def records_after(data: bytes, offset: int, sequence: int) -> Iterator[tuple[int, Record]]:
    """Whole records behind a damaged one, which had that sequence; with their offsets.

    Sequences that cannot be there are somebody's payload that looks like a log.
    """
    at = data.find(MARKER, offset + 1)
    while at >= 0:
        found = unpack(data, at)
        following = at + 1
        if isinstance(found, Record):
            nearer = (at - offset) // FRAME_BYTES + 1
            if sequence < found.sequence <= sequence + nearer:
                yield at, found
                following = found.end
        at = data.find(MARKER, following)


def was_not_written(data: bytes, start: int, end: int) -> bool:
    """Whether all from `start` to `end`, or a sector there, holds the zeros of a new file.

    A damaged record begins at `start`, and a marker has no zeros; a whole one begins at `end`, so
    that its sector was written.
    """
    if not any(data[start:end]):
        return True
    while (border := (start // SECTOR_BYTES + 1) * SECTOR_BYTES) <= end:
        if not any(data[start:border]):
            return True
        start = border
    return False


def header_body(group: int, place: Place = NOWHERE) -> bytes:
    """The content of a segment's first record."""
    term, vote = place.hard_state.term, place.hard_state.vote
    head = _HEADER_BODY.pack(MAGIC, VERSION, group)
    known = _PLACE.pack(term, vote is not None, len(place.runs), place.base)
    return head + known + _packed(place.runs) + (vote or "").encode()


def read_header_body(body: memoryview, group: int) -> Place | None:
    """Where the segment begins; None if version 1 wrote it, which did not say. Raises BodyError."""
    if len(body) < _HEADER_BODY.size or body[: len(MAGIC)] != MAGIC:
        raise BodyError("this is no write-ahead log of ours")
    _, version, its_group = _HEADER_BODY.unpack_from(body)
    if version not in (1, VERSION):
        raise BodyError(f"version {version} is not known; this is version {VERSION}")
    if its_group != group:
        raise BodyError(f"it belongs to group {its_group}, not to {group}")
    at = _HEADER_BODY.size
    if version == 1 and len(body) == at:
        return None
    runs_at = at + _PLACE.size
    if len(body) < runs_at:
        raise BodyError("this is no write-ahead log of ours")
    term, has_vote, count, base = _PLACE.unpack_from(body, at)
    end = runs_at + count * _RUN.size
    vote = _text(body[end:])
    return Place(HardState(term, vote if has_vote else None), base, _runs(body[runs_at:end]))


def base_body(base: int, runs: Runs) -> bytes:
    """The log, whose terms these are, begins behind `base`."""
    return _BASE.pack(base) + _packed(runs)


def read_base_body(body: memoryview) -> tuple[int, Runs]:
    """As it was packed; raises BodyError."""
    if len(body) < _BASE.size:
        raise BodyError("a base is too short")
    (base,) = _BASE.unpack_from(body)
    return base, _runs(body[_BASE.size :])


def _packed(runs: Runs) -> bytes:
    return b"".join([_RUN.pack(*run) for run in runs])


def _runs(data: memoryview) -> Runs:
    if len(data) % _RUN.size:
        raise BodyError("runs have the wrong length")
    runs = tuple(_RUN.iter_unpack(data))
    if not are_runs(runs):
        raise BodyError("terms or indices of runs do not ascend")
    return runs


def _text(data: memoryview) -> str:
    try:
        return str(data, "utf-8")
    except UnicodeDecodeError as error:
        raise BodyError(f"a vote is no text: {error}") from None


def state_body(hard_state: HardState) -> bytes:
    """Term and vote from here on."""
    vote = hard_state.vote
    return _STATE_BODY.pack(hard_state.term, vote is not None) + (vote or "").encode()


def read_state_body(body: memoryview) -> HardState:
    """As it was packed; raises BodyError."""
    if len(body) < _STATE_BODY.size:
        raise BodyError("a hard state is too short")
    term, has_vote = _STATE_BODY.unpack_from(body)
    vote = _text(body[_STATE_BODY.size :])
    return HardState(term, vote if has_vote else None)


def entry_head(index: int, entry: Entry) -> bytes:
    """What precedes an entry's payload."""
    return _ENTRY_BODY.pack(index, entry.term, entry.kind)


def read_entry_body(body: memoryview) -> tuple[int, Entry]:
    """Index and entry as they were packed; raises BodyError."""
    if len(body) < _ENTRY_BODY.size:
        raise BodyError("an entry is too short")
    index, term, kind = _ENTRY_BODY.unpack_from(body)
    try:
        return index, Entry(term, Kind(kind), bytes(body[_ENTRY_BODY.size :]))
    except ValueError as error:
        raise BodyError(str(error)) from None


def truncate_body(index: int) -> bytes:
    """The log ends before `index`."""
    return _TRUNCATE_BODY.pack(index)


def read_truncate_body(body: memoryview) -> int:
    """The index as it was packed; raises BodyError."""
    if len(body) != _TRUNCATE_BODY.size:
        raise BodyError("a truncation has the wrong length")
    (index,) = _TRUNCATE_BODY.unpack(body)
    assert isinstance(index, int)
    return index
