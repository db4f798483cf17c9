"""Checkpoints all the time, under every fault: nothing is lost, whatever a log has forgotten."""

import pytest
from delphic.harness.crash import CrashPoint
from delphic.harness.language import shipped
from delphic.harness.simulate.campaign import Case, Job, campaign, crash_cases
from delphic.harness.verdict import Validity

OPTION = "raftElectionTick: 10"
OFTEN = f"{OPTION}, streamingHAPurgeInterval: 1, streamingHAPurgeSize: 2048"
"""A few appends, and the log is cut."""

AWAY = """
name: away
title: One member misses a checkpoint
cluster: {members: 3, config: {raftElectionTick: 10, streamingHAPurgeInterval: 1}}
workload:
  name: log
  clients: 2
  ops:
    - {client: 0, at: 300ms, append: 2}
    - {client: 1, at: 700ms, append: 3}
    - {client: 0, at: 1400ms, append: 1}
    - {client: 1, at: 2s, append: 1}
    - {client: 0, at: 3s, append: 1}
    - {client: 1, at: 3500ms, read: [0, null]}
duration: 4s
faults:
  - {at: 400ms, kill: n3, for: 2s}
minimum: {snapshots installed: 1}
"""


@pytest.mark.slow
def test_logs_that_are_cut_all_the_time_lose_nothing_under_any_fault() -> None:
    """Promises HS-2, HS-4, HS-9, HS-10, HS-20, HS-25, and the model's steps."""
    text, file = shipped.text_of("chaos")
    assert OPTION in text
    job = Job(text.replace(OPTION, OFTEN), file, "chaos")
    found = campaign(job, [Case(seed) for seed in range(1, 13)], jobs=1)
    assert [one.sentence for one in found.tried if one.validity is not Validity.PASS] == []


@pytest.mark.slow
def test_a_crash_at_any_effect_around_a_snapshot_is_harmless() -> None:
    """Every 211th effect of all members, with and without loss of power. HS-9, HS-10, HS-25."""
    job = Job(AWAY, "away.yaml", "away.yaml")
    cases = crash_cases(job, 1)
    assert all(isinstance(point, CrashPoint) for case in cases for point in case.crash)
    found = campaign(job, [Case(1), *cases[::211]], jobs=1)
    assert found.tried[0].validity is Validity.PASS
    wrong = (Validity.FAIL, Validity.HARNESS_ERROR, Validity.UNKNOWN)
    assert [one.sentence for one in found.tried if one.validity in wrong] == []
    assert len(found.tried) > 10
