"""Bytes through one gate, on real sockets."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest
import uvloop
from delphic.harness.targets.gate import QUEUED_BYTES_MAX, Gate
from delphic.harness.targets.links import CUT, OPEN, LinkState

HOST = "127.0.0.1"
QUIET_S = 0.05
"""How long we listen for what must not come. It never fails a correct gate."""


@dataclass
class Ends:
    """A gate, where to dial it, and the connections that came out at its far side."""

    gate: Gate
    port: int
    arrived: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]]
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def dial(self, port: int = 0) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(HOST, port or self.port)
        self.writers.append(writer)
        return reader, writer

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        self.arrived.put_nowait((reader, writer))

    async def close(self) -> None:
        """Leave no transport to the garbage collector."""
        self.gate.close()
        for writer in self.writers:
            writer.transport.abort()
        for writer in self.writers:
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def far(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        async with asyncio.timeout(5):
            return await self.arrived.get()


@asynccontextmanager
async def gated() -> AsyncIterator[Ends]:
    arrived: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()

    async with asyncio.TaskGroup() as group:
        server = await asyncio.start_server(
            lambda reader, writer: ends.accept(reader, writer), HOST, 0
        )
        gate = Gate(group.create_task)
        loop = asyncio.get_running_loop()
        port = server.sockets[0].getsockname()[1]
        proxy = await loop.create_server(gate.acceptor((HOST, port)), HOST, 0)
        ends = Ends(gate, proxy.sockets[0].getsockname()[1], arrived)
        try:
            yield ends
        finally:
            proxy.close()
            server.close()
            await ends.close()


def check(scene: Callable[[Ends], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(20), gated() as ends:
            await scene(ends)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


async def nothing(reader: asyncio.StreamReader) -> bool:
    """Whether nothing comes within QUIET_S."""
    try:
        async with asyncio.timeout(QUIET_S):
            await reader.readexactly(1)
    except TimeoutError:
        return True
    return False


def test_an_open_link_carries_bytes_both_ways() -> None:
    async def scene(ends: Ends) -> None:
        reader, writer = await ends.dial()
        writer.write(b"question")
        far_reader, far_writer = await ends.far()
        assert await far_reader.readexactly(8) == b"question"
        far_writer.write(b"answer")
        assert await reader.readexactly(6) == b"answer"

    check(scene)


def test_a_cut_link_holds_bytes_and_gives_them_up_in_order_when_it_heals() -> None:
    async def scene(ends: Ends) -> None:
        reader, writer = await ends.dial()
        writer.write(b"a")
        far_reader, far_writer = await ends.far()
        assert await far_reader.readexactly(1) == b"a"
        ends.gate.set(CUT)
        writer.write(b"b" * 1000)
        writer.write(b"c")
        far_writer.write(b"x")
        assert await nothing(far_reader)
        assert await nothing(reader)
        ends.gate.set(OPEN)
        assert await far_reader.readexactly(1001) == b"b" * 1000 + b"c"
        assert await reader.readexactly(1) == b"x"

    check(scene)


def test_a_connection_made_while_the_link_is_cut_hangs_until_it_heals() -> None:
    async def scene(ends: Ends) -> None:
        ends.gate.set(CUT)
        _, writer = await ends.dial()
        writer.write(b"hello")
        await asyncio.sleep(QUIET_S)
        assert ends.arrived.empty()
        ends.gate.set(OPEN)
        far_reader, _ = await ends.far()
        assert await far_reader.readexactly(5) == b"hello"

    check(scene)


def test_a_close_does_not_cross_a_cut_link_but_follows_the_bytes_before_it() -> None:
    async def scene(ends: Ends) -> None:
        _, writer = await ends.dial()
        writer.write(b"a")
        far_reader, _ = await ends.far()
        assert await far_reader.readexactly(1) == b"a"
        ends.gate.set(CUT)
        writer.write(b"last")
        writer.close()
        await writer.wait_closed()
        assert await nothing(far_reader)
        ends.gate.set(OPEN)
        assert await far_reader.read() == b"last"

    check(scene)


@pytest.mark.slow
def test_a_delay_shifts_all_bytes_and_keeps_their_order() -> None:
    async def scene(ends: Ends) -> None:
        now = asyncio.get_running_loop().time
        ends.gate.set(LinkState(delay_s=0.15))
        reader, writer = await ends.dial()
        sent = now()
        for number in range(100):
            writer.write(b"%02d" % number)
            await asyncio.sleep(0)
        far_reader, far_writer = await ends.far()
        data = await far_reader.readexactly(200)
        assert now() - sent >= 0.145
        assert data == b"".join(b"%02d" % number for number in range(100))
        back = now()
        far_writer.write(b"!")
        await reader.readexactly(1)
        assert now() - back < 0.1

    check(scene)


@pytest.mark.slow
def test_bytes_under_way_when_the_delay_ends_are_not_overtaken() -> None:
    async def scene(ends: Ends) -> None:
        ends.gate.set(LinkState(delay_s=5.0))
        _, writer = await ends.dial()
        writer.write(b"first")
        far_reader, _ = await ends.far()
        assert await nothing(far_reader)
        ends.gate.set(OPEN)
        writer.write(b"second")
        assert await far_reader.readexactly(11) == b"firstsecond"

    check(scene)


@pytest.mark.slow
def test_a_narrow_link_passes_no_more_than_its_rate() -> None:
    async def scene(ends: Ends) -> None:
        now = asyncio.get_running_loop().time
        ends.gate.set(LinkState(rate_bytes_s=100_000))
        _, writer = await ends.dial()
        began = now()
        writer.write(bytes(30_000))
        far_reader, _ = await ends.far()
        await far_reader.readexactly(30_000)
        assert 0.29 <= now() - began < 2

    check(scene)


def test_whoever_dials_a_dead_member_sees_the_connection_break() -> None:
    async def scene(ends: Ends) -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(ends.gate.acceptor((HOST, 1)), HOST, 0)
        reader, _ = await ends.dial(server.sockets[0].getsockname()[1])
        with suppress(ConnectionResetError):
            assert await reader.read() == b""
        assert not ends.gate.pipes
        server.close()

    check(scene)


def test_a_link_that_nobody_reads_stops_reading_instead_of_growing() -> None:
    async def scene(ends: Ends) -> None:
        ends.gate.set(LinkState(delay_s=60.0))
        _, writer = await ends.dial()
        await ends.far()
        total = 0
        piece = bytes(1 << 20)
        with suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                while total < 10 * QUEUED_BYTES_MAX:
                    writer.write(piece)
                    await writer.drain()
                    total += len(piece)
        assert QUEUED_BYTES_MAX // 2 <= total < 10 * QUEUED_BYTES_MAX

    check(scene)


def test_connections_are_forgotten_once_both_sides_are_closed() -> None:
    async def scene(ends: Ends) -> None:
        reader, writer = await ends.dial()
        far_reader, far_writer = await ends.far()
        writer.write_eof()
        assert await far_reader.read() == b""
        far_writer.close()
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        assert ends.gate.pipes == set()

    check(scene)
