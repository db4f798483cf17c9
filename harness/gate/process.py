"""One step in a process of its own: told its order, heard, and ended when its time is over."""

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from ..errors import ExitCode
from ..running import leases
from .result import Attempt
from .step import Order, Run

GRACE_S = 10.0
"""Beyond its time a step may take so long to notice that it is over."""

UNDO_S = 30.0
"""Who was asked to end may take so long: a run undoes its faults, and judges what there is."""

LOG_CHARACTERS = 400


class Said(msgspec.Struct, frozen=True, tag="said"):
    """News of a step that is under way."""

    text: str


class Found(msgspec.Struct, frozen=True, tag="found"):
    """What came of it so far; of several the last one counts."""

    attempt: Attempt


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """What came of it in the end."""

    attempt: Attempt


_decoder = msgspec.json.Decoder(Said | Found | Ended)

COMMAND: tuple[str, ...] = (sys.executable, "-m", "delphic", "gate", "--do")
"""Does the step whose order is on standard input; tells the descriptor that follows."""


class Interrupted(Exception):
    """Somebody asked the gate to end; `attempt`: what the step had said by then, if anything."""

    def __init__(self, attempt: Attempt | None = None) -> None:
        super().__init__()
        self.attempt = attempt


def perform(
    order: Order, log: Path, tell: Callable[[str], object], command: Sequence[str] = COMMAND
) -> Attempt:
    """Do a step; what its process prints goes to `log`. Raises Interrupted when it has ended.

    A process that ends without an answer has a bug, unless it was ended because time was over.
    """
    began = time.monotonic()
    hear, say = os.pipe()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, str(say)],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=(say,),
            start_new_session=True,
        )
    os.close(say)
    doing = _Doing(process, hear, tell)
    # A run knows no deadline, and is asked to end at it; others stop by themselves.
    patience = order.seconds if isinstance(order.work, Run) else order.seconds + GRACE_S
    try:
        _give(process, order)
        in_time = doing.listen(began + patience)
        if not in_time:
            doing.end()
    except KeyboardInterrupt:
        try:
            doing.end()
        except KeyboardInterrupt:
            doing.kill()
        raise Interrupted(doing.after(began)) from None
    finally:
        os.close(hear)
        process.wait()
    found = doing.after(began)
    # Of one that died by itself nobody knows what else it would have found.
    if found is not None and (doing.has_answered or not in_time):
        return found
    seconds = round(time.monotonic() - began, 2)
    if not in_time:
        told = f"It was ended after {seconds:.0f} s."
        return Attempt(ExitCode.INCONCLUSIVE, told, seconds=seconds, unfinished="out of time")
    death = _death(process, log)
    if found is not None and found.code is ExitCode.PROMISE_BROKEN:
        told = f"{found.sentence} {death}"
        return msgspec.structs.replace(found, sentence=told, beside=ExitCode.HARNESS)
    return Attempt(ExitCode.HARNESS, death, seconds=seconds)


def _give(process: "subprocess.Popen[bytes]", order: Order) -> None:
    """The order; a process that is dead already is heard of otherwise."""
    assert process.stdin is not None
    with suppress(BrokenPipeError), process.stdin as stream:
        stream.write(msgspec.json.encode(order))


def _death(process: "subprocess.Popen[bytes]", log: Path) -> str:
    status = process.returncode
    how = f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
    text = log.read_text(encoding="utf-8", errors="replace").strip()
    last = text[-LOG_CHARACTERS:] or "it printed nothing"
    return f"The process ended with {how} and no answer: {last}"


class _Doing:
    """A process that does a step."""

    def __init__(
        self, process: "subprocess.Popen[bytes]", hear: int, tell: Callable[[str], object]
    ) -> None:
        self._attempt: Attempt | None = None
        self.has_answered = False
        self._process = process
        self._hear = hear
        self._tell = tell
        self._rest = b""

    def listen(self, until: float) -> bool:
        """Hear all that it says; False if it has not ended by then."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._hear, selectors.EVENT_READ)
            while (left := until - time.monotonic()) > 0:
                if selector.select(left):
                    data = os.read(self._hear, 65536)
                    if not data:
                        return self._has_ended(until)
                    self._take(data)
        return False

    def _has_ended(self, until: float) -> bool:
        try:
            self._process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            return False
        return True

    def _take(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            match _decoder.decode(line):
                case Said(text):
                    self._tell(text)
                case Found(attempt):
                    self._attempt = attempt
                case Ended(attempt):
                    self._attempt, self.has_answered = attempt, True

    def after(self, began: float) -> Attempt | None:
        """What came of it, with the time that it took."""
        if self._attempt is None:
            return None
        return msgspec.structs.replace(self._attempt, seconds=round(time.monotonic() - began, 2))

    def end(self) -> None:
        """Ask it to end; if it does not, end it and all that it started."""
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGINT)
        if not self.listen(time.monotonic() + UNDO_S):
            self.kill()

    def kill(self) -> None:
        """End it and all that it started, at once; what a run did is undone by its lease."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        leases.heal()


Do = Callable[[Order, Callable[[str], object], Callable[[Attempt], object]], Attempt]
"""Does a step, telling its news, and what it has found before it is done with it."""


def answer(channel: int, do: Do) -> None:
    """The other side: read the order, do it, tell what came of it."""
    # A gate in the background of a script was made to ignore it, but this one comes from the gate.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    with os.fdopen(channel, "wb", buffering=0) as stream:

        def tell(message: Said | Found | Ended) -> None:
            stream.write(msgspec.json.encode(message) + b"\n")

        found = do(order, lambda text: tell(Said(text)), lambda so_far: tell(Found(so_far)))
        tell(Ended(found))
