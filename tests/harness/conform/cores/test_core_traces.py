"""Traces of replication's cores are the model's steps; spoiled ones are not."""

import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from delphic.harness.checkers.replication.conformance import CONFORMANCE, PROMISES
from delphic.harness.conform.cores.finding import Followed
from delphic.harness.conform.cores.validator import follow
from delphic.harness.evidence import Evidence
from delphic.harness.history import History
from delphic.harness.traces import CoreRecord, Trace
from delphic.harness.verdict import Validity
from delphic.impl.cluster.operations import Operation
from delphic.impl.replication.dispatcher import Dispatcher
from delphic.impl.replication.effects import Dispatch as Dispatched
from delphic.impl.replication.effects import Propose
from delphic.impl.replication.events import (
    Applied,
    AttemptEnded,
    Completed,
    Ending,
    Failed,
    Finished,
    FlagSet,
    Led,
    PullAnswered,
    Pulled,
    Queued,
    Recorded,
    RetryDue,
    Skipped,
    Started,
    StoodDown,
    Stopped,
)
from delphic.impl.replication.master import Master
from delphic.impl.replication.slave import Slave
from delphic.impl.replication.tasks import Task, TaskMeta
from delphic.impl.replication.tracing import fields, master_post, slave_post, told
from written_lines import Written

LIMIT = 3
SITES = ("s1:1", "s2:1")
Records = dict[str, list[CoreRecord]]


def meta(tid: int, dice: random.Random) -> TaskMeta:
    whole = dice.random() < 0.2
    return TaskMeta(
        tid=tid,
        operation=dice.choice((Operation.TRUNCATE_TABLE, Operation.DROP_PARTITION))
        if whole
        else Operation.APPEND,
        database="dfs://d",
        table="t",
        chunks=() if whole else (f"dfs://d/t/{dice.randrange(3)}",),
        source_host="n",
        source_port=1,
        submitted_ns=0,
    )


def world(seed: int, tasks: int = 30) -> tuple[Records, Records]:
    """A master and a slave of one controller that fails, is stopped, and stands down."""
    dice = random.Random(seed)
    m, s = Written("mc1"), Written("s1c1")
    master, slave = Master(), Slave()
    dispatcher = Dispatcher(slave, ("a", "b"), LIMIT)
    m.add("master", {"kind": "boot", "state": fields(master.dump())}, master_post(master))
    s.add(
        "slave",
        {"kind": "boot", "state": fields(slave.dump())},
        slave_post(slave, slave.records),
    )
    counts = {"master": 0, "slave": 0}

    def of_master(entry: Any) -> None:
        effects = master.step(entry)
        counts["master"] += 1
        m.add("master", told(entry), master_post(master), counts["master"], fields(effects))

    def news(piece: Any) -> None:
        effects = dispatcher.step(piece)
        out = [told(effect) for effect in effects]
        s.add("dispatcher", told(piece), fields(dispatcher.dump()), out=out)
        for effect in effects:
            if isinstance(effect, Propose):
                of_slave(effect.entry)

    def of_slave(entry: Any) -> None:
        effects = slave.step(entry)
        counts["slave"] += 1
        out = {"refusal": effects.refusal} if effects.refusal else None
        post = slave_post(slave, effects.changed)
        s.add("slave", told(entry), post, counts["slave"], out)
        news(Applied(entry))

    of_master(FlagSet("dfs://d", on=True))
    news(Led())
    tid = 0
    while tid < tasks or slave.finished < master.next - 1:
        if tid < tasks and dice.random() < 0.5:
            tid += 1
            if dice.random() < 0.05:
                of_master(dice.choice((Started(), Stopped())))
            of_master(Completed(meta(tid, dice), flagged=dice.random() < 0.9))
        pull = Pulled(SITES[0], SITES, slave.offset, slave.finished, 0, 1)
        if not master.refuses(pull) and master.changes(pull):
            of_master(pull)
        _act(dice, master, slave, dispatcher, news, of_slave)
    return {"mc1": m.records}, {"s1c1": s.records}


