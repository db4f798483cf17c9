"""MessagePack in pieces: as an encoder gives it, but long bytes stand in it uncopied."""

import struct
from typing import Any

import msgspec

LONG_BYTES = 16 << 10
"""Copying so many costs more than a piece of their own."""

_encoder = msgspec.msgpack.Encoder()
_BIN_16 = struct.Struct(">BH")
_BIN_32 = struct.Struct(">BI")
_ARRAY_16 = struct.Struct(">BH")
_ARRAY_32 = struct.Struct(">BI")


def pieces(value: Any) -> list[bytes]:
    """What `value`, of structs as arrays, sequences and plain things, is as MessagePack."""
    found: list[bytes] = []
    small = bytearray()
    _add(value, small, found)
    found.append(bytes(small))
    return found


def _add(value: Any, small: bytearray, found: list[bytes]) -> None:
    """Go on in `small`, which is put into `found` before every long piece."""
    if isinstance(value, bytes) and len(value) >= LONG_BYTES:
        size = len(value)
        small += _BIN_16.pack(0xC5, size) if size < 1 << 16 else _BIN_32.pack(0xC6, size)
        found += (bytes(small), value)
        small.clear()
    elif isinstance(value, msgspec.Struct):
        tag = value.__struct_config__.tag
        fields = msgspec.structs.astuple(value)
        _add(fields if tag is None else (tag, *fields), small, found)
    elif isinstance(value, tuple | list):
        small += _array(len(value))
        for item in value:
            _add(item, small, found)
    else:
        small += _encoder.encode(value)


def _array(count: int) -> bytes:
    if count < 16:
        return bytes((0x90 | count,))
    return _ARRAY_16.pack(0xDC, count) if count < 1 << 16 else _ARRAY_32.pack(0xDD, count)
