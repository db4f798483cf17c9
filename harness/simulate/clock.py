"""Clocks that are wrong: each host has an offset and a rate of its own."""

from collections.abc import Callable
from dataclasses import dataclass

from .loop import SimLoop
from .process import Handle, Process

EPOCH_NS = 1_000_000_000_000
"""What an untouched clock says when the world begins; a clock that is set back stays positive."""


@dataclass(slots=True)
class HostClock:
    """What one host takes for the time: `rate` of its seconds pass in one of the world's."""

    loop: SimLoop
    rate: float = 1.0
    offset_ns: int = EPOCH_NS
    _since_ns: int = 0
    """The moment of the world from which `rate` holds; `offset_ns` is what the clock said then."""

    def now_ns(self) -> int:
        passed = self.loop.now_ns - self._since_ns
        return self.offset_ns + (passed if self.rate == 1.0 else int(passed * self.rate))

    def jump(self, by_ns: int) -> None:
        """Say another time from now on."""
        self.offset_ns = self.now_ns() + by_ns
        self._since_ns = self.loop.now_ns

    def run_at(self, rate: float) -> None:
        """Run faster or slower from now on. Timers that were set before keep their moment."""
        self.jump(0)
        self.rate = rate


class SimClock:
    """The `Clock` of one process: its host's time, its own queue."""

    __slots__ = ("_host", "_process")

    def __init__(self, host: HostClock, process: Process) -> None:
        self._host = host
        self._process = process

    def now_ns(self) -> int:
        return self._host.now_ns()

    def call_soon(self, callback: Callable[[], None]) -> None:
        self._process.call(callback)

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Handle:
        return self._process.call_after(int(delay_s * 1e9 / self._host.rate), callback)
