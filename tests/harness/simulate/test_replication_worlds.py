"""A master and its slaves in a simulated world: sound, broken by faults, and with seeded bugs."""

import io
from typing import Any

import msgspec
import pytest
from delphic.harness.history import load as load_history
from delphic.harness.language import shipped
from delphic.harness.op import OpType
from delphic.harness.plan import plan
from delphic.harness.scenario import load
from delphic.harness.simulate.execute import simulate_plan
from delphic.harness.verdict import RunVerdict, Validity

SHORT = """
name: short
cluster: {system: replication, master: {controllers: 3, nodes: 1}, slaves: [{nodes: 1}]}
workload: {name: replicate, clients: 6, rate: 60, slave_stops: true, master_stops: true}
duration: 5s
faults:
  - {at: 2s, partition: s1, for: 700ms}
  - {at: 3500ms, kill: master-leader, for: 500ms}
limits: {leader: 10s, first_ack: 10s, replicas: 20s}
"""

BUGGY = """
name: short
cluster: {system: replication, bugs: {all: [BUG]}}
workload: {name: replicate, clients: 6, rate: 60, master_stops: true}
duration: 5s
limits: {leader: 5s, first_ack: 5s, replicas: 3s}
expect: {verdict: fail, promises: [PROMISE]}
"""


def played(text: str) -> RunVerdict:
    made = plan(load(text, "short.yaml"), seed=5, target="sim", command="")
    return simulate_plan(made).verdict


def details(verdict: RunVerdict, checker: str) -> dict[str, Any]:
    return next(told.details for told in verdict.verdicts if told.checker == checker)


@pytest.mark.slow
def test_a_sound_master_and_its_slave_pass_and_were_looked_at() -> None:
    verdict = played(SHORT)
    assert verdict.validity is Validity.PASS, verdict.sentence
    found = details(verdict, "replicated-contents")
    assert found["settled"]
    assert found["fates"]["s1"]["must"] > 20
    assert details(verdict, "replication-queue")["tasks"] > 20
    assert details(verdict, "replication-execution")["stops"] > 0
    assert verdict.statistics["ok"] > 100


ALONE = """
name: alone
cluster: {system: replication, bugs: {mc1: [BUGS]}}
workload: {name: replicate, clients: 12, rate: 200}
duration: 2500ms
faults:
  - {at: 1147ms, power-cut: {node: mc1, keeps: nothing}, for: 100ms}
  - {at: 1910ms, power-cut: {node: mc1, keeps: nothing}, for: 100ms}
limits: {leader: 10s, first_ack: 10s, replicas: 20s}
"""


@pytest.mark.slow
def test_the_log_of_a_controller_that_is_alone_is_held_against_the_model() -> None:
    """HS-2, HS-4: each of two clusters has a Raft group with the id 1, of one member."""
    sound = played(ALONE.replace("BUGS", ""))
    assert sound.validity is Validity.PASS, sound.sentence
    assert details(sound, "conformance")["steps"] > 300
    assert "coverage" not in details(sound, "conformance")
    buggy = played(ALONE.replace("BUGS", "ack-before-fsync"))
    divergence = details(buggy, "conformance")["divergence"]
    assert (divergence["member"], divergence["rule"]) == ("mc1", "recovery")


@pytest.mark.slow
def test_the_model_runs_beside_controllers_of_several_clusters() -> None:
    made = plan(load(ALONE.replace("BUGS", ""), "alone.yaml"), seed=5, target="sim", command="")
    found = simulate_plan(msgspec.structs.replace(made, lockstep=True))
    assert found.verdict.validity is Validity.PASS, found.verdict.sentence
    assert found.verdict.statistics["ok"] > 50


@pytest.mark.slow
def test_databases_that_are_dropped_and_made_again_are_so_on_the_slave() -> None:
    text = SHORT.replace("slave_stops: true, master_stops: true", "databases: 1, metadata: true")
    made = plan(load(text, "short.yaml"), seed=5, target="sim", command="")
    found = simulate_plan(made)
    assert found.verdict.validity is Validity.PASS, found.verdict.sentence
    ops = load_history(io.BytesIO(found.history)).ops
    looks = [op for op in ops if op.f == "tasks" and op.type is OpType.OK]
    done = [row[3] for row in looks[-1].value if row[6] == "FINISH"]
    assert done.count("DROP_DB") >= 1
    assert done.count("CREATE_DOMAIN") == done.count("DROP_DB") + 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bug", "promise"), [("queues-while-disabled", "PR-12"), ("last-group-waits", "PR-26")]
)
def test_a_seeded_bug_is_seen(bug: str, promise: str) -> None:
    verdict = played(BUGGY.replace("BUG", bug).replace("PROMISE", promise))
    assert verdict.as_expected, verdict.sentence


@pytest.mark.slow
def test_a_task_whose_end_is_heard_too_late_is_executed_twice_only_with_the_bug() -> None:
    text, _ = shipped.text_of("bug-applied-unchecked")
    buggy = played(text)
    assert buggy.as_expected, buggy.sentence
    assert "twice" in buggy.sentence
    sound = "".join(line for line in text.splitlines(True) if "bugs:" not in line)
    sound = "".join(line for line in sound.splitlines(True) if not line.startswith("expect:"))
    found = played(sound)
    assert found.validity is Validity.PASS, found.sentence
