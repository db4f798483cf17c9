"""The data of a snapshot between two members: in pieces, few at a time, again if they are lost."""

import zlib
from collections.abc import Callable
from typing import Any, cast

from delphic.impl.raft.machine import Machine
from delphic.impl.raft.messages import SnapshotRequest
from delphic.impl.raft.terms import Position
from delphic.impl.raft.transfer import PIECE_BYTES, WINDOW_BYTES, Receiver, Sender
from delphic.impl.wire import PeerMessage, SnapshotPiece, SnapshotReceipt
from msgspec.structs import replace

TERMS = ((1, 9),)
DATA = bytes(range(256)) * (6 * PIECE_BYTES // 256) + b"end"


class Bytes:
    """An `Export`, and a `Staging`."""

    def __init__(self, data: bytes = b"") -> None:
        self.data = bytearray(data)
        self.position = Position(9, 1)
        self.complaint = ""
        self.closed = 0
        self.synced = b""

    @property
    def size(self) -> Any:
        return Size(len(self.data))

    def read(self, at: int, size: int) -> bytes:
        return bytes(self.data[at : at + size])

    def close(self) -> None:
        self.closed += 1

    def append(self, data: bytes) -> None:
        self.data += data

    def clear(self) -> None:
        self.data.clear()

    def seal(self) -> None:
        self.synced = bytes(self.data)


class Size(int):
    """An export's size is a property, a staging's a method."""

    def __call__(self) -> int:
        return self


class World:
    """A sender at a, a receiver at b, and what is on the way between them."""

    def __init__(self) -> None:
        self.exported = Bytes(DATA)
        self.staging = Bytes()
        self.wire: list[Any] = []
        self.offered: list[PeerMessage] = []
        """What has arrived of the offers themselves."""
        self.jobs: list[tuple[Callable[[], None], Callable[[OSError | None], None]]] = []
        self.is_up = True
        machine = cast(Machine, self)
        self.sender = Sender(2, machine, self._send)
        self.receiver = Receiver(2, machine, cast(Any, self), self._send, lambda error: None)

    def export(self) -> Bytes:
        return self.exported

    def submit(self, job: Callable[[], None], done: Callable[[OSError | None], None]) -> None:
        self.jobs.append((job, done))

    def _send(self, alias: str, frame: Any) -> bool:
        if self.is_up:
            self.wire.append(frame)
        return self.is_up

    def deliver(self, count: int = 1) -> None:
        for _ in range(count):
            frame = self.wire.pop(0)
            if isinstance(frame, SnapshotPiece):
                self.receiver.take("a", frame)
            elif isinstance(frame, SnapshotReceipt):
                self.sender.receipt("b", frame)
            else:
                self.offered.append(frame)

    def run(self) -> None:
        """Until nothing is under way."""
        while self.jobs or self.wire:
            if self.jobs:
                job, done = self.jobs.pop(0)
                job()
                done(None)
            else:
                self.deliver()


def offer(number: int = 1, terms: tuple[tuple[int, int], ...] = TERMS) -> PeerMessage:
    return PeerMessage(2, 1, number, SnapshotRequest("a", "b", 3, terms))


def pieces(world: World) -> int:
    return sum(len(f.data) for f in world.wire if isinstance(f, SnapshotPiece))


def test_the_offer_arrives_when_all_data_are_durable() -> None:
    world = World()
    world.sender.offer(offer())
    world.run()
    assert world.staging.synced == DATA
    assert world.offered == [offer()]
    message = offer().message
    assert isinstance(message, SnapshotRequest)
    assert world.receiver.has(message)
    assert (world.exported.closed, world.sender.is_busy, world.sender.sent_count) == (1, False, 1)


def test_few_pieces_are_under_way() -> None:
    world = World()
    world.sender.offer(offer())
    assert pieces(world) == WINDOW_BYTES
    world.deliver()
    world.deliver(len(world.wire))
    assert pieces(world) <= WINDOW_BYTES


def test_lost_pieces_are_sent_again_when_the_core_offers_again() -> None:
    world = World()
    world.sender.offer(offer())
    del world.wire[1]
    world.deliver(len(world.wire))
    world.wire.clear()
    assert len(world.staging.data) == PIECE_BYTES
    world.sender.offer(offer(2))
    world.run()
    assert world.staging.synced == DATA
    assert world.offered == [offer(2)]


def test_the_pieces_behind_a_lost_one_have_it_sent_again_once() -> None:
    world = World()
    world.sender.offer(offer())
    del world.wire[0]
    count = len(world.wire)
    world.deliver(count)
    world.deliver(count)
    assert pieces(world) == WINDOW_BYTES
    world.run()
    assert world.staging.synced == DATA


def test_a_receiver_that_has_a_part_is_sent_the_rest() -> None:
    world = World()
    world.sender.offer(offer())
    world.deliver(2)
    world.wire.clear()
    world.sender.close()
    had = len(world.staging.data)
    assert had == 2 * PIECE_BYTES
    world.sender.offer(offer(2))
    world.deliver()
    assert len(world.staging.data) == had
    world.run()
    assert world.staging.synced == DATA


def test_a_silent_peer_holds_up_no_checkpoint() -> None:
    world = World()
    world.sender.offer(offer())
    assert not world.sender.is_busy
    world.deliver(len(world.wire))
    world.deliver()
    assert world.sender.is_busy
    world.wire.clear()
    world.sender.offer(offer(2))
    assert not world.sender.is_busy


def test_a_peer_that_cannot_be_reached_is_sent_nothing_until_the_next_offer() -> None:
    world = World()
    world.is_up = False
    world.sender.offer(offer())
    world.is_up = True
    world.sender.offer(offer(2))
    world.run()
    assert world.offered == [offer(2)]


def test_only_what_the_log_begins_behind_is_sent() -> None:
    """The tables may have a newer checkpoint than the core knows of."""
    world = World()
    world.sender.offer(offer(1, ((1, 8),)))
    assert world.wire == []
    assert world.exported.closed == 1


def test_what_is_being_installed_is_not_replaced() -> None:
    world = World()
    world.sender.offer(offer())
    world.run()
    world.receiver.is_locked = True
    piece = SnapshotPiece(2, ((1, 12),), 4, 0, zlib.crc32(b"more"), b"more")
    world.receiver.take("a", piece)
    assert world.staging.data == DATA
    world.receiver.installed()
    world.receiver.take("a", piece)
    assert world.staging.data == b"more"


def test_what_is_no_whole_snapshot_is_sent_anew() -> None:
    world = World()
    world.staging.complaint = "no whole snapshot"
    world.sender.offer(offer())
    while len(world.staging.data) < len(DATA):
        world.deliver()
    job, done = world.jobs.pop()
    job()
    done(None)
    assert not world.staging.data
    world.staging.complaint = ""
    world.run()
    assert world.staging.synced == DATA
    assert world.offered == [offer()]


def test_a_piece_that_was_changed_on_its_way_is_sent_again() -> None:
    world = World()
    world.sender.offer(offer())
    first = world.wire[0]
    world.wire[0] = replace(first, data=bytes([first.data[0] ^ 1]) + first.data[1:])
    world.run()
    assert world.staging.synced == DATA
    assert world.offered == [offer()]
