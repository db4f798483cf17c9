"""The slave's core: what it takes, what it counts, what it refuses."""

import msgspec
import pytest
from delphic.impl.cluster.operations import Operation
from delphic.impl.replication.events import (
    Failed,
    Finished,
    Recorded,
    Skipped,
    SlaveEntry,
    Started,
    Stopped,
)
from delphic.impl.replication.slave import SKIPPED, Admission, Slave
from delphic.impl.replication.status import Status, TaskState
from delphic.impl.replication.tasks import SHOWN_MAX, Task
from queue_makers import executed, meta, queued, task

WAITING, EXECUTING = TaskState.WAITING, TaskState.EXECUTING
FINISH, FAILED = TaskState.FINISH, TaskState.FAILED


def holding(*ids: int) -> Slave:
    slave = Slave()
    slave.step(queued(*(task(task_id) for task_id in ids)))
    return slave


def failed(task_id: int, limit: int = 30, reason: str = "disk full") -> Failed:
    return Failed(task_id, "d1", reason, 7, limit)


def apply(slave: Slave, *entries: SlaveEntry) -> None:
    for entry in entries:
        assert slave.step(entry).refusal == ""


def states(slave: Slave) -> dict[int, TaskState]:
    return {task_id: record.state for task_id, record in slave.records.items()}


def unchanged(slave: Slave, entry: SlaveEntry) -> str:
    """The refusal of an entry that must change nothing."""
    before = slave.dump()
    effects = slave.step(entry)
    assert slave.dump() == before
    assert effects.changed == ()
    return effects.refusal


def test_what_is_pulled_waits() -> None:
    slave = holding(1, 2)
    assert states(slave) == {1: WAITING, 2: WAITING}
    assert (slave.offset, slave.finished, slave.status) == (2, 0, Status.ENABLED)


def test_a_hole_or_a_repetition_is_refused() -> None:
    slave = holding(1, 2)
    assert "task 3" in unchanged(slave, queued(task(4)))
    assert "task 3" in unchanged(slave, queued(task(2), task(3)))


def test_a_slave_that_is_not_enabled_takes_nothing() -> None:
    slave = holding(1)
    slave.step(Stopped())
    assert "DISABLED" in unchanged(slave, queued(task(2)))


def test_a_task_is_finished_by_its_commit_and_then_its_completion() -> None:
    slave = holding(1)
    apply(slave, Recorded(1))
    assert states(slave) == {1: EXECUTING}
    assert slave.finished == 0
    apply(slave, Finished(1, "d2", 99))
    record = slave.records[1]
    assert (record.state, record.node, record.finished_ns, record.details) == (FINISH, "d2", 99, "")
    assert slave.finished == 1


def test_a_task_that_is_not_committed_is_not_completed() -> None:
    slave = holding(1)
    assert "not committed" in unchanged(slave, Finished(1, "d1", 1))
    apply(slave, *executed(1))
    assert unchanged(slave, Finished(1, "d1", 5))


def test_a_commit_is_admitted_once() -> None:
    slave = holding(1)
    assert slave.admits(1) is Admission.WELCOME
    apply(slave, Recorded(1))
    assert slave.admits(1) is Admission.DONE
    assert unchanged(slave, Recorded(1))
    apply(slave, Finished(1, "d1", 1))
    assert slave.admits(1) is Admission.DONE
    assert unchanged(slave, Recorded(1))


def test_no_commit_is_admitted_of_what_failed_for_good_or_was_skipped_or_never_pulled() -> None:
    slave = holding(1)
    assert slave.admits(2) is Admission.NOT_NOW
    apply(slave, failed(1, 1))
    assert slave.admits(1) is Admission.NOT_NOW
    assert unchanged(slave, Recorded(1))
    apply(slave, Skipped((1,), 1))
    assert slave.admits(1) is Admission.DONE
    assert unchanged(slave, Recorded(1))


def test_the_thirtieth_failure_stops_and_no_earlier_one() -> None:
    slave = holding(1)
    for count in range(1, 30):
        apply(slave, failed(1))
        assert slave.records[1].failures == count
        assert (slave.status, states(slave)) == (Status.ENABLED, {1: WAITING})
    apply(slave, failed(1, reason="no space left"))
    assert (slave.status, states(slave)) == (Status.STOPPED, {1: FAILED})
    assert slave.records[1].details == "no space left"
    assert slave.records[1].finished_ns == 7


def test_failures_of_different_tasks_do_not_add_up() -> None:
    slave = holding(1, 2)
    for task_id in (1, 2, 1, 2):
        apply(slave, failed(task_id, 3))
    assert slave.status is Status.ENABLED


def test_success_ends_the_counting_of_a_task() -> None:
    slave = holding(1)
    apply(slave, failed(1, 3), failed(1, 3), *executed(1))
    assert slave.records[1].failures == 0
    assert slave.status is Status.ENABLED


def test_a_failure_that_comes_too_late_does_not_count() -> None:
    slave = holding(1)
    apply(slave, Recorded(1))
    assert unchanged(slave, failed(1, 1))
    apply(slave, Finished(1, "d1", 1))
    assert unchanged(slave, failed(1, 1))


def test_a_slave_that_was_stopped_by_hand_stays_disabled_when_a_task_fails_for_good() -> None:
    slave = holding(1)
    apply(slave, Stopped(), failed(1, 1))
    assert (slave.status, states(slave)) == (Status.DISABLED, {1: FAILED})


