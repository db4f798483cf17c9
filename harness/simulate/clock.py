"""Clocks that are wrong: each host has a time of day and a rate of its own."""

import math
from collections.abc import Callable

from .loop import SimLoop
from .process import Handle, Process

EPOCH_NS = 1_000_000_000_000
"""What every steady clock says when the world begins."""

DAY_NS = 1_773_964_800_000_000_000
"""The time of day at which every world begins: 2026-03-20, 00:00 UTC."""


class HostClock:
    """The two clocks of one host: the time of day may be set, and a steady clock never is.

    Both run at one rate.
    """

    def __init__(self, loop: SimLoop) -> None:
        self.rate = 1.0
        self._loop = loop
        self._wrong = False
        self._since_ns = 0
        self._steady_ns = EPOCH_NS
        self._day_ns = DAY_NS

    def now_ns(self) -> int:
        """The steady clock: it never goes back, and no step of the time of day moves it."""
        if not self._wrong:
            return EPOCH_NS + self._loop.now_ns
        return self._steady_ns + self._passed_ns()

    def wall_ns(self) -> int:
        """The time of day, in nanoseconds since 1970."""
        if not self._wrong:
            return DAY_NS + self._loop.now_ns
        return self._day_ns + self._passed_ns()

    @property
    def offset_ns(self) -> int:
        """How far ahead of the truth the time of day is."""
        return self.wall_ns() - DAY_NS - self._loop.now_ns

    def set(self, offset_ns: int, rate: float) -> None:
        """Set the time of day so far ahead of the truth, and run both at this rate from now on.

        Timers set before keep their moment.
        """
        self._steady_ns = self.now_ns()
        self._wrong = True
        self._since_ns = self._loop.now_ns
        self._day_ns = DAY_NS + self._since_ns + offset_ns
        self.rate = rate

    def _passed_ns(self) -> int:
        return int((self._loop.now_ns - self._since_ns) * self.rate)


class SimClock:
    """The `Clock` of one process: its host's time, its own queue."""

    __slots__ = ("_host", "_process")

    def __init__(self, host: HostClock, process: Process) -> None:
        self._host = host
        self._process = process

    def now_ns(self) -> int:
        return self._host.now_ns()

    def wall_ns(self) -> int:
        return self._host.wall_ns()

    def call_soon(self, callback: Callable[[], None]) -> None:
        self._process.call(callback)

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Handle:
        # Rounded up: whoever wakes up by its own clock must not find that it is too early.
        return self._process.call_after(math.ceil(delay_s * 1e9 / self._host.rate), callback)
