"""A host's clock may be ahead, fast or slow, and never goes back."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from delphic.harness.simulate.clock import DAY_NS, EPOCH_NS, HostClock, SimClock
from delphic.harness.simulate.loop import SimLoop
from delphic.harness.simulate.process import Process

SECOND_NS = 1_000_000_000


def run(work: Callable[[SimLoop], Awaitable[None]]) -> None:
    loop = SimLoop("1")
    loop.run_until_complete(work(loop))


def test_an_untouched_clock_tells_the_worlds_time() -> None:
    async def work(loop: SimLoop) -> None:
        await asyncio.sleep(3)
        assert HostClock(loop).now_ns() == EPOCH_NS + 3 * SECOND_NS

    run(work)


def test_the_time_of_day_begins_on_a_fixed_date_and_goes_with_its_hosts_clock() -> None:
    async def work(loop: SimLoop) -> None:
        host = HostClock(loop)
        clock = SimClock(host, Process(loop, "n1", 1, "1"))
        await asyncio.sleep(2)
        assert clock.wall_ns() == DAY_NS + 2 * SECOND_NS
        host.set(5 * SECOND_NS, 1.0)
        assert clock.wall_ns() == DAY_NS + 7 * SECOND_NS

    run(work)


def test_a_clock_that_is_set_ahead_and_back_stands_still_until_the_truth_has_come() -> None:
    async def work(loop: SimLoop) -> None:
        clock = HostClock(loop)
        await asyncio.sleep(1)
        assert clock.offset_ns == 0
        clock.set(5 * SECOND_NS, 1.0)
        assert clock.now_ns() == EPOCH_NS + 6 * SECOND_NS
        await asyncio.sleep(1)
        assert clock.offset_ns == 5 * SECOND_NS
        clock.set(0, 1.0)
        assert clock.now_ns() == EPOCH_NS + 7 * SECOND_NS
        assert clock.offset_ns == 0
        await asyncio.sleep(4)
        assert clock.now_ns() == EPOCH_NS + 7 * SECOND_NS
        await asyncio.sleep(2)
        assert clock.now_ns() == EPOCH_NS + 8 * SECOND_NS

    run(work)


@pytest.mark.parametrize(("rate", "fires_s"), [(2.0, 5.0), (0.5, 20.0)])
def test_timers_follow_the_rate_of_their_clock(rate: float, fires_s: float) -> None:
    async def work(loop: SimLoop) -> None:
        host, fired = HostClock(loop), []
        clock = SimClock(host, Process(loop, "n1", 1, "1"))
        host.set(0, rate)
        clock.call_later(10.0, lambda: fired.append(loop.now_ns))
        await asyncio.sleep(60)
        assert fired == [int(fires_s * SECOND_NS)]
        assert host.now_ns() == EPOCH_NS + int(60 * SECOND_NS * rate)

    run(work)


def test_a_timer_of_a_fast_clock_is_never_early_by_that_clock() -> None:
    """Else whoever waits for the rest of its time waits for nothing, for ever."""

    async def work(loop: SimLoop) -> None:
        host = HostClock(loop)
        clock = SimClock(host, Process(loop, "n1", 1, "1"))
        host.set(0, 1.05)
        due_ns = host.now_ns() + 10_000_001
        said: list[int] = []

        def fire() -> None:
            said.append(host.now_ns())
            if said[-1] < due_ns:
                clock.call_later((due_ns - said[-1]) / 1e9, fire)

        clock.call_later(0.010000001, fire)
        await asyncio.sleep(1)
        assert len(said) <= 3
        assert said[-1] >= due_ns

    run(work)
