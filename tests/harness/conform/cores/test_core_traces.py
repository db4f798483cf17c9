"""Traces of replication's cores are the model's steps; spoiled ones are not."""

import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from core_worlds import LIMIT, MEMBERS, NODES, Records, meta, post, world
from delphic.harness.checkers.replication.conformance import CONFORMANCE, PROMISES
from delphic.harness.conform.cores.finding import Followed
from delphic.harness.conform.cores.validator import follow
from delphic.harness.evidence import Evidence
from delphic.harness.history import History
from delphic.harness.traces import CoreRecord, Trace
from delphic.harness.verdict import Validity
from delphic.impl.replication.effects import Dispatch as Dispatched
from delphic.impl.replication.events import (
    Failed,
    Pulled,
    Queued,
)
from delphic.impl.replication.master import Master
from delphic.impl.replication.slave import Slave
from delphic.impl.replication.tasks import Task
from delphic.impl.replication.tracing import fields, master_post, slave_post, told
from written_lines import Written


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


def _failures(tasks: Any) -> Any:
    return [[task, state, failures + 1] for task, state, failures in tasks]


@pytest.mark.parametrize(
    ("side", "kind", "spoil", "what"),
    [
        (0, "completed", post("group", lambda group: group + 1), "group"),
        (0, "completed", post("next", lambda number: number + 1), "next"),
        (0, "pulled", post("head", lambda head: head + 1), "head"),
        (0, "flagset", post("flagged", lambda flagged: []), "flagged"),
        (1, "recorded", post("tasks", _failures), "task"),
        (1, "recorded", post("tasks", lambda tasks: []), "tasks that change"),
        (1, "queued", post("offset", lambda offset: offset - 1), "offset"),
        (1, "finished", post("finished", lambda done: done + 1), "finished"),
        (1, "failed", post("status", lambda status: "DISABLED"), "status"),
        (1, "retrydue", post("running", lambda running: []), "tasks that run"),
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
    sound = CONFORMANCE.judge(evidence(both, MEMBERS))
    assert (sound.validity, sound.promises) == (Validity.PASS, PROMISES)
    assert "2 sides" in sound.sentence
    elsewhere = CONFORMANCE.judge(evidence(both, (*MEMBERS[:3], *reversed(NODES))))
    assert elsewhere.details["divergence"]["what"] == "data node"
    lines = slave["s1c1"]
    at = max(i for i, record in enumerate(lines) if record.event["kind"] == "failed")
    lines[at] = post("tasks", _failures)(lines[at])
    broken = CONFORMANCE.judge(evidence(both, MEMBERS))
    assert broken.validity is Validity.FAIL
    assert f"step {lines[at].seq} of incarnation 1 of s1c1" in broken.sentence
    assert broken.details["divergence"]["core"] == "slave"


def test_the_checker_says_when_it_knows_nothing() -> None:
    assert CONFORMANCE.judge(Evidence(History(()), ("n1", "n2"))).validity is Validity.PASS
    silent = CONFORMANCE.judge(evidence({}, ("mc1",)))
    assert silent.validity is Validity.INCONCLUSIVE
    master, slave = world(6)
    headless = {"s1c1": _headless(slave["s1c1"])}
    told_by = {
        "who dispatched them": master | headless,
        "no trace of the master has": {"mc1": _headless(master["mc1"])[:1]} | slave,
    }
    for words, records in told_by.items():
        verdict = CONFORMANCE.judge(evidence(records, MEMBERS))
        assert verdict.validity is Validity.INCONCLUSIVE
        assert words in verdict.sentence


def _headless(lines: list[CoreRecord]) -> list[CoreRecord]:
    """Without the leader's records."""
    kept = [record for record in lines if record.group != "dispatcher"]
    return [msgspec.structs.replace(record, seq=seq) for seq, record in enumerate(kept)]


def test_lines_about_cores_and_raft_are_told_apart_and_a_torn_one_is_neither() -> None:
    ((_, lines),) = world(7, tasks=3)[0].items()
    data = b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
    trace = Trace(data + data[:50])
    assert trace.cores == tuple(lines)
    assert Trace(data).records == ()
