"""Who leads, from what members say of themselves."""

import asyncio
import io
import math
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from delphic.harness.history import load
from delphic.harness.op import OBSERVER, Op
from delphic.harness.running.observer import Observer
from delphic.harness.running.recorder import Recorder
from delphic.harness.system import Setup
from delphic.harness.targets.target import ProcessState

pytestmark = pytest.mark.slow


def watched(memory: Any, scene: Callable[[Observer, Any], Awaitable[None]]) -> list[Op]:
    """What the observer of a group of three writes while the scene is played."""
    cluster = memory.cluster(Setup(("n1", "n2", "n3")), None, None, None)
    stream = io.BytesIO()
    recorder = Recorder(stream, lambda: 0)

    async def run() -> None:
        await cluster.up()
        observer = Observer(cluster, recorder, "t")
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            watching = group.create_task(observer.watch())
            await scene(observer, cluster)
            watching.cancel()

    asyncio.run(run())
    recorder.flush()
    stream.seek(0)
    return list(load(stream).of(OBSERVER))


async def until_led_by(observer: Observer, alias: str | None) -> None:
    while observer.leader != alias:
        await observer.changed.wait()
        observer.changed.clear()


def test_roles_are_written_when_they_change_and_only_then(memory: Any) -> None:
    async def scene(observer: Observer, cluster: Any) -> None:
        await until_led_by(observer, "n1")
        await asyncio.sleep(0.1)
        await cluster.set_process("n1", ProcessState.DEAD)
        await until_led_by(observer, "n2")
        assert observer.term == 2

    ops = watched(memory, scene)
    said = [(op.node, op.value["role"], op.value["term"]) for op in ops if op.f == "role"]
    assert sorted(said[:3]) == [("n1", "leader", 1), ("n2", "follower", 1), ("n3", "follower", 1)]
    assert said.count(("n2", "leader", 2)) == 1
    assert len(said) <= 5


def test_a_paused_leader_leads_until_another_is_seen(memory: Any) -> None:
    async def scene(observer: Observer, cluster: Any) -> None:
        await until_led_by(observer, "n1")
        cluster.processes["n1"] = ProcessState.PAUSED
        await asyncio.sleep(0.1)
        assert observer.leader == "n1"
        await cluster.set_process("n1", ProcessState.PAUSED)
        await until_led_by(observer, "n2")

    assert watched(memory, scene)


def test_a_dead_leader_leads_no_more_but_its_term_is_remembered(memory: Any) -> None:
    async def scene(observer: Observer, cluster: Any) -> None:
        await until_led_by(observer, "n1")
        cluster.processes = dict.fromkeys(cluster.members, ProcessState.DEAD)
        assert observer.leader is None
        assert observer.term == 1

    assert watched(memory, scene)


def test_of_two_that_claim_one_term_the_last_to_claim_it_leads(memory: Any) -> None:
    async def scene(observer: Observer, cluster: Any) -> None:
        await until_led_by(observer, "n1")
        cluster.processes["n1"] = ProcessState.PAUSED
        cluster.leader = "n3"
        await until_led_by(observer, "n3")
        assert observer.term == 1

    assert watched(memory, scene)


def test_a_member_that_ends_by_itself_is_recorded_and_told_unless_it_is_excused(
    memory: Any,
) -> None:
    async def scene(observer: Observer, cluster: Any) -> None:
        observer.excused["n2"] = math.inf
        cluster.ended = [("n1", "exit code 4"), ("n2", "no space left on device")]
        observer.note_deaths()
        assert observer.died == [("n1", "exit code 4")]

    ops = watched(memory, scene)
    assert [(op.node, op.error) for op in ops if op.f == "died"] == [
        ("n1", "exit code 4"),
        ("n2", "no space left on device"),
    ]
