"""The bytes between nodes and to clients: length-prefixed MessagePack frames, and their kinds.

A frame is four bytes of length, big-endian, then one MessagePack array whose first item tells its
kind. Whoever dials says `Hello` first; whoever was dialled answers `Welcome`, or `Refused` and
closes. A frame that is too long, or no frame, ends the connection and nothing else.
"""

from collections.abc import Iterable
from typing import Any, Protocol

import msgspec

from .pieces import LONG_BYTES, pieces
from .raft.messages import AppendRequest, Message
from .raft.terms import Runs
from .runtime import Stream
from .splitter import LENGTH, Splitter
from .splitter import FrameError as FrameError

MAGIC = "delphic"
VERSION = 1
HELLO_BYTES_MAX = 1024
"""A stranger may make us buffer this much and no more."""

STRANGER_BYTES_MAX = 4096
"""And so much afterwards, until it has logged in."""

CLIENT = "client"
PEER = "peer"


class Hello(msgspec.Struct, frozen=True, array_like=True, tag=0):
    """Who dials. `cluster` is empty for clients; peers must agree on it."""

    magic: str
    version: int
    who: str
    alias: str
    cluster: str


class Welcome(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """Who answers, and how many bytes a frame to it may have once it trusts who sends it."""

    version: int
    alias: str
    cluster: str
    frame_bytes_max: int


class Refused(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """Why the connection ends now."""

    reason: str


class Request(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """Call a function; `id` is the caller's and returns in the answer."""

    id: int
    function: str
    args: tuple[Any, ...]


class Result(msgspec.Struct, frozen=True, array_like=True, tag=4):
    """The call was executed and gave this."""

    id: int
    value: Any


class Failure(msgspec.Struct, frozen=True, array_like=True, tag=5):
    """The call failed; `definite`: it was certainly not executed."""

    id: int
    name: str
    definite: bool
    message: str


class PeerMessage(msgspec.Struct, frozen=True, array_like=True, tag=6):
    """A Raft message of one group. (source, incarnation, number) tells it from all others."""

    group: int
    incarnation: int
    number: int
    message: Message


class Rows(msgspec.Struct, frozen=True, array_like=True, tag=7):
    """A leader publishes rows from `offset` on; without rows it only says that it is there.

    `subscription` is the number that the subscriber gave it, `term` that of the leader (V6);
    `batches` in Arrow IPC form without schema.
    """

    subscription: int
    term: int
    offset: int
    count: int
    batches: tuple[bytes, ...]


class Ended(msgspec.Struct, frozen=True, array_like=True, tag=8):
    """A subscription is over, and why: an error's name and message."""

    subscription: int
    name: str
    message: str


class Credit(msgspec.Struct, frozen=True, array_like=True, tag=9):
    """A subscriber is there and can take so many more frames with rows."""

    subscription: int
    frames: int


class SnapshotPiece(msgspec.Struct, frozen=True, array_like=True, tag=10):
    """Some bytes of a snapshot of the tables after the entries of `terms`, from `at` on.

    `crc`: their CRC-32.
    """

    group: int
    terms: Runs
    total: int
    at: int
    crc: int
    data: bytes


class SnapshotReceipt(msgspec.Struct, frozen=True, array_like=True, tag=11):
    """How much of that snapshot is there; `is_elsewhere`: another piece belongs there next."""

    group: int
    terms: Runs
    size: int
    is_durable: bool
    is_elsewhere: bool


Frame = (
    Hello
    | Welcome
    | Refused
    | Request
    | Result
    | Failure
    | PeerMessage
    | Rows
    | Ended
    | Credit
    | SnapshotPiece
    | SnapshotReceipt
)

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Frame] = msgspec.msgpack.Decoder(Frame)


REASON_CHARACTERS_MAX = 300


def printable(text: str) -> str:
    """What others sent, as one short line: it may end up in a log, and must not forge lines."""
    return text.encode("unicode_escape").decode("ascii")[:REASON_CHARACTERS_MAX]


class FrameTooLargeError(FrameError):
    """A frame over the limit: nothing of it was sent."""


def encode(frame: Frame, frame_bytes_max: int) -> list[bytes]:
    """A frame with its length, in pieces; raises FrameTooLargeError."""
    found = pieces(frame) if _is_long(frame) else [_encoder.encode(frame)]
    size = sum(map(len, found))
    if size > frame_bytes_max:
        raise FrameTooLargeError(f"{size} bytes, at most {frame_bytes_max} are allowed")
    if len(found[0]) < LONG_BYTES:
        found[0] = LENGTH.pack(size) + found[0]
    else:
        found.insert(0, LENGTH.pack(size))
    return found


def _is_long(frame: Frame) -> bool:
    """Whether there are bytes in it that should not be copied."""
    if isinstance(frame, PeerMessage):
        message = frame.message
        if not isinstance(message, AppendRequest) or not message.entries:
            return False
        return any([len(entry.payload) >= LONG_BYTES for entry in message.entries])
    if isinstance(frame, Request | Rows):
        values = frame.args if isinstance(frame, Request) else frame.batches
        return any([isinstance(v, bytes) and len(v) >= LONG_BYTES for v in values])
    return isinstance(frame, SnapshotPiece) and len(frame.data) >= LONG_BYTES


def decode(body: bytes | memoryview) -> Frame:
    """The frame in `body` (without its length); raises FrameError."""
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FrameError(f"no frame: {error}") from None


class Receiver(Protocol):
    """Whoever a channel tells what happens to it."""

    def received(self, frame: Frame) -> None:
        """One frame, in order. May raise FrameError: the channel ends then."""

    def blocked(self) -> None:
        """Too much is buffered for sending."""

    def writable(self) -> None:
        """`blocked` is over."""

    def closed(self, reason: str) -> None:
        """Last of all, once."""


class Channel:
    """Frames over one stream; a `StreamHandler`."""

    def __init__(self, receiver: Receiver, *, limit: int, first_limit: int) -> None:
        """`first_limit` holds for the first frame that arrives, `limit` for all others."""
        self._receiver = receiver
        self._limit = self._limit_received = self._limit_sent = limit
        self._splitter = Splitter(first_limit)
        self._stream: Stream | None = None
        self._reason = ""
        self._peer = ""

    @property
    def peer(self) -> str:
        """The other side's address, also after the end."""
        return self._peer

    @property
    def names(self) -> frozenset[str]:
        """What the other side's certificate calls it."""
        return frozenset() if self._stream is None else self._stream.names

    @property
    def is_open(self) -> bool:
        return self._stream is not None and not self._reason

    def distrust(self) -> None:
        """Take short frames only from now on, until `trust`."""
        self._limit_received = STRANGER_BYTES_MAX
        self._splitter.limit = min(self._splitter.limit, STRANGER_BYTES_MAX)

    def trust(self) -> None:
        """The next frames may be as long as `limit`."""
        self._limit_received = self._splitter.limit = self._limit

    def shorten(self, limit: int) -> None:
        """Send no frame that is longer, for the other side would not take it."""
        self._limit_sent = min(self._limit, limit)

    def opened(self, stream: Stream) -> None:
        self._stream = stream
        self._peer = stream.peer

    def room(self) -> memoryview | None:
        return self._splitter.room()

    def filled(self, count: int) -> None:
        body = self._splitter.filled(count)
        if body is not None:
            self._take((body,))

    def received(self, data: bytes) -> None:
        self._take(self._splitter.feed(data))

    def _take(self, bodies: Iterable[memoryview]) -> None:
        if self._reason:
            return
        try:
            for body in bodies:
                self._splitter.limit = self._limit_received
                self._receiver.received(decode(body))
                if self._reason:
                    return
        except FrameError as error:
            self.close(str(error))

    def blocked(self) -> None:
        self._receiver.blocked()

    def writable(self) -> None:
        self._receiver.writable()

    def closed(self, reason: str) -> None:
        self._stream = None
        self._reason = self._reason or reason
        self._receiver.closed(self._reason)

    def send(self, frame: Frame) -> bool:
        """Write a frame; False if the channel has ended. Raises FrameTooLargeError."""
        if self._stream is None or self._reason:
            return False
        self._stream.write(*encode(frame, self._limit_sent))
        return True

    def buffered(self) -> int:
        """Bytes that wait to be sent."""
        return 0 if self._stream is None else self._stream.buffered()

    def pause_reading(self) -> None:
        if self._stream is not None and not self._reason:
            self._stream.pause_reading()

    def resume_reading(self) -> None:
        if self._stream is not None and not self._reason:
            self._stream.resume_reading()

    def close(self, reason: str, *, farewell: Frame | None = None) -> None:
        """End, after everything sent has left; the receiver hears `reason`, made printable."""
        if self._stream is None or self._reason:
            return
        if farewell is not None:
            self.send(farewell)
        self._reason = printable(reason)
        self._stream.close()

    def abort(self, reason: str) -> None:
        """End at once."""
        if self._stream is None or self._reason:
            return
        self._reason = reason
        self._stream.abort()
