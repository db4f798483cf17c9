"""What a shaped link does to each packet: when it is let go, once or twice, whole or damaged. Pure.

Delay and jitter keep the order; what is chosen to be reordered is held back while others pass.
"""

from dataclasses import asdict, dataclass, field
from random import Random

_BACKLOG_S = 0.3
"""A narrow link loses what would wait longer, as a router's buffer does."""

_FAST_BYTES_S = 1 << 24
"""From here on several packets in one (up to 64 KiB) are no lump any more."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How a link behaves beyond being cut or lossy. Chances are from 0 to 1."""

    delay_s: float = 0.0
    jitter_s: float = 0.0
    """How far a packet's delay may be from `delay_s`, either way."""
    rate_bytes_s: float | None = None
    reorder: float = 0.0
    reorder_s: float = 0.02
    """How much longer a reordered packet takes."""
    duplicate: float = 0.0
    corrupt: float = 0.0

    @property
    def is_by_packet(self) -> bool:
        """Whether packets are needed whole and one by one."""
        is_slow = self.rate_bytes_s is not None and self.rate_bytes_s < _FAST_BYTES_S
        return bool(is_slow or self.reorder or self.duplicate or self.corrupt)


@dataclass(slots=True)
class Counts:
    """Packets of a link by what became of them."""

    passed: int = 0
    overflowed: int = 0
    reordered: int = 0
    duplicated: int = 0
    corrupted: int = 0
    """These two are counted by whoever does it, for not each that is chosen can be."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of one packet."""

    at_s: float
    duplicate: bool
    corrupt: bool


@dataclass(slots=True)
class Line:
    """A shaped link and what is on its way there."""

    shape: Shape
    counts: Counts = field(default_factory=Counts)
    _free_s: float = 0.0
    """When all that came before has passed the narrow place."""
    _last_s: float = 0.0
    """When the last packet that keeps the order arrives."""

    def fate(self, now_s: float, size: int, chance: Random) -> Fate | None:
        """Of a packet that comes now; None if there is no room for it."""
        shape, at = self.shape, now_s
        if shape.rate_bytes_s is not None:
            self._free_s = max(self._free_s, now_s)
            if self._free_s - now_s > _BACKLOG_S:
                self.counts.overflowed += 1
                return None
            self._free_s += size / shape.rate_bytes_s
            at = self._free_s
        at += max(0.0, shape.delay_s + chance.uniform(-shape.jitter_s, shape.jitter_s))
        if chance.random() < shape.reorder:
            self.counts.reordered += 1
            at += shape.reorder_s
        else:
            at = self._last_s = max(at, self._last_s)
        duplicate = chance.random() < shape.duplicate
        corrupt = chance.random() < shape.corrupt
        self.counts.passed += 1
        return Fate(at, duplicate, corrupt)

    def said(self) -> dict[str, int]:
        """The counts that are not nothing."""
        return {what: count for what, count in asdict(self.counts).items() if count}


def damaged(packet: bytes, chance: Random) -> bytes:
    """One bit is wrong, somewhere behind the header of IP."""
    header = 40 if packet[0] >> 4 == 6 else (packet[0] & 15) * 4
    if len(packet) <= header:
        return packet
    bit = chance.randrange(header * 8, len(packet) * 8)
    copy = bytearray(packet)
    copy[bit // 8] ^= 1 << (bit % 8)
    return bytes(copy)
