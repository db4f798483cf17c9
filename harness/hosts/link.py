"""The SSH connection below a host: threads for a library that blocks, and a line that comes back.

A lost connection is made again: before a command was sent always, afterwards only for what may
happen twice, which is the caller's to say (`again`).
"""

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import paramiko

from ..errors import WorldError
from .channel import drain, feed, shut
from .dial import CLIENT_FAILURES, dial
from .inventory import Entry

T = TypeVar("T")

Act = Callable[["Place"], T]
"""What is done with a connection, in a thread; what it raises of its own ends the attempt."""

Sink = Callable[[bytes], object]

CHANNELS_MAX = 8
"""An sshd as it comes allows ten a connection."""

_THREADS_MAX = 4 * CHANNELS_MAX  # A command needs up to three, a connection one.
_ATTEMPTS = 3
_CONNECT_S = 3.0  # At least; a host that may be silent for longer may take longer.
_OUTPUT_BYTES_MAX = 64 << 20
_BACK_OFF_S = 0.2
_PLACE_S = 120.0
_FULL_S = 30.0


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended, and what it wrote."""

    code: int
    out: bytes
    err: bytes

    @property
    def text(self) -> str:
        """The output as text, without the end of its last line."""
        return self.out.decode(errors="replace").removesuffix("\n")

    @property
    def said(self) -> str:
        """What a person should see of a failure."""
        return (self.err or self.out).decode(errors="replace").strip()[-2000:]


class Lost(Exception):
    """The connection went away; `sent`: perhaps after the command had begun."""

    def __init__(self, sent: bool, error: object) -> None:
        super().__init__(str(error) or type(error).__name__)
        self.sent = sent


class Full(Lost):
    """The host starts no more commands on this connection now: some that ended are not cleared."""


class Place:
    """A connection during one attempt to do something with it."""

    def __init__(
        self, transport: paramiko.Transport, threads: ThreadPoolExecutor, timeout_s: float
    ) -> None:
        self.transport = transport
        self._threads = threads
        self._timeout_s = timeout_s
        self._channel: paramiko.Channel | None = None

    def start(self, line: str) -> paramiko.Channel:
        """A command on a channel of its own. Raises Lost, or Full."""
        try:
            self._channel = channel = self.transport.open_session(timeout=self._timeout_s)
        except paramiko.ChannelException as error:
            raise Full(False, error) from error
        except CLIENT_FAILURES as error:
            raise Lost(False, error) from error
        try:
            channel.exec_command(line.encode(errors="surrogateescape"))
        except CLIENT_FAILURES as error:
            shut(channel)
            raise Lost(True, error) from error
        return channel

    def run(self, line: str, source: Iterable[bytes], sink: Sink | None = None) -> Ran:
        """A command to its end; what it writes is given to `sink`, or kept. Raises Lost."""
        channel = self.start(line)
        try:
            errors = self._submit(drain, channel.recv_stderr, _OUTPUT_BYTES_MAX)
            sending = self._submit(feed, channel, source)
            out = drain(channel.recv, _OUTPUT_BYTES_MAX, sink)
            err = errors.result()
            sending.result()
            code = channel.recv_exit_status()
        except CLIENT_FAILURES as error:
            raise Lost(True, error) from error
        finally:
            shut(channel)
        if code == -1:  # No exit status came: the session was killed, or the connection.
            raise Lost(True, "the session ended without an exit code")
        return Ran(code, out, err)

    def _submit(self, call: Callable[..., T], *arguments: object) -> "Future[T]":
        try:
            return self._threads.submit(call, *arguments)
        except RuntimeError as error:  # The host has been closed meanwhile.
            raise Lost(True, error) from error

    def abandon(self) -> None:
        """Free the thread that waits here."""
        if self._channel is not None:
            shut(self._channel)


class Link:
    """The connection to one host, and the threads that wait for it."""

    def __init__(self, entry: Entry, silence_s: float, patience_s: float) -> None:
        self.entry = entry
        self.silence_s = silence_s
        self._threads = ThreadPoolExecutor(_THREADS_MAX, f"ssh {entry.name}")
        self._places = asyncio.Semaphore(CHANNELS_MAX)
        self._patience_s = patience_s
        self._client: paramiko.SSHClient | None = None
        self._dialling = asyncio.Lock()
        self._closed = False

    def close(self) -> None:
        """End the connection and everything that waits for it. May be called twice."""
        self._closed = True
        if self._client is not None:
            self._client.close()
            self._client = None
        # What still waits for a thread finds its channel closed, and so ends by itself.
        self._threads.shutdown(wait=False)

    def error(self, message: str, detail: str = "") -> WorldError:
        """A failure of this host, to be raised."""
        return WorldError(message, node=self.entry.name, detail=detail)

    def submit(self, call: Callable[..., T], *arguments: object) -> "Future[T]":
        """Have a thread of this host's do it. Raises WorldError once it has been closed."""
        if self._closed:
            raise self.error("its connection has been closed")
        return self._threads.submit(call, *arguments)

    async def take(self, what: str) -> None:
        """A place, of which there are few; `release` gives it back. Raises WorldError."""
        try:
            await asyncio.wait_for(self._places.acquire(), _PLACE_S)
        except TimeoutError as error:
            message = f"cannot run {what}: all {CHANNELS_MAX} places are taken for {_PLACE_S:g} s"
            raise self.error(message) from error

    def release(self) -> None:
        """A place is free again."""
        self._places.release()

    async def alone(self, what: str, act: Act[T], limit_s: float, *, again: bool) -> T:
        """As `use`, in a place that is free again afterwards."""
        await self.take(what)
        try:
            return await self.use(what, act, limit_s, again=again)
        finally:
            self.release()

    async def use(self, what: str, act: Act[T], limit_s: float, *, again: bool) -> T:
        """Do it with a live connection. Raises WorldError that says what was tried."""
        tried: list[str] = []
        until = asyncio.get_running_loop().time() + _FULL_S
        while len(tried) < _ATTEMPTS:
            await asyncio.sleep(_BACK_OFF_S * len(tried))
            transport = await self._transport()
            try:
                return await self._in_thread(act, transport, limit_s)
            except Full as full:
                if asyncio.get_running_loop().time() >= until:
                    raise self.error(f"the host does not start {what}", str(full)) from full
                await asyncio.sleep(_BACK_OFF_S)
            except Lost as lost:
                tried.append(str(lost))
                if lost.sent and not again:
                    message = f"the connection was lost while {what} ran: nobody knows what it did"
                    raise self.error(message, str(lost)) from lost
        raise self.error(f"cannot run {what}: tried {_ATTEMPTS} times", "\n".join(tried))

    async def _in_thread(self, act: Act[T], transport: paramiko.Transport, limit_s: float) -> T:
        place = Place(transport, self._threads, self.silence_s)
        done = asyncio.wrap_future(self.submit(act, place))
        try:
            return await asyncio.wait_for(done, limit_s)
        except TimeoutError as error:
            transport.close()  # Frees the thread; what it then says is known already.
            raise Lost(True, f"no answer within {limit_s:g} s") from error
        except asyncio.CancelledError:
            place.abandon()
            raise

    async def _transport(self) -> paramiko.Transport:
        """The live connection, made again if it died. Raises WorldError."""
        async with self._dialling:
            if self._closed:
                raise self.error("its connection has been closed")
            transport = None if self._client is None else self._client.get_transport()
            if transport is not None and transport.is_active():
                return transport
            lost = self._client is not None
            if self._client is not None:
                self._client.close()
            client = await self._dial(self._patience_s if lost else 0.0)
            if self._closed:  # Meanwhile.
                client.close()
                raise self.error("its connection has been closed")
            self._client = client
            transport = client.get_transport()
            assert transport is not None
            return transport

    async def _dial(self, patience_s: float) -> paramiko.SSHClient:
        """Connect; a host that was there before may need a moment to come back."""
        loop = asyncio.get_running_loop()
        until = loop.time() + patience_s
        timeout_s = max(_CONNECT_S, self.silence_s)
        while True:
            try:
                dialled = self.submit(dial, self.entry, timeout_s, self.silence_s)
                try:
                    return await asyncio.wrap_future(dialled)
                except asyncio.CancelledError:
                    dialled.add_done_callback(_hang_up)
                    raise
            except WorldError:
                if loop.time() >= until:
                    raise
            await asyncio.sleep(_BACK_OFF_S)


def _hang_up(dialled: "Future[paramiko.SSHClient]") -> None:
    """A thread that dials cannot be stopped; what it brings is nobody's any more."""
    if not dialled.cancelled() and dialled.exception() is None:
        dialled.result().close()
