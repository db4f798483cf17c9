"""Single messages that are lost, doubled, late, overtaken, held or dropped by name."""

import asyncio
from collections.abc import Awaitable, Callable

from delphic.harness.simulate.loop import HARNESS, SimLoop
from delphic.harness.simulate.messages import Deliver, Drop, Fate, Hold, frames
from delphic.harness.simulate.network import SimNet
from delphic.harness.simulate.process import Process
from delphic.harness.targets.faults import MessageFaults
from delphic.harness.targets.links import HEALED, cut
from delphic.impl.runtime import Stream
from delphic.impl.splitter import Splitter

PORT = 8848
COUNT = 400


def frame(text: str) -> bytes:
    return len(text).to_bytes(4, "big") + text.encode()


class Reader:
    """Keeps the bodies that arrive."""

    def __init__(self) -> None:
        self.bodies: list[str] = []
        self._splitter = Splitter(1 << 20)

    def opened(self, stream: Stream) -> None:
        self.stream = stream

    def received(self, data: bytes) -> None:
        self.bodies += [bytes(body).decode() for body in self._splitter.feed(data)]

    def blocked(self) -> None:
        """Nothing is written back."""

    def writable(self) -> None:
        """As `blocked`."""

    def closed(self, reason: str) -> None:
        self.bodies.append(reason)


class Line:
    """A connection from one process to n2 that has said hello."""

    def __init__(self, loop: SimLoop) -> None:
        self.net = SimNet(loop.seed, loop)
        self.loop = loop
        self.reader = Reader()

    async def up(self, src: str = "n1") -> "Line":
        loop = self.loop
        process = loop.main if src == HARNESS else Process(loop, src, 1, loop.seed)
        server = self.net.of(Process(loop, "n2", 1, loop.seed))
        await server.listen("host2", PORT, lambda: self.reader, reuse_port=False)
        dial = self.net.of(process).dial
        self.stream = await dial("host2", PORT, Reader(), timeout_s=1, stall_s=0)
        self.stream.write(frame("hello"))
        return self

    async def send(self, count: int = COUNT) -> list[str]:
        """Send numbers, one every 100 µs, and wait until all that will arrive has."""
        for number in range(count):
            self.stream.write(frame(str(number)))
            await asyncio.sleep(0.0001)
        await asyncio.sleep(2)
        return self.reader.bodies


def run(work: Callable[[Line], Awaitable[None]], seed: str = "1") -> None:
    loop = SimLoop(seed)  # type: ignore[abstract]

    async def started() -> None:
        await work(Line(loop))

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(started())


NUMBERS = [str(number) for number in range(COUNT)]


def test_frames_are_cut_where_they_end() -> None:
    data = frame("a") + frame("") + frame("bcd")
    assert list(frames(data)) == [frame("a"), frame(""), frame("bcd")]
    assert list(frames(data + b"\x00\x00")) == [frame("a"), frame(""), frame("bcd"), b"\x00\x00"]


def test_some_messages_are_lost_and_the_first_one_never_is() -> None:
    async def work(line: Line) -> None:
        line.net.set_messages({("n1", "n2"): MessageFaults(lose=1.0)})
        await line.up()
        assert await line.send(10) == ["hello"]
        line.net.set_messages({("n1", "n2"): MessageFaults(lose=0.25)})
        arrived = (await line.send())[1:]
        assert 0.65 * COUNT < len(arrived) < 0.85 * COUNT
        assert arrived == sorted(arrived, key=int)

    run(work)


def test_some_messages_arrive_twice() -> None:
    async def work(line: Line) -> None:
        line.net.set_messages({("n1", "n2"): MessageFaults(duplicate=0.25)})
        await line.up()
        arrived = (await line.send())[1:]
        assert 1.15 * COUNT < len(arrived) < 1.35 * COUNT
        assert sorted(set(arrived), key=int) == NUMBERS

    run(work)


def test_some_messages_are_overtaken() -> None:
    async def work(line: Line) -> None:
        line.net.set_messages({("n1", "n2"): MessageFaults(reorder=0.25)})
        await line.up()
        arrived = (await line.send())[1:]
        assert arrived != NUMBERS
        assert sorted(arrived, key=int) == NUMBERS

    run(work)


def test_a_late_message_does_not_hold_up_others() -> None:
    async def work(line: Line) -> None:
        await line.up()
        line.net.set_messages({("n1", "n2"): MessageFaults(delay_s=(0.5, 0.6))})
        line.stream.write(frame("late"))
        await asyncio.sleep(0.01)
        line.net.set_messages({})
        line.stream.write(frame("early"))
        await asyncio.sleep(0.4)
        assert line.reader.bodies == ["hello", "early"]
        await asyncio.sleep(0.3)
        assert line.reader.bodies == ["hello", "early", "late"]

    run(work)


def test_messages_of_clients_and_of_other_links_are_spared() -> None:
    for src in (HARNESS, "n3"):

        async def work(line: Line, src: str = src) -> None:
            line.net.set_messages({("n1", "n2"): MessageFaults(lose=1.0)})
            line.net.intercept = (lambda *_: Drop()) if src == HARNESS else None
            await line.up(src)
            assert await line.send() == ["hello", *NUMBERS]

        run(work)


def test_what_is_in_force_can_be_asked_for() -> None:
    async def work(line: Line) -> None:
        faults = {("n1", "n2"): MessageFaults(lose=0.5)}
        line.net.set_messages(faults)
        assert line.net.messages() == faults

    run(work)


def test_an_interceptor_holds_by_name_drops_and_lets_pass() -> None:
    async def work(line: Line) -> None:
        seen: list[tuple[str, str, bytes]] = []

        def intercept(src: str, dst: str, body: bytes) -> Fate:
            seen.append((src, dst, body))
            if body == b"1":
                return Drop()
            return Hold("evens") if int(body) % 2 == 0 else Deliver()

        line.net.intercept = intercept
        await line.up()
        assert await line.send(6) == ["hello", "3", "5"]
        assert seen[0] == ("n1", "n2", b"0")
        assert line.net.held() == {"evens": [("n1", "n2")] * 3}
        assert line.net.release("evens") == 3
        assert line.net.release("evens") == 0
        line.net.intercept = None
        assert (await line.send(1))[3:] == ["0", "2", "4", "0"]

    run(work)


def test_a_late_message_is_held_by_a_cut_like_any_other() -> None:
    async def work(line: Line) -> None:
        await line.up()
        line.net.set_messages({("n1", "n2"): MessageFaults(delay_s=(0.1, 0.1))})
        line.stream.write(frame("late"))
        await asyncio.sleep(0.05)
        line.net.set_links(cut([("n1", "n2")]))
        await asyncio.sleep(1)
        assert line.reader.bodies == ["hello"]
        line.net.set_links(HEALED)
        await asyncio.sleep(0.05)
        assert line.reader.bodies == ["hello", "late"]

    run(work)


def test_what_is_late_or_held_is_lost_with_its_connection() -> None:
    async def work(line: Line) -> None:
        await line.up()
        line.net.intercept = lambda *_: Hold("all")
        line.stream.write(frame("held"))
        await asyncio.sleep(0.01)
        line.stream.close()
        await asyncio.sleep(0.01)
        assert line.net.release("all") == 0
        await asyncio.sleep(0.1)
        assert line.reader.bodies == ["hello", "closed"]

    run(work)
