"""CRC-32 of long bytes, computed once however often they are written.

A batch stands in a record of the log, and again in one of a data file: two checksums over the same
bytes behind other first ones. For long bytes that was a sixth of what a follower spent on a batch.
But CRC-32 is linear: that of a whole follows from those of its parts, and one part's from those of
the whole and of the other part (zlib's crc32_combine, which Python does not offer).
"""

import zlib
from functools import lru_cache

import pyarrow as pa

LONG_BYTES = 128 << 10
"""From here on computing costs more than combining."""

REMEMBERED = 8
REMEMBERED_BYTES = 32 << 20
"""So many long pieces are remembered with their checksums, if they are no longer than this: none
is soon written again that came so much earlier, and the log may let go of them meanwhile.
"""

_POLYNOMIAL = 0xEDB88320
_ONE = 1 << 31
"""In CRC-32 the highest power of x is the lowest bit."""

_known: dict[int, tuple[bytes, int]] = {}
"""By identity, which a held piece keeps."""


def crc32(data: bytes | memoryview, before: int = 0) -> int:
    """As zlib's: `before` is the checksum of what stands before the data."""
    if len(data) < LONG_BYTES:
        return zlib.crc32(data, before)
    return _behind(before, len(data)) ^ _crc_of(data)


def _crc_of(data: bytes | memoryview) -> int:
    whole = data.obj if isinstance(data, memoryview) else data
    if not isinstance(whole, bytes):
        return zlib.crc32(data)
    known = _known.get(id(whole))
    if known is None or known[0] is not whole:
        if len(data) < len(whole):
            return zlib.crc32(data)
        known = whole, zlib.crc32(whole)
        _remember(*known)
    crc = known[1]
    if len(data) == len(whole):
        return crc
    start = len(whole) - len(data)
    if pa.py_buffer(data).address != pa.py_buffer(whole).address + start:
        return zlib.crc32(data)
    return crc ^ _behind(zlib.crc32(memoryview(whole)[:start]), len(data))


def _remember(whole: bytes, crc: int) -> None:
    _known.pop(id(whole), None)
    _known[id(whole)] = whole, crc
    size = sum(len(data) for data, _ in _known.values())
    while len(_known) > REMEMBERED or size > REMEMBERED_BYTES:
        data, _ = _known.pop(next(iter(_known)))
        size -= len(data)


def _behind(crc: int, size: int) -> int:
    """What a checksum adds to that of `size` bytes behind it."""
    return _product(crc, _power(size)) if crc else 0


@lru_cache(1024)
def _power(size: int) -> int:
    """x to the number of bits in so many bytes."""
    found = _ONE
    for place in range(size.bit_length()):
        if size >> place & 1:
            found = _product(found, _square(place))
    return found


@lru_cache(None)
def _square(place: int) -> int:
    """x to the number of bits in 2 ** place bytes."""
    if not place:
        return _ONE >> 8
    root = _square(place - 1)
    return _product(root, root)


def _product(a: int, b: int) -> int:
    """Of two polynomials, modulo that of CRC-32."""
    found = 0
    while a:
        if a & _ONE:
            found ^= b
        a = (a << 1) & 0xFFFFFFFF
        b = (b >> 1) ^ _POLYNOMIAL if b & 1 else b >> 1
    return found
