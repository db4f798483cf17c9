"""Cuts a stream of bytes into the bodies of frames; long ones get a buffer of their own."""

import struct
from collections.abc import Iterator

LENGTH = struct.Struct(">I")
LENGTH_BYTES = LENGTH.size

COLLECTED_BYTES = 64 << 10
"""A body this long is received into a buffer for such ones."""

FIRST_BYTES = 1 << 20
GROWTH = 32
"""Such a buffer begins with this, and grows as bytes arrive: a length is only a claim."""

KEPT_BYTES = 4 << 20
"""A buffer that is no longer is used again: fresh memory costs more than filling it."""

TLS_RECORDS = frozenset({0x1503, 0x1603})
"""How TLS begins: an alert, or a hello."""


class FrameError(Exception):
    """Bytes that are no frame, or a frame over the limit."""


class Splitter:
    """Cuts a stream of bytes into frame bodies. `limit` may change between two frames."""

    # Invariant: there is no _rest while a long body is collected, of which _at bytes are there.

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._rest = bytearray()
        self._long = bytearray()
        self._long_size = 0
        self._at = 0

    def room(self) -> memoryview | None:
        """Where the next bytes belong if a long body is expected; tell `filled` of them."""
        if not self._long_size:
            return None
        if self._at == len(self._long):
            # Bodies of many megabytes.
            grown = bytearray(min(GROWTH * self._at, self._long_size))
            grown[: self._at] = self._long
            self._long = grown
        return memoryview(self._long)[self._at : self._long_size]

    def filled(self, count: int) -> memoryview | None:
        """So many were put into the room; the long body, once it is complete.

        Consume it before the next call: the next long body may be put in its place.
        """
        self._at += count
        if self._at < self._long_size:
            return None
        body = memoryview(self._long)[: self._long_size]
        if len(self._long) > KEPT_BYTES:
            self._long = bytearray()
        self._long_size = self._at = 0
        return body

    def feed(self, data: bytes) -> Iterator[memoryview]:
        """The bodies that are complete now; raises FrameError. Consume it before the next call.

        Bodies are views, not copies: a long one has been collected in a buffer for such ones.
        """
        while data and (room := self.room()) is not None:
            count = min(len(room), len(data))
            room[:count] = data[:count]
            data = data[count:]
            body = self.filled(count)
            if body is not None:
                yield body
        rest: bytes | bytearray = data
        if self._rest:
            self._rest += data
            rest = self._rest
        at = 0
        end = len(rest)
        while end - at >= LENGTH_BYTES:
            (size,) = LENGTH.unpack_from(rest, at)
            if not 0 < size <= self.limit:
                if size >> 16 in TLS_RECORDS:
                    raise FrameError("the other side speaks TLS here, and this one does not")
                raise FrameError(f"length {size} is not in 1..{self.limit}")
            start = at + LENGTH_BYTES
            if end - start < size:
                if size >= COLLECTED_BYTES:
                    self._collect(size, memoryview(rest)[start:])
                    at = end
                break
            at = start + size
            yield memoryview(rest)[start:at]
        if at:
            self._rest = bytearray(memoryview(rest)[at:])
        elif rest is data:
            self._rest += data

    def _collect(self, size: int, first: memoryview) -> None:
        needed = min(size, max(len(first), FIRST_BYTES))
        if len(self._long) < needed:
            self._long = bytearray(needed)
        self._long[: len(first)] = first
        self._long_size = size
        self._at = len(first)
