"""Frames: whatever arrives is a frame or ends the connection, and nothing else."""

import msgspec
import pytest
from delphic.impl.raft.messages import AppendRequest, Entry, VoteResponse
from delphic.impl.wire import (
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
    PeerMessage,
    Request,
    Result,
    Rows,
    Splitter,
    Welcome,
    decode,
    encode,
)
from hypothesis import given
from hypothesis import strategies as st

FRAMES: list[Frame] = [
    Hello(MAGIC, VERSION, CLIENT, "", ""),
    Welcome(VERSION, "n1", "c"),
    Request(7, "tableInsert", ("t", b"12345678", b"\0" * 300)),
    Result(7, {"rows": 3, "batches": [b"x"]}),
    Failure(8, "NotLeader", True, "<NotLeader>h:1:n1"),
    Rows(3, 5, 100, 2, (b"batch", b"another")),
    Rows(3, 5, 102, 0, ()),
    Ended(3, "NotLeader", "<NotLeader>h:1:n1"),
    Credit(3, 2),
    PeerMessage(2, 1, 9, VoteResponse("n1", "n2", 4, True, False)),
    PeerMessage(2, 1, 10, AppendRequest("n1", "n2", 4, 3, 3, (Entry(4, 1, b"rows"),), 2, 11)),
]


class MemoryStream:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.written = b""
        self.ended = ""

    @property
    def peer(self) -> str:
        return "memory"

    def write(self, data: bytes) -> None:
        self.written += data

    def buffered(self) -> int:
        return 0

    def pause_reading(self) -> None:
        self.ended = "paused"

    def resume_reading(self) -> None:
        self.ended = ""

    def close(self) -> None:
        self.ended = "closed"

    def abort(self) -> None:
        self.ended = "aborted"


class Log:
    """Keeps what a channel reports."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.reasons: list[str] = []

    def received(self, frame: Frame) -> None:
        self.frames.append(frame)

    def blocked(self) -> None:
        self.reasons.append("blocked")

    def writable(self) -> None:
        self.reasons.append("writable")

    def closed(self, reason: str) -> None:
        self.reasons.append(reason)


def packed(frame: Frame) -> bytes:
    return b"".join(encode(frame, 1 << 20))


def channel(limit: int = 1 << 20, first_limit: int = 1 << 20) -> tuple[Channel, MemoryStream, Log]:
    log, stream = Log(), MemoryStream()
    opened = Channel(log, limit=limit, first_limit=first_limit)
    opened.opened(stream)
    return opened, stream, log


@pytest.mark.parametrize("frame", FRAMES, ids=lambda frame: type(frame).__name__)
def test_a_frame_survives_the_way_through_bytes(frame: Frame) -> None:
    data = packed(frame)
    assert int.from_bytes(data[:4], "big") == len(data) - 4
    assert decode(data[4:]) == frame


@given(st.lists(st.sampled_from(FRAMES), max_size=12), st.data())
def test_frames_reassemble_however_the_bytes_are_cut(
    frames: list[Frame], data: st.DataObject
) -> None:
    stream = b"".join(packed(frame) for frame in frames)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=20)))
    splitter = Splitter(1 << 20)
    bodies: list[memoryview] = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        bodies += splitter.feed(stream[start:end])
    assert [decode(body) for body in bodies] == frames


@given(st.binary(max_size=600), st.lists(st.integers(1, 50), max_size=20))
def test_garbage_ends_the_channel_and_raises_nothing(garbage: bytes, sizes: list[int]) -> None:
    opened, stream, _ = channel(limit=64, first_limit=64)
    at = 0
    for size in [*sizes, 600]:
        opened.received(garbage[at : at + size])
        at += size
    assert stream.ended in ("", "closed")
    assert opened.is_open == (stream.ended == "")


@given(st.sampled_from(FRAMES), st.data())
def test_a_damaged_frame_is_refused_or_is_another_frame(frame: Frame, data: st.DataObject) -> None:
    body = bytearray(packed(frame)[4:])
    at = data.draw(st.integers(0, len(body) - 1))
    body[at] = data.draw(st.integers(0, 255))
    try:
        decoded = decode(bytes(body))
    except FrameError:
        return
    assert isinstance(decoded, Frame)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"\x93\x01\x02", "no frame"),
        (msgspec.msgpack.encode([99, 1]), "no frame: Invalid value 99"),
        (msgspec.msgpack.encode({"a": 1}), "no frame: Expected `array`, got `object`"),
        (msgspec.msgpack.encode([3, "one", "f", []]), "no frame: Expected `int`, got `str`"),
        (b"\x91" * 5000, "no frame"),
    ],
)
def test_what_is_no_frame_is_said_to_be_none(body: bytes, reason: str) -> None:
    with pytest.raises(FrameError, match=reason):
        decode(body)


def test_a_frame_over_the_limit_is_not_sent() -> None:
    opened, stream, _ = channel(limit=100)
    with pytest.raises(FrameTooLargeError, match="at most 100"):
        opened.send(Request(1, "f", (b"x" * 200,)))
    assert stream.written == b""
    assert opened.is_open


@pytest.mark.parametrize("size", [0, 101, 0xFFFFFFFF])
def test_a_length_out_of_bounds_ends_the_channel_before_the_bytes_arrive(size: int) -> None:
    opened, stream, log = channel(limit=100, first_limit=100)
    opened.received(size.to_bytes(4, "big"))
    assert stream.ended == "closed"
    opened.closed("gone")
    assert log.reasons == [f"length {size} is not in 1..100"]


def test_only_the_first_frame_is_held_to_the_small_limit() -> None:
    opened, stream, log = channel(first_limit=HELLO_BYTES_MAX)
    big = Request(1, "f", (b"x" * 5000,))
    opened.received(packed(FRAMES[0]) + packed(big))
    assert log.frames == [FRAMES[0], big]
    late, stream, log = channel(first_limit=HELLO_BYTES_MAX)
    late.received(packed(big))
    assert stream.ended == "closed"
    assert log.frames == []


def test_nothing_is_heard_or_sent_after_the_end() -> None:
    opened, stream, log = channel()
    opened.close("enough", farewell=Result(1, None))
    written = stream.written
    assert decode(written[4:]) == Result(1, None)
    opened.received(packed(FRAMES[1]))
    assert opened.send(Result(2, None)) is False
    assert log.frames == []
    assert stream.written == written
    opened.closed("eof")
    assert log.reasons == ["enough"]