def _act(
    dice: random.Random,
    master: Master,
    slave: Slave,
    dispatcher: Dispatcher,
    news: Callable[[Any], None],
    of_slave: Callable[[Any], None],
) -> None:
    """One thing that befalls a slave."""
    state = dispatcher.dump()
    if not state.leads:
        news(Led())
    elif slave.status.value != "ENABLED":
        failed = [x.task.id for x in slave.records.values() if x.state.value == "FAILED"]
        if failed and dice.random() < 0.5 and not dispatcher.refuses_skip((failed[0],)):
            of_slave(Skipped((failed[0],), 0))
        of_slave(Started())
    elif state.pulling:
        news(PullAnswered(master.after(slave.offset, 5)[0], more=False, at_ns=0))
    elif state.running and dice.random() < 0.8:
        task = dice.choice(state.running)
        if dice.random() < 0.5:
            of_slave(Recorded(task))
            news(AttemptEnded(task, Ending.DONE, 0))
            of_slave(Finished(task, "a", 0))
        else:
            ending = dice.choice((Ending.FAILED, Ending.FAILED, Ending.NOT_PERSISTED))
            news(AttemptEnded(task, ending, 0, "why"))
    elif state.resting and dice.random() < 0.7:
        news(RetryDue(dice.choice(state.resting)))
    elif dice.random() < 0.1:
        of_slave(Stopped())
    elif dice.random() < 0.1:
        news(StoodDown())
    else:
        news(Led())


def found(records: Records) -> Followed:
    return follow(records)


@pytest.mark.parametrize("seed", range(12))
def test_what_the_cores_trace_is_what_the_model_does(seed: int) -> None:
    """PR-1 to PR-4, PR-7 to PR-17, as far as cores can tell."""
    master, slave = world(seed)
    for records in (master, slave):
        followed = found(records)
        assert followed.unlike == []
        assert sum(followed.steps.values()) == len(next(iter(records.values())))
    kinds = {record.event["kind"] for record in slave["s1c1"]}
    assert kinds >= {"queued", "recorded", "finished", "failed", "retrydue", "led"}


def test_worlds_show_failures_to_the_limit_skips_and_stops() -> None:
    """What is replayed has what is hard: else nothing was shown."""
    seen: set[str] = set()
    for seed in range(12):
        for record in world(seed)[1]["s1c1"]:
            seen.add(record.event["kind"])
            seen |= {state for _, state, _ in record.post.get("tasks", ())}
    assert seen >= {"FAILED", "skipped", "stopped", "stooddown", "EXECUTING"}


def _post(name: str, change: Callable[[Any], Any]) -> Callable[[CoreRecord], CoreRecord]:
    def spoil(record: CoreRecord) -> CoreRecord:
        post = record.post | {name: change(record.post[name])}
        return msgspec.structs.replace(record, post=post)

    return spoil


def _failures(tasks: Any) -> Any:
    return [[task, state, failures + 1] for task, state, failures in tasks]


@pytest.mark.parametrize(
    ("side", "kind", "spoil", "what"),
    [
        (0, "completed", _post("group", lambda group: group + 1), "group"),
        (0, "completed", _post("next", lambda number: number + 1), "next"),
        (0, "pulled", _post("head", lambda head: head + 1), "head"),
        (0, "flagset", _post("flagged", lambda flagged: []), "flagged"),
        (1, "recorded", _post("tasks", _failures), "task"),
        (1, "recorded", _post("tasks", lambda tasks: []), "tasks that change"),
        (1, "queued", _post("offset", lambda offset: offset - 1), "offset"),
        (1, "finished", _post("finished", lambda done: done + 1), "finished"),
        (1, "failed", _post("status", lambda status: "DISABLED"), "status"),
        (1, "retrydue", _post("running", lambda running: []), "tasks that run"),
    ],
)
def test_a_spoiled_record_is_seen(
    side: int, kind: str, spoil: Callable[[CoreRecord], CoreRecord], what: str
) -> None:
    records = world(1)[side]
    ((node, lines),) = records.items()
    at = max(i for i, record in enumerate(lines) if record.event["kind"] == kind)
    lines[at] = spoil(lines[at])
    (unlike,) = found({node: lines}).unlike
    assert unlike.record is lines[at]
    assert unlike.what.startswith(what)


def test_a_missing_record_is_seen() -> None:
    for side, kind in ((0, "completed"), (1, "recorded"), (1, "led")):
        ((node, lines),) = world(2)[side].items()
        at = next(i for i, record in enumerate(lines) if record.event["kind"] == kind)
        (unlike,) = found({node: lines[:at] + lines[at + 1 :]}).unlike
        assert unlike.rule == "continuity"


def test_a_task_of_a_later_group_that_is_dispatched_is_seen() -> None:
    """PR-4, PR-10."""
    ((node, lines),) = world(3)[1].items()
    for at, record in enumerate(lines):
        if record.event["kind"] == "retrydue":
            effect = told(Dispatched(record.post["running"][-1] + 20, "a"))
            lines[at] = msgspec.structs.replace(record, out=[*record.out, effect])
            break
    (unlike,) = found({node: lines}).unlike
    assert (unlike.rule, unlike.what) == ("step", "dispatched")


