"""One client: where it asks, what it records, and when its process ends."""

import asyncio
import io
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from delphic.harness.history import load
from delphic.harness.op import Op, OpType
from delphic.harness.plan import Load
from delphic.harness.running.recorder import Recorder
from delphic.harness.running.worker import Worker, follows_hints
from delphic.harness.system import Setup
from delphic.harness.targets.target import ProcessState
from delphic.harness.workloads.workload import Step

LOAD = Load(name="log", clients=4, rate=0.0, op_timeout_s=0.05, routing="mixed")
ROW = Step("append", [1])


def ops(
    memory: Any, number: int, scene: Callable[[Worker, Any], Awaitable[None]]
) -> tuple[list[Op], Any]:
    """The history of one client of a group whose leader is n1."""
    cluster = memory.cluster(Setup(("n1", "n2", "n3")), None, None, None)
    stream = io.BytesIO()
    recorder = Recorder(stream, lambda: 0)

    async def run() -> None:
        await cluster.up()
        worker = Worker(number, LOAD, cluster, recorder, "t")
        await scene(worker, cluster)
        worker.close()

    asyncio.run(run())
    recorder.flush()
    stream.seek(0)
    return list(load(stream).ops), cluster


def test_a_client_at_the_leader_is_answered(memory: Any) -> None:
    async def scene(worker: Worker, cluster: Any) -> None:
        await worker.ask(ROW)

    found, cluster = ops(memory, 0, scene)
    assert [(op.process, op.type, op.f, op.key, op.value, op.node) for op in found] == [
        (0, OpType.INVOKE, "append", "t", [1], "n1"),
        (0, OpType.OK, "append", "t", 0, "n1"),
    ]
    assert cluster.rows == [1]


def test_a_client_that_follows_asks_the_leader_within_the_same_operation(memory: Any) -> None:
    async def scene(worker: Worker, cluster: Any) -> None:
        await worker.ask(ROW)
        await worker.ask(Step("read", [0, None]))

    found, cluster = ops(memory, 2, scene)
    assert [(op.type, op.node) for op in found] == [
        (OpType.INVOKE, "n3"),
        (OpType.OK, "n1"),
        (OpType.INVOKE, "n1"),
        (OpType.OK, "n1"),
    ]
    assert cluster.asked == [("n3", "append"), ("n1", "append"), ("n1", "read")]


def test_a_client_that_stays_at_home_is_refused_for_certain(memory: Any) -> None:
    async def scene(worker: Worker, cluster: Any) -> None:
        await worker.ask(ROW)

    found, cluster = ops(memory, 1, scene)
    assert [(op.process, op.type, op.node) for op in found] == [
        (1, OpType.INVOKE, "n2"),
        (1, OpType.FAIL, "n2"),
    ]
    assert found[1].error == "NotLeader"
    assert cluster.rows == []


def test_a_client_that_stays_follows_once_it_is_told_to(memory: Any) -> None:
    async def scene(worker: Worker, cluster: Any) -> None:
        worker.follow()
        await worker.ask(ROW)

    found, cluster = ops(memory, 1, scene)
    assert [(op.type, op.node) for op in found] == [(OpType.INVOKE, "n2"), (OpType.OK, "n1")]
    assert cluster.rows == [1]


def test_a_timeout_ends_the_process_keeps_the_connection_and_sends_it_home(memory: Any) -> None:
    async def scene(worker: Worker, cluster: Any) -> None:
        await worker.ask(ROW)
        cluster.processes["n1"] = ProcessState.PAUSED
        await worker.ask(ROW)
        cluster.processes["n1"] = ProcessState.RUNNING
        await worker.ask(ROW)

    found, _ = ops(memory, 2, scene)
    assert [(op.process, op.type, op.node) for op in found] == [
        (2, OpType.INVOKE, "n3"),
        (2, OpType.OK, "n1"),
        (2, OpType.INVOKE, "n1"),
        (2, OpType.INFO, "n1"),
        (6, OpType.INVOKE, "n3"),
        (6, OpType.OK, "n1"),
    ]


def test_who_cannot_be_reached_did_nothing_and_the_next_member_is_asked(memory: Any) -> None:
    async def scene(worker: Worker, cluster: Any) -> None:
        cluster.processes["n3"] = ProcessState.DEAD
        await worker.ask(ROW)
        await worker.ask(ROW)

    found, _ = ops(memory, 2, scene)
    assert [(op.type, op.error) for op in found] == [
        (OpType.INVOKE, None),
        (OpType.FAIL, "n3 cannot be reached"),
        (OpType.INVOKE, None),
        (OpType.OK, None),
    ]


@pytest.mark.parametrize(
    ("routing", "follows"),
    [("mixed", [True, False]), ("follow", [True, True]), ("home", [False, False])],
)
def test_every_second_client_stays_at_home(routing: Any, follows: list[bool]) -> None:
    load = Load(name="log", clients=2, rate=0.0, op_timeout_s=1.0, routing=routing)
    assert [follows_hints(load, number) for number in range(2)] == follows
