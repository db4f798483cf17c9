"""Every workload in a short simulated run: sound without a seeded bug, and wrong with its own."""

import pytest
from delphic.harness.language import shipped
from delphic.harness.plan import plan
from delphic.harness.scenario import load
from delphic.harness.simulate.execute import simulate_plan
from delphic.harness.verdict import RunVerdict, Validity

pytestmark = pytest.mark.slow

OWN = {
    "batch": ("batches", "bug-batch-in-parts"),
    "log-poll": ("log-poll", "bug-poll-uncommitted"),
    "not-leader": ("refusals", "bug-names-itself"),
    "keyed": ("keyed", "bug-retries-forgotten"),
    "multi-table": ("tables", "bug-drop-keeps-table"),
}
"""By workload its own checker, and the scenario whose bug that one must see."""

SHORT = """
name: short
cluster: {config: {raftElectionTick: 20}}
workload: {name: NAME, clients: 6, rate: 120, op_timeout: 300ms}
duration: 4s
faults:
  - {at: 500ms, partition: leader, for: 900ms}
  - {at: 2s, kill: leader, for: 500ms}
"""


QUIET = """
name: quiet
workload: {name: log, clients: 2, routing: home, rate: 100}
duration: 2s
faults: [{at: 500ms, kill: leader, for: 500ms}]
"""
"""The second leader is the third member, where no client is at home."""


def played(text: str, file: str, seed: int = 5) -> RunVerdict:
    return simulate_plan(plan(load(text, file), seed=seed, target="sim", command="")).verdict


def validity(verdict: RunVerdict, checker: str) -> Validity:
    return next(told.validity for told in verdict.verdicts if told.checker == checker)


@pytest.mark.parametrize("name", OWN)
def test_a_sound_group_passes_and_was_looked_at(name: str) -> None:
    verdict = played(SHORT.replace("NAME", name), "short.yaml")
    assert verdict.validity is Validity.PASS, verdict.sentence
    assert validity(verdict, OWN[name][0]) is Validity.PASS
    assert verdict.statistics["ok"] > 100


@pytest.mark.parametrize("name", OWN)
def test_the_workloads_own_checker_sees_the_bug_that_it_is_for(name: str) -> None:
    checker, scenario = OWN[name]
    verdict = played(*shipped.text_of(scenario))
    assert verdict.as_expected, verdict.sentence
    assert validity(verdict, checker) is Validity.FAIL


def test_clients_that_stay_at_their_members_find_a_leader_elsewhere_once_all_is_healed() -> None:
    verdict = played(QUIET, "quiet.yaml", seed=1)
    assert verdict.validity is Validity.PASS, verdict.sentence
