"""What the status functions show: rows of the documented columns (semantics §2.1), nothing changed.

Times are nanoseconds of the day's clock since 1970, null where there is none; costs are texts like
00:00:01.539, cut to milliseconds.

`limit`: at most that many rows, or all (-1). The oldest unfinished ones come into them first, the
newest finished ones have the rest; finished ones are shown above unfinished ones, each in order.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .events import Pulled
from .master import Master
from .slave import Record, Slave
from .status import TaskState
from .tasks import SHOWN_MAX, Task

NO_LIMIT = -1
SECOND_NS = 1_000_000_000

Row = dict[str, Any]


def master_status(master: Master, limit: int = NO_LIMIT) -> list[Row]:
    """Rows of getMasterReplicationStatus; `limit` is -1 or a number of rows."""
    truncated = [task for task_id, task in master.tasks.items() if task_id < master.head]
    done, waiting = _limited(truncated, list(master.queued()), limit)
    rows = [_of_master(task, is_truncated=True) for task in done]
    return rows + [_of_master(task, is_truncated=False) for task in waiting]


def _of_master(task: Task, *, is_truncated: bool) -> Row:
    meta = task.meta
    return {
        "taskId": task.id,
        "tid": meta.tid,
        "groupId": task.group,
        "operationType": str(meta.operation),
        "submitTime": meta.submitted_ns,
        "dbName": meta.database,
        "tableName": meta.table,
        "srcIP": meta.source_host,
        "srcPort": meta.source_port,
        "isTruncated": is_truncated,
    }


def slave_status(slave: Slave, running: Mapping[int, str], limit: int = NO_LIMIT) -> list[Row]:
    """Rows of getSlaveReplicationStatus; `running` is what the leader has dispatched, and where."""
    records = slave.records.values()
    finished = [record for record in records if record.state is TaskState.FINISH]
    unfinished = [record for record in records if record.state is not TaskState.FINISH]
    done, waiting = _limited(finished, unfinished, limit)
    return [_of_slave(record, running) for record in (*done, *waiting)]


def _of_slave(record: Record, running: Mapping[int, str]) -> Row:
    task, meta = record.task, record.task.meta
    runs = record.state is TaskState.WAITING and task.id in running
    return {
        "taskId": task.id,
        "masterTid": meta.tid,
        "groupId": task.group,
        "operationType": str(meta.operation),
        "createTime": record.created_ns,
        "dbName": meta.database,
        "tableName": meta.table,
        "srcIP": meta.source_host,
        "srcPort": meta.source_port,
        "finishTime": record.finished_ns or None,
        "executionNode": running[task.id] if runs else record.node,
        "state": str(TaskState.EXECUTING if runs else record.state),
        "details": _details(record),
    }


def _details(record: Record) -> str:
    if record.state is TaskState.WAITING and record.failures:
        return f"failed {record.failures} times; the last time: {record.details}"
    return record.details


def _limited(
    finished: Sequence[Any], unfinished: Sequence[Any], limit: int
) -> tuple[Sequence[Any], Sequence[Any]]:
    finished = finished[-SHOWN_MAX:]
    if limit == NO_LIMIT:
        return finished, unfinished
    unfinished = unfinished[:limit]
    room = limit - len(unfinished)
    return finished[len(finished) - min(room, len(finished)) :], unfinished


def recent_slaves(master: Master, newest: Mapping[str, Pulled]) -> list[Row]:
    """Rows of getRecentSlaveReplicationInfo; `newest` are the last pulls that the leader heard.

    `lastFinishedTaskId`: this task and all before it are finished.
    """
    rows = []
    for name, slave in sorted(master.slaves.items()):
        pull = newest.get(name)
        rows.append(
            {
                "connectedController": slave.site if pull is None else pull.site,
                "allControllersInRaft": name,
                "lastFinishedTaskId": slave.finished,
                "lastPullTime": slave.at_ns if pull is None else pull.at_ns,
            }
        )
    return rows


def database_status(with_data: Iterable[str], flagged: Iterable[str]) -> list[Row]:
    """Rows of getDatabaseClusterReplicationStatus: of databases that hold data."""
    on = set(flagged)
    return [{"dbName": name, "enabled": name in on} for name in sorted(with_data)]


def metrics(slave: Slave, now_ns: int, secs: int = 30) -> Row:
    """The row of getClusterReplicationMetrics: of the last `secs` seconds, or of all time (-1).

    A cost is from pull to finish, waiting included. A skipped task counts as a finished one. Of
    the last seconds only what is remembered is counted, and spread over the time that it covers.
    """
    records = [r for r in slave.records.values() if r.state is TaskState.FINISH]
    tasks = groups = cost_ns = cost_ns_max = 0
    span_ns = secs * SECOND_NS
    if secs == NO_LIMIT:
        old = slave.forgotten
        tasks, groups, cost_ns, cost_ns_max = old.tasks, old.groups, old.cost_ns, old.cost_ns_max
        # A group of which a part is forgotten is counted there.
        groups += len({r.task.group for r in records} - {old.last_group})
        span_ns = now_ns - slave.began_ns if slave.began_ns else 0
    else:
        if slave.forgotten.tasks and records:
            span_ns = min(span_ns, now_ns - min(r.finished_ns for r in records))
        records = [r for r in records if r.finished_ns > now_ns - secs * SECOND_NS]
        groups = len({r.task.group for r in records})
    tasks += len(records)
    cost_ns += sum(record.cost_ns for record in records)
    cost_ns_max = max([cost_ns_max, *(record.cost_ns for record in records)])
    return {
        "status": str(slave.status),
        "finishedTasks": tasks,
        "unfinishedTasks": sum(r.state is not TaskState.FINISH for r in slave.records.values()),
        "finishedTasksPerSec": tasks * SECOND_NS // max(span_ns, SECOND_NS),
        "maxCostPerTask": _time(cost_ns_max),
        "avgCostPerTask": _time(cost_ns // tasks if tasks else 0),
        "averageGroupSize": tasks / groups if groups else 0.0,
    }


def _time(cost_ns: int) -> str:
    """As hh:mm:ss.mmm, cut; more than a day has more hours. A clock set back costs nothing."""
    ms = max(0, cost_ns) // 1_000_000
    seconds, ms = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}.{ms:03}"
