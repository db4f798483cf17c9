"""Loops in which members are killed and started: who counts, who is told, and who is alive then."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from delphic.harness.errors import WorldError
from delphic.harness.targets.crashes import CRASHED, CrashLoops
from delphic.harness.targets.faults import CrashState
from near_host import until


class Members:
    """Members that are killed and started; `fallen` end by themselves right after each start."""

    def __init__(self) -> None:
        self.alive = {"n1", "n2"}
        self.fallen: set[str] = set()
        self.starts: list[str] = []
        self.fails = False
        self.loops = CrashLoops(self._kill, self._start)

    async def begun(self, count: int) -> None:
        """Until there have been so many starts."""
        assert await until(lambda: len(self.starts) >= count)

    async def _kill(self, alias: str) -> str:
        if alias not in self.alive:
            return "exit status 1"
        self.alive.discard(alias)
        return CRASHED

    async def _start(self, alias: str) -> None:
        await asyncio.sleep(0.001)
        if self.fails:
            raise WorldError("no such program")
        self.starts.append(alias)
        if alias not in self.fallen:
            self.alive.add(alias)


def on_members(test: Callable[[Members], Awaitable[None]]) -> None:
    asyncio.run(test(Members()))


def test_each_has_crashed_once_when_it_begins_and_lives_when_it_is_over() -> None:
    async def test(them: Members) -> None:
        assert await them.loops.set({"n1": 0.01, "n2": 60.0}) == []
        assert them.starts == ["n1", "n2"]
        assert them.loops.states() == {"n1": CrashState(0.01, 1), "n2": CrashState(60.0, 1)}
        await them.begun(5)
        assert await them.loops.set({"n2": 60.0}) == ["n1"]
        assert them.alive == {"n1", "n2"}
        told = them.loops.deaths()
        assert told.count(("n1", CRASHED)) == them.starts.count("n1") >= 4
        assert told.count(("n2", CRASHED)) == 1
        count = them.starts.count("n1")
        assert them.loops.states()["n1"] == CrashState(None, count)
        await asyncio.sleep(0.05)
        assert (them.starts.count("n1"), them.loops.deaths()) == (count, [])
        await them.loops.close()

    on_members(test)


def test_a_loop_that_something_else_has_ended_does_not_begin_again_by_itself() -> None:
    async def test(them: Members) -> None:
        await them.loops.set({"n1": 60.0})
        await them.loops.end("n1")
        assert await them.loops.set({"n1": 60.0, "n2": 60.0}) == []
        assert them.starts == ["n1", "n2"]
        await them.loops.set({"n1": 30.0})
        assert them.loops.states() == {"n1": CrashState(30.0, 1), "n2": CrashState(None, 1)}
        await them.loops.close()

    on_members(test)


def test_who_ends_by_itself_is_started_too_and_is_told_of_as_itself() -> None:
    async def test(them: Members) -> None:
        them.fallen.add("n1")
        await them.loops.set({"n1": 0.005})
        await them.begun(3)
        await them.loops.close()
        assert them.loops.deaths()[:3] == [("n1", CRASHED), *[("n1", "exit status 1")] * 2]
        assert them.loops.states() == {"n1": CrashState(None, 1)}

    on_members(test)


async def told(loops: CrashLoops) -> None:
    loops.deaths()


@pytest.mark.parametrize("tell", [told, CrashLoops.close])
def test_a_member_that_cannot_be_started_again_is_an_error_of_the_world(
    tell: Callable[[CrashLoops], Awaitable[None]],
) -> None:
    async def test(them: Members) -> None:
        await them.loops.set({"n1": 0.005})
        them.fails = True
        await asyncio.sleep(0.05)
        with pytest.raises(WorldError, match="no such program"):
            await tell(them.loops)

    on_members(test)
