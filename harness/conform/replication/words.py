"""Tasks, databases and states of replication, in the words of the model and of the implementation.

A database of the model is a number, as is a chunk; here they have names. What the model calls a
metadata operation touches the whole of its database, which the implementation says with no chunks.
"""

from typing import Any

from ....impl.cluster.operations import Operation
from ....impl.replication.master import Master as MasterCore
from ....impl.replication.master import MasterState, SlaveCluster
from ....impl.replication.slave import SKIPPED, Record, SlaveState
from ....impl.replication.slave import Slave as SlaveCore
from ....impl.replication.status import Status as CoreStatus
from ....impl.replication.status import TaskState
from ....impl.replication.tasks import Task as CoreTask
from ....impl.replication.tasks import TaskMeta
from ....model.replication_rules import Options
from ....model.replication_types import Master, Reason, Slave, Slot, State, Task, Transaction

Found = list[tuple[str, Any, Any]]
"""What differs: of what, in the model, in the implementation."""


def database_of(database: int) -> str:
    """Its name."""
    return f"dfs://d{database}"


def chunk_of(options: Options, chunk: int) -> str:
    """A partition's name."""
    return f"{database_of(chunk // options.chunks)}/t/{chunk}"


def meta_of(
    options: Options,
    tid: int,
    t: Transaction | Task,
    metadata: Operation = Operation.TRUNCATE_TABLE,
) -> TaskMeta:
    """What a coordinator sends of a transaction, or the log has of a metadata operation."""
    chunks = tuple(chunk_of(options, chunk) for chunk in t.chunks)
    return TaskMeta(
        tid=tid,
        operation=Operation.APPEND if t.writes else metadata,
        database=database_of(t.chunks[0] // options.chunks),
        table="t",
        chunks=chunks if t.writes else (),
        source_host="n1",
        source_port=1,
        submitted_ns=0,
    )


def task_of(options: Options, task: Task) -> CoreTask:
    """A task as it is queued."""
    return CoreTask(task.id, task.group, meta_of(options, task.tid, task))


def slave_of(nth: int) -> tuple[str, ...]:
    """The controllers of a slave."""
    return (f"s{nth}:1",)


# Masters.


def concrete_master(options: Options, m: Master) -> MasterState:
    """A core in this state of the model."""
    group = m.tasks[-1].group if m.tasks else 0
    members = [task_of(options, task) for task in m.tasks if task.group == group]
    return MasterState(
        status=CoreStatus(m.status),
        flagged=tuple(database_of(at) for at, flag in enumerate(m.flags) if flag),
        tasks=tuple(
            task_of(options, task).outline() if task.id <= m.cut else task_of(options, task)
            for task in m.tasks
        ),
        head=m.cut + 1,
        next=len(m.tasks) + 1,
        group=group,
        joined=tuple((task.meta.database, task.meta.chunks) for task in members),
        slaves=tuple(
            SlaveCluster(slave_of(nth), slave_of(nth)[0], done, 0)
            for nth, done in enumerate(m.done)
            if done is not None
        ),
    )


def differing_masters(options: Options, m: Master, core: MasterCore) -> Found:
    """What of a core's state is not the model's."""
    expected, found = concrete_master(options, m), core.dump()
    return [
        (name, getattr(expected, name), getattr(found, name))
        for name in expected.__struct_fields__
        if getattr(expected, name) != getattr(found, name)
    ]


# Slaves.


def concrete_slot(options: Options, slot: Slot) -> Record:
    """A task of the execution queue. Why it failed last is in the model for FAILED ones only."""
    state, details = TaskState(slot.state), str(slot.reason)
    if slot.state is State.WAITING and slot.applied:
        state = TaskState.EXECUTING
    if slot.skipped:
        details = SKIPPED
    task = task_of(options, slot.task)
    if state is TaskState.FINISH:
        task = task.outline()
    return Record(task, 0, state, slot.fails, "", 0, details)


def concrete_slave(options: Options, s: Slave) -> SlaveState:
    """A core in this state of the model."""
    records = tuple(concrete_slot(options, slot) for slot in s.slots)
    scope = tuple(sorted({record.task.meta.database for record in records}))
    return SlaveState(CoreStatus(s.status), s.offset, records, scope, 0)


def _told(record: Record) -> Record:
    """A record without what the model does not know: where, when, and why it failed meanwhile."""
    failed = record.state is TaskState.FAILED or record.state is TaskState.FINISH
    details = record.details if failed else str(Reason.NONE)
    return Record(record.task, 0, record.state, record.failures, "", 0, details)


def differing_slaves(options: Options, s: Slave, core: SlaveCore) -> Found:
    """What of a core's state is not the model's."""
    expected, found = concrete_slave(options, s), core.dump()
    records = tuple(map(_told, found.records))
    pairs = [
        ("status", expected.status, found.status),
        ("offset", expected.offset, found.offset),
        ("tasks", expected.records, records),
        ("databases replicated", expected.scope, found.scope),
    ]
    return [each for each in pairs if each[1] != each[2]]
