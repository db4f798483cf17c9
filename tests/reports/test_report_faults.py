"""Acts of the nemesis become faults with a beginning, an end and a receipt."""

from typing import Any

import pytest
from delphic.harness.history import History
from delphic.harness.op import Op, OpType
from delphic.reports.page.faults import Act, acts, faults

CUT = {"n1->n2": None, "n2->n1": 0.001}


def history(*ops: tuple[int, OpType, str, Any]) -> History:
    """Ops of the nemesis by second, type, f and value."""
    return History(
        tuple(
            Op(index, second * 10**9, "nemesis", kind, f, value=value)
            for index, (second, kind, f, value) in enumerate(ops)
        )
    )


def done(second: int, f: str, target: Any, nodes: list[str], **receipt: Any) -> list[Any]:
    """An act with its receipt half a second later."""
    asked = {"kind": f, "target": target}
    value = {"asked": asked, "nodes": nodes, "observed": {}, "bit": True} | receipt
    return [(second, OpType.INVOKE, f, asked), (second, OpType.INFO, f, value)]


def seconds(act: Act) -> tuple[int, int | None]:
    return act.start // 10**6, None if act.end is None else act.end // 10**6


def test_faults_are_numbered_and_repairs_name_what_they_end() -> None:
    found = acts(
        history(
            *done(1, "kill", "leader", ["n1"]),
            *done(3, "restart", "leader", ["n1"]),
            *done(5, "pause", "n2", ["n2"]),
            *done(8, "resume", "n2", ["n2"]),
        )
    )
    assert [act.number for act in found] == [1, None, 2, None]
    assert [act.undoes for act in found] == [(), (1,), (), (2,)]
    assert [seconds(act) for act in faults(found)] == [(1, 3), (5, 8)]
    assert found[0].label(["n1", "n2", "n3"]) == "kill n1"
    assert found[0].target == "leader"


def test_a_fault_that_nothing_undid_has_no_end() -> None:
    (found,) = acts(history(*done(1, "pause", "n1", ["n1"])))
    assert found.end is None
    assert found.is_in_force(10**12)
    assert not found.is_in_force(0)


def test_a_kill_lasts_until_all_its_members_are_back() -> None:
    found = acts(
        history(
            *done(1, "kill", "all", ["n1", "n2"]),
            *done(2, "restart", "n1", ["n1"]),
            *done(4, "restart", "n2", ["n2"]),
        )
    )
    assert seconds(found[0]) == (1, 4)
    assert found[1].undoes == found[2].undoes == (1,)


@pytest.mark.parametrize(("fault", "repair"), [("kill", "restart"), ("disk", "mend")])
def test_a_repair_ends_faults_of_its_own_members_only(fault: str, repair: str) -> None:
    found = acts(
        history(
            *done(1, fault, "n1", ["n1"]),
            *done(2, fault, "n5", ["n5"]),
            *done(3, repair, "n1", ["n1"]),
            *done(4, repair, "n5", ["n5"]),
        )
    )
    assert [act.undoes for act in found[2:]] == [(1,), (2,)]
    assert [seconds(act) for act in faults(found)] == [(1, 3), (2, 4)]


def test_stacked_network_faults_end_one_by_one() -> None:
    links = [["n1", "n2"], ["n2", "n1"]]
    other = [["n1", "n3"], ["n3", "n1"]]
    found = acts(
        history(
            *done(1, "partition", "leader", ["n1"], links=links),
            *done(2, "partition", "n3", ["n3"], links=other),
            *done(4, "heal", "leader", ["n1", "n2"], links=links),
            *done(6, "heal", "n3", ["n1", "n3"], links=other),
        )
    )
    assert [seconds(act) for act in faults(found)] == [(1, 4), (2, 6)]


def test_two_faults_alike_end_in_their_order() -> None:
    links = [["n1", "n2"]]
    found = acts(
        history(
            *done(1, "delay", "all", ["n1"], links=links),
            *done(2, "delay", "all", ["n1"], links=links),
            *done(3, "heal", "x", ["n1"], links=links),
        )
    )
    assert [seconds(act) for act in faults(found)] == [(1, 3), (2, 3)]
    again = acts(
        history(
            *done(1, "delay", "slow", ["n1"], links=links),
            *done(2, "delay", "slow", ["n1"], links=links),
            *done(3, "heal", "slow", ["n1"], links=links),
        )
    )
    assert [seconds(act) for act in faults(again)] == [(1, 3), (2, None)]


def test_a_heal_of_all_ends_all_network_faults_but_kills() -> None:
    found = acts(
        history(
            *done(1, "partition", "halves", ["n1"], links=[["n1", "n2"]]),
            *done(2, "rate", "all", ["n1"], links=[["n2", "n1"]]),
            *done(3, "kill", "n3", ["n3"]),
            *done(5, "heal", "all", []),
        )
    )
    assert [seconds(act) for act in faults(found)] == [(1, 5), (2, 5), (3, None)]


