"""The world as it is: sockets, timers, files and one worker thread, on the running event loop."""

import asyncio
import errno
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from queue import SimpleQueue
from random import Random
from threading import Thread
from typing import cast

from .raft.disk import Disk
from .runtime import (
    Alarm,
    Clock,
    Listener,
    Network,
    Randomness,
    Runtime,
    Stream,
    StreamHandler,
    Tls,
)
from .runtime_tls import HANDSHAKE_S, dialling, explained, listening, names_of


def real_runtime(disk: Disk, source: str | None = None) -> Runtime:
    """The runtime of a process: call it inside the event loop that is to run the node.

    It dials from the address `source`, where one is said.
    """
    loop = asyncio.get_running_loop()
    return Runtime(
        clock=LoopClock(loop),
        network=LoopNetwork(loop, source),
        disk=disk,
        worker=ThreadWorker(loop),
        background=ThreadWorker(loop),
        randomness=Random(),
    )


@dataclass(frozen=True, slots=True)
class LoopClientRuntime:
    """A `ClientRuntime`."""

    clock: Clock
    network: Network
    randomness: Randomness


def loop_client_runtime() -> LoopClientRuntime:
    """The runtime of a client: call it inside the event loop that is to run it."""
    loop = asyncio.get_running_loop()
    return LoopClientRuntime(LoopClock(loop), LoopNetwork(loop), Random())


class LoopClock:
    """The monotonic clock of the machine."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def now_ns(self) -> int:
        return time.monotonic_ns()

    def wall_ns(self) -> int:
        return time.time_ns()

    def call_soon(self, callback: Callable[[], None]) -> None:
        self._loop.call_soon(callback)

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Alarm:
        return self._loop.call_later(delay_s, callback)


READ_BYTES = 64 << 10
"""Read at once, where nobody has room of his own."""

SENT_AT_ONCE_BYTES = 64 << 10
"""So much does not wait for the end of the turn: it may be the disk's turn, too."""

Job = Callable[[], None]
Done = Callable[[OSError | None], None]

_open_streams: set["SocketStream"] = set()
"""Keeps streams alive until they end: a uvloop loop waits for ever when it is closed after an open
transport was garbage collected."""


