"""One visitor: how much is kept for a client that does not read."""

from collections.abc import Callable
from typing import Any

from delphic.impl.raft.debts import Answer
from delphic.impl.visitor import Visitor
from delphic.impl.wire import CLIENT, MAGIC, VERSION, Credit, Frame, FrameError, Hello, Request
from delphic.impl.wire import encode as encoded
from hand_clock import HandClock

LONG = bytes(1 << 20)


class FullStream:
    """A stream of which the kernel takes nothing until the test says so."""

    peer = "client"
    names: frozenset[str] = frozenset()

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor
        self.is_open = True
        self.held = self.sent = 0

    def write(self, *pieces: bytes) -> None:
        before, self.held = self.held, self.held + sum(map(len, pieces))
        if before <= 1 << 16 < self.held:
            self._visitor.channel.blocked()

    def drain(self) -> None:
        """The other side has read it all."""
        self.sent, self.held = self.sent + self.held, 0
        self._visitor.channel.writable()

    def buffered(self) -> int:
        return self.held

    def pause_reading(self) -> None:
        """The test knows what it sends."""

    def resume_reading(self) -> None:
        """As `pause_reading`."""

    def close(self) -> None:
        self.abort()

    def abort(self) -> None:
        self.is_open = False


class Reads:
    """A `Host` whose calls all have long answers, given later, all at once."""

    alias = "n1"
    cluster_id = "c"
    wants_login = False

    def __init__(self) -> None:
        self.clock = HandClock()
        self.due: list[Callable[[], None]] = []
        self.made = 0

    def arrived(self, visitor: Visitor) -> None:
        """Everybody is welcome."""

    def left(self, visitor: Visitor) -> None:
        """Nothing is kept."""

    def call(self, visitor: Visitor, function: str, args: tuple[Any, ...], answer: Answer) -> None:
        def make() -> None:
            self.made += 1
            answer(LONG)

        self.due.append(lambda: visitor.when_room(make))

    def credit(self, visitor: Visitor, credit: Credit) -> None:
        """Nobody subscribes."""

    def writable(self, visitor: Visitor) -> None:
        """Nobody subscribes."""

    def from_peer(self, alias: str, frame: Frame) -> None:
        raise FrameError("no peers here")

    def settle(self) -> None:
        """Answer whatever is due."""
        due, self.due = self.due, []
        for go in due:
            go()


def visited(calls: int) -> tuple[Reads, Visitor, FullStream]:
    host = Reads()
    visitor = Visitor(host, 4 << 20)
    stream = FullStream(visitor)
    visitor.channel.opened(stream)
    frames = [Hello(MAGIC, VERSION, CLIENT, "", ""), *(Request(i, "f", ()) for i in range(calls))]
    for frame in frames:
        visitor.channel.received(b"".join(encoded(frame, 4 << 20)))
    return host, visitor, stream


def test_a_client_that_reads_nothing_is_kept_one_long_answer() -> None:
    host, _, stream = visited(100)
    host.settle()
    assert host.made == 1
    assert stream.held < 2 * len(LONG)
    for _ in range(100):
        stream.drain()
    assert host.made == 100
    assert stream.held == 0
    assert stream.sent > 100 * len(LONG)


def test_nothing_is_made_for_a_client_that_has_gone() -> None:
    host, visitor, _ = visited(10)
    host.settle()
    visitor.channel.closed("closed")
    visitor.writable()
    assert host.made == 1
