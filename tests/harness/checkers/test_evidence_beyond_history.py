"""What checkers take from traces, from the plan and from the fault receipts."""

from typing import Any

import pytest
from delphic.harness.check import check
from delphic.harness.checkers.timeline import context, windows
from delphic.harness.evidence import Evidence, Limits
from delphic.harness.history import History, validated
from delphic.harness.op import Op, OpType
from delphic.harness.verdict import Validity, Verdict
from msgspec.structs import replace
from traced import trace

LINKS = [["n1", "n2"], ["n2", "n1"]]
SECOND = 1_000_000_000


def record(role: str, term: int) -> dict[str, Any]:
    return {"post": {"role": role, "term": term}}


def elections(traces: dict[str, list[dict[str, Any]]], *ops: Op) -> Verdict:
    typed = {member: trace(*records) for member, records in traces.items()}
    return check(Evidence(validated(ops), ("n1", "n2"), traces=typed), ["elections"])[0]


def nemesis(*acts: tuple[str, dict[str, Any]]) -> History:
    """Acts with their receipts, one a second."""
    ops: list[Op] = []
    for f, receipt in acts:
        at_ns = len(ops) // 2 * SECOND
        asked = {"kind": receipt.get("kind", f), "target": "leader", **receipt.pop("asked", {})}
        ops.append(Op(len(ops), at_ns, "nemesis", OpType.INVOKE, f, value=asked))
        error = receipt.pop("error", None)
        value = {"asked": asked, "nodes": [], "observed": {}, "bit": True, **receipt}
        info = Op(len(ops), at_ns + 100, "nemesis", OpType.INFO, f, value=value, error=error)
        ops.append(info)
    return validated(ops)


def died(history: History, *deaths: tuple[float, str, str]) -> History:
    """The same history, in which members were seen to end: when in s, who and how."""
    seen = [
        Op(0, int(at_s * SECOND), "observer", OpType.INFO, "died", node=node, error=how)
        for at_s, node, how in deaths
    ]
    ops = sorted([*history.ops, *seen], key=lambda op: op.time_ns)
    return validated(replace(op, index=at) for at, op in enumerate(ops))


def of_faults(history: History) -> Verdict:
    return check(Evidence(history, ("n1", "n2", "n3")), ["faults"])[0]


