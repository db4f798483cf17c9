"""The driver of a slave's leader, with a log, a master and data nodes that a test plays."""

import asyncio
from collections.abc import Callable
from typing import Any

from delphic.impl.client.errors import DISCONNECTED, NOT_LEADER, OVERLOADED, RequestError
from delphic.impl.replication.driver import REASON_CHARACTERS_MAX, Driver, PullReply
from delphic.impl.replication.effects import Pull, Wait
from delphic.impl.replication.events import Ending, Failed, Queued, SlaveEntry, Started, Stopped
from delphic.impl.replication.slave import Slave
from delphic.impl.replication.status import Status, TaskState
from delphic.impl.replication.tasks import Task
from hand_clock import HandClock
from queue_makers import executed, queued, task

Answer = Callable[[Any], None]

DELAYS_S = {Wait.PULL: 1.0, Wait.RETRY: 2.0, Wait.PERSIST: 5.0}


class Stage:
    """The `Means` of a driver; what it asks for waits until the test answers."""

    def __init__(self, limit: int = 30) -> None:
        self.clock = HandClock()
        self.slave = Slave()
        self.proposed: list[tuple[SlaveEntry, Answer]] = []
        self.executing: list[tuple[str, Task, Answer]] = []
        self.pulls: list[tuple[Pull, asyncio.Future[PullReply]]] = []
        self.driver = Driver(self.clock, ("d1", "d2"), DELAYS_S, limit, self)

    def propose(self, entry: SlaveEntry, answer: Answer) -> None:
        self.proposed.append((entry, answer))

    def execute(self, node: str, task: Task, answer: Answer) -> None:
        self.executing.append((node, task, answer))

    async def pull(self, wanted: Pull) -> PullReply:
        future: asyncio.Future[PullReply] = asyncio.get_running_loop().create_future()
        self.pulls.append((wanted, future))
        return await future

    def lead(self) -> None:
        self.driver.lead(self.slave)
        self.clock.advance(0)

    def apply(self, *entries: SlaveEntry) -> None:
        """As the log does; what follows from it is begun."""
        for entry in entries:
            self.slave.step(entry)
            self.driver.heard(entry)
        self.clock.advance(0)

    def commit(self) -> list[SlaveEntry]:
        """Apply what was proposed."""
        proposed, self.proposed = self.proposed, []
        for entry, answer in proposed:
            self.apply(entry)
            answer(None)
        return [entry for entry, _ in proposed]

    def end(self, told: Any) -> None:
        """The oldest attempt ends so."""
        _, _, answer = self.executing.pop(0)
        answer(told)
        self.clock.advance(0)


def staged(*tasks: Task, limit: int = 30) -> Stage:
    stage = Stage(limit)
    if tasks:
        stage.slave.step(queued(*tasks))
    stage.lead()
    return stage


def test_what_waits_is_executed_where_it_belongs() -> None:
    stage = staged(task(1, 1), task(2, 1))
    assert [(node, found.id) for node, found, _ in stage.executing] == [("d2", 1), ("d1", 2)]
    assert stage.driver.running == {1: "d2", 2: "d1"}


def test_a_failed_attempt_is_logged_with_its_reason_and_repeated_after_the_delay() -> None:
    stage = staged(task(1))
    stage.end(RequestError(DISCONNECTED, True, "d2 cannot be reached"))
    (entry,) = stage.commit()
    assert isinstance(entry, Failed)
    assert (entry.task, entry.node, entry.reason) == (1, "d2", "d2 cannot be reached")
    stage.clock.advance(1.9)
    assert stage.executing == []
    stage.clock.advance(0.2)
    assert [found.id for _, found, _ in stage.executing] == [1]


def test_data_that_is_not_persisted_is_asked_for_again_after_its_own_delay() -> None:
    stage = staged(task(1))
    stage.end(str(Ending.NOT_PERSISTED))
    assert stage.proposed == []
    stage.clock.advance(4.9)
    assert stage.executing == []
    stage.clock.advance(0.2)
    assert len(stage.executing) == 1


def test_a_long_reason_is_cut() -> None:
    stage = staged(task(1))
    stage.end(RequestError("BadRequest", True, "x" * 9999))
    (entry,) = stage.commit()
    assert isinstance(entry, Failed)
    assert entry.reason == "x" * REASON_CHARACTERS_MAX


