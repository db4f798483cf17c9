"""The status functions' tables: columns, order, limits, arithmetic."""

import pytest
from delphic.impl.replication.events import Failed, FlagSet, Recorded, Stopped
from delphic.impl.replication.master import Master
from delphic.impl.replication.slave import Slave
from delphic.impl.replication.tables import (
    database_status,
    master_status,
    metrics,
    recent_slaves,
    slave_status,
)
from delphic.impl.replication.tasks import SHOWN_MAX
from queue_makers import SECOND_NS, completed, executed, pulled, queued, task


def master_with(count: int, finished: int) -> Master:
    master = Master()
    master.step(FlagSet("dfs://a", True))
    for tid in range(1, count + 1):
        master.step(completed(tid, chunks=("x",)))
    master.step(pulled("s", finished, finished, at_ns=5))
    return master


def ids(rows: list[dict[str, object]]) -> list[object]:
    return [row["taskId"] for row in rows]


def test_the_master_shows_truncated_tasks_first() -> None:
    rows = master_status(master_with(3, 2))
    assert list(rows[0]) == [
        "taskId",
        "tid",
        "groupId",
        "operationType",
        "submitTime",
        "dbName",
        "tableName",
        "srcIP",
        "srcPort",
        "isTruncated",
    ]
    assert list(rows[2].values()) == [
        3,
        3,
        3,
        "APPEND",
        3 * SECOND_NS,
        "dfs://a",
        "t",
        "127.0.0.1",
        8720,
        False,
    ]
    assert [row["isTruncated"] for row in rows] == [True, True, False]


def test_a_limit_takes_the_oldest_unfinished_and_then_the_newest_finished() -> None:
    master = master_with(6, 3)
    assert ids(master_status(master)) == [1, 2, 3, 4, 5, 6]
    assert ids(master_status(master, 2)) == [4, 5]
    assert ids(master_status(master, 5)) == [2, 3, 4, 5, 6]
    assert ids(master_status(master, 99)) == [1, 2, 3, 4, 5, 6]
    assert ids(master_status(master, 0)) == []


def test_no_more_finished_tasks_are_shown_than_the_documents_say() -> None:
    rows = master_status(master_with(SHOWN_MAX + 3, SHOWN_MAX + 2))
    assert len(rows) == SHOWN_MAX + 1
    assert rows[0]["taskId"] == 3


def test_the_slave_shows_what_was_done_and_what_runs() -> None:
    slave = Slave()
    slave.step(queued(*(task(task_id) for task_id in range(1, 6)), at_ns=9))
    for entry in (*executed(1), Recorded(2), Failed(3, "d1", "disk full", 8, 2)):
        slave.step(entry)
    rows = slave_status(slave, {4: "d2"})
    assert list(rows[0]) == [
        "taskId",
        "masterTid",
        "groupId",
        "operationType",
        "createTime",
        "dbName",
        "tableName",
        "srcIP",
        "srcPort",
        "finishTime",
        "executionNode",
        "state",
        "details",
    ]
    assert list(rows[0].values()) == [
        1,
        10,
        1,
        "APPEND",
        9,
        "dfs://a",
        "t",
        "127.0.0.1",
        8720,
        2 * SECOND_NS,
        "d1",
        "FINISH",
        "",
    ]
    shown = [(row["state"], row["executionNode"], row["finishTime"]) for row in rows[1:]]
    assert shown == [
        ("EXECUTING", "", None),
        ("WAITING", "d1", None),
        ("EXECUTING", "d2", None),
        ("WAITING", "", None),
    ]
    assert rows[2]["details"] == "failed 1 times; the last time: disk full"


def test_a_task_that_failed_for_good_says_why() -> None:
    slave = Slave()
    slave.step(queued(task(1)))
    slave.step(Failed(1, "d1", "Missing taskData", 8, 1))
    (row,) = slave_status(slave, {})
    assert (row["state"], row["details"], row["finishTime"]) == ("FAILED", "Missing taskData", 8)


