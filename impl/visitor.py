"""One connection that somebody else dialled: a client that calls, or a peer that sends."""

import logging
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from .client.errors import FRAME_TOO_LARGE, RequestError
from .runtime import Alarm, Clock
from .wire import (
    CLIENT,
    HELLO_BYTES_MAX,
    MAGIC,
    PEER,
    VERSION,
    Channel,
    Credit,
    Ended,
    Failure,
    Frame,
    FrameError,
    FrameTooLargeError,
    Hello,
    PeerMessage,
    Refused,
    Request,
    Result,
    Rows,
    SnapshotPiece,
    SnapshotReceipt,
    Welcome,
    printable,
)

HELLO_S = 5.0
"""A stranger has this long to say who it is."""

NODE_STOPS = "the node stops"

_FROM_PEERS = (PeerMessage, SnapshotPiece, SnapshotReceipt, Request, Result, Failure)

CALLS_MAX = 4096
"""Calls of one client under way; its further ones wait in the network."""

log = logging.getLogger("delphic.visitors")

Answer = Callable[[Any], None]
"""Called once with the result of a call, or with the RequestError that it ended in."""


class Host(Protocol):
    """The node that is visited."""

    @property
    def alias(self) -> str: ...
    @property
    def cluster_id(self) -> str: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def wants_login(self) -> bool:
        """Whether clients may call nothing before they have logged in."""

    def arrived(self, visitor: "Visitor") -> None:
        """Somebody said hello; raises FrameError if the node does not want it."""

    def left(self, visitor: "Visitor") -> None:
        """The connection has ended."""

    def call(
        self, visitor: "Visitor", function: str, args: tuple[Any, ...], answer: Answer
    ) -> None:
        """A client calls a function."""

    def credit(self, visitor: "Visitor", credit: Credit) -> None:
        """A client has room for more of what is published to it."""

    def writable(self, visitor: "Visitor") -> None:
        """A client reads again."""

    def from_peer(self, alias: str, frame: Frame) -> None:
        """A peer sent a frame; raises FrameError if it makes no sense."""


class Visitor:
    """Shakes hands, then passes on what arrives; a `Receiver`."""

    def __init__(self, host: Host, frame_bytes_max: int) -> None:
        self.channel = Channel(self, limit=frame_bytes_max, first_limit=HELLO_BYTES_MAX)
        self._frame_bytes_max = frame_bytes_max
        self.channel.distrust()
        self._host = host
        self._who = ""
        self._calls = 0
        self._is_blocked = False
        self._is_paused = False
        self._until_room: deque[Callable[[], None]] = deque()
        self._patience: Alarm = host.clock.call_later(HELLO_S, self._give_up)
        self.alias = ""
        self.user: str | None = None
        """Who has logged in here."""
        self.tries = 0
        """Passwords since the last right one."""

    @property
    def is_peer(self) -> bool:
        return self._who == PEER

    @property
    def is_open(self) -> bool:
        """Whether anything sent may still arrive."""
        return self.channel.is_open

    @property
    def peer(self) -> str:
        """The other side's address."""
        return self.channel.peer

    @property
    def is_writable(self) -> bool:
        """Whether the other side reads as fast as we write."""
        return not self._is_blocked

    def log_in(self, user: str) -> None:
        """The password was right: what this visitor sends may be long from now on."""
        self.user = user
        self.tries = 0
        self.channel.trust()

    def when_room(self, go: Callable[[], None]) -> None:
        """Let `go` make a long answer as soon as the client reads as fast as we write.

        In the order of asking; not at all if the connection ends before.
        """
        self._until_room.append(go)
        self._use_room()

    def log_out(self) -> None:
        """It is a stranger again, whose frames are short."""
        self.user = None
        if self._host.wants_login:
            self.channel.distrust()

    def push(self, frame: Rows | Ended) -> None:
        """Send what was not asked for just now; nothing if the connection has ended."""
        self.channel.send(frame)

    def received(self, frame: Frame) -> None:
        """Take a frame from the channel."""
        if self._who == PEER and isinstance(frame, _FROM_PEERS):
            self._host.from_peer(self.alias, frame)
        elif isinstance(frame, Request) and self._who == CLIENT:
            self._calls += 1
            self._pace()
            call_id = frame.id
            self._host.call(
                self, frame.function, frame.args, lambda value: self._answer(call_id, value)
            )
        elif isinstance(frame, Credit) and self._who == CLIENT:
            self._host.credit(self, frame)
        elif isinstance(frame, Hello) and not self._who:
            self._greet(frame)
        else:
            raise FrameError(f"a {type(frame).__name__} is out of place here")

    def blocked(self) -> None:
        """The client does not read its answers: read no more of its calls."""
        self._is_blocked = True
        self._pace()

    def writable(self) -> None:
        """Go on."""
        self._is_blocked = False
        self._pace()
        self._host.writable(self)
        self._use_room()

    def closed(self, reason: str) -> None:
        """Tell the node; say why if it was not the other side's wish."""
        self._patience.cancel()
        self._until_room.clear()
        if reason not in ("closed", NODE_STOPS):
            who = printable(self.alias) or self._who or "stranger"
            log.warning("connection from %s (%s) ended: %s", self.channel.peer, who, reason)
        self._host.left(self)

    def _greet(self, hello: Hello) -> None:
        host = self._host
        reason = ""
        if hello.magic != MAGIC:
            reason = "this is a Delphic data node"
        elif hello.version != VERSION:
            reason = f"version {hello.version} of the protocol, want {VERSION}"
        elif hello.who not in (CLIENT, PEER):
            reason = "neither client nor peer"
        elif hello.who == PEER and hello.cluster != host.cluster_id:
            reason = f"{hello.alias} is configured for another cluster than {host.alias}"
        if reason:
            self.channel.close(reason, farewell=Refused(reason))
            return
        self._patience.cancel()
        self.alias = hello.alias
        self._who = hello.who
        if hello.who == PEER or not host.wants_login:
            self.channel.trust()
        host.arrived(self)
        self.channel.send(Welcome(VERSION, host.alias, host.cluster_id, self._frame_bytes_max))

    def _give_up(self) -> None:
        if self.channel.is_open:
            self.channel.abort(f"no hello within {HELLO_S:g} s")
        else:
            # It never came as far as a stream: its TLS handshake failed.
            self._host.left(self)

    def _answer(self, call_id: int, value: Any) -> None:
        self._calls -= 1
        self._pace()
        try:
            if isinstance(value, RequestError):
                self.channel.send(Failure(call_id, value.name, value.definite, value.message))
            else:
                self.channel.send(Result(call_id, value))
        except FrameTooLargeError as error:
            # Only results of reads can be long, and reads change nothing.
            self.channel.send(Failure(call_id, FRAME_TOO_LARGE, True, str(error)))

    def _use_room(self) -> None:
        while self._until_room and not self._is_blocked:
            self._until_room.popleft()()

    def _pace(self) -> None:
        """Let a client wait that has too much under way."""
        wait = self._is_blocked or self._calls >= CALLS_MAX
        if wait and not self._is_paused:
            self.channel.pause_reading()
        elif self._is_paused and not wait:
            self.channel.resume_reading()
        self._is_paused = wait