def test_an_answer_that_makes_no_sense_is_a_failure() -> None:
    stage = staged(task(1))
    stage.end({"well": "done"})
    (entry,) = stage.commit()
    assert isinstance(entry, Failed)


def test_what_the_log_had_no_room_for_is_proposed_again() -> None:
    stage = staged(task(1))
    stage.end(RequestError("NotAuthorized", True, "no right"))
    ((entry, answer),) = stage.proposed
    stage.proposed.clear()
    answer(RequestError(OVERLOADED, True, "too much"))
    stage.clock.advance(0.2)
    assert [again for again, _ in stage.proposed] == [entry]


def test_nothing_of_an_earlier_age_is_heard() -> None:
    stage = staged(task(1))
    (_, _, late) = stage.executing[0]
    stage.end(str(Ending.NOT_PERSISTED))
    stage.driver.stand_down()
    stage.driver.stand_down()
    stage.clock.advance(9)
    assert stage.executing == []
    stage.lead()
    late(RequestError(DISCONNECTED, True, "too late"))
    stage.clock.advance(0)
    assert stage.proposed == []
    assert len(stage.executing) == 1


def test_a_proposal_of_an_earlier_age_is_not_repeated() -> None:
    stage = staged(task(1))
    stage.end(RequestError("NotAuthorized", True, "no right"))
    ((_, answer),) = stage.proposed
    stage.proposed.clear()
    stage.driver.stand_down()
    answer(RequestError(OVERLOADED, True, "too much"))
    stage.clock.advance(1)
    assert stage.proposed == []


def test_the_last_failure_stops_the_slave_and_says_so() -> None:
    stage = staged(task(1), limit=1)
    stage.end(RequestError("NotAuthorized", True, "no right"))
    stage.commit()
    assert stage.slave.status is Status.STOPPED
    stage.clock.advance(10)
    assert stage.executing == []
    stage.apply(Started())
    assert len(stage.executing) == 1
    assert stage.slave.records[1].state is TaskState.WAITING


def test_pulls_follow_one_another_through_the_log() -> None:
    async def scene() -> None:
        stage = staged()
        running = asyncio.create_task(stage.driver.run())
        await turn()
        ((wanted, reply),) = stage.pulls
        assert (wanted.offset, wanted.finished) == (0, 0)
        reply.set_result(PullReply((task(1),), False, ()))
        await turn()
        stage.clock.advance(0)
        (entry,) = stage.commit()
        assert isinstance(entry, Queued)
        assert len(stage.executing) == 1
        stage.apply(*executed(1))
        stage.end(str(Ending.DONE))
        stage.clock.advance(1.1)
        await turn()
        assert [(pull.offset, pull.finished) for pull, _ in stage.pulls] == [(0, 0), (1, 1)]
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(scene())


def test_a_pull_that_fails_is_repeated_and_one_of_an_earlier_age_is_not_heard() -> None:
    async def scene() -> None:
        stage = staged()
        running = asyncio.create_task(stage.driver.run())
        await turn()
        stage.pulls[0][1].set_exception(RequestError(NOT_LEADER, True, "no leader"))
        await turn()
        stage.clock.advance(1.1)
        await turn()
        assert len(stage.pulls) == 2
        stage.driver.stand_down()
        stage.lead()
        stage.pulls[1][1].set_result(PullReply((task(1),), False, ()))
        await turn()
        stage.clock.advance(0)
        assert stage.proposed == []
        assert len(stage.pulls) == 3
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(scene())


def test_a_stopped_slave_pulls_nothing_until_it_is_started() -> None:
    async def scene() -> None:
        stage = staged()
        running = asyncio.create_task(stage.driver.run())
        await turn()
        stage.apply(Stopped())
        stage.pulls[0][1].set_result(PullReply((task(1),), False, ()))
        await turn()
        stage.clock.advance(5)
        await turn()
        assert len(stage.pulls) == 1
        stage.apply(Started())
        await turn()
        assert len(stage.pulls) == 2
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(scene())


async def turn() -> None:
    """Let other tasks go as far as they can."""
    for _ in range(5):
        await asyncio.sleep(0)
