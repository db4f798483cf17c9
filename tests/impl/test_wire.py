"""Frames: whatever arrives is a frame or ends the connection, and nothing else."""

import msgspec
import pytest
from delphic.impl.pieces import LONG_BYTES, pieces
from delphic.impl.raft.messages import AppendRequest, Entry, Kind, VoteResponse
from delphic.impl.splitter import COLLECTED_BYTES, FIRST_BYTES, GROWTH, Splitter
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
    SnapshotPiece,
    Welcome,
    decode,
    encode,
)
from hypothesis import given, settings
from hypothesis import strategies as st

FRAMES: list[Frame] = [
    Hello(MAGIC, VERSION, CLIENT, "", ""),
    Welcome(VERSION, "n1", "c", 1 << 20),
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


LONG: list[Frame] = [
    Request(7, "tableInsert", ("t", b"12345678", bytes(COLLECTED_BYTES + 5), 3, None)),
    Request(8, "tableInsert", ("t", bytes(LONG_BYTES), bytes(2 * FIRST_BYTES + 1))),
    Rows(3, 1 << 40, 100, 2, (b"batch", b"b" * 70_000, b"", b"c" * LONG_BYTES)),
    SnapshotPiece(2, ((1, 5),), 1 << 33, 0, 7, b"d" * 400_000),
    PeerMessage(
        2,
        1,
        300,
        AppendRequest(
            "n1",
            "n2",
            1 << 20,
            3,
            3,
            (
                *(Entry(4, Kind.APPEND, b"x" * size) for size in (0, 7, 300, LONG_BYTES, 65_536)),
                *(Entry(5, Kind.NOOP, b"") for _ in range(20)),
                Entry(1 << 40, Kind.APPEND, b"y" * 65_535),
            ),
            2,
            11,
        ),
    ),
]
"""Frames of which pieces are sent as they are, and received into buffers of their own."""


class MemoryStream:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.written = b""
        self.ended = ""

    @property
    def peer(self) -> str:
        return "memory"

    def write(self, *pieces: bytes) -> None:
        self.written += b"".join(pieces)

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
    return b"".join(encode(frame, 8 << 20))


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


@pytest.mark.parametrize("frame", [*FRAMES, *LONG], ids=lambda frame: type(frame).__name__)
def test_a_frame_in_pieces_is_what_an_encoder_makes_of_it_whole(frame: Frame) -> None:
    whole = msgspec.msgpack.encode(frame)
    assert b"".join(pieces(frame)) == whole
    assert packed(frame) == len(whole).to_bytes(4, "big") + whole


@pytest.mark.parametrize("frame", LONG, ids=lambda frame: type(frame).__name__)
def test_long_bytes_are_sent_without_a_copy(frame: Frame) -> None:
    found = encode(frame, 8 << 20)
    assert sum(map(len, found)) == len(msgspec.msgpack.encode(frame)) + 4
    match frame:
        case PeerMessage(message=AppendRequest(entries=entries)):
            given = [entry.payload for entry in entries]
        case Request(args=given) | Rows(batches=given):
            pass
        case SnapshotPiece(data=data):
            given = [data]
    long = [value for value in given if isinstance(value, bytes) and len(value) >= LONG_BYTES]
    assert long
    assert [piece for piece in found if len(piece) >= LONG_BYTES] == long
    assert {id(value) for value in long} <= {id(piece) for piece in found}


@settings(deadline=None, max_examples=40)
@given(st.lists(st.sampled_from([*FRAMES, *LONG]), max_size=6), st.data())
def test_frames_reassemble_in_the_room_that_a_stream_is_given(
    frames: list[Frame], data: st.DataObject
) -> None:
    """As a socket does it: into the room if there is one, else by handing bytes over."""
    opened, _, log = channel(limit=8 << 20, first_limit=8 << 20)
    stream, at = b"".join(packed(frame) for frame in frames), 0
    sizes = data.draw(st.lists(st.sampled_from((1, 3, 100, 64 << 10, 1 << 20)), max_size=30))
    roomy = 0
    while at < len(stream):
        piece = stream[at : at + (sizes.pop() if sizes else 256 << 10)]
        room = opened.room()
        if room is None:
            opened.received(piece)
        else:
            piece = piece[: len(room)]
            room[: len(piece)] = piece
            opened.filled(len(piece))
            roomy += 1
        at += len(piece)
    assert log.frames == frames
    assert opened.room() is None
    assert roomy or not any(len(packed(frame)) > 1 << 20 for frame in frames)


def test_a_buffer_for_long_bodies_is_used_again_and_no_byte_of_the_last_one_is_left() -> None:
    splitter = Splitter(8 << 20)
    buffers = set()
    for size, letter in ((200_000, b"a"), (100_000, b"b"), (900_000, b"c"), (65_536, b"d")):
        stream = size.to_bytes(4, "big") + letter * size
        assert list(splitter.feed(stream[:1000])) == []
        room = splitter.room()
        assert room is not None
        buffers.add(id(room.obj))
        room[:500] = stream[1000:1500]
        assert splitter.filled(500) is None
        assert [bytes(body) for body in splitter.feed(stream[1500:])] == [letter * size]
    assert len(buffers) == 2


def test_a_claimed_length_takes_no_memory_before_the_bytes_arrive() -> None:
    splitter = Splitter(1 << 26)
    assert list(splitter.feed((1 << 26).to_bytes(4, "big") + b"x" * 10)) == []
    taken = 10
    for _ in range(2):
        room = splitter.room()
        assert room is not None
        assert len(room) <= max(FIRST_BYTES, GROWTH * taken)
        taken += len(room)
        assert splitter.filled(len(room)) is None


def test_what_arrives_behind_a_garbled_long_frame_is_not_looked_at() -> None:
    opened, stream, log = channel(first_limit=1 << 20)
    opened.received((100_000).to_bytes(4, "big") + b"\xff" * 10)
    room = opened.room()
    assert room is not None
    opened.filled(len(room))
    assert stream.ended == "closed"
    opened.received(packed(FRAMES[0]))
    assert log.frames == []


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
