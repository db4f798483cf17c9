"""Traces of replication: numbered apart from those of Raft, and such that steps can be redone."""

import json
from typing import Any

from delphic.harness.simulate.disk import SimDisk
from delphic.harness.simulate.loop import SimLoop
from delphic.harness.simulate.process import Process
from delphic.harness.traces import Trace
from delphic.impl.replication.dispatcher import Dispatcher
from delphic.impl.replication.events import Applied, Failed, FlagSet, Led
from delphic.impl.replication.master import Master
from delphic.impl.replication.slave import Slave
from delphic.impl.replication.tracing import ReplicationTrace
from delphic.impl.trace import TraceFile
from hand_clock import HandClock
from queue_makers import completed, pulled, queued, task


class Traced:
    """A trace file, and the lines in it."""

    def __init__(self) -> None:
        self.disk = SimDisk()
        handle = self.disk.handle(Process(SimLoop("1"), "c1", 1, "1"))
        handle.make_folder("/c1")
        self.failures: list[str] = []
        self.file = TraceFile(HandClock(), handle.open("/c1/t"), "c1", 1, self.failures.append)
        self.trace = ReplicationTrace(self.file)

    def records(self) -> list[dict[str, Any]]:
        self.file.flush()
        return [json.loads(line) for line in self.disk.content("/c1/t").splitlines()]


def test_each_step_of_the_master_is_a_line_with_its_entry_and_the_state_after() -> None:
    traced, master = Traced(), Master()
    traced.trace.master_boot(0, master)
    for index, entry in enumerate(
        (FlagSet("dfs://a", True), completed(7, chunks=("x",)), pulled("s", 1, 1)), start=1
    ):
        traced.trace.master_step(index, entry, master.step(entry), master)
    records = traced.records()
    assert [record["seq"] for record in records] == [0, 1, 2, 3]
    assert [record["index"] for record in records] == [0, 1, 2, 3]
    assert {record["group"] for record in records} == {"master"}
    kinds = [record["event"]["kind"] for record in records]
    assert kinds == ["boot", "flagset", "completed", "pulled"]
    assert records[1]["post"]["flagged"] == ["dfs://a"]
    assert records[2]["out"]["enqueued"][:2] == [1, 1]
    assert records[3]["out"]["truncated"] == [1]
    assert records[3]["post"] == {
        "status": "ENABLED",
        "flagged": ["dfs://a"],
        "head": 2,
        "next": 2,
        "group": 1,
        "slaves": {"s:1,s:2,s:3": 1},
    }


def test_steps_of_the_slave_and_of_its_leader_are_numbered_together() -> None:
    traced, slave = Traced(), Slave()
    dispatcher = Dispatcher(slave, ("d1",), 2)
    traced.trace.slave_boot(0, slave)
    entry = queued(task(1))
    traced.trace.slave_step(1, entry, slave.step(entry), slave)
    traced.trace.news(Led(), dispatcher.step(Led()), dispatcher)
    failed = Failed(1, "d1", "disk full", 3, 2)
    traced.trace.slave_step(2, failed, slave.step(failed), slave)
    news = Applied(failed)
    traced.trace.news(news, dispatcher.step(news), dispatcher)
    late = Failed(9, "d1", "disk full", 3, 2)
    traced.trace.slave_step(3, late, slave.step(late), slave)
    boot, pull, led, counted, applied, refused = traced.records()
    assert [record["seq"] for record in (boot, pull, led, counted, applied, refused)] == [*range(6)]
    assert boot["event"]["state"]["offset"] == 0
    assert pull["post"]["tasks"] == [[1, "WAITING", 0]]
    assert [effect["kind"] for effect in led["out"]] == ["pull", "dispatch"]
    assert counted["post"]["tasks"] == [[1, "WAITING", 1]]
    assert applied["group"] == "dispatcher"
    assert applied["event"]["entry"]["kind"] == "failed"
    assert refused["out"]["refusal"] == "task 9 does not wait"
    assert refused["post"]["tasks"] == []


def test_who_reads_raft_traces_does_not_see_them_nor_what_they_were_torn_from() -> None:
    raft = (
        b'{"node":"c1","inc":2,"seq":0,"t_ns":5,"group":1,"event":{"kind":"boot"},"post":'
        b'{"term":0,"vote":null,"role":"follower","leader":null,"commit":0,"last":[0,0]}}\n'
    )
    core = b'{"node":"c1","inc":1,"seq":0,"t_ns":1,"group":"master","event":{"kind":"boot"}}\n'
    (record,) = Trace(core + core[:-9] + raft + core).lines
    assert record == Trace(raft).lines[0]
