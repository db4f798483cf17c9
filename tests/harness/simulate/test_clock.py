"""A host's time of day may be set, its clocks may be fast or slow; the steady one never jumps."""

import asyncio
import io
from collections.abc import Awaitable, Callable

import pytest
from delphic.harness.history import load
from delphic.harness.op import NEMESIS, OpType
from delphic.harness.simulate.campaign import Case, Job
from delphic.harness.simulate.clock import DAY_NS, EPOCH_NS, HostClock, SimClock
from delphic.harness.simulate.execute import simulate_plan
from delphic.harness.simulate.loop import SimLoop
from delphic.harness.simulate.process import Process
from delphic.harness.verdict import Validity

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


def test_the_steady_clock_goes_on_whatever_becomes_of_the_time_of_day() -> None:
    async def work(loop: SimLoop) -> None:
        clock = HostClock(loop)
        await asyncio.sleep(1)
        assert clock.offset_ns == 0
        for offset_s in (60, -60, 0):
            clock.set(offset_s * SECOND_NS, 1.0)
            assert clock.now_ns() == EPOCH_NS + loop.now_ns
            await asyncio.sleep(1)
            assert clock.now_ns() == EPOCH_NS + loop.now_ns
            assert clock.wall_ns() == DAY_NS + loop.now_ns + offset_s * SECOND_NS
            assert clock.offset_ns == offset_s * SECOND_NS

    run(work)


def test_a_clock_that_was_fast_goes_on_from_what_it_says_and_its_time_of_day_is_set_right() -> None:
    async def work(loop: SimLoop) -> None:
        clock = HostClock(loop)
        clock.set(0, 5.0)
        await asyncio.sleep(2)
        assert clock.offset_ns == 8 * SECOND_NS
        clock.set(0, 1.0)
        assert clock.now_ns() == EPOCH_NS + 10 * SECOND_NS
        await asyncio.sleep(3)
        assert clock.now_ns() == EPOCH_NS + 13 * SECOND_NS
        assert clock.wall_ns() == DAY_NS + 5 * SECOND_NS

    run(work)


@pytest.mark.slow
@pytest.mark.parametrize("wrong", ["by: 1m", "drift: 5"])
def test_a_group_whose_clocks_were_wrong_elects_a_leader_afterwards(wrong: str) -> None:
    text = f"""
name: wrong
cluster: {{trace: false}}
workload: {{name: log, clients: 2, rate: 10}}
duration: 4s
faults:
  - {{at: 500ms, clock: {{node: all, {wrong}}}, for: 1s}}
  - {{at: 2s, kill: leader, for: 1s}}
"""
    job = Job(text, "wrong.yaml", "wrong.yaml")
    found = simulate_plan(job.plan(Case(1)))
    assert found.verdict.validity is Validity.PASS, found.verdict.sentence
    told = load(io.BytesIO(found.history)).of(NEMESIS)
    (undone,) = [op for op in told if op.f == "set-clock" and op.type is OpType.INFO]
    assert undone.value["bit"] is True
    assert {one["offset_s"] for one in undone.value["observed"]["clocks"].values()} == {0.0}


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