class SocketStream(asyncio.BufferedProtocol):
    """A TCP connection as a `Stream`. Short writes of one turn of the loop leave in one piece."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        handler: StreamHandler,
        shared: memoryview,
        stall_s: float = 0,
    ) -> None:
        """`shared`: what the loop fills and hands over at once; its streams share it."""
        self._loop = loop
        self._handler = handler
        self._shared = shared
        self._stall_s = stall_s
        self._transport: asyncio.Transport | None = None
        self._is_room = False
        self._batch: list[bytes] = []
        self._batch_bytes = 0
        self._peer = ""
        self._names: frozenset[str] = frozenset()

    @property
    def peer(self) -> str:
        return self._peer

    @property
    def names(self) -> frozenset[str]:
        return self._names

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are asyncio's in all but ancestry.
        self._transport = cast(asyncio.Transport, transport)
        address = transport.get_extra_info("peername")
        self._peer = f"{address[0]}:{address[1]}" if address else "?"
        self._names = names_of(transport.get_extra_info("ssl_object"))
        raw = transport.get_extra_info("socket")
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._stall_s and hasattr(socket, "TCP_USER_TIMEOUT"):
            # Without it a connection whose other end vanished stays up for a quarter of an hour,
            # and one that was cut for a while resumes only at the next retransmission.
            milliseconds = int(self._stall_s * 1000)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
        _open_streams.add(self)
        self._handler.opened(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        room = self._handler.room()
        self._is_room = room is not None
        return self._shared if room is None else room

    def buffer_updated(self, nbytes: int) -> None:
        if self._is_room:
            self._handler.filled(nbytes)
        else:
            self._handler.received(bytes(self._shared[:nbytes]))

    def pause_writing(self) -> None:
        self._handler.blocked()

    def resume_writing(self) -> None:
        self._handler.writable()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        _open_streams.discard(self)
        self._batch, self._batch_bytes = [], 0
        self._handler.closed("closed" if exc is None else str(exc) or type(exc).__name__)

    def write(self, *pieces: bytes) -> None:
        if self._transport is None:
            return
        if not self._batch:
            self._loop.call_soon(self._flush)
        self._batch += pieces
        self._batch_bytes += sum(map(len, pieces))
        if self._batch_bytes >= SENT_AT_ONCE_BYTES:
            self._flush()

    def _flush(self) -> None:
        batch, self._batch, self._batch_bytes = self._batch, [], 0
        if batch and self._transport is not None:
            self._transport.writelines(batch)

    def buffered(self) -> int:
        if self._transport is None:
            return 0
        return self._transport.get_write_buffer_size() + self._batch_bytes

    def pause_reading(self) -> None:
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if self._transport is not None:
            self._transport.resume_reading()

    def close(self) -> None:
        self._flush()
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class LoopListener:
    """A listening socket."""

    def __init__(self, server: asyncio.Server) -> None:
        self._server = server
        self._port = int(server.sockets[0].getsockname()[1])

    @property
    def port(self) -> int:
        return self._port

    async def close(self) -> None:
        self._server.close()
        # The loop closes the socket in its next turn.
        await asyncio.sleep(0)


class LoopNetwork:
    """TCP. `source`: the address to dial from, instead of the one that the kernel chooses."""

    def __init__(self, loop: asyncio.AbstractEventLoop, source: str | None = None) -> None:
        self._loop = loop
        self._source = None if source is None else (source, 0)
        self._shared = memoryview(bytearray(READ_BYTES))

    async def listen(
        self,
        host: str,
        port: int,
        accept: Callable[[], StreamHandler],
        *,
        reuse_port: bool,
        tls: Tls | None = None,
    ) -> Listener:
        with _names_as_os_errors(host):
            server = await self._loop.create_server(
                lambda: SocketStream(self._loop, accept(), self._shared),
                host,
                port,
                reuse_port=reuse_port,
                ssl=None if tls is None else listening(tls),
                ssl_handshake_timeout=None if tls is None else HANDSHAKE_S,
            )
        return LoopListener(server)

    async def dial(
        self,
        host: str,
        port: int,
        handler: StreamHandler,
        *,
        timeout_s: float,
        stall_s: float,
        tls: Tls | None = None,
    ) -> Stream:
        context = None if tls is None else dialling(tls)
        async with asyncio.timeout(timeout_s):
            with _names_as_os_errors(host), explained(is_tls=tls is not None):
                _, stream = await self._loop.create_connection(
                    lambda: SocketStream(self._loop, handler, self._shared, stall_s),
                    host,
                    port,
                    ssl=context,
                    local_addr=self._source,
                    server_hostname=None if tls is None else tls.name or host,
                )
        return stream


@contextmanager
def _names_as_os_errors(host: str) -> Iterator[None]:
    """A name that no host can have is a failure of the network like one that no host has."""
    try:
        yield
    except UnicodeError as error:
        raise OSError(errno.EINVAL, f"{host!r} is no host's name: {error}") from None


class ThreadWorker:
    """One thread, so that jobs keep their order. It begins with the first job."""

    # A queue and a thread of our own: the futures of a pool cost more than what a sync needs else.

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._jobs: SimpleQueue[tuple[Job, Done] | None] = SimpleQueue()
        self._thread = Thread(target=self._work, name="worker", daemon=True)
        self._is_closed = False

    def submit(self, job: Job, done: Done) -> None:
        if self._is_closed:
            return
        if self._thread.ident is None:
            self._thread.start()
        self._jobs.put((job, done))

    def _work(self) -> None:
        while (asked := self._jobs.get()) is not None:
            job, done = asked
            error: BaseException | None = None
            try:
                job()
            except BaseException as raised:
                error = raised
            self._loop.call_soon_threadsafe(self._report, done, error)

    def _report(self, done: Done, error: BaseException | None) -> None:
        if error is not None and not isinstance(error, OSError):
            raise error
        done(error)

    async def close(self) -> None:
        self._is_closed = True
        self._jobs.put(None)
        if self._thread.ident is not None:
            await self._loop.run_in_executor(None, self._thread.join)
