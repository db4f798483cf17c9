"""Who asks a gate to end is heard by the step under way at once, and else before the next one."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from ..running import signals


class Bell:
    """Rung by SIGINT, SIGTERM and SIGHUP.

    What a gate does between its steps is short, and its result would be lost: that goes on.
    """

    def __init__(self) -> None:
        self.has_rung = False
        self._is_heard = False

    @contextmanager
    def hung(self) -> Iterator[None]:
        """Signals ring it, as long as this lasts; but none that was ignored, as in a background."""
        ignored = signal.SIG_IGN
        numbers = [one for one in signals.ending() if signal.getsignal(one) is not ignored]
        before = [signal.signal(number, self._rung) for number in numbers]
        try:
            yield
        finally:
            for number, handler in zip(numbers, before, strict=True):
                signal.signal(number, handler)

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Who does this hears it as KeyboardInterrupt, also if it has rung just before."""
        self._is_heard = True
        try:
            if self.has_rung:
                raise KeyboardInterrupt
            yield
        finally:
            self._is_heard = False

    def _rung(self, number: int, frame: FrameType | None) -> None:
        self.has_rung = True
        if self._is_heard:
            raise KeyboardInterrupt
