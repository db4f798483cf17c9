"""The first bytes of a batch in Arrow IPC form: what must be known before Arrow may decode it.

Arrow checks that what is decoded makes sense, but not what decoding costs, nor what we do with it:
a few compressed bytes become gigabytes, and columns of a type without values have as many rows as
somebody claims. So the length and the compression are read here first. The rest is Arrow's.
"""

import struct

ROWS_MAX = (1 << 31) - 1
"""Arrow writes no longer batch; a data file keeps 32 bits for the number."""

_START = struct.Struct("<IiI")
"""A marker, the bytes of the metadata, and in these the place of the root table."""

_BACK = struct.Struct("<i")
"""How far before a table its list of fields lies."""

_FIELDS = struct.Struct("<5H")
"""Of such a list: its own bytes, those of the table, and where the first three fields lie."""

_FORTH = struct.Struct("<I")
_SHORT = struct.Struct("<H")
_LONG = struct.Struct("<q")

_MARKER = 0xFFFFFFFF
_METADATA_AT = 8
_RECORD_BATCH = 3
_COMPRESSION_AT = 4 + 2 * 3
"""In the list of a batch's fields: behind length, nodes and buffers (Arrow's Message.fbs)."""


def complaint(body: bytes | memoryview) -> str | None:
    """Why this is no batch that a table takes; None if the first bytes forbid nothing."""
    try:
        marker, size, root = _START.unpack_from(body)
        if marker != _MARKER or size <= 0:
            return "it does not begin as one"
        message, _, (_, kind, header) = _table(body, _METADATA_AT + root)
        if not kind or not header or body[message + kind] != _RECORD_BATCH:
            return "it is no batch"
        (forth,) = _FORTH.unpack_from(body, message + header)
        batch, fields, (length, _, _) = _table(body, message + header + forth)
        if _SHORT.unpack_from(body, fields)[0] > _COMPRESSION_AT:
            (compression,) = _SHORT.unpack_from(body, fields + _COMPRESSION_AT)
            if compression:
                return "compressed batches are not supported"
        rows = _LONG.unpack_from(body, batch + length)[0] if length else 0
    except (struct.error, IndexError):
        return "it is cut off, or none at all"
    if not 0 < rows <= ROWS_MAX:
        return f"a batch has from 1 to {ROWS_MAX} rows, not {rows}"
    return None


def _table(body: bytes | memoryview, at: int) -> tuple[int, int, tuple[int, int, int]]:
    """A table of a flatbuffer, the list of its fields, and the first three in it; 0: absent."""
    (back,) = _BACK.unpack_from(body, at)
    fields = at - back
    if fields < 0:
        # A negative place would count from the end.
        raise struct.error
    _, _, first, second, third = _FIELDS.unpack_from(body, fields)
    return at, fields, (first, second, third)
