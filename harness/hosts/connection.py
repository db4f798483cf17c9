"""One host over SSH: commands that end, channels that last, and a connection that comes back.

The library blocks; each host has a few threads for it, and everything outside is asyncio. A command
is a list of words (`words.py`). A lost connection is made again: before a command was sent always,
afterwards only for what may happen twice, which is the caller's to say (`again`).
"""

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Self, TypeVar

import paramiko

from ..errors import WorldError
from . import words as spelled
from .channel import Channel, drain, feed
from .dial import CLIENT_FAILURES, dial, secret
from .inventory import Entry

T = TypeVar("T")

CHANNELS_MAX = 8
"""An sshd as it comes allows ten a connection."""

_THREADS_MAX = 4 * CHANNELS_MAX  # A command needs up to three, a connection one.
_ATTEMPTS = 3
_CONNECT_S = 10.0
_PATIENCE_S = 10.0  # How long a host that was there may take to come back.
_SILENCE_S = 10.0  # Unacknowledged for so long, a connection is dead.
_OUTPUT_BYTES_MAX = 64 << 20
_BACK_OFF_S = 0.2
_NASTY = "a'b\"c $(echo d) `echo e` \\n\nf * ~ ! ; -n"


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


class _Lost(Exception):
    """The connection went away; `sent`: perhaps after the command had begun."""

    def __init__(self, sent: bool, reason: str) -> None:
        super().__init__(reason)
        self.sent = sent


