"""One connection to one node: many calls at once, each with its own time limit."""

import asyncio
from functools import partial
from typing import Any, Protocol

from ..runtime import Alarm, ClientRuntime, Clock, Tls, within
from ..runtime_asyncio import loop_client_runtime
from ..wire import (
    CLIENT,
    HELLO_BYTES_MAX,
    MAGIC,
    VERSION,
    Channel,
    Credit,
    Ended,
    Failure,
    Frame,
    FrameError,
    FrameTooLargeError,
    Hello,
    Refused,
    Request,
    Result,
    Rows,
    Welcome,
)
from .errors import DISCONNECTED, FRAME_TOO_LARGE, TIMEOUT, RequestError

FRAME_BYTES_MAX = 64 << 20
"""The nodes' default of `maxFrameSize`."""

LOGIN_S = 10.0
"""A node compares some seven passwords a second, in the order in which they came; who loses
patience and comes again waits behind everybody.
"""


class Audience(Protocol):
    """Whoever is told what a node sends unasked."""

    def pushed(self, frame: Rows | Ended) -> None:
        """Rows of a subscription, or its end; in order, the first perhaps before the answer."""

    def lost(self, connection: "Connection", reason: str) -> None:
        """The connection has ended."""


class Connection:
    """Calls are multiplexed by id and pipelined. A call that timed out leaves the rest usable.

    A failed call is definite if its bytes were never handed to the network, or if the node said
    so; whatever else ends by time or by a broken connection is indefinite.
    """

    def __init__(
        self,
        runtime: ClientRuntime,
        where: str,
        frame_bytes_max: int,
        audience: Audience | None = None,
    ) -> None:
        """Not for callers: use `Connection.open`."""
        self._audience = audience
        self._runtime = runtime
        self._where = where
        self._channel = Channel(self, limit=frame_bytes_max, first_limit=HELLO_BYTES_MAX)
        self._calls: dict[int, tuple[asyncio.Future[Any], Alarm]] = {}
        self._ids = 0
        self._alias = ""
        self._end = ""
        self._retired = False
        self._is_blocked = False
        self._held: list[asyncio.Future[None]] = []
        self._welcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @classmethod
    async def open(
        cls,
        host: str,
        port: int,
        *,
        timeout_s: float = 5.0,
        login_s: float | None = None,
        frame_bytes_max: int = FRAME_BYTES_MAX,
        runtime: ClientRuntime | None = None,
        audience: Audience | None = None,
        user: str | None = None,
        password: str = "",
        tls: Tls | None = None,
    ) -> "Connection":
        """Connect, shake hands, log in; raises RequestError, always a definite one.

        All of it takes at most `timeout_s`; with `login_s` the login may take so long besides.
        """
        runtime = loop_client_runtime() if runtime is None else runtime
        connection = cls(runtime, f"{host}:{port}", frame_bytes_max, audience)
        deadline_ns = runtime.clock.now_ns() + int(timeout_s * 1e9)
        await connection._open(host, port, timeout_s, tls)
        if user is not None:
            if login_s is None:
                login_s = max(0.001, (deadline_ns - runtime.clock.now_ns()) / 1e9)
            try:
                await connection.call("login", (user, password), timeout_s=login_s)
            except BaseException as error:
                connection.close()
                if isinstance(error, RequestError):
                    raise RequestError(error.name, True, error.message) from None
                raise
        return connection

    @property
    def clock(self) -> Clock:
        """What time limits are measured with."""
        return self._runtime.clock

    @property
    def alias(self) -> str:
        """The name of the node that answers here."""
        return self._alias

    @property
    def is_open(self) -> bool:
        """Whether calls can still be made."""
        return self._channel.is_open

    async def call(self, function: str, args: tuple[Any, ...] = (), *, timeout_s: float) -> Any:
        """Call a function of the node; raises RequestError."""
        deadline_ns = self._runtime.clock.now_ns() + int(timeout_s * 1e9)
        while self._is_blocked:
            await self._until_clear(deadline_ns)
        self._ids += 1
        call_id = self._ids
        try:
            sent = self._channel.send(Request(call_id, function, args))
        except FrameTooLargeError as error:
            raise RequestError(FRAME_TOO_LARGE, True, str(error)) from None
        if not sent:
            raise RequestError(DISCONNECTED, True, f"{self._where}: {self._end}")
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        left_s = (deadline_ns - self._runtime.clock.now_ns()) / 1e9
        alarm = self._runtime.clock.call_later(left_s, partial(self._timed_out, call_id, timeout_s))
        self._calls[call_id] = (future, alarm)
        try:
            return await future
        finally:
            self._calls.pop(call_id, None)
            alarm.cancel()
            if self._retired:
                self.retire()

    def credit(self, subscription: int, frames: int) -> None:
        """Tell the node that we are there, and have room for so many more frames with rows."""
        self._channel.send(Credit(subscription, frames))

    def close(self) -> None:
        """End the connection; calls that wait fail as indefinite."""
        self._channel.abort("closed by the client")

    def retire(self) -> None:
        """End the connection once no call waits for an answer."""
        self._retired = True
        if not self._calls:
            self._channel.abort("closed by the client")

    def received(self, frame: Frame) -> None:
        """Take a frame from the channel."""
        match frame:
            case Result(id=call_id, value=value):
                future = self._waiting(call_id)
                if future is not None:
                    future.set_result(value)
            case Failure(id=call_id, name=name, definite=definite, message=message):
                future = self._waiting(call_id)
                if future is not None:
                    future.set_exception(RequestError(name, definite, message))
            case Rows() | Ended() if self._audience is not None:
                self._audience.pushed(frame)
            case Welcome(alias=alias, frame_bytes_max=most) if not self._welcome.done():
                self._alias = alias
                # Short frames, as of credit, are always taken.
                self._channel.shorten(max(most, HELLO_BYTES_MAX))
                self._welcome.set_result(None)
            case Refused(reason=reason):
                self._channel.close(f"refused: {reason}")
            case _:
                raise FrameError(f"a {type(frame).__name__} is not for clients")

    def blocked(self) -> None:
        """The node reads more slowly than we write: let calls wait before they are sent."""
        self._is_blocked = True

    def writable(self) -> None:
        """Go on."""
        self._is_blocked = False
        held, self._held = self._held, []
        for future in held:
            if not future.done():
                future.set_result(None)

    def closed(self, reason: str) -> None:
        """Fail everything that waits for an answer."""
        self._end = reason
        self.writable()
        lost = RequestError(DISCONNECTED, True, f"{self._where}: {reason}")
        if not self._welcome.done():
            self._welcome.set_exception(lost)
        for future, _ in list(self._calls.values()):
            if not future.done():
                error = RequestError(DISCONNECTED, False, f"{self._where}: {reason}")
                future.set_exception(error)
        if self._audience is not None:
            self._audience.lost(self, reason)

    async def _open(self, host: str, port: int, timeout_s: float, tls: Tls | None) -> None:
        clock = self._runtime.clock
        deadline_ns = clock.now_ns() + int(timeout_s * 1e9)
        is_opened = False
        try:
            await self._runtime.network.dial(
                host, port, self._channel, timeout_s=timeout_s, stall_s=0, tls=tls
            )
            self._channel.send(Hello(MAGIC, VERSION, CLIENT, "", ""))
            await within(clock, self._welcome, deadline_ns)
            is_opened = True
        except TimeoutError:
            raise RequestError(TIMEOUT, True, f"{self._where} does not answer") from None
        except OSError as error:
            raise RequestError(DISCONNECTED, True, f"{self._where}: {error}") from None
        finally:
            # A caller that is cancelled just as the welcome comes would leave it to nobody.
            if not is_opened:
                self._channel.abort("no welcome")

    async def _until_clear(self, deadline_ns: int) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._held.append(future)
        try:
            await within(self._runtime.clock, future, deadline_ns)
        except TimeoutError:
            message = f"{self._where} takes no more requests"
            raise RequestError(TIMEOUT, True, message) from None

    def _waiting(self, call_id: int) -> asyncio.Future[Any] | None:
        """The future of a call that still waits; answers to others came too late."""
        waiting = self._calls.get(call_id)
        if waiting is None or waiting[0].done():
            return None
        return waiting[0]

    def _timed_out(self, call_id: int, timeout_s: float) -> None:
        future = self._waiting(call_id)
        if future is not None:
            message = f"{self._where} gave no answer within {timeout_s:g} s"
            future.set_exception(RequestError(TIMEOUT, False, message))