def test_the_limit_is_what_the_plan_says_and_else_what_the_trace_shows() -> None:
    """PR-9."""
    slave = next(each for seed in range(12) if _fails(each := world(seed)[1]))
    assert follow(slave).unlike == []
    assert follow(slave, LIMIT).unlike == []
    for limit in (LIMIT - 1, LIMIT + 1):
        (unlike,) = follow(slave, limit).unlike
        assert unlike.record.event["kind"] == "failed"


def test_each_failure_counts_by_the_limit_that_it_says() -> None:
    slave = Slave()
    written = Written("s1c1")
    boot = {"kind": "boot", "state": fields(slave.dump())}
    written.add("slave", boot, slave_post(slave, ()))
    tasks = (Task(1, 1, meta(1, random.Random(1))),)
    entries = (Queued(tasks, 0), *(Failed(1, "a", "full", 0, limit) for limit in (9, 9, 2)))
    for index, entry in enumerate(entries, start=1):
        effects = slave.step(entry)
        written.add("slave", told(entry), slave_post(slave, effects.changed), index)
    assert slave.status.value == "STOPPED"
    assert follow({"s1c1": written.records}).unlike == []


def test_one_slave_more_than_its_pull_allows_is_refused() -> None:
    master = Master()
    written = Written("mc1")
    written.add("master", {"kind": "boot", "state": fields(master.dump())}, master_post(master))
    refusals = []
    for index, (site, most) in enumerate((("a:1", 1), ("b:1", 1), ("b:1", 2)), start=1):
        entry = Pulled(site, (site,), 0, 0, 0, most)
        effects = master.step(entry)
        refusals.append(bool(effects.refusal))
        written.add("master", told(entry), master_post(master), index, fields(effects))
    assert refusals == [False, True, False]
    assert follow({"mc1": written.records}).unlike == []


def _fails(slave: Records) -> bool:
    posts = [record.post.get("tasks", ()) for record in slave["s1c1"]]
    return any(state == "FAILED" for tasks in posts for _, state, _ in tasks)


def test_controllers_that_disagree_are_seen() -> None:
    ((_, lines),) = world(4)[0].items()
    other = [msgspec.structs.replace(record, node="mc2") for record in lines]
    assert found({"mc1": lines, "mc2": other}).unlike == []
    at = next(i for i, record in enumerate(other) if record.event["kind"] == "completed")
    event = other[at].event | {"flagged": not other[at].event["flagged"]}
    other[at] = msgspec.structs.replace(other[at], event=event)
    unlike = found({"mc1": lines, "mc2": other}).unlike[0]
    assert (unlike.record.node, unlike.rule) in {("mc2", "step"), ("mc2", "agreement")}


# The checker.


def evidence(records: Records, members: tuple[str, ...]) -> Evidence:
    traces = {
        node: Trace(b"".join(msgspec.json.encode(line) + b"\n" for line in records.get(node, [])))
        for node in members
    }
    return Evidence(history=History(()), members=members, traces=traces)


def test_the_checker_passes_sound_sides_and_names_the_first_step_that_is_not() -> None:
    master, slave = world(6)
    both = master | slave
    members = ("mc1", "md1", "s1c1", "s1d1")
    sound = CONFORMANCE.judge(evidence(both, members))
    assert (sound.validity, sound.promises) == (Validity.PASS, PROMISES)
    assert "2 sides" in sound.sentence
    lines = slave["s1c1"]
    at = max(i for i, record in enumerate(lines) if record.event["kind"] == "failed")
    lines[at] = _post("tasks", _failures)(lines[at])
    broken = CONFORMANCE.judge(evidence(both, members))
    assert broken.validity is Validity.FAIL
    assert f"step {lines[at].seq} of incarnation 1 of s1c1" in broken.sentence
    assert broken.details["divergence"]["core"] == "slave"


def test_the_checker_says_when_it_knows_nothing() -> None:
    assert CONFORMANCE.judge(Evidence(History(()), ("n1", "n2"))).validity is Validity.PASS
    silent = CONFORMANCE.judge(evidence({}, ("mc1",)))
    assert silent.validity is Validity.INCONCLUSIVE


def test_lines_about_cores_and_raft_are_told_apart_and_a_torn_one_is_neither() -> None:
    ((_, lines),) = world(7, tasks=3)[0].items()
    data = b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
    trace = Trace(data + data[:50])
    assert trace.cores == tuple(lines)
    assert Trace(data).records == ()