class Host:
    """A host that can be asked to do things. One connection; at most 8 things at once."""

    def __init__(
        self, entry: Entry, silence_s: float = _SILENCE_S, patience_s: float = _PATIENCE_S
    ) -> None:
        self.entry = entry
        self._silence_s = silence_s
        self._patience_s = patience_s
        self._client: paramiko.SSHClient | None = None
        self._dialling = asyncio.Lock()
        self._channels = asyncio.Semaphore(CHANNELS_MAX)
        self._threads = ThreadPoolExecutor(_THREADS_MAX, f"ssh {entry.name}")
        self._closed = False

    @classmethod
    async def open(
        cls, entry: Entry, *, silence_s: float = _SILENCE_S, patience_s: float = _PATIENCE_S
    ) -> Self:
        """Connect, and make sure that words arrive there as they are. Raises WorldError.

        Silent for `silence_s`, the connection counts as lost; it is then tried for `patience_s`.
        """
        host = cls(entry, silence_s, patience_s)
        try:
            ran = await host.run("printf", "%s", _NASTY, timeout_s=10, again=True)
            if ran.code or ran.out != _NASTY.encode():
                raise host.error(
                    f"the login shell of {entry.user} is no plain POSIX shell, or writes something "
                    "by itself: make it /bin/sh",
                    ran.said or ran.text,
                )
        except BaseException:
            host.close()
            raise
        return host

    @property
    def name(self) -> str:
        """The host's name in the inventory."""
        return self.entry.name

    def close(self) -> None:
        """End the connection and everything that waits for it. May be called twice."""
        self._closed = True
        if self._client is not None:
            self._client.close()
            self._client = None
        self._threads.shutdown(wait=False, cancel_futures=True)

    def error(self, message: str, detail: str = "") -> WorldError:
        """A failure of this host, to be raised."""
        return WorldError(message, node=self.name, detail=detail)

    async def run(
        self,
        *words: str,
        input: bytes = b"",
        timeout_s: float = 30.0,
        sudo: bool = False,
        again: bool = False,
    ) -> Ran:
        """Run a command to its end; `again`: it may happen twice, so a lost connection is no end.

        The host itself ends it after `timeout_s`. Raises WorldError; not for an exit code.
        """
        line, prefix = self._line(spelled.within(timeout_s, words), sudo)
        began = time.monotonic()

        def session(transport: paramiko.Transport, held: list[paramiko.Channel]) -> Ran:
            return self._session(transport, held, line, prefix + input)

        limit_s = timeout_s + 1 + self._silence_s
        async with self._channels:
            ran = await self._with_connection(words[0], session, limit_s, again=again)
        if ran.code in (124, 137) and time.monotonic() - began >= timeout_s:
            raise self.error(f"{words[0]} did not end within {timeout_s:g} s", ran.said)
        return ran

    async def must(
        self,
        *words: str,
        input: bytes = b"",
        timeout_s: float = 30.0,
        sudo: bool = False,
        again: bool = False,
    ) -> Ran:
        """As `run`, and an exit code other than 0 is a WorldError, too."""
        ran = await self.run(*words, input=input, timeout_s=timeout_s, sudo=sudo, again=again)
        if ran.code:
            raise self.error(f"{' '.join(words)[:200]} ended with {ran.code}", ran.said)
        return ran

    async def channel(self, *words: str, sudo: bool = False) -> Channel:
        """Start a command that lasts. It occupies one of the 8 places until it is closed."""
        line, prefix = self._line(words, sudo)
        await self._channels.acquire()
        try:

            def start(transport: paramiko.Transport, held: list[paramiko.Channel]) -> Channel:
                channel = _open(transport, held, self._silence_s, line)
                feed(channel, prefix, end=False)
                return Channel(self.name, channel, self._threads, self._channels.release)

            return await self._with_connection(words[0], start, self._silence_s, again=False)
        except BaseException:
            self._channels.release()
            raise

    def _line(self, words: Sequence[str], sudo: bool) -> tuple[str, bytes]:
        """The command line, and what is to precede the command's own input."""
        entry = self.entry
        if not sudo or entry.user == "root":
            return spelled.line(words), b""
        if not entry.sudo:
            raise self.error(f"{words[0]} needs root: log in as root, or say `sudo: true`")
        password = secret(entry, entry.sudo_password_env)
        if password is None:
            return spelled.line(spelled.as_root(words)), b""
        if "\n" in password or "\0" in password:
            raise self.error(f"the password of ${entry.sudo_password_env} is not one line")
        mark = secrets.token_hex(16)
        prefix = f"{password}\n{mark}\n".encode(errors="surrogateescape")
        return spelled.line(spelled.as_root_after(mark, words)), prefix

    def _session(
        self,
        transport: paramiko.Transport,
        held: list[paramiko.Channel],
        line: str,
        data: bytes,
    ) -> Ran:
        """One command, from a thread that waits for it."""
        channel = _open(transport, held, self._silence_s, line)
        try:
            errors = self._threads.submit(drain, channel.recv_stderr, _OUTPUT_BYTES_MAX)
            sending = self._threads.submit(feed, channel, data)
            out = drain(channel.recv, _OUTPUT_BYTES_MAX)
            err = errors.result()
            sending.result()
            code = channel.recv_exit_status()
        except CLIENT_FAILURES as error:
            raise _Lost(True, str(error) or type(error).__name__) from error
        finally:
            channel.close()
        if code == -1:  # No exit status came: the session was killed, or the connection.
            raise _Lost(True, "the session ended without an exit code")
        return Ran(code, out, err)

    async def _with_connection(
        self,
        what: str,
        act: Callable[[paramiko.Transport, list[paramiko.Channel]], T],
        limit_s: float,
        *,
        again: bool,
    ) -> T:
        tried = []
        for attempt in range(_ATTEMPTS):
            transport = await self._transport()
            try:
                return await self._in_thread(act, transport, limit_s)
            except _Lost as lost:
                tried.append(str(lost))
                if lost.sent and not again:
                    message = f"the connection was lost while {what} ran: nobody knows what it did"
                    raise self.error(message, str(lost)) from lost
            await asyncio.sleep(_BACK_OFF_S * attempt)
        raise self.error(f"cannot run {what}: tried {_ATTEMPTS} times", "\n".join(tried))

    async def _in_thread(
        self,
        act: Callable[[paramiko.Transport, list[paramiko.Channel]], T],
        transport: paramiko.Transport,
        limit_s: float,
    ) -> T:
        held: list[paramiko.Channel] = []
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._threads, act, transport, held)
        try:
            return await asyncio.wait_for(asyncio.shield(future), limit_s)
        except TimeoutError as error:
            transport.close()  # Frees the thread; what it then says is known already.
            future.add_done_callback(_forget)
            raise _Lost(True, f"no answer within {limit_s:g} s") from error
        except asyncio.CancelledError:
            future.add_done_callback(_forget)
            for channel in held:
                channel.close()
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
            self._client = await self._dial(self._patience_s if lost else 0.0)
            transport = self._client.get_transport()
            assert transport is not None
            return transport

    async def _dial(self, patience_s: float) -> paramiko.SSHClient:
        """Connect; a host that was there before may need a moment to come back."""
        loop = asyncio.get_running_loop()
        until = loop.time() + patience_s
        while True:
            try:
                return await loop.run_in_executor(
                    self._threads, dial, self.entry, _CONNECT_S, self._silence_s
                )
            except WorldError:
                if loop.time() >= until:
                    raise
            await asyncio.sleep(_BACK_OFF_S)


def _open(
    transport: paramiko.Transport, held: list[paramiko.Channel], timeout_s: float, line: str
) -> paramiko.Channel:
    try:
        channel = transport.open_session(timeout=timeout_s)
    except CLIENT_FAILURES as error:
        raise _Lost(False, str(error) or type(error).__name__) from error
    held.append(channel)
    try:
        channel.exec_command(line.encode(errors="surrogateescape"))
    except CLIENT_FAILURES as error:
        channel.close()
        raise _Lost(True, str(error) or type(error).__name__) from error
    return channel


def _forget(future: "asyncio.Future[T]") -> None:
    """A result that nobody waits for any more."""
    if not future.cancelled():
        future.exception()
