"""Bytes that nobody should send: they end a connection, and raise nothing else."""

import random

import msgspec
import pytest
from delphic.impl.raft.messages import (
    AppendRequest,
    AppendResponse,
    Entry,
    Kind,
    VoteRequest,
    VoteResponse,
)
from delphic.impl.wire import (
    CLIENT,
    MAGIC,
    PEER,
    VERSION,
    Channel,
    Failure,
    Frame,
    FrameError,
    Hello,
    PeerMessage,
    Refused,
    Request,
    Result,
    Welcome,
    decode,
    encode,
)
from garbage import damaged, values
from hypothesis import given, settings
from hypothesis import strategies as st

FRAMES: list[Frame] = [
    Hello(MAGIC, VERSION, CLIENT, "", ""),
    Hello(MAGIC, VERSION, PEER, "n2", "0123456789abcdef"),
    Welcome(VERSION, "n1", "0123456789abcdef", 1 << 20),
    Refused("no"),
    Request(1, "tableInsert", ("t", b"12345678", b"\0" * 100)),
    Request(2, "readRows", ("t", 0, None)),
    Request(3, "haStreamTable", (2, b"schema", "t")),
    Result(7, {"rows": 3, "batches": [b"x"]}),
    Failure(8, "NotLeader", True, "<NotLeader>h:1:n1"),
    PeerMessage(2, 1, 9, VoteRequest("n1", "n2", 4, 7, 3, False)),
    PeerMessage(2, 1, 9, VoteResponse("n1", "n2", 4, True, False)),
    PeerMessage(2, 1, 10, AppendRequest("n1", "n2", 4, 3, 3, (Entry(4, Kind.APPEND, b"x"),), 2, 1)),
    PeerMessage(2, 1, 11, AppendResponse("n1", "n2", 4, True, 4, 0, 1)),
]
"""One of each kind."""

STREAM = b"".join(b"".join(encode(frame, 1 << 20)) for frame in FRAMES)

KINDS = (Hello, Welcome, Refused, Request, Result, Failure, PeerMessage)


class Ear:
    """Takes whatever comes, as a stream and as its reader."""

    peer = "ear"

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.reason = ""

    def received(self, frame: Frame) -> None:
        self.frames.append(frame)

    def closed(self, reason: str) -> None:
        self.reason = reason

    def buffered(self) -> int:
        return 0

    def write(self, data: bytes) -> None:
        """Nobody reads it."""

    def blocked(self) -> None:
        """Never happens."""

    writable = pause_reading = resume_reading = close = abort = blocked


@settings(derandomize=True, max_examples=300, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=80),
        st.tuples(st.integers(0, 8), values()).map(
            lambda pair: msgspec.msgpack.encode(
                [pair[0], *pair[1]] if isinstance(pair[1], list) else pair
            )
        ),
    )
)
def test_any_bytes_are_a_frame_or_are_refused(body: bytes) -> None:
    try:
        frame = decode(body)
    except FrameError:
        return
    assert isinstance(frame, KINDS)


@settings(derandomize=True, max_examples=200, deadline=None)
@given(st.tuples(st.integers(0, 2**64 - 1), st.text(max_size=5), st.lists(values(), max_size=4)))
def test_what_a_request_carries_survives_the_way_or_is_refused(
    request: tuple[int, str, list[object]],
) -> None:
    body = msgspec.msgpack.encode([3, *request])
    try:
        frame = decode(body)
    except FrameError:
        return
    assert isinstance(frame, Request)
    assert encode(frame, 1 << 20)


def test_a_damaged_stream_ends_the_channel_or_is_another_stream() -> None:
    chance = random.Random(6)
    ended = 0
    for _ in range(1500):
        ear = Ear()
        channel = Channel(ear, limit=1 << 20, first_limit=1 << 20)
        channel.opened(ear)
        data = damaged(STREAM, chance)
        at = 0
        while at < len(data):
            size = chance.choice((1, 7, 100, len(data)))
            channel.received(data[at : at + size])
            at += size
        assert all(isinstance(frame, KINDS) for frame in ear.frames)
        ended += not channel.is_open
    assert 300 < ended < 1500


HUGE = b"\xff\xff\xff\xff"


@pytest.mark.parametrize(
    "argument",
    [
        b"\xdd" + HUGE,
        b"\xdf" + HUGE,
        b"\xc6" + HUGE,
        b"\xdb" + HUGE,
        b"\xc9" + HUGE + b"\x01",
        b"\x91" * 100_000 + b"\xc0",
        b"\x81\x01" * 100_000 + b"\xc0",
        b"\x81\x80\x01",
        b"\xa2\xff\xff",
        b"\xd7\xff" + HUGE * 2,
        b"\xc7\x0c\xff" + b"\0" * 4 + b"\x7f" + b"\xff" * 7,
        b"\xc1",
    ],
    ids=[
        "array",
        "map",
        "bytes",
        "text",
        "extension",
        "deep",
        "deep map",
        "map as key",
        "no UTF-8",
        "moment",
        "moment far away",
        "never used",
    ],
)
def test_lengths_that_lie_and_values_that_cannot_be_are_refused(argument: bytes) -> None:
    for body in (b"\x94\x03\x01\xa1f" + b"\x91" + argument, b"\x93\x04\x01" + argument):
        with pytest.raises(FrameError, match="no frame"):
            decode(body)


@pytest.mark.parametrize("number", [-1, 2**62 + 1, 2**64 - 1])
def test_terms_and_indices_are_bounded_where_they_arrive(number: int) -> None:
    """A term near 2**64 would be adopted, and the next election could not be written down."""
    for body in (
        [6, 2, 1, 1, [1, "n1", "n2", number, 0, 0, False]],
        [6, 2, 1, 1, [2, "n1", "n2", number, True, False]],
        [6, 2, 1, 1, [3, "n1", "n2", 1, number, 0, [], 0, 0]],
        [6, 2, 1, 1, [3, "n1", "n2", 1, 0, 0, [[number, 0, b""]], 0, 0]],
        [6, 2, 1, 1, [4, "n1", "n2", 1, True, number, 0, 0]],
    ):
        with pytest.raises(FrameError, match=r"Expected `int`|out of range"):
            decode(msgspec.msgpack.encode(body))


def test_what_others_say_cannot_forge_a_line_of_a_log() -> None:
    ear = Ear()
    channel = Channel(ear, limit=1 << 20, first_limit=1 << 20)
    channel.opened(ear)
    channel.close("refused: \n12:00:00.000 n1 INFO all is well\x1b[2J" + "x" * 5000)
    channel.closed("closed")
    assert ear.reason.startswith("refused: \\n12:00:00.000 n1 INFO all is well\\x1b[2Jxxx")
    assert len(ear.reason) <= 300