def in_force(history: History) -> list[tuple[float, float, tuple[str, ...]]]:
    return [
        (window.start_ns // SECOND, window.end_ns // SECOND, window.faults)
        for window in windows(history)
    ]


def test_traces_alone_show_two_leaders_of_a_term() -> None:
    found = elections(
        {"n1": [record("leader", 2)], "n2": [record("candidate", 2), record("leader", 2)]}
    )
    assert found.validity is Validity.FAIL
    assert found.sentence == (
        "Two leaders in term 2: n1 (record 1 of its trace) and n2 (record 2 of its trace)."
    )
    assert found.details["members"] == ["n1", "n2"]


def test_a_trace_and_an_observation_show_two_leaders_together() -> None:
    value = {"role": "leader", "term": 3, "leader": "n2"}
    seen = Op(0, 5, "observer", OpType.INFO, "role", value=value, node="n2")
    assert elections({"n1": [record("leader", 3)]}, seen).witness == (0,)


@pytest.mark.parametrize(
    ("planned", "validity", "words"),
    [
        (["partition"], Validity.PASS, "1 fault took hold"),
        (["one-way"], Validity.INCONCLUSIVE, "never happened: one-way (1 of 1)"),
        (["partition", "partition", "kill"], Validity.INCONCLUSIVE, "partition (1 of 2), kill (1"),
    ],
)
def test_a_planned_fault_that_never_happened_makes_the_run_inconclusive(
    planned: list[str], validity: Validity, words: str
) -> None:
    history = nemesis(("partition", {"nodes": ["n1"], "links": LINKS}))
    faults = tuple({"kind": kind, "at_s": 1.0} for kind in planned)
    found = check(Evidence(history, ("n1",), planned_faults=faults), ["faults"])[0]
    assert found.validity is validity
    assert words in found.sentence


def test_a_fault_is_known_by_the_kind_that_the_plan_gave_it() -> None:
    history = nemesis(("partition", {"kind": "one-way", "nodes": ["n1"], "links": LINKS[:1]}))
    planned = ({"kind": "one-way"},)
    found = check(Evidence(history, ("n1",), planned_faults=planned), ["faults"])[0]
    assert found.validity is Validity.PASS


def test_a_fault_is_in_force_until_it_is_taken_back() -> None:
    history = nemesis(
        ("kill", {"nodes": ["n1", "n2"]}),
        ("restart", {"nodes": ["n1"]}),
        ("restart", {"nodes": ["n2"]}),
        ("pause", {"nodes": ["n3"]}),
        ("resume", {"nodes": ["n3"]}),
    )
    assert in_force(history) == [(0, 2, ("kill of n1, n2",)), (3, 4, ("pause of n3",))]


def test_power_cuts_disks_and_clocks_are_taken_back_each_by_its_own_repair() -> None:
    history = nemesis(
        ("power-cut", {"nodes": ["n1"]}),
        ("restart", {"nodes": ["n1"]}),
        ("disk", {"nodes": ["n2"]}),
        ("clock", {"nodes": ["n2"]}),
        ("mend", {"nodes": ["n2"]}),
        ("set-clock", {"nodes": ["n2"]}),
    )
    assert in_force(history) == [
        (0, 1, ("power-cut of n1",)),
        (2, 5, ("disk of n2", "clock of n2")),
    ]


def test_rules_for_the_same_links_are_taken_back_by_name() -> None:
    links = LINKS[:1]
    history = nemesis(
        ("hold", {"nodes": ["n1"], "links": links, "asked": {"name": "late"}}),
        ("drop", {"nodes": ["n2"], "links": links, "asked": {"name": "lost"}}),
        ("stage", {"nodes": ["n2"]}),
        ("heal", {"links": links, "asked": {"target": "lost"}}),
        ("release", {"links": links, "asked": {"target": "late"}}),
        ("drop", {"nodes": ["n2"], "links": links, "asked": {"name": "again"}}),
        ("heal", {"links": links, "asked": {"target": "all"}}),
    )
    assert in_force(history) == [
        (0, 4, ("hold of n1", "drop of n2")),
        (5, 6, ("drop of n2",)),
    ]
    found = check(Evidence(history, ("n1", "n2")), ["faults"])[0]
    assert found.sentence.startswith("3 faults took hold")


def test_momentary_faults_count_and_are_never_in_force() -> None:
    history = nemesis(("reset", {"nodes": ["n1"], "links": LINKS}), ("bit-flip", {"nodes": ["n2"]}))
    assert in_force(history) == []
    found = check(Evidence(history, ("n1", "n2")), ["faults"])[0]
    assert found.sentence.startswith("2 faults took hold")


def test_a_fault_that_found_nobody_tells_who_was_down_already_and_why() -> None:
    missed = ("kill", {"bit": False, "error": "no member qualified"})
    stopped = ("restart", {"nodes": ["n1"]})
    later = (1.5, "n2", "signal 11")
    found = of_faults(died(nemesis(stopped, missed), (0.9, "n3", "exit code 4"), later))
    assert found.sentence == (
        "The kill at 1.000 s did not take hold (no member qualified; n3 had ended at 0.900 s: exit "
        "code 4): what the run shows about it is worth nothing."
    )
    assert found.details["hollow"][0]["down"] == ["n3"]
    assert found.details["deaths"] == [
        {"node": "n3", "time_s": 0.9, "how": "exit code 4"},
        {"node": "n2", "time_s": 1.5, "how": "signal 11"},
    ]


def test_who_was_started_again_or_answered_since_was_not_down() -> None:
    missed = ("kill", {"bit": False})
    history = nemesis(("restart", {"nodes": ["n1"]}), ("restart", {"nodes": ["n2"]}), missed)
    ended = died(history, (0.1, "n1", "exit code 4"), (0.2, "n2", "exit code 4"))
    assert "n1 had ended" in of_faults(ended).sentence
    assert "n2 had ended" not in of_faults(ended).sentence
    role = Op(0, SECOND, "observer", OpType.INFO, "role", node="n1", value={"role": "follower"})
    ops = sorted([*ended.ops, role], key=lambda op: op.time_ns)
    answered = validated(replace(op, index=at) for at, op in enumerate(ops))
    assert "had ended" not in of_faults(answered).sentence


def test_who_ended_under_faults_that_took_hold_is_named() -> None:
    full = nemesis(("disk", {"nodes": ["n1"]}), ("mend", {"nodes": ["n1"]}))
    loop = [(0.5 + at / 100, "n2", "killed by a crash loop") for at in range(3)]
    found = of_faults(died(full, (0.4, "n1", "no space left on device"), *loop))
    assert found.validity is Validity.PASS
    assert found.sentence == (
        "1 fault took hold, each with its receipt. Processes that ended meanwhile: n1 (no space "
        "left on device), n2 (killed by a crash loop, 3 times)."
    )


def test_overlapping_faults_make_one_window() -> None:
    history = nemesis(
        ("partition", {"nodes": ["n1"], "links": LINKS}),
        ("kill", {"nodes": ["n2"]}),
        ("heal", {"nodes": ["n1"], "links": LINKS}),
        ("restart", {"nodes": ["n2"]}),
    )
    assert in_force(history) == [(0, 3, ("partition of n1", "kill of n2"))]


def test_healing_some_links_leaves_the_others_cut() -> None:
    history = nemesis(
        ("partition", {"nodes": ["n1"], "links": LINKS[:1]}),
        ("delay", {"nodes": ["n2"], "links": LINKS[1:]}),
        ("heal", {"links": LINKS[:1]}),
        ("heal", {"links": LINKS}),
    )
    assert in_force(history) == [(0, 3, ("partition of n1", "delay of n2"))]


def test_a_fault_that_hit_nobody_is_not_in_force() -> None:
    assert in_force(nemesis(("kill", {"nodes": [], "bit": False}))) == []


def test_a_fault_never_taken_back_is_in_force_until_the_run_ends() -> None:
    history = nemesis(("kill", {"nodes": ["n1"]}), ("pause", {"nodes": ["n2"]}))
    assert in_force(history) == [(0, 1, ("kill of n1", "pause of n2"))]


def test_the_context_of_a_moment_names_the_faults_in_force() -> None:
    history = nemesis(("kill", {"nodes": ["n1"]}), ("restart", {"nodes": ["n1"]}))
    assert context(history, SECOND // 2, SECOND // 2) == (
        " Faults in force then: kill of n1 (since 0.000 s)."
    )
    assert context(history, 2 * SECOND, 2 * SECOND) == ""


def test_limits_are_those_of_the_evidence() -> None:
    ops = [
        Op(0, 0, "harness", OpType.INFO, "phase", value="heal"),
        Op(1, SECOND, 0, OpType.INVOKE, "append", value=[1]),
        Op(2, 3 * SECOND, 0, OpType.OK, "append", value=0),
    ]
    history = validated(ops)
    strict = Limits(leader_s=2.0, first_ack_s=5.0)
    details = check(Evidence(history, ("n1",), limits=strict), ["liveness"])[0].details
    assert details["leader"] == {"seconds": 3.0, "limit_s": 2.0, "validity": "fail"}
    assert details["first_ack"] == {"seconds": 3.0, "limit_s": 5.0, "validity": "pass"}
