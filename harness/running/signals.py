"""Which signals end what runs, and who hears them."""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


def ending() -> tuple[signal.Signals, ...]:
    """SIGINT, SIGTERM and SIGHUP; the last one only where `nohup` has not had it ignored."""
    hangup = signal.SIGHUP
    ignored = signal.getsignal(hangup) is signal.SIG_IGN
    return (signal.SIGINT, signal.SIGTERM) if ignored else (signal.SIGINT, signal.SIGTERM, hangup)


class Ears:
    """Hears what is to end a run, from its beginning until it is down: no signal falls between."""

    def __init__(self) -> None:
        self._unanswered = 0
        self._answer: Callable[[], object] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @contextmanager
    def open(self) -> Iterator[None]:
        """Signals do nothing by themselves, as long as this lasts. For the main thread."""
        before = {number: signal.signal(number, self._heard) for number in ending()}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def answered(self, answer: Callable[[], object]) -> Iterator[None]:
        """For each signal `answer` is called in the running loop, also for those of before."""
        self._loop, self._answer = asyncio.get_running_loop(), answer
        try:
            self._tell()
            yield
        finally:
            self._loop = self._answer = None

    def _heard(self, number: int, frame: FrameType | None) -> None:
        self._unanswered += 1
        if self._loop is not None:  # Here it may be in the middle of anything.
            self._loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        while self._unanswered and self._answer is not None:
            self._unanswered -= 1
            self._answer()


@contextmanager
def as_interrupts() -> Iterator[None]:
    """SIGTERM and SIGHUP are KeyboardInterrupts here, as SIGINT is, where they would just end us.

    Python hears of signals in the main thread alone: elsewhere this does nothing.
    """
    numbers = [one for one in _heard_of() if signal.getsignal(one) is signal.SIG_DFL]
    for number in numbers:
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def held() -> Iterator[None]:
    """What is to end us does so afterwards: what is taken down is not left half way.

    Elsewhere than in the main thread this does nothing, either.
    """
    heard: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        heard.append(number)

    before = {number: signal.signal(number, note) for number in _heard_of()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if heard:
            signal.raise_signal(heard[0])


def _heard_of() -> tuple[signal.Signals, ...]:
    is_main = threading.current_thread() is threading.main_thread()
    return ending() if is_main else ()
