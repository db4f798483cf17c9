"""The deterministic loop: virtual time, order within a process, chance between processes."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

import pytest
from delphic.harness.simulate.loop import BURIAL_ROUNDS, Deadlock, SimLoop, Standstill
from delphic.harness.simulate.process import CURRENT, HELD_TASKS_MIN, Crashed, Process

T = TypeVar("T")


def run(work: Callable[[SimLoop], Awaitable[T]], seed: str = "1") -> T:
    loop = SimLoop(seed)
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(_started(work, loop))


async def _started(work: Callable[[SimLoop], Awaitable[T]], loop: SimLoop) -> T:
    return await work(loop)


def process(loop: SimLoop, name: str) -> Process:
    return Process(loop, name, 1, loop.seed)


def test_time_jumps_to_the_next_timer() -> None:
    async def work(loop: SimLoop) -> list[int]:
        seen = []
        for seconds in (3600.0, 0.25):
            await asyncio.sleep(seconds)
            seen.append(loop.now_ns)
        return seen

    assert run(work) == [3_600_000_000_000, 3_600_250_000_000]


def test_a_timeout_is_one_of_virtual_time() -> None:
    async def work(loop: SimLoop) -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(30):
                await loop.create_future()
        return loop.time()

    assert run(work) == pytest.approx(30, abs=1e-6)


def interleaving(seed: str) -> str:
    async def work(loop: SimLoop) -> str:
        told: list[str] = []
        for name in "abc":
            one = process(loop, name)
            for number in range(3):
                one.call(told.append, f"{name}{number}")
        await asyncio.sleep(1)
        return " ".join(told)

    return run(work, seed)


def test_a_seed_decides_how_processes_interleave() -> None:
    found = {interleaving(str(seed)) for seed in range(30)}
    assert len(found) > 20
    assert all(interleaving(str(seed)) in found for seed in range(5))


def test_inside_a_process_order_is_kept() -> None:
    for seed in range(10):
        words = interleaving(str(seed)).split()
        assert all([w for w in words if w[0] == n] == [f"{n}{i}" for i in range(3)] for n in "abc")


def test_tasks_belong_to_the_process_that_made_them() -> None:
    async def work(loop: SimLoop) -> list[str]:
        told: list[str] = []
        one = process(loop, "n1")

        async def child() -> None:
            await asyncio.sleep(1)
            told.append("child")

        async def parent() -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(child())
                group.create_task(child())
            told.append("parent")

        one.call(lambda: loop.create_task(parent()))
        await asyncio.sleep(0.5)
        one.pause()
        await asyncio.sleep(10)
        assert told == []
        one.resume()
        await asyncio.sleep(0.5)
        return told

    assert run(work) == ["child", "child", "parent"]


def test_the_dead_are_unwound_without_any_effect() -> None:
    async def work(loop: SimLoop) -> tuple[list[str], int]:
        told: list[str] = []
        one = process(loop, "n1")

        async def program() -> None:
            try:
                await asyncio.sleep(100)
            finally:
                told.append("unwound")
                await asyncio.sleep(1)
                one.effect("append", "file", lambda: told.append("effect"))

        one.call(lambda: loop.create_task(program()))
        await asyncio.sleep(1)
        one.kill()
        await asyncio.sleep(200)
        return told, len(one.pending())

    assert run(work) == (["unwound"], 0)


def test_a_coroutine_that_never_began_is_buried_with_the_others() -> None:
    async def work(loop: SimLoop) -> list[object]:
        one = process(loop, "n1")

        async def program() -> None:
            await asyncio.sleep(100)

        async def parent() -> None:
            loop.create_task(program())
            one.kill()

        one.call(lambda: loop.create_task(parent()))
        await asyncio.sleep(1)
        return list(one.pending())

    assert run(work) == []


@pytest.mark.parametrize(("happens", "told"), [(False, ["a"]), (True, ["a", "b"])])
def test_a_crash_point_is_before_or_after_an_effect(happens: bool, told: list[str]) -> None:
    async def work(loop: SimLoop) -> list[str]:
        done: list[str] = []
        heard: list[str] = []
        one = process(loop, "n1")
        one.crash_at, one.crash_after = 2, happens

        def crash(where: str) -> None:
            heard.append(where)
            one.kill()

        one.crash = crash

        def act() -> None:
            for word in "abc":
                one.effect("append", word, lambda word=word: done.append(word))

        one.call(act)
        await asyncio.sleep(1)
        assert heard == [f"{'after' if happens else 'before'} append b"]
        assert not one.is_alive
        with pytest.raises(Crashed):
            one.effect("append", "d", lambda: done.append("d"))
        return done

    assert run(work) == told


def test_an_error_in_the_harness_ends_the_run() -> None:
    async def work(loop: SimLoop) -> None:
        loop.call_soon(lambda: 1 / 0)
        await asyncio.sleep(1)

    with pytest.raises(ZeroDivisionError):
        run(work)


def test_an_error_elsewhere_is_told_to_the_world() -> None:
    async def work(loop: SimLoop) -> list[str]:
        heard: list[str] = []
        loop.failed = lambda one, error: heard.append(f"{one.name}: {error}")
        process(loop, "n1").call(lambda: 1 / 0)
        await asyncio.sleep(1)
        return heard

    assert run(work) == ["n1: division by zero"]


def test_waiting_for_nothing_is_an_error() -> None:
    async def work(loop: SimLoop) -> None:
        await loop.create_future()

    with pytest.raises(Deadlock, match="nothing is due any more at 0 ns"):
        run(work)


def test_a_world_that_stands_still_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("delphic.harness.simulate.loop.STANDSTILL_MAX", 1_000)

    async def work(loop: SimLoop) -> None:
        def again() -> None:
            loop.call_soon(again)

        again()
        await asyncio.sleep(1)

    with pytest.raises(Standstill, match="1,000 callbacks at 0 ns"):
        run(work)


def test_tasks_have_numbers_for_hashes() -> None:
    async def work(loop: SimLoop) -> list[int]:
        tasks = [loop.create_task(asyncio.sleep(0)) for _ in range(3)]
        await asyncio.gather(*tasks)
        return [hash(task) for task in tasks]

    first, second, third = run(work)
    assert (second - first, third - second) == (1, 1)


def complaints(*, ended_by: str, error: Exception, is_awaited: bool = False) -> list[str]:
    """Of a process that starts a task, which fails, and lives on until it is killed."""

    async def work(loop: SimLoop) -> list[str]:
        one = process(loop, "n1")

        async def fails() -> None:
            await asyncio.sleep(0.01)
            raise error

        async def lives() -> None:
            task = loop.create_task(fails())
            if is_awaited:
                with suppress(type(error)):
                    await task
            await asyncio.sleep(100)

        one.call(lambda: loop.create_task(lives()))
        await asyncio.sleep(1)
        if ended_by == "kill":
            one.kill()
        else:
            one.complain()
            one.complain()
        return loop.complaints

    return run(work)


def test_what_waits_on_while_it_is_unwound_is_unwound_on() -> None:
    left: list[str] = []

    async def work(loop: SimLoop) -> int:
        one = process(loop, "n1")

        async def stubborn() -> None:
            while len(left) < 100:
                try:
                    await loop.create_future()
                except asyncio.CancelledError:
                    left.append("cancelled")
                except GeneratorExit:
                    left.append("closed")
                    if left.count("closed") == 3:
                        raise

        one.call(lambda: loop.create_task(stubborn()))
        await asyncio.sleep(1)
        one.kill()
        await asyncio.sleep(1)
        return len(one.pending())

    assert run(work) == 0
    assert left == ["cancelled"] * BURIAL_ROUNDS + ["closed"] * 3


def test_who_waits_for_a_task_whose_end_died_with_the_process_is_unwound_all_the_same() -> None:
    """Of a group of tasks nobody says any more that one is done: cancelling cannot end it."""
    unwound: list[str | None] = []

    async def work(loop: SimLoop) -> int:
        one = process(loop, "n1")

        async def dies() -> None:
            await asyncio.sleep(0.01)
            one.kill()

        async def lives() -> None:
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(dies())
                    await loop.create_future()
            finally:
                current = CURRENT.get()
                unwound.append(None if current is None else current.name)
                one.effect("append", "a file", unwound.append, "an effect")

        one.call(lambda: loop.create_task(lives()))
        await asyncio.sleep(1)
        return len(one.pending())

    assert run(work) == 0
    # Where the collector does it, it is nobody's turn.
    assert unwound == ["n1"]


@pytest.mark.parametrize("ended_by", ["kill", "the end of the world"])
def test_an_error_of_a_task_that_nobody_took_is_a_complaint(ended_by: str) -> None:
    """`hold` keeps the task: asyncio would not say it before it is collected."""
    told = complaints(ended_by=ended_by, error=ValueError("a bug"))
    assert told == ["n1: nobody took ValueError('a bug') of a task"]


def test_an_error_that_somebody_took_and_one_of_a_socket_are_none() -> None:
    assert complaints(ended_by="kill", error=ValueError("x"), is_awaited=True) == []
    assert complaints(ended_by="kill", error=OSError("no descriptor")) == []


def test_an_error_is_not_forgotten_among_many_tasks() -> None:
    async def work(loop: SimLoop) -> int:
        one = process(loop, "n1")

        async def fails() -> None:
            raise ValueError

        async def lives() -> None:
            loop.create_task(fails())
            for _ in range(3 * HELD_TASKS_MIN):
                await loop.create_task(asyncio.sleep(0))

        one.call(lambda: loop.create_task(lives()))
        await asyncio.sleep(1)
        one.kill()
        return len(loop.complaints)

    assert run(work) == 1
