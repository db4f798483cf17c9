"""What whole traces of replication's cores must have in common, though each line is in order."""

import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from core_worlds import LIMIT, NODES, meta, post, world
from delphic.harness.conform.cores.queue import enqueued
from delphic.harness.conform.cores.validator import follow
from delphic.harness.traces import CoreRecord
from delphic.impl.replication.dispatcher import Dispatcher
from delphic.impl.replication.events import (
    Completed,
    Finished,
    FlagSet,
    Led,
    Pulled,
    Queued,
    Recorded,
)
from delphic.impl.replication.master import Master
from delphic.impl.replication.slave import Slave
from delphic.impl.replication.tasks import Task
from delphic.impl.replication.tracing import fields, master_post, slave_post, told
from written_lines import Written

Spoil = Callable[[list[CoreRecord]], list[CoreRecord]]


def _each(kind: str, change: Callable[[CoreRecord], CoreRecord]) -> Spoil:
    """Change all records of one kind; of a leader's news, all that have effects."""

    def spoil(lines: list[CoreRecord]) -> list[CoreRecord]:
        return [change(r) if kind in (r.event["kind"], r.group) else r for r in lines]

    return spoil


def _tasks(change: Callable[[list[Any]], list[Any]]) -> Spoil:
    """Give a slave other tasks than the master's."""

    def spoil(record: CoreRecord) -> CoreRecord:
        event = record.event | {"tasks": [change(task) for task in record.event["tasks"]]}
        return msgspec.structs.replace(record, event=event)

    return _each("queued", spoil)


def _effects(change: Callable[[dict[str, Any]], dict[str, Any] | None]) -> Spoil:
    """Change what the leader asks for, or leave it out."""

    def spoil(record: CoreRecord) -> CoreRecord:
        out = [told for effect in record.out if (told := change(effect)) is not None]
        return msgspec.structs.replace(record, out=out)

    return _each("dispatcher", spoil)


def _asks(kind: str, **changes: Any) -> Spoil:
    return _effects(lambda effect: effect | changes if effect["kind"] == kind else effect)


def _proposes(kind: str, **changes: Any) -> Spoil:
    """Change the entries of one kind that the leader wants in the log."""

    def spoil(effect: dict[str, Any]) -> dict[str, Any]:
        entry = effect.get("entry", {})
        return effect | {"entry": entry | changes} if entry.get("kind") == kind else effect

    return _effects(spoil)


def _unled(lines: list[CoreRecord]) -> list[CoreRecord]:
    """Nobody says that it begins to lead."""
    at = next(at for at, record in enumerate(lines) if record.event["kind"] == "led")
    other = msgspec.structs.replace(lines[at], event={"kind": "pulldue"})
    return [*lines[:at], other, *lines[at + 1 :]]


def _restless(lines: list[CoreRecord]) -> list[CoreRecord]:
    """Who stands down asks for something."""
    at = max(at for at, record in enumerate(lines) if record.group == "dispatcher")
    post, out = lines[at].post | {"leads": False}, [{"kind": "arm", "wait": "pull", "task": 0}]
    other = msgspec.structs.replace(lines[at], event={"kind": "stooddown"}, post=post, out=out)
    return [*lines[:at], other, *lines[at + 1 :]]


