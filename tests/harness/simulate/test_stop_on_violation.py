"""Runs that end where a check sees something wrong, and those that go on as if nobody looked."""

import json
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from delphic.__main__ import delphic
from delphic.harness.errors import ExitCode, ScenarioError, UsageError
from delphic.harness.judging.judgement import recheck
from delphic.harness.plan import Switches
from delphic.harness.rundir import RunDir
from delphic.harness.scenario import load
from delphic.harness.simulate.campaign import Case, Job
from delphic.harness.simulate.cli import job_of
from delphic.harness.simulate.execute import Simulated, simulate_plan
from delphic.harness.verdict import Validity, Verdict

OF_TABLES = """\
name: mine
workload: {name: WORKLOAD}
duration: 1s
stop_on_violation: true
"""


SHORT = """\
name: short
cluster: {trace: false}
workload: {name: WORKLOAD, clients: 6, rate: 80}
duration: 1500ms
faults:
  - {at: 200ms, partition: leader, for: 500ms}
  - {at: 900ms, kill: leader, for: 200ms}
"""


def played(job: Job, *, stops: bool) -> Simulated:
    plan = job.plan(Case(1))
    return simulate_plan(msgspec.structs.replace(plan, stop_on_violation=stops))


def timeless(found: Simulated) -> bytes:
    """The verdict as bytes, without what judging it cost."""
    plain = msgspec.to_builtins(found.verdict)
    for verdict in plain["verdicts"]:
        verdict.pop("cost_s", None)
        for opinion in verdict.get("details", {}).get("opinions", ()):
            opinion.pop("cost_s", None)
            opinion.get("details", {}).pop("seconds", None)
    return json.dumps(plain, sort_keys=True).encode()


@pytest.mark.slow
@pytest.mark.parametrize("workload", ["log", "log-poll", "keyed", "subscribe"])
def test_a_correct_run_is_not_touched_by_being_checked(workload: str) -> None:
    job = Job(SHORT.replace("WORKLOAD", workload), "short.yaml", "short.yaml")
    checked, alone = played(job, stops=True), played(job, stops=False)
    assert checked.verdict.validity is Validity.PASS
    assert checked.history == alone.history
    assert timeless(checked) == timeless(alone)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bug", "checker"),
    [
        ("stale-read", "linearizable"),
        ("poll-uncommitted", "log-poll"),
        ("retries-forgotten", "keyed"),
        ("publish-written", "subscriptions"),
    ],
)
def test_a_bug_ends_its_run_long_before_the_end(bug: str, checker: str) -> None:
    job = job_of(f"bug-{bug}")
    found = played(job, stops=True)
    online = found.verdict.verdicts[-1]
    assert (online.checker, online.validity) == ("online", Validity.FAIL)
    assert online.details["checker"] == checker
    assert found.verdict.as_expected, "the promise that the scenario names is seen to break"
    when_s = online.details["time_s"]
    assert when_s < job.plan(Case(1)).duration_s / 2
    assert f"First seen at {when_s:.3f} s, at op {online.details['index']}" in online.sentence
    assert found.ending.duration_s < when_s + 2, "healed, asked once more, and over"
    ops = map(json.loads, found.history.splitlines())
    phases = [op["value"] for op in ops if op["f"] == "phase"]
    assert phases == ["main", "heal", "quiesce", "final", "end"]
    assert not found.ending.interrupted
    assert named(found, "liveness").validity is Validity.PASS


def named(found: Simulated, checker: str) -> Verdict:
    return next(verdict for verdict in found.verdict.verdicts if verdict.checker == checker)


@pytest.mark.slow
def test_the_command_stops_and_the_directory_says_so_again(tmp_path: Path) -> None:
    words = ["run", "bug-retries-forgotten", "--seed", "1", "--on", "sim", "--out", str(tmp_path)]
    result = CliRunner().invoke(delphic, [*words, "--stop-on-violation"])
    assert result.exit_code == ExitCode.AS_EXPECTED, result.output
    assert "checked while it goes on: keyed, elections" in result.output
    assert "fail          online [HS-16]: First seen at" in result.output
    assert result.output.rstrip().endswith("--on sim --stop-on-violation")
    run = RunDir((tmp_path / "latest").resolve())
    before = msgspec.json.decode(run.verdict.read_bytes())["verdicts"][-1]
    again = recheck(run).verdicts[-1]
    assert (again.checker, again.sentence) == (before["checker"], before["sentence"])
    assert "First seen at" in run.report.read_text()


def test_what_nobody_can_check_while_it_goes_on_is_refused() -> None:
    with pytest.raises(ScenarioError, match="no check of `replicate` can be made while a run goes"):
        load(OF_TABLES.replace("WORKLOAD", "replicate") + "cluster: {system: replication}", "x")
    assert load(OF_TABLES.replace("WORKLOAD", "log"), "x").stop_on_violation
    text = OF_TABLES.replace("WORKLOAD", "replicate").replace("stop_on_violation: true\n", "")
    scenario = load(text + "cluster: {system: replication}", "x")
    with pytest.raises(UsageError, match="--stop-on-violation: no check of `replicate`"):
        Switches(stop_on_violation=True).check(scenario)


@pytest.mark.slow
def test_a_campaign_of_worlds_that_stop_says_how_to_see_one_again(tmp_path: Path) -> None:
    words = ["simulate", "bug-retries-forgotten", "--seeds", "1..1", "--jobs", "1"]
    result = CliRunner().invoke(delphic, [*words, "--stop-on-violation", "--out", str(tmp_path)])
    assert "--seed 1 --on sim --stop-on-violation" in result.output, result.output
    assert result.exit_code == ExitCode.AS_EXPECTED
