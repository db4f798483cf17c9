"""A controller's process begins with what the log had made of its cores, task by task."""

from collections.abc import Callable
from typing import Any

import pytest
from delphic.harness.conform.cores.finding import Unlike
from delphic.harness.conform.cores.validator import follow
from delphic.impl.cluster.operations import Operation
from delphic.impl.replication.events import (
    Completed,
    FlagSet,
    Pulled,
    Queued,
    Recorded,
    SlaveForgotten,
)
from delphic.impl.replication.master import Master, MasterState
from delphic.impl.replication.slave import Slave, SlaveState
from delphic.impl.replication.tasks import Task, TaskMeta
from delphic.impl.replication.tracing import fields, master_post, slave_post, told
from msgspec.structs import replace
from written_lines import Written

TASKS = 6


def meta(tid: int) -> TaskMeta:
    chunk = f"dfs://d/t/{tid % 3}"
    return TaskMeta(tid, Operation.APPEND, "dfs://d", "t", (chunk,), "n", 1, 0)


def of_master(change: Callable[[MasterState], MasterState]) -> list[Unlike]:
    """Some tasks, of which a slave has done two; then a process that begins with another state."""
    written, master = Written("mc1"), Master()
    written.add("master", {"kind": "boot", "state": fields(master.dump())}, master_post(master))
    entries = (
        FlagSet("dfs://d", on=True),
        *(Completed(meta(tid), flagged=True) for tid in range(1, TASKS + 1)),
        Pulled("s1:1", ("s1:1",), 4, 2, 0, 1),
    )
    for index, entry in enumerate(entries, start=1):
        effects = master.step(entry)
        written.add("master", told(entry), master_post(master), index, fields(effects))
    assert master.head == 3
    written.again()
    again = Master(change(master.dump()))
    boot = {"kind": "boot", "state": fields(again.dump())}
    written.add("master", boot, master_post(again), len(entries))
    return follow({"mc1": written.records}).unlike


def of_slave(change: Callable[[SlaveState], SlaveState]) -> list[Unlike]:
    """Three tasks, of which one has been executed; then a process that begins otherwise."""
    written, slave = Written("s1c1"), Slave()
    boot = {"kind": "boot", "state": fields(slave.dump())}
    written.add("slave", boot, slave_post(slave, slave.records))
    tasks = tuple(Task(n, n, meta(n)) for n in (1, 2, 3))
    for index, entry in enumerate((Queued(tasks, 0), Recorded(1)), start=1):
        effects = slave.step(entry)
        written.add("slave", told(entry), slave_post(slave, effects.changed), index)
    written.again()
    again = Slave(change(slave.dump()))
    boot = {"kind": "boot", "state": fields(again.dump())}
    written.add("slave", boot, slave_post(again, again.records), 2)
    return follow({"s1c1": written.records}).unlike


def _of_task(number: int, **changed: Any) -> Callable[[MasterState], MasterState]:
    def change(state: MasterState) -> MasterState:
        tasks = (replace(t, **changed) if t.id == number else t for t in state.tasks)
        return replace(state, tasks=tuple(tasks))

    return change


def test_what_was_truncated_need_not_be_shown_any_more() -> None:
    assert of_master(lambda state: state) == []
    assert of_master(lambda state: replace(state, tasks=state.tasks[2:])) == []


def test_what_the_newest_group_writes_is_known_after_a_restart_though_it_is_truncated() -> None:
    master, written, index = Master(), Written("mc1"), 0
    fresh = replace(meta(4), chunks=("dfs://d/t/fresh",))
    for entries in (
        (
            FlagSet("dfs://d", on=True),
            *(Completed(meta(tid), flagged=True) for tid in (1, 2, 3)),
            Pulled("s1:1", ("s1:1",), 3, 3, 0, 1),
        ),
        (Completed(fresh, flagged=True), Completed(meta(5), flagged=True)),
    ):
        boot = {"kind": "boot", "state": fields(master.dump())}
        written.add("master", boot, master_post(master), index)
        for entry in entries:
            index += 1
            effects = master.step(entry)
            written.add("master", told(entry), master_post(master), index, fields(effects))
        written.again()
        master = Master(master.dump())
    assert [(task.id, task.group) for task in master.queued()] == [(4, 1), (5, 2)]
    assert follow({"mc1": written.records}).unlike == []


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda state: replace(state, tasks=()), "tasks that are queued"),
        (lambda state: replace(state, tasks=state.tasks[-1:]), "tasks that are queued"),
        (lambda state: replace(state, tasks=state.tasks[:-1]), "tasks that are queued"),
        (lambda state: replace(state, head=1), "state at this index"),
        (_of_task(4, meta=meta(5)), "state at this index"),
        (_of_task(4, group=7), "state at this index"),
    ],
)
def test_a_queue_that_begins_with_other_tasks_is_seen(
    change: Callable[[MasterState], MasterState], what: str
) -> None:
    """What was queued is there after a restart, as it was, in its group."""
    (unlike,) = of_master(change)
    assert (unlike.rule, unlike.what) == ("recovery", what)


def _of_record(**changed: Any) -> Callable[[SlaveState], SlaveState]:
    def change(state: SlaveState) -> SlaveState:
        *before, last = state.records
        other = replace(last, task=replace(last.task, **changed))
        return replace(state, records=(*before, other))

    return change


def test_a_slave_that_begins_with_other_tasks_is_seen() -> None:
    assert of_slave(lambda state: state) == []
    for change in (_of_record(meta=meta(1)), _of_record(group=1)):
        (unlike,) = of_slave(change)
        assert (unlike.rule, unlike.what) == ("recovery", "state at this index")


def test_a_slave_that_an_operator_has_forgotten_is_followed() -> None:
    master, written = Master(), Written("mc1")
    written.add("master", {"kind": "boot", "state": fields(master.dump())}, master_post(master))
    entries = (
        FlagSet("dfs://d", on=True),
        *(Completed(meta(tid), flagged=True) for tid in range(1, TASKS + 1)),
        Pulled("s1:1", ("s1:1",), 4, 2, 0, 2),
        Pulled("t1:1", ("t1:1",), 5, 5, 0, 2),
        SlaveForgotten("s1:1"),
        SlaveForgotten("s1:1"),
        SlaveForgotten("x1:1"),
        Pulled("s1:1", ("s1:1",), 4, 2, 0, 2),
        SlaveForgotten("t1:1"),
    )
    heads = []
    for index, entry in enumerate(entries, start=1):
        effects = master.step(entry)
        written.add("master", told(entry), master_post(master), index, fields(effects))
        heads.append(master.head)
    assert heads[-7:] == [3, 3, 6, 6, 6, 6, 6]
    assert follow({"mc1": written.records}).unlike == []