def test_a_fault_that_missed_its_moment_was_never_in_force() -> None:
    asked = {"kind": "kill", "target": "leader"}
    value = {"asked": asked, "nodes": [], "observed": {}, "bit": False}
    ops = history((1, OpType.INVOKE, "kill", asked), (2, OpType.INFO, "kill", value)).ops
    (found,) = acts(History(ops))
    assert found.bit is False
    assert found.end == found.start
    assert not found.is_in_force(found.start)


def test_without_a_receipt_nobody_knows_whether_it_took_hold() -> None:
    asked = {"kind": "kill", "target": "leader"}
    (found,) = acts(history((1, OpType.INVOKE, "kill", asked)))
    assert found.bit is None
    assert found.done is None
    assert found.label(["n1"]) == "kill leader"


def test_a_fault_that_hits_all_members_is_called_as_it_was_asked_for() -> None:
    (found,) = acts(history(*done(1, "partition", "majority-ring", ["n1", "n2", "n3"])))
    assert found.label(["n1", "n2", "n3"]) == "partition majority-ring"
    assert found.label(["n1", "n2", "n3", "n4"]) == "partition n1, n2, n3"


def test_probes_are_held_against_what_was_wanted() -> None:
    receipt = {"observed": {"links": CUT}, "wanted": {"n1->n2": [True, 0.0, None]}}
    (found,) = acts(history(*done(1, "partition", "n1", ["n1"], **receipt)))
    assert [(p.source, p.destination, p.seconds) for p in found.probes] == [
        ("n1", "n2", None),
        ("n2", "n1", 0.001),
    ]
    assert all(probe.is_as_wanted for probe in found.probes)
    (leaky,) = acts(history(*done(1, "partition", "n1", ["n1"], observed={"links": CUT})))
    assert [probe.is_as_wanted for probe in leaky.probes] == [False, True]


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("leader", "leader"),
        (["n1", "n2"], "n1, n2"),
        ([["n1"], ["n2", "n3"]], "n1 | n2, n3"),
        ({"from": "leader", "to": "followers"}, "leader to followers"),
        ({"odd": 1}, '{"odd":1}'),
        (None, ""),
        (7, "7"),
    ],
)
def test_targets_are_told_as_they_were_written(target: Any, text: str) -> None:
    (found,) = acts(history(*done(1, "pause", target, [])))
    assert found.target == text


def test_what_else_was_asked_and_seen_is_kept() -> None:
    asked = {"kind": "delay", "target": "all", "by_s": 0.1}
    value = {"asked": asked, "nodes": ["n1"], "observed": {"answers": {"n1": True}}, "bit": True}
    ops = history((1, OpType.INVOKE, "delay", asked), (1, OpType.INFO, "delay", value))
    (found,) = acts(ops)
    assert found.other == (("by_s", "0.1"), ("answers", "n1 yes"))


def test_a_receipt_without_an_asking_is_left_out() -> None:
    assert acts(history((1, OpType.INFO, "kill", {"bit": True}))) == ()


def test_a_momentary_fault_ends_when_it_is_done() -> None:
    reset, disk, mend = acts(
        history(
            *done(1, "reset", "n1", ["n1"]),
            *done(2, "disk", "n2", ["n2"]),
            *done(4, "mend", "n2", ["n2"]),
        )
    )
    assert seconds(reset) == (1, 1)
    assert seconds(disk) == (2, 4)
    assert (mend.number, mend.undoes) == (None, (2,))


def test_rules_are_ended_by_name_and_a_stage_is_no_fault() -> None:
    links = [["n1", "n2"]]

    def rule(second: int, f: str, name: str) -> list[Any]:
        asked = {"kind": f, "target": {}, "rule": {"message": "append-request"}, "name": name}
        value = {"asked": asked, "nodes": ["n1"], "links": links, "bit": True}
        return [(second, OpType.INVOKE, f, asked), (second, OpType.INFO, f, value)]

    found = acts(
        history(
            *rule(1, "hold", "late"),
            *rule(2, "drop", "lost"),
            *done(3, "stage", "(a)", ["n1"]),
            *done(4, "release", "late", ["n1"], links=links),
            *done(5, "heal", "lost", ["n1", "n2"], links=links),
        )
    )
    assert [act.number for act in found] == [1, 2, None, None, None]
    assert [act.undoes for act in found] == [(), (), (), (1,), (2,)]
    assert [seconds(act) for act in faults(found)] == [(1, 4), (2, 5)]
    assert found[0].label(["n1", "n2"]) == "hold append-request n1"