def test_slaves_are_shown_with_their_last_pull_logged_or_not() -> None:
    master = master_with(3, 2)
    pull = pulled("s", 3, 2, at_ns=77)
    row = {
        "connectedController": "s:1",
        "allControllersInRaft": "s:1,s:2,s:3",
        "lastFinishedTaskId": 2,
        "lastPullTime": 5,
    }
    assert recent_slaves(master, {}) == [row]
    assert recent_slaves(master, {pull.slave: pull}) == [row | {"lastPullTime": 77}]


def test_databases_without_data_are_not_shown() -> None:
    assert database_status(["dfs://b", "dfs://a"], ["dfs://a", "dfs://empty"]) == [
        {"dbName": "dfs://a", "enabled": True},
        {"dbName": "dfs://b", "enabled": False},
    ]


def tutorial() -> Slave:
    """The three tasks of the tutorial, with its times (semantics §2.1, IMG 3_4)."""
    slave = Slave()
    start = 16 * 3600 * SECOND_NS
    times = [
        (1554620774097, 1554657005478),
        (1629629469108, 1629664520931),
        (1694706624771, 1696246548258),
    ]
    for task_id, (created, finished) in enumerate(times, start=1):
        slave.step(queued(task(task_id), at_ns=start + created))
        for entry in executed(task_id, at_ns=start + finished):
            slave.step(entry)
    return slave


def test_metrics_are_cut_as_in_the_tutorial() -> None:
    slave = tutorial()
    now_ns = max(record.finished_ns for record in slave.records.values()) + 10
    assert metrics(slave, now_ns, 1000) == {
        "status": "ENABLED",
        "finishedTasks": 3,
        "unfinishedTasks": 0,
        "finishedTasksPerSec": 0,
        "maxCostPerTask": "00:00:01.539",
        "avgCostPerTask": "00:00:00.537",
        "averageGroupSize": 1.0,
    }


def test_metrics_are_of_the_last_seconds_or_of_all_time() -> None:
    slave = tutorial()
    now_ns = slave.records[3].finished_ns + 10
    assert metrics(slave, now_ns, 30)["finishedTasks"] == 1
    assert metrics(slave, now_ns, -1)["finishedTasks"] == 3
    assert metrics(slave, now_ns + 100 * SECOND_NS)["finishedTasks"] == 0
    assert metrics(slave, now_ns + 100 * SECOND_NS)["averageGroupSize"] == 0.0


def test_metrics_of_all_time_count_what_is_no_longer_remembered() -> None:
    slave = Slave()
    many = SHOWN_MAX + 4
    tasks = [task(task_id, (task_id + 2) // 3) for task_id in range(1, many + 1)]
    slave.step(queued(*tasks, at_ns=SECOND_NS))
    for task_id in range(1, many + 1):
        for entry in executed(task_id, at_ns=2 * SECOND_NS + task_id):
            slave.step(entry)
    slave.step(Stopped())
    found = metrics(slave, 11 * SECOND_NS, -1)
    assert found["status"] == "DISABLED"
    assert found["finishedTasks"] == many
    assert found["finishedTasksPerSec"] == many // 10
    assert found["averageGroupSize"] == many / ((many + 2) // 3)
    assert len(slave.records) == SHOWN_MAX


def test_a_rate_is_that_of_the_time_that_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("delphic.impl.replication.slave.SHOWN_MAX", 100)
    slave = Slave()
    slave.step(queued(*(task(each) for each in range(1, 301)), at_ns=SECOND_NS))
    for each in range(1, 301):
        for entry in executed(each, at_ns=SECOND_NS + each * SECOND_NS // 10):
            slave.step(entry)
    now_ns = 31 * SECOND_NS
    for secs, count in ((5, 50), (60, 100), (-1, 300)):
        found = metrics(slave, now_ns, secs)
        assert (found["finishedTasks"], found["finishedTasksPerSec"]) == (count, 10)


def test_unfinished_tasks_are_counted_whatever_their_state() -> None:
    slave = Slave()
    slave.step(queued(task(1), task(2), task(3)))
    slave.step(Failed(1, "d1", "x", 1, 1))
    slave.step(Recorded(2))
    found = metrics(slave, SECOND_NS)
    assert (found["status"], found["unfinishedTasks"], found["finishedTasks"]) == ("STOPPED", 3, 0)
