"""What holds of a connection whatever happens around it: order, nothing invented, nothing lost."""

import asyncio
from random import Random

import pytest
from delphic.harness.simulate.loop import SimLoop
from delphic.harness.simulate.network import SimNet
from delphic.harness.simulate.process import Process
from delphic.harness.targets.links import LinkState
from delphic.impl.runtime import Stream

PORT = 8848
STEPS = 150


class Reader:
    """Keeps what arrives, and checks the order in which it is told things."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.endings: list[str] = []
        self.is_blocked = False
        self.stream: Stream | None = None

    def opened(self, stream: Stream) -> None:
        assert self.stream is None
        self.stream = stream

    def received(self, data: bytes) -> None:
        assert self.stream is not None
        assert data
        assert not self.endings
        self.data += data

    def blocked(self) -> None:
        assert not self.is_blocked
        self.is_blocked = True

    def writable(self) -> None:
        assert self.is_blocked
        self.is_blocked = False

    def closed(self, reason: str) -> None:
        assert self.stream is not None
        self.endings.append(reason)


class Storm:
    """One connection, and everything that can happen to it but its end, in an order by chance."""

    def __init__(self, seed: str) -> None:
        self.loop = SimLoop(seed)  # type: ignore[abstract]
        self.net = SimNet(seed, self.loop)
        self.processes = [Process(self.loop, name, 1, seed) for name in ("n1", "n2")]
        self.readers = [Reader(), Reader()]
        self.written = [bytearray(), bytearray()]
        self.chance = Random(f"{seed}/storm")

    def play(self, stall_s: float) -> None:
        with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
            runner.run(self._play(stall_s))

    async def _play(self, stall_s: float) -> None:
        one, other = self.processes
        await self.net.of(other).listen("host2", PORT, lambda: self.readers[1], reuse_port=False)
        dial = self.net.of(one).dial
        await dial("host2", PORT, self.readers[0], timeout_s=1, stall_s=stall_s)
        await asyncio.sleep(0.01)
        for _ in range(STEPS):
            self._step()
            await asyncio.sleep(self.chance.choice([0, 0.0001, 0.001, 0.05]))
        self.net.set_links({})
        for at in (0, 1):
            self.processes[at].resume()
            self._stream(at).resume_reading()
        await asyncio.sleep(1)

    def _stream(self, at: int) -> Stream:
        stream = self.readers[at].stream
        assert stream is not None
        return stream

    def _step(self) -> None:
        at = self.chance.randrange(2)
        match self.chance.choice(["write", "write", "write", "links", "process", "reading"]):
            case "write":
                data = self.chance.randbytes(self.chance.choice([1, 100, 50_000, 700_000]))
                if not self.readers[at].endings and not self.processes[at].is_paused:
                    self._stream(at).write(data)
                    self.written[at] += data
            case "links":
                self.net.set_links({pair: self._state() for pair in (("n1", "n2"), ("n2", "n1"))})
            case "process" if self.processes[at].is_paused:
                self.processes[at].resume()
            case "process":
                self.processes[at].pause()
            case "reading" if self.chance.random() < 0.5:
                self._stream(at).pause_reading()
            case "reading":
                self._stream(at).resume_reading()
        assert self._stream(at).buffered() >= 0

    def _state(self) -> LinkState:
        states = [
            LinkState(),
            LinkState(cut=True),
            LinkState(delay_s=0.02),
            LinkState(rate_bytes_s=1e6),
        ]
        return self.chance.choice(states)

    def outcome(self) -> list[object]:
        return [*(bytes(r.data) for r in self.readers), *(r.endings for r in self.readers)]


@pytest.mark.parametrize("seed", range(12))
def test_whatever_was_written_arrives_once_and_in_order(seed: int) -> None:
    storm = Storm(str(seed))
    storm.play(stall_s=0)
    assert storm.readers[1].data == storm.written[0]
    assert storm.readers[0].data == storm.written[1]
    assert [reader.endings for reader in storm.readers] == [[], []]
    assert [reader.is_blocked for reader in storm.readers] == [False, False]


@pytest.mark.slow
def test_a_connection_that_stalls_ends_once_on_both_sides_and_what_arrived_is_a_beginning() -> None:
    reasons = []
    for seed in range(12):
        storm = Storm(str(seed))
        storm.play(stall_s=0.05)
        for at in (0, 1):
            assert storm.written[at].startswith(storm.readers[1 - at].data)
        endings = [reader.endings for reader in storm.readers]
        assert endings in ([[], []], [["timed out"], ["connection reset by peer"]])
        reasons += endings[0]
    assert len(reasons) > 3


def test_the_same_storm_ends_the_same() -> None:
    outcomes = []
    for _ in range(2):
        storm = Storm("5")
        storm.play(stall_s=0.05)
        outcomes.append(storm.outcome())
    assert outcomes[0] == outcomes[1]