def test_a_start_lets_failed_tasks_wait_again_and_counts_from_nothing() -> None:
    slave = holding(1, 2, 3)
    apply(slave, *executed(1), failed(2, 2), failed(3, 2), failed(3, 2))
    assert slave.status is Status.STOPPED
    assert slave.step(Started()).changed == (2, 3)
    assert slave.status is Status.ENABLED
    assert states(slave) == {1: FINISH, 2: WAITING, 3: WAITING}
    assert [record.failures for record in slave.records.values()] == [0, 0, 0]


def test_a_start_of_an_enabled_slave_forgets_no_failure() -> None:
    slave = holding(1)
    apply(slave, failed(1, 3))
    assert unchanged(slave, Started()) == ""


def test_a_stop_keeps_failed_tasks_and_disables_a_stopped_slave() -> None:
    slave = holding(1)
    apply(slave, failed(1, 1), Stopped())
    assert (slave.status, states(slave)) == (Status.DISABLED, {1: FAILED})
    assert unchanged(slave, Stopped()) == ""


def test_a_skipped_task_reads_as_finished_and_nothing_else_changes() -> None:
    slave = holding(1, 2)
    apply(slave, failed(1, 1))
    assert slave.step(Skipped((1,), 55)).changed == (1,)
    assert states(slave) == {1: FINISH, 2: WAITING}
    assert (slave.status, slave.finished) == (Status.STOPPED, 1)
    assert (slave.records[1].details, slave.records[1].finished_ns) == (SKIPPED, 55)


def test_a_waiting_task_can_be_skipped_while_replication_is_stopped() -> None:
    slave = holding(1, 2, 3)
    apply(slave, Stopped(), Skipped((3, 1), 1))
    assert states(slave) == {1: FINISH, 2: WAITING, 3: FINISH}
    assert slave.finished == 1
    apply(slave, Skipped((2,), 1))
    assert slave.finished == 3


@pytest.mark.parametrize(
    ("tasks", "reason"),
    [((9,), "there is no task 9"), ((0,), "there is no task 0"), ((3, 2), "task 2 is being")],
)
def test_one_wrong_id_refuses_the_whole_skip(tasks: tuple[int, ...], reason: str) -> None:
    slave = holding(1, 2, 3)
    apply(slave, *executed(1), Recorded(2), Stopped())
    assert reason in unchanged(slave, Skipped(tasks, 1))


def test_a_skip_needs_a_stop_first_and_of_a_finished_task_does_nothing() -> None:
    slave = holding(1)
    assert "must be stopped" in unchanged(slave, Skipped((1,), 1))
    apply(slave, *executed(1), Stopped())
    assert unchanged(slave, Skipped((1,), 1)) == ""


def test_the_current_group_is_the_first_that_is_not_finished() -> None:
    slave = Slave()
    slave.step(queued(task(1, 1), task(2, 1), task(3, 2), task(4, 2)))
    assert [record.task.id for record in slave.current()] == [1, 2]
    apply(slave, *executed(2))
    assert [record.task.id for record in slave.current()] == [1]
    apply(slave, *executed(1))
    assert [record.task.id for record in slave.current()] == [3, 4]
    apply(slave, *executed(3), *executed(4))
    assert list(slave.current()) == []


def test_databases_are_guarded_once_a_task_of_theirs_was_pulled_unless_disabled() -> None:
    slave = holding(1)
    assert slave.guards("dfs://a")
    assert not slave.guards("dfs://b")
    apply(slave, Stopped())
    assert not slave.guards("dfs://a")


def test_old_finished_tasks_are_forgotten_but_not_that_they_are_done() -> None:
    slave = Slave()
    many = SHOWN_MAX + 5
    slave.step(queued(*(task(task_id) for task_id in range(1, many + 1)), at_ns=10))
    for task_id in range(1, many + 1):
        apply(slave, *executed(task_id, at_ns=10 + task_id))
    assert min(slave.records) == 6
    assert slave.finished == many
    assert slave.admits(3) is Admission.DONE
    assert (slave.forgotten.tasks, slave.forgotten.groups) == (5, 5)
    assert (slave.forgotten.cost_ns, slave.forgotten.cost_ns_max) == (15, 5)
    again = Slave(slave.dump())
    assert (again.dump(), again.finished) == (slave.dump(), many)


def test_a_dump_is_everything() -> None:
    slave = holding(1, 2, 3, 4)
    apply(slave, *executed(1), Recorded(2), failed(3, 2), failed(3, 2))
    again = Slave(slave.dump())
    assert again.dump() == slave.dump()
    for entry in (Finished(2, "d1", 9), Started(), failed(3, 2), queued(task(5)), Stopped()):
        assert again.step(entry) == slave.step(entry)
    assert again.dump() == slave.dump()


def test_of_a_finished_task_only_its_columns_stay() -> None:
    slave = Slave()
    chunks = tuple(f"dfs://a/t/{key}" for key in range(1000))
    slave.step(queued(*(Task(each, each, meta(each, "dfs://a", chunks)) for each in range(1, 31))))
    for each in range(1, 30):
        for entry in executed(each):
            slave.step(entry)
    slave.step(Stopped())
    slave.step(Skipped((30,), 9))
    assert len(msgspec.msgpack.encode(slave.dump())) < 30 * 120
    assert slave.records[30].task == Task(30, 30, meta(30, "dfs://a", (), Operation.APPEND))
