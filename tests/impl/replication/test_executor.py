"""A data node executes tasks: data first, once at a time, and what is done already is done."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from delphic.impl.client.errors import ABORTED, ALREADY_APPLIED, DISCONNECTED, RequestError
from delphic.impl.replication.events import Ending
from delphic.impl.replication.executor import EXECUTE, Executor, Fetched
from delphic.impl.replication.taskdata import Lack
from delphic.impl.replication.tasks import Task
from delphic.impl.service.call import Call, Functions
from queue_makers import meta, task

Answer = Callable[[Any], None]

DONE = str(Ending.DONE)


class Node:
    """An executor whose data and transactions the test plays."""

    def __init__(self) -> None:
        self.found: list[Fetched | RequestError] = []
        self.asked: list[tuple[str, int, int]] = []
        self.begun: list[tuple[int, bytes | None, Answer]] = []
        self.told: list[Any] = []
        self.executor = Executor(self, self)
        self.functions = Functions(self.executor.functions())

    async def fetch(self, host: str, port: int, tid: int) -> Fetched:
        self.asked.append((host, port, tid))
        found = self.found.pop(0)
        if isinstance(found, RequestError):
            raise found
        return found

    def define(self, task: Task, answer: Answer) -> None:
        self.begun.append((task.id, None, answer))

    def write(self, task: Task, data: bytes, answer: Answer) -> None:
        self.begun.append((task.id, data, answer))

    def dispatch(self, found: Task) -> None:
        self.functions.call(EXECUTE, (found,), Call(self.told.append, peer="c1"))


def live(scene: Callable[[Node], Awaitable[None]]) -> None:
    async def played() -> None:
        node = Node()
        running = asyncio.create_task(node.executor.run())
        await scene(node)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(played())


async def turn() -> None:
    """Let other tasks go as far as they can."""
    for _ in range(5):
        await asyncio.sleep(0)


def test_a_write_is_done_with_its_data() -> None:
    async def scene(node: Node) -> None:
        node.found.append(Fetched(b"rows"))
        node.dispatch(task(7))
        await turn()
        assert node.asked == [("127.0.0.1", 8720, 70)]
        ((task_id, data, answer),) = node.begun
        assert (task_id, data) == (7, b"rows")
        assert node.told == []
        answer({"tid": 3, "rows": 1})
        assert node.told == [DONE]

    live(scene)


def test_a_metadata_operation_needs_no_data() -> None:
    async def scene(node: Node) -> None:
        node.dispatch(Task(1, 1, meta(5)))
        await turn()
        ((_, data, answer),) = node.begun
        assert (data, node.asked) == (None, [])
        answer(None)
        assert node.told == [DONE]

    live(scene)


def test_who_asks_again_waits_for_the_same_end() -> None:
    async def scene(node: Node) -> None:
        node.found.append(Fetched(b"rows"))
        node.dispatch(task(7))
        node.dispatch(task(7))
        await turn()
        ((_, _, answer),) = node.begun
        answer(None)
        assert node.told == [DONE, DONE]

    live(scene)


def test_what_is_applied_already_is_done(caplog: pytest.LogCaptureFixture) -> None:
    async def scene(node: Node) -> None:
        node.found.append(Fetched(b"rows"))
        node.dispatch(task(7))
        await turn()
        node.begun[0][2](RequestError(ALREADY_APPLIED, True, "task 7 is done"))
        assert node.told == [DONE]

    with caplog.at_level(logging.INFO):
        live(scene)
    assert "S01039" in caplog.text


def test_a_failed_transaction_says_why_and_the_task_can_be_executed_again() -> None:
    async def scene(node: Node) -> None:
        node.found += [Fetched(b"rows"), Fetched(b"rows")]
        node.dispatch(task(7))
        await turn()
        node.begun[0][2](RequestError(ABORTED, True, "dropped"))
        (told,) = node.told
        assert (told.name, told.message) == (ABORTED, "Aborted: dropped")
        node.dispatch(task(7))
        await turn()
        assert len(node.begun) == 2

    live(scene)


def test_data_that_is_not_there_yet_is_no_failure() -> None:
    async def scene(node: Node) -> None:
        node.found.append(Fetched(lack=Lack.NOT_PERSISTED.value))
        node.dispatch(task(7))
        await turn()
        assert (node.told, node.begun) == ([str(Ending.NOT_PERSISTED)], [])

    live(scene)


def test_missing_data_fails_in_the_documents_words(caplog: pytest.LogCaptureFixture) -> None:
    async def scene(node: Node) -> None:
        node.found.append(Fetched(lack=Lack.MISSING.value))
        node.dispatch(task(7))
        await turn()
        (told,) = node.told
        assert told.message == "Missing taskData"

    live(scene)
    assert "S01040" in caplog.text


def test_a_source_that_cannot_be_reached_fails_the_attempt() -> None:
    async def scene(node: Node) -> None:
        node.found.append(RequestError(DISCONNECTED, True, "127.0.0.1:8720: refused"))
        node.dispatch(task(7))
        await turn()
        (told,) = node.told
        assert told.message == "Disconnected: 127.0.0.1:8720: refused"

    live(scene)
