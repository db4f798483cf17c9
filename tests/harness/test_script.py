"""Scripted operations: what YAML may say, what is planned, and what then happens."""

from pathlib import Path
from typing import Any

import pytest
from delphic.harness.errors import ScenarioError
from delphic.harness.history import Call
from delphic.harness.judging.judgement import evidence_of
from delphic.harness.lifecycle import Finished, Order, execute
from delphic.harness.op import OpType
from delphic.harness.plan import decode, encode, plan
from delphic.harness.running.progress import Quiet
from delphic.harness.scenario import load
from delphic.harness.verdict import Validity
from delphic.harness.workloads import WORKLOADS
from delphic.harness.workloads.workload import Scripted, Step

HEAD = """name: mine
cluster: {trace: false}
duration: 1s
workload:
  name: log
  routing: home
"""

SCRIPT = f"""{HEAD}  ops:
    - {{client: 0, at: 100ms, append: 2}}
    - {{client: 2, at: 200ms, node: n1, append: 1}}
    - {{client: 0, at: 300ms, append: 1}}
    - {{client: 2, at: 400ms, node: n3, read: [0, null]}}
"""

NEVER = f"{HEAD}  ops: []\n"


def planned(text: str, target: str = "local") -> Any:
    return plan(load(text, "my.yaml"), seed=5, target=target, command="")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{client: 0, at: 1ms}", "4: workload.ops[0]: says one of append, read"),
        (
            "{client: 0, at: 1ms, append: 1, read: [0, 1]}",
            "4: workload.ops[0]: says one of append, read",
        ),
        ("{client: 0, at: 1ms, append: 0}", "4: workload.ops[0].append: must be at least 1, not 0"),
        (
            "{client: 0, at: 1ms, read: [null, 1]}",
            "4: workload.ops[0].read: must be an offset, and how many rows or null, not [None, 1]",
        ),
        (
            "{client: 0, at: 1s, append: 1}",
            "4: workload.ops[0]: begins at 1s, but the run ends at 1s (`duration`)",
        ),
        (
            "{client: 0, at: 1ms, append: 1, node: n4}",
            "4: workload.ops[0]: 'n4' is no member (known: n1, n2, n3, leader)",
        ),
    ],
)
def test_a_mistake_in_a_script_is_told_with_its_place(text: str, said: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        load(f"name: mine\nduration: 1s\nworkload:\n  ops: [{text}]\n", "my.yaml")
    assert str(caught.value).startswith(f"my.yaml:{said}")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("rate: 3, ops: []", "workload: `ops` says all that clients do; remove `rate`"),
        (
            "clients: 1, ops: [{client: 1, at: 1ms, append: 1}]",
            "workload.ops[0]: there is no client 1: `clients` is 1",
        ),
        (
            "ops: [{client: 0, at: 2ms, append: 1}, {client: 0, at: 1ms, append: 1}]",
            "workload.ops[1]: client 0 has something later to do above; put it in order",
        ),
    ],
)
def test_a_script_that_contradicts_itself_is_refused(options: str, said: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        load(f"name: mine\nduration: 1s\nworkload: {{name: log, {options}}}\n", "my.yaml")
    assert str(caught.value) == f"my.yaml:3: {said}"


def test_a_script_is_planned_with_ids_for_its_rows() -> None:
    made = planned(SCRIPT)
    assert made.load.clients == 3
    assert made.load.ops == (
        Scripted(0, 0.1, "append", [0, 3]),
        Scripted(2, 0.2, "append", [2], "n1"),
        Scripted(0, 0.3, "append", [6]),
        Scripted(2, 0.4, "read", [0, None], "n3"),
    )
    assert [op.at_s for op in made.load.script(0)] == [0.1, 0.3]
    assert made.load.script(1) == ()
    assert decode(encode(made), "plan.json") == made


def test_rows_that_the_harness_appends_are_not_those_of_the_script() -> None:
    proofs = WORKLOADS["log"].proofs(planned(SCRIPT).workload)
    assert [next(proofs) for _ in range(2)] == [Step("append", [7]), Step("append", [8])]
    assert next(WORKLOADS["log"].proofs(planned(NEVER).workload)) == Step("append", [0])


def test_without_a_script_there_is_none_in_the_plan() -> None:
    made = planned(HEAD.replace("routing: home", "rate: 5"))
    assert made.load.ops is None
    assert "ops" not in made.workload


def test_a_seed_in_the_scenario_is_read() -> None:
    assert load(f"seed: 7\n{NEVER}", "my.yaml").seed == 7
    assert load(NEVER, "my.yaml").seed is None


def played(text: str, out: Path) -> tuple[Finished, list[Call]]:
    done = execute(Order(planned(text, "memory"), text, out), Quiet(), lambda path: None)
    evidence = evidence_of(done.run, planned(text, "memory"))
    return done, evidence.history.calls()


@pytest.mark.slow
def test_a_script_is_played_and_the_harness_sees_the_group_serve(
    memory: Any, tmp_path: Path
) -> None:
    done, calls = played(SCRIPT, tmp_path)
    assert [(c.invoke.process, c.invoke.node, c.outcome, c.invoke.value) for c in calls] == [
        (0, "n1", OpType.OK, [0, 3]),
        (2, "n1", OpType.OK, [2]),
        (0, "n1", OpType.OK, [6]),
        (2, "n3", OpType.FAIL, [0, None]),
        (0, "n1", OpType.OK, [7]),
        (0, "n1", OpType.OK, [0, None]),
    ]
    begins = [call.invoke.time_ns / 1e9 for call in calls]
    assert begins[3] - begins[0] == pytest.approx(0.3, abs=0.1)
    assert done.verdict.validity is Validity.PASS, done.verdict.sentence


@pytest.mark.slow
def test_what_a_script_has_left_when_the_time_is_over_is_left_out(
    memory: Any, tmp_path: Path
) -> None:
    ops = "\n".join(
        f"    - {{client: 0, at: {at}ms, node: n1, append: 1}}" for at in (100, 200, 300, 990)
    )
    text = f"{HEAD}  op_timeout: 850ms\n  ops:\n{ops}\nfaults:\n  - {{at: 150ms, pause: n1}}\n"
    done, calls = played(text, tmp_path)
    assert [c.outcome for c in calls] == [OpType.OK, OpType.INFO, OpType.OK, OpType.OK]
    assert [c.invoke.value for c in calls] == [[0], [1], [4], [0, None]]
    assert done.verdict.validity is Validity.PASS, done.verdict.sentence


@pytest.mark.slow
def test_a_script_may_be_empty(memory: Any, tmp_path: Path) -> None:
    done, calls = played(NEVER, tmp_path)
    assert [c.invoke.f for c in calls] == ["append", "read"]
    assert done.verdict.validity is Validity.PASS, done.verdict.sentence


@pytest.mark.slow
def test_a_script_may_ask_the_leader_or_whom_a_step_hit(memory: Any, tmp_path: Path) -> None:
    text = f"""{HEAD}  op_timeout: 100ms
  ops:
    - {{client: 1, at: 100ms, node: leader, append: 1}}
    - {{client: 1, at: 400ms, node: leader, append: 1}}
    - {{client: 2, at: 410ms, node: old, read: [0, null]}}
    - {{client: 0, at: 150ms, node: late, append: 1}}
faults:
  - {{at: 200ms, partition: leader, as: old}}
  - {{at: 800ms, pause: n3, as: late}}
"""
    _, calls = played(text, tmp_path)
    assert [(c.invoke.node, c.outcome) for c in calls[:4]] == [
        ("n1", OpType.OK),
        ("n1", OpType.OK),
        ("n2", OpType.OK),
        ("n1", OpType.INFO),
    ]
