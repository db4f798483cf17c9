"""A master's data node: who may fetch, and what is deleted when nobody needs it."""

from collections.abc import Callable
from typing import Any

from delphic.harness.simulate.disk import SimDisk
from delphic.harness.simulate.loop import SimLoop
from delphic.harness.simulate.process import Process
from delphic.impl.client.errors import NOT_AUTHORIZED, RequestError
from delphic.impl.replication.executor import FETCH
from delphic.impl.replication.keeper import PATIENCE_S, SWEEP_S, Keeper
from delphic.impl.replication.master_service import MAY_FETCH, NEEDED
from delphic.impl.runtime import Worker
from delphic.impl.service.call import Call, Functions
from hand_clock import HandClock
from test_taskdata import HandWorker

FOLDER = "/m1/replication"


class NowWorker:
    """Does a job at once."""

    def submit(self, job: Callable[[], None], done: Callable[[OSError | None], None]) -> None:
        job()
        done(None)

    async def close(self) -> None:
        """There is nothing to wait for."""


class Stage:
    """A keeper, and controllers that the test plays."""

    def __init__(self, worker: Worker | None = None) -> None:
        self.disk = SimDisk()
        self.clock = HandClock()
        self.needed: Any = []
        self.asked: list[tuple[str, Any]] = []
        self.refusal: RequestError | None = None
        handle = self.disk.handle(Process(SimLoop("1"), "m1", 1, "1"))
        worker = worker or NowWorker()
        controllers: Any = self
        self.keeper = Keeper(handle, FOLDER, worker, self.clock, controllers)
        self.keeper.open()

    def ask(self, function: str, args: tuple[Any, ...], answer: Callable[[Any], None]) -> None:
        self.asked.append((function, args))
        answer(self.needed if function == NEEDED else self.refusal)

    def save(self, *tids: int) -> None:
        for tid in tids:
            self.keeper.store.save(tid, b"rows", lambda error: None, at_once=True)

    def fetch(self, tid: int, user: str | None = None) -> Any:
        (answer,) = self.ask_for(tid, user)
        return answer

    def ask_for(self, tid: int, user: str | None = None) -> list[Any]:
        """What has been answered, now or later."""
        told: list[Any] = []
        call = Call(told.append, peer="x", login=user)
        Functions(self.keeper.functions()).call(FETCH, (tid,), call)
        return told


def test_who_asks_for_data_gets_it_or_hears_why_not() -> None:
    stage = Stage()
    stage.save(7)
    assert stage.fetch(7) == {"data": b"rows", "lack": ""}
    assert stage.fetch(8) == {"data": None, "lack": "Missing taskData"}
    assert stage.asked == []


def test_what_is_asked_for_is_written_at_once_and_then_given() -> None:
    worker = HandWorker()
    stage = Stage(worker)
    stage.keeper.store.save(7, b"rows", lambda error: None, at_once=False)
    assert worker.jobs == []
    told = stage.ask_for(7)
    assert (told, len(worker.jobs)) == ([], 1)
    worker.work()
    assert told == [{"data": b"rows", "lack": ""}]
    stage.clock.advance(2 * PATIENCE_S)
    assert len(told) == 1


def test_who_asks_while_the_disk_is_slow_is_told_to_wait() -> None:
    worker = HandWorker()
    stage = Stage(worker)
    stage.save(7)
    told = stage.ask_for(7)
    stage.clock.advance(PATIENCE_S / 2)
    assert told == []
    stage.clock.advance(PATIENCE_S)
    assert told == [{"data": None, "lack": "not persisted yet"}]
    worker.work()
    assert len(told) == 1


def test_who_asks_for_what_cannot_be_written_hears_that_it_is_missing() -> None:
    worker = HandWorker()
    stage = Stage(worker)
    stage.save(7)
    told = stage.ask_for(7)
    worker.work(OSError(28, "no space left"))
    assert told == [{"data": None, "lack": "Missing taskData"}]


def test_a_node_that_ends_has_its_worker_write_what_waits() -> None:
    worker = HandWorker()
    stage = Stage(worker)
    stage.keeper.store.save(7, b"rows", lambda error: None, at_once=False)
    stage.keeper.finish()
    assert len(worker.jobs) == 1


def test_a_user_who_may_not_read_everything_gets_nothing() -> None:
    stage = Stage()
    stage.save(7)
    assert stage.fetch(7, "repl") == {"data": b"rows", "lack": ""}
    stage.refusal = RequestError(NOT_AUTHORIZED, True, "no")
    assert stage.fetch(7, "bob") is stage.refusal
    assert stage.asked == [(MAY_FETCH, ("repl",)), (MAY_FETCH, ("bob",))]


def test_what_no_task_needs_is_deleted_and_nothing_else() -> None:
    stage = Stage()
    stage.save(3, 5, 9)
    stage.needed = [5]
    stage.clock.advance(SWEEP_S)
    assert stage.asked == [(NEEDED, ([3, 5, 9],))]
    assert stage.keeper.store.tids == [5]


def test_nothing_is_deleted_while_nobody_can_say_what_is_needed() -> None:
    stage = Stage()
    stage.save(3)
    stage.needed = RequestError("Timeout", True, "no leader")
    stage.clock.advance(3 * SWEEP_S)
    assert stage.keeper.store.tids == [3]
    assert len(stage.asked) == 3
    stage.needed = []
    stage.clock.advance(SWEEP_S)
    assert stage.keeper.store.tids == []


def test_nobody_is_asked_about_nothing() -> None:
    stage = Stage()
    stage.clock.advance(5 * SWEEP_S)
    assert stage.asked == []
    stage.keeper.close()
    stage.save(1)
    stage.clock.advance(5 * SWEEP_S)
    assert stage.asked == []