def _out_of_order(lines: list[CoreRecord]) -> list[CoreRecord]:
    """The last of the first tasks, of another group, is executed first; nobody leads."""
    slave, written = Slave(), Written("s1c1")
    told_of = [task for r in lines if r.event["kind"] == "queued" for task in r.event["tasks"]]
    many = next(task[0] for task in told_of if task[1] > 1)
    tasks = msgspec.convert(told_of[:many], tuple[Task, ...])
    written.add("slave", lines[0].event, slave_post(slave, ()))
    entries = [entry for at in (many, 1) for entry in (Recorded(at), Finished(at, "a", 0))]
    for index, entry in enumerate([Queued(tasks, 0), *entries], start=1):
        effects = slave.step(entry)
        written.add("slave", told(entry), slave_post(slave, effects.changed), index)
    return written.records


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (_out_of_order, "group that commits"),
        (_tasks(lambda task: [task[0], 1, task[2]]), "task of the master"),
        (_tasks(lambda task: [*task[:2], [task[2][0] + 1, *task[2][1:]]]), "task of the master"),
        (_tasks(lambda task: [*task[:2], [task[2][0], "SQL_UPDATE", *task[2][2:]]]), "task"),
        (_each("dispatcher", post("running", lambda running: [])), "tasks that run"),
        (_each("dispatcher", post("leads", lambda leads: False)), "leads"),
        (_unled, "news"),
        (_restless, "what it asks for"),
        (_asks("dispatch", node="s1d99"), "data node"),
        (_asks("arm", wait="retry", task=99), "task of an alarm"),
        (_asks("propose", entry={"kind": "finished", "task": 1}), "propose"),
        (_proposes("queued", tasks=[]), "propose"),
        (_proposes("failed", task=99), "propose"),
        (_effects(lambda effect: effect | {"kind": "nonsense"}), "nonsense"),
    ],
)
def test_a_spoiled_trace_is_seen(spoil: Spoil, what: str) -> None:
    """PR-4, PR-6, H2: what no single record tells."""
    master, slave = world(1)
    sound = slave["s1c1"]
    assert follow({"s1c1": sound}, nodes=NODES, queue=enqueued(master)).unlike == []
    unlike = follow({"s1c1": spoil(sound)}, nodes=NODES, queue=enqueued(master)).unlike
    assert [one.what[: len(what)] for one in unlike] == [what]


def test_tasks_that_commit_and_that_nobody_dispatched_are_seen() -> None:
    """In a trace without dispatches nothing runs, and still tasks are committed."""
    lines = [
        msgspec.structs.replace(record, post=record.post | {"running": [], "failing": []})
        if record.group == "dispatcher"
        else record
        for record in world(1)[1]["s1c1"]
    ]
    lines = _effects(lambda effect: effect if effect["kind"] != "dispatch" else None)(lines)
    (unlike,) = follow({"s1c1": lines}).unlike
    assert unlike.what == "task that commits"


def test_the_task_that_an_earlier_leader_dispatched_may_commit_under_the_next() -> None:
    """A killed leader's last lines may be lost, but it did nothing that it cannot have known."""
    dice, slave, written = random.Random(1), Slave(), Written("s1c1")
    boot = {"kind": "boot", "state": fields(slave.dump())}
    written.add("slave", boot, slave_post(slave, ()))
    queued = Queued(tuple(Task(at, at, meta(at, dice)) for at in (1, 2)), 0)
    dispatcher = Dispatcher(slave, NODES, LIMIT)
    for index, entry in enumerate((queued, Recorded(1), Finished(1, "a", 0), Recorded(2)), 1):
        effects = slave.step(entry)
        written.add("slave", told(entry), slave_post(slave, effects.changed), index)
        if index == 1:
            dispatcher.step(Led())
            post = fields(dispatcher.dump()) | {"running": []}
            written.add("dispatcher", told(Led()), post, out=[])
    (unlike,) = follow({"s1c1": written.records}).unlike
    assert (unlike.what, unlike.found) == ("task that commits", 2)


def test_what_a_checkpoint_has_in_outline_only_no_task_of_a_slave_is_held_against() -> None:
    dice, master, written = random.Random(1), Master(), Written("mc1")
    entries = (Completed(meta(tid, dice), flagged=True) for tid in (1, 2))
    for entry in (FlagSet("dfs://d", on=True), *entries, Pulled("s:1", ("s:1",), 1, 1, 0, 1)):
        master.step(entry)
    boot = {"kind": "boot", "state": fields(master.dump())}
    written.add("master", boot, master_post(master))
    assert [task[0] for task in written.records[0].event["state"]["tasks"]] == [1, 2]
    assert list(enqueued({"mc1": written.records})) == [2]
