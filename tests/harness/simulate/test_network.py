"""The simulated network: connections, links that are cut, slow or narrow, back-pressure, deaths."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
from delphic.harness.simulate.loop import SimLoop
from delphic.harness.simulate.network import SimNet, SimNetwork
from delphic.harness.simulate.process import Process
from delphic.harness.targets.links import HEALED, LinkState, cut
from delphic.impl.runtime import Stream

T = TypeVar("T")

PORT = 8848
MS = 1_000_000
KIB, MIB = 1 << 10, 1 << 20


class Ear:
    """A handler that keeps what it hears, and when."""

    def __init__(self, loop: SimLoop, *, echoes: bool = False) -> None:
        self.heard: list[str] = []
        self.at_ns: list[int] = []
        self.data = b""
        self.stream: Stream | None = None
        self._loop = loop
        self._echoes = echoes

    def _hear(self, word: str) -> None:
        self.heard.append(word)
        self.at_ns.append(self._loop.now_ns)

    def opened(self, stream: Stream) -> None:
        self.stream = stream
        self._hear("opened")

    def received(self, data: bytes) -> None:
        self.data += data
        self._hear(f"received {len(data)}")
        if self._echoes and self.stream is not None:
            self.stream.write(data)

    def blocked(self) -> None:
        self._hear("blocked")

    def writable(self) -> None:
        self._hear("writable")

    def closed(self, reason: str) -> None:
        self._hear(reason)

    @property
    def ending(self) -> str:
        return self.heard[-1]


class Two:
    """n1 has dialled n2, and whatever either side hears is kept."""

    def __init__(self, loop: SimLoop) -> None:
        self.loop = loop
        self.net = SimNet(loop.seed, loop)
        self.processes = {name: Process(loop, name, 1, loop.seed) for name in ("n1", "n2")}
        self.near = Ear(loop)
        self.fars: list[Ear] = []

    def network(self, name: str) -> SimNetwork:
        return self.net.of(self.processes[name])

    def accept(self) -> Ear:
        self.fars.append(Ear(self.loop))
        return self.fars[-1]

    @property
    def far(self) -> Ear:
        return self.fars[-1]

    @property
    def stream(self) -> Stream:
        assert self.near.stream is not None
        return self.near.stream

    @property
    def answers(self) -> Stream:
        assert self.far.stream is not None
        return self.far.stream

    async def dial(self, timeout_s: float = 1.0, stall_s: float = 0.0) -> Stream:
        dial = self.network("n1").dial
        return await dial("host2", PORT, self.near, timeout_s=timeout_s, stall_s=stall_s)

    async def up(self, stall_s: float = 0.0) -> "Two":
        await self.network("n2").listen("host2", PORT, self.accept, reuse_port=False)
        await self.dial(stall_s=stall_s)
        return self

    def restart(self, name: str) -> Process:
        """Start a new incarnation on the same host."""
        before = self.processes[name]
        self.processes[name] = Process(self.loop, name, before.incarnation + 1, self.loop.seed)
        self.network(name)
        return self.processes[name]


def run(work: Callable[[Two], Awaitable[T]], seed: str = "1") -> T:
    loop = SimLoop(seed)  # type: ignore[abstract]

    async def started() -> T:
        return await work(Two(loop))

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(started())


async def turn() -> None:
    """Let everybody have a turn; nothing arrives so soon."""
    await asyncio.sleep(1e-5)


async def ms(milliseconds: float) -> None:
    await asyncio.sleep(milliseconds / 1e3)


# Connections.


def test_bytes_arrive_in_order_after_a_short_flight() -> None:
    async def work(two: Two) -> None:
        await two.up()
        for number in range(300):
            two.stream.write(number.to_bytes(2, "big"))
            await asyncio.sleep(0.0001)
        await ms(20)
        assert two.far.data == b"".join(n.to_bytes(2, "big") for n in range(300))
        first_ns = two.far.at_ns[1] - two.near.at_ns[0]
        assert 0.05 * MS <= first_ns <= 6 * MS

    run(work)


def test_what_one_turn_writes_leaves_in_one_piece_and_is_one_effect() -> None:
    async def work(two: Two) -> None:
        await two.up()
        two.stream.write(b"four")
        two.stream.write(b"bytes")
        await ms(10)
        assert two.far.heard == ["opened", "received 9"]
        assert two.processes["n1"].effects == 1

    run(work)


def test_answers_come_back_on_the_same_connection() -> None:
    async def work(two: Two) -> None:
        await two.up()
        two.stream.write(b"ping")
        await ms(10)
        two.answers.write(b"pong")
        await ms(10)
        assert two.near.data == b"pong"
        assert two.stream.peer == f"host2:{PORT}"

    run(work)


def test_close_sends_what_was_written_and_both_sides_hear_that_it_is_closed() -> None:
    async def work(two: Two) -> None:
        await two.up()
        two.stream.write(b"farewell")
        two.stream.close()
        two.stream.write(b"too late")
        await ms(10)
        assert two.near.heard == ["opened", "closed"]
        assert two.far.heard == ["opened", "received 8", "closed"]

    run(work)


def test_abort_loses_what_was_written_in_the_same_turn() -> None:
    async def work(two: Two) -> None:
        await two.up()
        two.stream.write(b"lost")
        two.stream.abort()
        await ms(10)
        assert two.near.heard == ["opened", "closed"]
        assert two.far.heard == ["opened", "closed"]

    run(work)


def test_a_dial_where_nobody_listens_is_refused_after_a_round_trip() -> None:
    async def work(two: Two) -> None:
        with pytest.raises(ConnectionRefusedError, match="host2:8848"):
            await two.dial()
        assert 0.1 * MS <= two.loop.now_ns <= 12 * MS
        assert two.near.heard == []

    run(work)


def test_a_closed_listener_takes_no_more_connections_and_keeps_those_it_has() -> None:
    async def work(two: Two) -> None:
        listener = await two.network("n2").listen("host2", PORT, two.accept, reuse_port=False)
        await two.dial()
        await listener.close()
        two.stream.write(b"still here")
        await ms(10)
        assert two.far.data == b"still here"
        with pytest.raises(ConnectionRefusedError):
            await two.dial()

    run(work)


def test_ports_are_given_out_and_not_given_twice() -> None:
    async def work(two: Two) -> None:
        listen = two.network("n2").listen
        ports = [(await listen("host2", 0, two.accept, reuse_port=False)).port for _ in range(3)]
        assert ports == [20_000, 20_001, 20_002]
        with pytest.raises(OSError, match="somebody listens at host2:20001"):
            await listen("host2", 20_001, two.accept, reuse_port=True)

    run(work)


# Links.


def test_a_cut_holds_bytes_one_way_and_lets_them_go_in_order_when_it_heals() -> None:
    async def work(two: Two) -> None:
        await two.up()
        two.net.set_links(cut([("n1", "n2")]))
        for word in (b"one ", b"two ", b"three"):
            two.stream.write(word)
            await ms(5)
        two.answers.write(b"you are silent")
        await ms(1000)
        assert two.far.data == b""
        assert two.near.data == b"you are silent"
        two.net.set_links(HEALED)
        await ms(20)
        assert two.far.data == b"one two three"

    run(work)


def test_a_cut_catches_what_is_in_flight() -> None:
    async def work(two: Two) -> None:
        await two.up()
        two.stream.write(b"x")
        await turn()
        two.net.set_links(cut([("n1", "n2")]))
        await ms(100)
        assert two.far.data == b""
        assert two.stream.buffered() == 1

    run(work)


@pytest.mark.parametrize("pair", [("n1", "n2"), ("n2", "n1")])
def test_a_dial_over_a_link_cut_in_either_direction_times_out(pair: tuple[str, str]) -> None:
    async def work(two: Two) -> None:
        await two.network("n2").listen("host2", PORT, two.accept, reuse_port=False)
        two.net.set_links(cut([pair]))
        with pytest.raises(TimeoutError):
            await two.dial(timeout_s=0.5)
        assert two.loop.now_ns == 500 * MS
        two.net.set_links(HEALED)
        await ms(100)
        assert two.fars == []

    run(work)


def test_a_dial_that_waits_for_a_cut_goes_on_when_it_heals() -> None:
    async def work(two: Two) -> None:
        await two.network("n2").listen("host2", PORT, two.accept, reuse_port=False)
        two.net.set_links(cut([("n2", "n1")]))
        two.loop.main.call_after(300 * MS, two.net.set_links, HEALED)
        await two.dial(timeout_s=1)
        assert 300 * MS < two.loop.now_ns < 320 * MS

    run(work)


def test_a_delay_is_added_and_a_rate_makes_bytes_queue() -> None:
    async def work(two: Two) -> None:
        await two.up()
        two.net.set_links({("n1", "n2"): LinkState(delay_s=0.25, rate_bytes_s=1000)})
        begin_ns = two.loop.now_ns
        for _ in range(3):
            two.stream.write(bytes(100))
            await turn()
        await ms(2000)
        took_ms = [(at_ns - begin_ns) / MS for at_ns in two.far.at_ns[1:]]
        assert took_ms == pytest.approx([350, 450, 550], abs=6)

    run(work)


def test_what_a_narrow_link_still_holds_goes_at_once_when_it_heals() -> None:
    async def work(two: Two) -> None:
        await two.up()
        two.net.set_links({("n1", "n2"): LinkState(rate_bytes_s=10)})
        two.stream.write(bytes(1000))
        await ms(100)
        assert two.far.data == b""
        two.net.set_links(HEALED)
        await ms(10)
        assert len(two.far.data) == 1000

    run(work)


def test_a_probe_says_what_a_link_is_like() -> None:
    async def work(two: Two) -> None:
        slow = LinkState(delay_s=0.3)
        two.net.set_links({("n1", "n2"): slow, ("n2", "n3"): LinkState(cut=True)})
        took_s = await two.net.probe("n1", "n2")
        assert took_s is not None
        assert 0.3 < took_s < 0.31
        assert two.loop.now_ns == pytest.approx(took_s * 1e9, abs=2)
        assert await two.net.probe("n2", "n3") is None
        back_s = await two.net.probe("n2", "n1")
        assert back_s is not None
        assert back_s < 0.01

    run(work)


# Connections that end otherwise.


def test_a_dialler_gives_up_on_bytes_that_stay_held_and_the_other_side_learns_it_later() -> None:
    async def work(two: Two) -> None:
        await two.up(stall_s=2.0)
        two.net.set_links(cut([("n1", "n2")]))
        await ms(3000)
        assert two.near.heard == ["opened"]
        begin_ns = two.loop.now_ns
        two.stream.write(b"anyone?")
        await ms(3000)
        assert two.near.ending == "timed out"
        assert two.near.at_ns[-1] - begin_ns == pytest.approx(2000 * MS, abs=MS)
        assert two.far.heard == ["opened"]
        two.net.set_links(HEALED)
        await ms(20)
        assert two.far.heard == ["opened", "connection reset by peer"]

    run(work)


def test_a_cut_that_heals_in_time_is_forgiven_and_counts_anew() -> None:
    async def work(two: Two) -> None:
        await two.up(stall_s=2.0)
        for _ in range(4):
            two.net.set_links(cut([("n1", "n2")]))
            two.stream.write(b"x")
            await ms(1500)
            two.net.set_links(HEALED)
            await ms(20)
        await ms(5000)
        assert two.far.data == b"xxxx"
        assert "timed out" not in two.near.heard

    run(work)


def test_a_slow_link_never_stalls() -> None:
    async def work(two: Two) -> None:
        await two.up(stall_s=1.0)
        two.net.set_links({("n1", "n2"): LinkState(delay_s=5.0)})
        two.stream.write(b"late")
        await ms(6000)
        assert two.far.data == b"late"
        assert two.near.heard == ["opened"]

    run(work)


def test_a_killed_process_resets_its_connections_after_what_it_had_sent() -> None:
    async def work(two: Two) -> None:
        await two.up()
        two.stream.write(b"last words")
        await turn()
        assert two.processes["n1"].effects == 1
        two.processes["n1"].kill()
        assert two.far.heard == ["opened"]
        await ms(10)
        assert two.far.data == b"last words"
        assert two.far.ending == "connection reset by peer"
        assert two.near.heard == ["opened"]

    run(work)


def test_nobody_listens_any_more_where_a_process_was_killed() -> None:
    async def work(two: Two) -> None:
        await two.up()
        two.processes["n2"].kill()
        await ms(10)
        assert two.near.ending == "connection reset by peer"
        with pytest.raises(ConnectionRefusedError):
            await two.dial()

    run(work)


def test_a_death_behind_a_cut_is_learnt_when_it_heals() -> None:
    async def work(two: Two) -> None:
        await two.up()
        two.net.set_links(cut([("n2", "n1")]))
        two.processes["n2"].kill()
        await ms(5000)
        assert two.near.heard == ["opened"]
        two.net.set_links(HEALED)
        await ms(20)
        assert two.near.ending == "connection reset by peer"

    run(work)


def test_a_death_behind_a_cut_is_learnt_by_a_stall() -> None:
    async def work(two: Two) -> None:
        await two.up(stall_s=2.0)
        two.net.set_links(cut([("n2", "n1")]))
        two.processes["n2"].kill()
        two.stream.write(b"x")
        await ms(5000)
        assert two.near.ending == "timed out"

    run(work)


@pytest.mark.parametrize("after", [False, True])
def test_a_crash_at_a_send_loses_it_before_and_not_after(after: bool) -> None:
    async def work(two: Two) -> None:
        await two.up()
        process = two.processes["n1"]
        process.crash_at, process.crash_after = 1, after
        two.stream.write(b"vote")
        await ms(10)
        assert not process.is_alive
        assert two.far.data == (b"vote" if after else b"")
        assert two.far.ending == "connection reset by peer"

    run(work)


def test_what_dead_code_does_to_its_connections_changes_nothing() -> None:
    async def work(two: Two) -> None:
        await two.up()
        two.processes["n1"].kill()
        two.stream.write(b"from beyond")
        two.stream.close()
        two.stream.abort()
        await ms(10)
        assert two.far.heard == ["opened", "connection reset by peer"]
        assert two.near.heard == ["opened"]

    run(work)


def cut_power(two: Two, name: str) -> None:
    two.net.power_lost(two.processes[name])
    two.processes[name].kill()


def test_after_a_power_cut_nobody_says_anything_until_the_host_is_back() -> None:
    async def work(two: Two) -> None:
        await two.up()
        cut_power(two, "n2")
        await ms(1000)
        two.stream.write(b"anyone?")
        await ms(1000)
        assert two.near.heard == ["opened"]
        two.restart("n2")
        await ms(20)
        assert two.near.ending == "connection reset by peer"

    run(work)


def test_a_host_that_is_back_resets_whatever_is_sent_to_a_connection_of_before() -> None:
    async def work(two: Two) -> None:
        await two.up()
        cut_power(two, "n2")
        two.restart("n2")
        await ms(1000)
        assert two.near.heard == ["opened"]
        two.stream.write(b"anyone?")
        await ms(20)
        assert two.near.ending == "connection reset by peer"

    run(work)


def test_a_dial_to_a_host_without_power_times_out() -> None:
    async def work(two: Two) -> None:
        await two.up(stall_s=2.0)
        cut_power(two, "n2")
        two.stream.write(b"x")
        with pytest.raises(TimeoutError):
            await two.dial(timeout_s=0.5)
        await ms(2000)
        assert "timed out" in two.near.heard
        two.restart("n2")
        with pytest.raises(ConnectionRefusedError):
            await two.dial()

    run(work)


def test_a_reset_breaks_every_connection_between_two_members_and_counts_them() -> None:
    async def work(two: Two) -> None:
        await two.up()
        await two.dial()
        two.stream.write(b"lost")
        assert two.net.reset([("n2", "n1"), ("n1", "n2"), ("n1", "n3")]) == 2
        await ms(10)
        assert [far.heard for far in two.fars] == [["opened", "connection reset by peer"]] * 2
        assert two.near.heard.count("connection reset by peer") == 2
        assert two.net.reset([("n1", "n2")]) == 0
        await two.dial()

    run(work)


def test_a_dial_that_is_cancelled_leaves_no_connection_behind() -> None:
    async def work(two: Two) -> None:
        await two.network("n2").listen("host2", PORT, two.accept, reuse_port=False)
        two.net.set_links({("n2", "n1"): LinkState(delay_s=0.5)})
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await two.dial()
        await ms(2000)
        assert two.far.heard == ["opened", "closed"]
        assert two.near.heard == []

    run(work)


# Back-pressure.


def test_too_much_on_its_way_blocks_the_writer_until_it_has_arrived() -> None:
    async def work(two: Two) -> None:
        await two.up()
        two.net.set_links(cut([("n1", "n2")]))
        two.stream.write(bytes(65 * KIB))
        assert two.stream.buffered() == 65 * KIB
        await ms(100)
        assert two.near.heard == ["opened", "blocked"]
        two.net.set_links(HEALED)
        await ms(20)
        assert two.near.heard == ["opened", "blocked", "writable"]
        assert two.stream.buffered() == 0

    run(work)


def test_reading_can_be_paused_and_the_kernel_takes_a_window_meanwhile() -> None:
    async def work(two: Two) -> None:
        await two.up()
        two.answers.pause_reading()
        for _ in range(20):
            two.stream.write(bytes(128 * KIB))
            await ms(10)
        assert two.far.heard == ["opened"]
        assert two.stream.buffered() == 20 * 128 * KIB - MIB
        assert two.near.ending == "blocked"
        two.answers.resume_reading()
        await ms(20)
        assert len(two.far.data) == 20 * 128 * KIB
        assert two.near.ending == "writable"

    run(work)


def test_a_paused_process_shakes_hands_and_takes_a_window_and_reads_it_later() -> None:
    async def work(two: Two) -> None:
        await two.network("n2").listen("host2", PORT, two.accept, reuse_port=False)
        two.processes["n2"].pause()
        await two.dial(stall_s=2.0)
        two.stream.write(bytes(100 * KIB))
        await ms(5000)
        assert two.near.heard == ["opened", "blocked", "writable"]
        assert two.stream.buffered() == 0
        assert two.fars == []
        two.processes["n2"].resume()
        await ms(10)
        assert two.far.heard == ["opened", f"received {100 * KIB}"]

    run(work)


def test_a_paused_process_reads_after_it_what_arrived_before_a_cut() -> None:
    async def work(two: Two) -> None:
        await two.up()
        two.processes["n2"].pause()
        two.stream.write(b"before")
        await ms(10)
        two.net.set_links(cut([("n1", "n2")]))
        two.stream.write(b"after")
        await ms(10)
        two.processes["n2"].resume()
        await ms(10)
        assert two.far.data == b"before"

    run(work)


def test_a_full_window_stalls_the_dialler() -> None:
    async def work(two: Two) -> None:
        await two.up(stall_s=2.0)
        two.processes["n2"].pause()
        for _ in range(3):
            two.stream.write(bytes(MIB))
            await ms(10)
        await ms(3000)
        assert two.near.ending == "timed out"

    run(work)


# The seed.


def timeline(seed: str) -> list[int]:
    async def work(two: Two) -> list[int]:
        await two.up()
        for _ in range(20):
            two.stream.write(b"x")
            await ms(1)
        await ms(20)
        return two.far.at_ns

    return run(work, seed)


def test_the_same_seed_gives_the_same_moments_and_another_one_gives_others() -> None:
    assert timeline("7") == timeline("7")
    assert timeline("7") != timeline("8")


def test_what_overtakes_the_handshake_when_a_slow_link_heals_waits_for_it() -> None:
    async def work(two: Two) -> list[str]:
        slow = LinkState(delay_s=0.3)
        two.net.set_links({("n2", "n1"): slow})
        await two.network("n2").listen("host2", PORT, two.accept, reuse_port=False)
        dialling = asyncio.ensure_future(two.dial())
        await asyncio.sleep(0.1)
        two.answers.write(b"hello")
        await asyncio.sleep(0.01)
        two.net.set_links(HEALED)
        two.processes["n2"].call(two.answers.close)
        await dialling
        await asyncio.sleep(1)
        return two.near.heard

    assert run(work) == ["opened", "received 5", "closed"]
