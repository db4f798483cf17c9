"""Clocks that are wrong: each host has an offset and a rate of its own."""

import math
from collections.abc import Callable

from .loop import SimLoop
from .process import Handle, Process

EPOCH_NS = 1_000_000_000_000
"""What an untouched clock says when the world begins."""

DAY_NS = 1_773_964_800_000_000_000
"""The time of day at which every world begins: 2026-03-20, 00:00 UTC."""


class HostClock:
    """The monotonic clock of one host: ahead by an offset, and running at a rate.

    It never goes back: set to an earlier time, it stands still until that time has come.
    """

    def __init__(self, loop: SimLoop) -> None:
        self.rate = 1.0
        self._loop = loop
        self._wrong = False
        self._base_ns = EPOCH_NS
        self._since_ns = 0
        self._least_ns = 0

    def now_ns(self) -> int:
        now_ns = self._loop.now_ns
        if not self._wrong:
            return EPOCH_NS + now_ns
        said = self._base_ns + int((now_ns - self._since_ns) * self.rate)
        return max(said, self._least_ns)

    @property
    def offset_ns(self) -> int:
        """How far ahead of the truth it was when it was last set."""
        return self._base_ns - EPOCH_NS - self._since_ns

    def set(self, offset_ns: int, rate: float) -> None:
        """Be ahead by this now, and run so from now on. Timers set before keep their moment."""
        self._least_ns = self.now_ns()
        self._wrong = True
        self._since_ns = self._loop.now_ns
        self._base_ns = EPOCH_NS + self._since_ns + offset_ns
        self.rate = rate


class SimClock:
    """The `Clock` of one process: its host's time, its own queue."""

    __slots__ = ("_host", "_process")

    def __init__(self, host: HostClock, process: Process) -> None:
        self._host = host
        self._process = process

    def now_ns(self) -> int:
        return self._host.now_ns()

    def wall_ns(self) -> int:
        return DAY_NS - EPOCH_NS + self._host.now_ns()

    def call_soon(self, callback: Callable[[], None]) -> None:
        self._process.call(callback)

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Handle:
        # Rounded up: whoever wakes up by its own clock must not find that it is too early.
        return self._process.call_after(math.ceil(delay_s * 1e9 / self._host.rate), callback)
