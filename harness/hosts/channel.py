"""A command on a host that lasts: bytes to it, bytes from it, until either side ends it."""

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

import paramiko

from ..errors import WorldError
from .dial import CLIENT_FAILURES

SLICE_BYTES = 32_768
"""The library's cost of sending is quadratic in what it is given at once."""

Submit = Callable[..., Future[Any]]
"""Has a thread do it."""

_ERRORS_BYTES_MAX = 64 << 10


def feed(channel: paramiko.Channel, data: Iterable[bytes], *, end: bool = True) -> None:
    """Send it all, and then that it was all. A command that stops listening is no failure."""
    try:
        for part in data:
            send(channel, part)
        if end:
            channel.shutdown_write()
    except CLIENT_FAILURES:
        return  # Its exit code says more; a lost connection is seen where its output is read.


def shut(channel: paramiko.Channel) -> None:
    """Close it. Where the connection has died, the library may fail at that: it is closed then."""
    with suppress(*CLIENT_FAILURES):
        channel.close()


def send(channel: paramiko.Channel, data: bytes) -> None:
    """Send it in slices."""
    for at in range(0, len(data), SLICE_BYTES):
        channel.sendall(data[at : at + SLICE_BYTES])


def drain(
    receive: Callable[[int], bytes],
    bytes_max: int,
    sink: Callable[[bytes], object] | None = None,
) -> bytes:
    """All there is until it ends: given to `sink`, or at most so much of it returned."""
    parts: list[bytes] = []
    size = 0
    while part := receive(SLICE_BYTES):
        if sink is not None:
            sink(part)
        elif size < bytes_max:
            parts.append(part)
            size += len(part)
    return b"".join(parts)


class Channel:
    """The input and the output of a command that lasts."""

    def __init__(
        self,
        host: str,
        channel: paramiko.Channel,
        submit: Submit,
        release: Callable[[], None],
    ) -> None:
        self._host = host
        self._channel = channel
        self._submit = submit
        self._release = release
        self._closed = False
        self._receiving: Future[bytes] | None = None
        # Unread, what it writes to stderr would fill the window that its output needs, too.
        self._errors = submit(drain, channel.recv_stderr, _ERRORS_BYTES_MAX)

    async def send(self, data: bytes) -> None:
        """Send it all. Raises WorldError when the command or the connection has ended."""
        try:
            await asyncio.wrap_future(self._submit(send, self._channel, data))
        except CLIENT_FAILURES as error:
            raise WorldError(
                "the command on the host does not listen any more",
                node=self._host,
                detail=str(error),
            ) from error

    async def receive(self) -> bytes:
        """What it wrote next, as soon as there is any; b"" once it has ended.

        May be cancelled: nothing is lost, the next call has it.
        """
        if self._receiving is None or self._receiving.cancelled():
            self._receiving = self._submit(self._receive)
        # Cancelled, it goes on: a call that runs in a thread cannot be stopped.
        part: bytes = await asyncio.wrap_future(self._receiving)
        self._receiving = None
        return part

    async def ended(self, timeout_s: float = 10.0) -> tuple[int, str]:
        """After receive() gave b"": its exit code, -1 if unknown, and what it wrote to stderr."""
        code = asyncio.wrap_future(self._submit(self._channel.recv_exit_status))
        both = asyncio.gather(code, asyncio.wrap_future(self._errors))
        try:
            status, errors = await asyncio.wait_for(both, timeout_s)
        except TimeoutError as error:
            raise WorldError("the command on the host goes on", node=self._host) from error
        return status, errors.decode(errors="replace")

    def close(self) -> None:
        """End the channel: the command finds its input ended. May be called twice."""
        if not self._closed:
            self._closed = True
            shut(self._channel)
            self._release()

    def _receive(self) -> bytes:
        try:
            return self._channel.recv(SLICE_BYTES)
        except CLIENT_FAILURES:
            return b""
