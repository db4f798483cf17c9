"""One directed link: TCP connections that flow, wait or crawl as the link's state says.

A pipe is one connection that `from` dialled to `to`, carried over two sockets. Rule 1: bytes leave
in the order in which they came. Rule 2: while the link is cut nothing is read from either socket,
so that bytes are neither forwarded nor lost: they wait in the kernel's buffers, and whoever writes
feels it as one does when a cable is out. (What was read in the last moment waits here.) A
connection that is made while the link is cut hangs.
Rule 3: delay and rate concern what `from` sends; what comes back on the same connection (greetings)
only waits for cuts, because the members answer on connections of their own.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, cast

from .links import OPEN, LinkState

QUEUED_BYTES_MAX = 4 << 20
"""What a slow link holds before it stops reading; above any bandwidth times delay that we plan."""

_PIECES_PER_SECOND = 20
"""A narrow link passes this many pieces a second, so that it drips instead of stuttering."""

Spawn = Callable[[Coroutine[Any, Any, None]], object]
Address = tuple[str, int]


class Gate:
    """The state of one link and the connections that it carries."""

    def __init__(self, spawn: Spawn) -> None:
        self.state = OPEN
        self.spawn = spawn
        self.pipes: set[Pipe] = set()

    def set(self, state: LinkState) -> None:
        """Let all connections, old and new, behave so from now on."""
        if state != self.state:
            self.state = state
            for pipe in list(self.pipes):
                pipe.changed()

    def close(self) -> None:
        for pipe in list(self.pipes):
            pipe.abort()

    def acceptor(self, destination: Address) -> Callable[[], asyncio.Protocol]:
        """A factory of protocols for a server: each connection it accepts becomes a pipe."""
        return lambda: _Near(Pipe(self, destination))


class Pipe:
    """One connection through a gate: near is who dialled, far is who was dialled."""

    def __init__(self, gate: Gate, destination: Address) -> None:
        self.gate = gate
        self.destination = destination
        self.near: asyncio.Transport | None = None
        self.far: asyncio.Transport | None = None
        self.near_full = self.far_full = False
        self._connecting = False
        # Whether the near side has closed, and whether the far side has been told.
        self._ended = self._end_told = False
        # Bytes on their way with the time at which they arrive; None: the near side has closed.
        # Invariant: times do not decrease.
        self._queue: deque[tuple[float, bytes | None]] = deque()
        self._queued_bytes = 0
        # When a narrow link has passed everything that it took. Each connection has the whole rate:
        # a link carries one for its member, and a probe must not wait behind that one's backlog.
        self._free_at = 0.0
        # What the far side had sent when the link was cut.
        self._held: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    def accepted(self, near: asyncio.Transport) -> None:
        self.near = near
        self.gate.pipes.add(self)
        # Transports begin to read only after they have been announced.
        self._loop.call_soon(self.changed)

    def changed(self) -> None:
        """The link's state or a buffer's level is another now: read, connect, send accordingly."""
        state = self.gate.state
        if not state.cut and self.far is None and not self._connecting and self.near is not None:
            self._connecting = True
            self.gate.spawn(self._connect())
        if state.delay_s == 0 and state.rate_bytes_s is None:
            self._queue = deque((0.0, data) for _, data in self._queue)
        self._pump()

    def forward(self, data: bytes) -> None:
        """Carry what the near side sent."""
        state = self.gate.state
        if self.far is not None and not self._queue and state == OPEN:
            self.far.write(data)
            return
        step = len(data)
        if state.rate_bytes_s is not None:
            step = max(1, int(state.rate_bytes_s / _PIECES_PER_SECOND))
        for start in range(0, len(data), step):
            piece = data[start : start + step]
            self._queue.append((self._arrival(state, len(piece)), piece))
        self._queued_bytes += len(data)
        self._pump()

    def backward(self, data: bytes) -> None:
        """Carry what the far side sent."""
        if self.gate.state.cut:
            self._held.append(data)
        elif self.near is not None:
            self.near.write(data)

    def near_ended(self) -> None:
        """Let the end overtake nothing that was sent before it."""
        if not self._ended:
            self._ended = True
            self._queue.append((self._arrival(self.gate.state, 0), None))
            self._pump()

    def near_lost(self) -> None:
        self.near = None
        self.near_ended()
        if self.far is not None and self._end_told:
            self.far.close()
        if self.far is None and not self._connecting:
            self._forget()

    def far_lost(self) -> None:
        self.far = None
        if self.near is not None:
            self.near.close()
        self._forget()

    def abort(self) -> None:
        for transport in (self.near, self.far):
            if transport is not None:
                transport.abort()
        self._forget()

    def connected(self, far: asyncio.Transport) -> None:
        self.far = far
        self._loop.call_soon(self._pump)

    async def _connect(self) -> None:
        try:
            await self._loop.create_connection(lambda: _Far(self), *self.destination)
        except OSError:
            # Nobody listens there: whoever dialled must see its connection break.
            self.abort()
        finally:
            self._connecting = False

    def _arrival(self, state: LinkState, size: int) -> float:
        now = self._loop.time()
        if state.rate_bytes_s is not None:
            self._free_at = max(self._free_at, now) + size / state.rate_bytes_s
            now = self._free_at
        last = self._queue[-1][0] if self._queue else 0.0
        return max(now + state.delay_s, last)

    def _pump(self) -> None:
        """Send what is due, and read where there is room."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.far is not None and not self.gate.state.cut:
            self._send_due(self.far)
            held, self._held = self._held, []
            for data in held:
                self.backward(data)
        self._read_where_there_is_room()

    def _send_due(self, far: asyncio.Transport) -> None:
        now = self._loop.time()
        while self._queue and self._queue[0][0] <= now:
            _, data = self._queue.popleft()
            if data is not None:
                self._queued_bytes -= len(data)
                far.write(data)
                continue
            self._end_told = True
            if self.near is None:
                far.close()
            else:
                far.write_eof()
        if self._queue:
            self._timer = self._loop.call_at(self._queue[0][0], self._pump)

    def _read_where_there_is_room(self) -> None:
        cut = self.gate.state.cut
        room = not self.far_full and self._queued_bytes < QUEUED_BYTES_MAX
        _read(self.near, wanted=self.far is not None and not cut and room and not self._ended)
        _read(self.far, wanted=not cut and not self.near_full)

    def _forget(self) -> None:
        self.gate.pipes.discard(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _read(transport: asyncio.Transport | None, *, wanted: bool) -> None:
    if transport is None or transport.is_closing() or transport.is_reading() == wanted:
        return
    if wanted:
        transport.resume_reading()
    else:
        transport.pause_reading()


class _Near(asyncio.Protocol):
    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._pipe.accepted(cast(asyncio.Transport, transport))

    def data_received(self, data: bytes) -> None:
        self._pipe.forward(data)

    def eof_received(self) -> bool:
        self._pipe.near_ended()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._pipe.near_lost()

    def pause_writing(self) -> None:
        self._pipe.near_full = True
        self._pipe.changed()

    def resume_writing(self) -> None:
        self._pipe.near_full = False
        self._pipe.changed()


class _Far(asyncio.Protocol):
    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._pipe.connected(cast(asyncio.Transport, transport))

    def data_received(self, data: bytes) -> None:
        self._pipe.backward(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._pipe.far_lost()

    def pause_writing(self) -> None:
        self._pipe.far_full = True
        self._pipe.changed()

    def resume_writing(self) -> None:
        self._pipe.far_full = False
        self._pipe.changed()
