"""What replication promises of the master's queue, and where a slave stands against it.

PR-1 to PR-4, PR-6, PR-12, PR-13, PR-17 to PR-21, PR-23 to PR-25.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from ..actor import Kind, Property, Scope, Step
from ..replication_events import Call, Complete, Create, Elect, Pulled
from ..replication_rules import Options
from ..replication_types import (
    Data,
    Deed,
    Master,
    Slave,
    Slot,
    Source,
    State,
    Status,
    Task,
)
from .replication_good import applied_to, eventually
from .replication_slave import of_slaves


def _after(step: Step) -> Any:
    return step.state


def _new(s: Any, step: Step) -> tuple[Task, ...]:
    """Tasks that this step has queued."""
    return _after(step).tasks[len(s.tasks) :] if isinstance(s, Master) else ()


def tasks_are_transactions(s: Any, event: Any, step: Step) -> bool:
    """PR-1: "every task in the send queue corresponds to exactly one completed master transaction";
    it has all of it: its chunks, and whether it has rows.
    """
    known = [task.tid for task in s.tasks] if isinstance(s, Master) else []
    for task in _new(s, step):
        t = _after(step).transactions[task.tid - 1]
        same = (task.chunks, task.writes) == (t.chunks, t.writes)
        if t.deed is not Deed.COMPLETE or not same or task.tid in known:
            return False
        known.append(task.tid)
    return True


def _completed(s: Master, step: Step) -> list[int]:
    """The tids that this step completes."""
    return [
        tid
        for tid, t in enumerate(_after(step).transactions, start=1)
        if t.deed is Deed.COMPLETE
        and (tid > len(s.transactions) or s.transactions[tid - 1].deed is not Deed.COMPLETE)
    ]


def no_task_while_disabled(s: Any, event: Any, step: Step) -> bool:
    """PR-12: "a transaction that completes while the master is DISABLED never appears in the send
    queue".
    """
    now = _completed(s, step) if isinstance(s, Master) else []
    return all(
        task.tid in now and s.status is Status.ENABLED
        for task in _new(s, step)
        if _after(step).transactions[task.tid - 1].deed is Deed.COMPLETE
    )


def no_task_of_other_databases(options: Options, s: Any, event: Any, step: Step) -> bool:
    """PR-13: "after set(db, false) returns, no later transaction of db produces a task"; PR-1: its
    "flag was on".
    """
    return all(
        _after(step).transactions[task.tid - 1].flagged
        and _after(step).flags[task.chunks[0] // options.chunks] is True
        for task in _new(s, step)
    )


def transactions_are_tasks(options: Options, s: Any, event: Any, step: Step) -> bool:
    """PR-2: "every completed transaction satisfying PR-1's condition yields exactly one task"."""
    if not isinstance(s, Master) or s.status is not Status.ENABLED:
        return True
    tids = [task.tid for task in _new(s, step)]
    for tid in _completed(s, step):
        t = _after(step).transactions[tid - 1]
        on = t.flagged and _after(step).flags[t.chunks[0] // options.chunks] is True
        if on and tids.count(tid) != 1:
            return False
    return True


def queue_stays(s: Any, event: Any, step: Step) -> bool:
    """PR-2, PR-3: tasks stay what they are, "also across master controller fail-over"."""
    return not isinstance(s, Master) or _after(step).tasks[: len(s.tasks)] == s.tasks


def ids_have_no_gap(s: Any, event: Any, step: Step) -> bool:
    """PR-3: "taskIds are unique, gap-free, increasing in enqueue order"."""
    if not _new(s, step):
        return True
    return [task.id for task in _after(step).tasks] == list(range(1, len(_after(step).tasks) + 1))


def groups_keep_conflicts_apart(s: Any, event: Any, step: Step) -> bool:
    """PR-6: "no two tasks of one group touch a common chunk"; G3: conflicting ones are in order."""
    new = _new(s, step)
    return all(
        old.group < task.group
        for at, task in enumerate(new)
        for old in (*s.tasks, *new[:at])
        if not set(old.chunks).isdisjoint(task.chunks)
    )


def new_databases_are_off(s: Any, event: Any, step: Step) -> bool:
    """PR-24: "a freshly created database has the flag off"."""
    if not isinstance(event, Create):
        return True
    return not _after(step).flags[event.database]


def strangers_change_nothing(s: Any, event: Any, step: Step) -> bool:
    """PR-23: functions "succeed only on the stated node kind, by an administrator; otherwise they
    fail without state change".
    """
    return not isinstance(event, Call) or step.state == s


def answers_are_the_queue(options: Options, message: Any, before: Any, after: Any) -> bool:
    """PR-25: what a slave is told depends on the queue and on its own offset, on no other slave."""
    if not isinstance(message, Pulled):
        return True
    told: tuple[Task, ...] = message.tasks
    return bool(told == after.tasks[message.offset : message.offset + options.batch])


# Pairs of actors.

_Pair = Callable[[Any, Any], bool]


def _of(first: type, second: type, holds: _Pair) -> _Pair:
    """Of these two kinds of actors, in this order."""

    def pair(a: Any, b: Any) -> bool:
        return not isinstance(a, first) or not isinstance(b, second) or holds(a, b)

    return pair


def _slot(s: Slave, task: Task) -> Slot | None:
    return s.slots[task.id - 1] if task.id <= len(s.slots) else None


def truncated_is_finished(m: Master, s: Slave) -> bool:
    """PR-17: "a task is truncated on the master only if every slave entitled to it has it
    FINISH".
    """
    if m.done[s.me] is None:
        return True
    slots = [_slot(s, task) for task in m.tasks[: m.cut]]
    return all(slot is not None and slot.state is State.FINISH for slot in slots)


def queued_data_stays(m: Master, source: Source) -> bool:
    """PR-18: "TaskData of a non-truncated write task is never deleted"."""
    left = (task for task in m.tasks[m.cut :] if task.writes)
    return all(source.data[task.tid - 1] is not Data.DELETED for task in left)


def queued_data_is_durable(m: Master, source: Source) -> bool:
    """PR-19: "with syncPersistence=true, no crash-restart of master data nodes (disks intact) ever
    leads to Missing taskData".
    """
    left = (task for task in m.tasks[m.cut :] if task.writes)
    return all(source.data[task.tid - 1] not in (Data.MEMORY, Data.LOST) for task in left)


def lost_is_not_finished(source: Source, s: Slave) -> bool:
    """PR-20: a task without its data "ends FAILED, never FINISH-without-skip"."""
    return all(
        slot.skipped or slot.state is not State.FINISH
        for slot in s.slots
        if slot.task.writes and source.data[slot.task.tid - 1] is Data.LOST
    )


def pulled_in_order(m: Master, s: Slave) -> bool:
    """PR-3: the slave's queue is the beginning of the master's, and its offset tells how long."""
    tasks = tuple(slot.task for slot in s.slots)
    return s.offset == len(tasks) and tasks == m.tasks[: len(tasks)]


def _started(slot: Slot) -> bool:
    return bool(slot.run) or slot.applied


def groups_in_order(m: Master, s: Slave) -> bool:
    """PR-4: "no task of group g+1 starts before every task of group g is FINISH"."""
    last = max((slot.task.group for slot in s.slots if _started(slot)), default=0)
    slots = [_slot(s, task) for task in m.tasks if task.group < last]
    return all(slot is not None and slot.state is State.FINISH for slot in slots)


def slave_is_a_prefix(m: Master, s: Slave) -> bool:
    """PR-21: the slave's state is the master's after a set of tasks that is closed under the order
    of groups. A skip leaves it.
    """
    if any(slot.skipped for slot in s.slots):
        return True
    applied = {slot.task.id for slot in s.slots if slot.applied}
    for chunk in range(len(s.content)):
        tids = applied_to(s, chunk)
        touching = [task for task in m.tasks if chunk in task.chunks]
        if tids != tuple(task.tid for task in touching)[: len(tids)]:
            return False
    last = max((task.group for task in m.tasks if task.id in applied), default=0)
    return all(task.id in applied for task in m.tasks if task.group < last)


_A, _S = Kind.ALWAYS, Scope.STEP
_P = Scope.PAIR


def properties(options: Options) -> tuple[Property, ...]:
    """The promises, and what must be reachable within these bounds."""
    of_queue = [
        Property("tasks-are-transactions", _A, _S, tasks_are_transactions, ("PR-1",), "MECH 4"),
        Property("no-task-while-disabled", _A, _S, no_task_while_disabled, ("PR-12",), "S0 §3.3"),
        Property(
            "no-task-of-other-databases", _A, _S, partial(no_task_of_other_databases, options),
            ("PR-1", "PR-13"), "S0 §3.1, MECH 6",
        ),
        Property(
            "transactions-are-tasks", _A, _S, partial(transactions_are_tasks, options), ("PR-2",),
            "WP-DB 4",
        ),
        Property("queue-stays", _A, _S, queue_stays, ("PR-2", "PR-3"), "WP-DB 2"),
        Property("ids-have-no-gap", _A, _S, ids_have_no_gap, ("PR-3",), "MECH 4"),
        Property(
            "groups-keep-conflicts-apart", _A, _S, groups_keep_conflicts_apart, ("PR-6",), "MECH 5"
        ),
        Property(
            "answers-are-the-queue", _A, Scope.MESSAGE, partial(answers_are_the_queue, options),
            ("PR-25",), "§1.13",
        ),
        Property(
            "truncated-is-finished", _A, _P, _of(Master, Slave, truncated_is_finished), ("PR-17",),
            "MECH 11, U13",
        ),
        Property(
            "queued-data-stays", _A, _P, _of(Master, Source, queued_data_stays), ("PR-18",),
            "S01036",
        ),
        Property(
            "lost-is-not-finished", _A, _P, _of(Source, Slave, lost_is_not_finished), ("PR-20",),
            "S01040",
        ),
        Property(
            "pulled-in-order", _A, _P, _of(Master, Slave, pulled_in_order), ("PR-3",), "MECH 1"
        ),
        Property(
            "groups-in-order", _A, _P, _of(Master, Slave, groups_in_order), ("PR-4",), "S0 §1.1"
        ),
        Property(
            "slave-is-a-prefix", _A, _P, _of(Master, Slave, slave_is_a_prefix), ("PR-21",), "G3"
        ),
    ]  # fmt: skip
    if options.sync:
        of_queue.append(
            Property(
                "queued-data-is-durable", _A, _P, _of(Master, Source, queued_data_is_durable),
                ("PR-19",), "S0 §2.1, U2",
            )
        )  # fmt: skip
    if not options.created:
        of_queue.append(
            Property("new-databases-are-off", _A, _S, new_databases_are_off, ("PR-24",), "S0 §3.1")
        )
    if options.strangers:
        of_queue.append(
            Property(
                "strangers-change-nothing", _A, _S, strangers_change_nothing, ("PR-23",), "S0 §3.3"
            )
        )
    return (*of_queue, *of_slaves(options), *_sometimes(options), *eventually(options))


def _sometimes(options: Options) -> list[Property]:
    runs = options.queues
    fails = runs and options.attempts >= options.limit
    gets_lost = not options.sync and options.crashes > 0 and fails
    several = options.writes > 1 and options.chunks > 1 and options.batch > 1
    wanted: list[tuple[str, bool, Any, tuple[str, ...]]] = [
        ("a task finishes", runs, finishes, ()),
        ("a slave is stopped by failures", fails, gives_up, ("PR-9",)),
        ("data is lost in a crash, and the slave stops", gets_lost, misses, ("PR-20",)),
        ("a transaction is never replicated", runs and options.orders > 0, is_lost, ("PR-12",)),
        ("two tasks run at once", several, run_at_once, ()),
        ("a task is skipped", fails and options.skips > 0, is_skipped, ("PR-15",)),
        ("what failed is tried again", fails and options.starts > 0, tries_again, ("PR-14",)),
        ("an attempt that was given up commits", options.attempts > 1 and runs, comes_late, ()),
        (
            "another controller leads",
            options.elections > 0 and options.controllers > 1,
            leads,
            ("PR-31",),
        ),
    ]
    return [
        Property(name, Kind.SOMETIMES, Scope.STEP, holds, ids)
        for name, asked, holds, ids in wanted
        if asked
    ]


def finishes(s: Any, event: Any, step: Step) -> bool:
    """A task is FINISH, and was not skipped."""
    return isinstance(s, Slave) and any(
        slot.state is State.FINISH and slot.applied for slot in _after(step).slots
    )


def gives_up(s: Any, event: Any, step: Step) -> bool:
    """L4: the status becomes STOPPED."""
    return isinstance(s, Slave) and _after(step).status is Status.STOPPED


def misses(s: Any, event: Any, step: Step) -> bool:
    """PR-20: "an execution in which a master data-node crash leaves a queued task without TaskData;
    the task then ends FAILED and the slave STOPPED".
    """
    return gives_up(s, event, step) and any(
        slot.reason is slot.reason.MISSING for slot in _after(step).slots
    )


def is_lost(s: Any, event: Any, step: Step) -> bool:
    """U4: a transaction of a replicated database completes, and is no task."""
    if not isinstance(event, Complete) or s.status is Status.ENABLED:
        return False
    return s.transactions[event.tid - 1].flagged and not _new(s, step)


def run_at_once(s: Any, event: Any, step: Step) -> bool:
    """Tasks of one group do not wait for each other."""
    return isinstance(s, Slave) and sum(slot.run > 0 for slot in _after(step).slots) > 1


def is_skipped(s: Any, event: Any, step: Step) -> bool:
    """K3."""
    return isinstance(s, Slave) and any(slot.skipped for slot in _after(step).slots)


def tries_again(s: Any, event: Any, step: Step) -> bool:
    """L5: a FAILED task waits again."""
    return isinstance(s, Slave) and any(
        slot.state is State.FAILED and now.state is State.WAITING
        for slot, now in zip(s.slots, _after(step).slots, strict=False)
    )


def comes_late(s: Any, event: Any, step: Step) -> bool:
    """A transaction commits whose attempt has been counted as a failure."""
    return isinstance(s, Slave) and any(
        now.applied and not slot.applied and slot.fails > 0 and not slot.run
        for slot, now in zip(s.slots, _after(step).slots, strict=False)
    )


def leads(s: Any, event: Any, step: Step) -> bool:
    """The master's controllers have failed over."""
    return isinstance(event, Elect)
