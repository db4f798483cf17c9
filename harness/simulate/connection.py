"""One side of a simulated connection: a `Stream`, whose effects are those of its process."""

from collections.abc import Callable

from ...impl.runtime import StreamHandler
from .pipe import RESET, Pipe
from .process import Process

CLOSED = "closed"

HIGH, LOW = 64 << 10, 16 << 10
"""Bytes on their way at which a handler hears `blocked` and `writable`, as in asyncio."""


class End:
    """One side of a connection: a `Stream`."""

    out: Pipe
    into: Pipe
    handler: StreamHandler

    def __init__(
        self, process: Process, peer: str, far: str, ended: Callable[["End"], None]
    ) -> None:
        """`far` is the process at the other side; `ended` hears when this side is closed."""
        self.process = process
        self.stall_ns = 0
        self.is_open = False
        """Whether the handler knows it."""
        self.is_closed = False
        self.is_blocked = False
        self.is_reading_paused = False
        self._peer = peer
        self._far = far
        self._ended = ended
        self._batch: list[bytes] = []
        self._batch_bytes = 0
        self._early: list[bytes | str] = []
        """What came before the handshake was over: a link that heals lets it overtake."""

    @property
    def peer(self) -> str:
        return self._peer

    @property
    def names(self) -> frozenset[str]:
        return frozenset()

    def open(self, handler: StreamHandler) -> None:
        """Tell the handler, first of all; runs in its process."""
        self.is_open = True
        self.handler = handler
        handler.opened(self)
        early, self._early = self._early, []
        if early and not self.is_closed:
            self.take(early)

    def write(self, *pieces: bytes) -> None:
        if self.is_closed:
            return
        if not self._batch:
            self.process.call(self._flush)
        self._batch += pieces
        self._batch_bytes += sum(map(len, pieces))

    def _flush(self) -> None:
        batch = self._batch
        if not batch or self.is_closed:
            return
        self._batch, self._batch_bytes = [], 0
        data = batch[0] if len(batch) == 1 else b"".join(batch)
        out = self.out
        self.process.effect("send", self._far, out.send, data)
        if out.flying_bytes > HIGH and not self.is_blocked:
            self.is_blocked = True
            out.watch_room()
            self.handler.blocked()

    def buffered(self) -> int:
        if self.is_closed:
            return 0
        out = self.out
        if out.flying_bytes:
            out.land()
        return self._batch_bytes + out.flying_bytes

    def pause_reading(self) -> None:
        self.is_reading_paused = True

    def resume_reading(self) -> None:
        if self.is_reading_paused:
            self.is_reading_paused = False
            if not self.is_closed:
                self.into.resume()

    def close(self) -> None:
        if not self.is_closed:
            self._flush()
            self.process.effect("close", self._far, self._finish)

    def abort(self) -> None:
        if not self.is_closed:
            self._batch.clear()
            self.process.effect("close", self._far, self._finish)

    def _finish(self) -> None:
        self.out.put(CLOSED)
        self.fail(CLOSED)

    def take(self, landed: list[bytes | str]) -> None:
        """Bytes, and perhaps the end; runs in the process."""
        if not self.is_open:
            self._early += landed
            return
        last = landed[-1]
        if isinstance(last, bytes):
            self.handler.received(last if len(landed) == 1 else _joined(landed))
            return
        if len(landed) > 1:
            self.handler.received(_joined(landed))
        if not self.is_closed:
            self._end()
            self.handler.closed(last)

    def ease(self) -> bool:
        """Let the handler write again if there is room; whether there is."""
        if self.out.flying_bytes >= LOW:
            return False
        self.is_blocked = False
        self.process.call(self._writable)
        return True

    def _writable(self) -> None:
        if not self.is_closed:
            self.handler.writable()

    def fail(self, reason: str) -> None:
        """End at once; the handler hears it soon."""
        if not self.is_closed:
            self._end()
            self.process.call(self._tell_closed, reason)

    def _tell_closed(self, reason: str) -> None:
        if self.is_open:
            self.handler.closed(reason)

    def die(self, *, is_off: bool) -> None:
        """The process is dead; `is_off`: so is its host, and nobody says so to the other side."""
        if self.is_closed:
            return
        if is_off:
            self.out.lose_held()
        else:
            self.out.put(RESET)
        self._end(is_off=is_off)

    def _end(self, *, is_off: bool = False) -> None:
        self.is_closed = True
        self._batch.clear()
        self._batch_bytes = 0
        self.into.lose_dst(is_off=is_off)
        self._ended(self)
        if self.into.src.is_closed:
            self.out.stop()
            self.into.stop()


def _joined(landed: list[bytes | str]) -> bytes:
    return b"".join(item for item in landed if isinstance(item, bytes))
