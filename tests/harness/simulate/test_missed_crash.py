"""A crash point behind a member's last effect crashes nobody, and the run says so."""

import pytest
from delphic.harness.crash import CrashPoint
from delphic.harness.errors import ExitCode
from delphic.harness.judging.judgement import CRASH
from delphic.harness.plan import plan
from delphic.harness.scenario import load
from delphic.harness.simulate.execute import Simulated, simulate_plan
from delphic.harness.verdict import Validity

TEXT = """\
name: tiny
title: One row
cluster: {config: {raftElectionTick: 10}}
workload:
  name: log
  ops: [{client: 0, at: 0s, append: 1}]
duration: 1s
"""


def crashed(point: CrashPoint, until: int | None = None) -> Simulated:
    made = plan(load(TEXT, "tiny.yaml"), seed=1, target="sim", command="", crash=(point,))
    return simulate_plan(made, until=until)


@pytest.mark.slow
def test_a_crash_point_that_is_never_reached_is_inconclusive() -> None:
    found = crashed(CrashPoint("n1", 999_999))
    assert found.verdict.exit_code is ExitCode.INCONCLUSIVE
    (said,) = (one for one in found.verdict.verdicts if one.checker == CRASH)
    told = f"n1:999999:before (of {found.effects['n1']} effects)"
    assert said.sentence == f"Crash points were not reached: {told}."


@pytest.mark.slow
@pytest.mark.parametrize(("effect", "until"), [(5, None), (999_999, 1)])
def test_one_that_was_reached_and_a_run_that_was_cut_short_say_nothing(
    effect: int, until: int | None
) -> None:
    found = crashed(CrashPoint("n1", effect), until)
    assert found.ending.missed == ()
    assert CRASH not in [one.checker for one in found.verdict.verdicts]
    assert (found.verdict.validity is Validity.PASS) == (until is None)
