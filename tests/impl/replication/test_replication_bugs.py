"""Seeded bugs of the cores, each seen at once where a search would take long."""

from delphic.impl.replication.events import Failed
from delphic.impl.replication.slave import Slave
from delphic.impl.replication.status import Status, TaskState
from queue_makers import executed, queued, task


def broken(bug: str) -> Slave:
    """Two tasks of one group, and the bug."""
    slave = Slave(bugs=frozenset((bug,)))
    slave.step(queued(task(1, 1), task(2, 1)))
    return slave


def test_dedup_by_highest_takes_a_failed_task_for_applied() -> None:
    slave = broken("dedup-by-highest")
    for entry in (*executed(2), Failed(1, "d1", "disk full", 5, 3)):
        slave.step(entry)
    assert slave.records[1].state is TaskState.FINISH


def test_failures_add_up_over_tasks() -> None:
    slave = broken("failures-add-up")
    for task_id in (1, 2, 1):
        slave.step(Failed(task_id, "d1", "disk full", 5, 3))
    assert slave.status is Status.STOPPED
    assert slave.records[1].failures == 3
