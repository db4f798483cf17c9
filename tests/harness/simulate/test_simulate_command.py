"""The command `delphic simulate`: which seeds it tries."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from delphic.harness.errors import ExitCode
from delphic.harness.judging.judgement import ending_of, judge, plan_of
from delphic.harness.lifecycle import Order
from delphic.harness.plan import Plan
from delphic.harness.running.journal import digest, entries, traces_of
from delphic.harness.running.progress import Quiet
from delphic.harness.simulate.campaign import Case, Job
from delphic.harness.simulate.cli import again, simulate_command
from delphic.harness.simulate.execute import Simulated, simulate_plan
from delphic.harness.simulate.keep import execute_simulated
from delphic.reports.write import write

TEXT = """\
name: tiny
seed: 7
cluster: {config: {raftElectionTick: 10}, bugs: {all: [ack-before-quorum]}}
workload:
  name: log
  ops: [{client: 0, at: 0s, append: 1}]
duration: 1s
faults: [{at: 0s, partition: leader}]
expect: {verdict: fail, promises: [HS-2]}
"""

RUN = simulate_command(lambda path: None)


def tried(folder: Path, text: str, *more: str) -> tuple[int, str]:
    """How many worlds were tried, and the command that shows the first failure."""
    file = folder / "tiny.yaml"
    file.write_text(text)
    words = [str(file), "--json", "--jobs", "1", "--out", str(folder / "runs"), *more]
    told = CliRunner().invoke(RUN, words)
    assert told.exit_code == 0, told.output
    found = json.loads(told.stdout)
    return found["worlds"], found["failures"][0]["again"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "worlds", "seed"),
    [
        ([], 1, 7),
        (["--seeds", "3..4", "--keep-going"], 2, 3),
        (["--seeds", "2", "--keep-going"], 2, 1),
    ],
)
def test_a_scenarios_own_seed_is_tried_unless_others_are_asked_for(
    more: list[str], worlds: int, seed: int, tmp_path: Path
) -> None:
    count, again = tried(tmp_path, TEXT, *more)
    assert count == worlds
    assert f"--seed {seed} " in again


@pytest.mark.slow
def test_without_a_seed_of_its_own_a_scenario_is_tried_from_one_on(tmp_path: Path) -> None:
    count, again = tried(tmp_path, TEXT.replace("seed: 7\n", ""))
    assert 1 <= count <= 100
    assert "--seed 1 " in again


@pytest.mark.slow
@pytest.mark.parametrize(
    ("expect", "code"), [("", 1), ("expect: {verdict: fail, promises: [HS-2]}\n", 4)]
)
def test_what_broke_is_told_where_no_run_directory_can_be_written(
    expect: str, code: int, tmp_path: Path
) -> None:
    file = tmp_path / "ti ny.yaml"
    file.write_text(TEXT.partition("expect")[0] + expect)
    words = [str(file), "--jobs", "1", "--out", str(file / "runs")]
    told = CliRunner().invoke(RUN, words)
    assert told.exit_code == code, told.output
    assert "1 × " in told.stdout
    assert "1 fail" in told.stdout
    assert f"again   delphic run '{file}' --seed 7 --on sim" in told.stdout
    assert "shrink" not in told.stdout
    assert told.stderr == f"error: cannot write {file / 'runs'}: Not a directory\n"
    found = CliRunner().invoke(RUN, [*words, "--json"])
    plain = json.loads(found.stdout)
    assert (found.exit_code, plain["exit_code"]) == (code, code)
    assert [one["run"] for one in plain["failures"]] == [None]


@pytest.mark.slow
@pytest.mark.parametrize("more", [[], ["--guided"]])
def test_what_was_found_is_told_when_somebody_ends_the_search(
    more: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    played = iter(range(2))

    def simulate(plan: Plan) -> Simulated:
        if next(played, None) is None:
            raise KeyboardInterrupt
        return simulate_plan(plan)

    monkeypatch.setattr("delphic.harness.simulate.campaign.simulate_plan", simulate)
    file = tmp_path / "tiny.yaml"
    file.write_text(TEXT.partition("expect")[0])
    words = [str(file), "--seeds", "7..20", "--keep-going", "--jobs", "1", *more]
    told = CliRunner().invoke(RUN, [*words, "--out", str(tmp_path / "runs")])
    assert told.exit_code == ExitCode.PROMISE_BROKEN, told.output
    assert "stopped: 2 of 14 worlds were tried" in told.stderr
    assert "2 fail" in told.stdout
    assert "shrink" in told.stdout


@pytest.mark.parametrize("expect", ["verdict: pass", "verdict: fail, promises: [HS-2]"])
def test_a_search_that_somebody_ended_shows_nothing(
    expect: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def simulate(plan: Plan) -> Simulated:
        raise KeyboardInterrupt

    monkeypatch.setattr("delphic.harness.simulate.campaign.simulate_plan", simulate)
    file = tmp_path / "tiny.yaml"
    file.write_text(TEXT.partition("expect")[0] + f"expect: {{{expect}}}\n")
    told = CliRunner().invoke(RUN, [str(file), "--jobs", "1"])
    assert told.exit_code == ExitCode.INCONCLUSIVE, told.output
    assert "not seen" not in told.stdout


@pytest.mark.slow
def test_a_group_that_does_not_get_ready_leaves_all_that_there_is(tmp_path: Path) -> None:
    text = f"{TEXT.partition('faults')[0]}limits: {{leader: 1ms, first_ack: 1ms}}\n"
    job = Job(text, "tiny.yaml", "tiny.yaml")
    done = execute_simulated(Order(job.plan(Case(1)), text, tmp_path), Quiet(), lambda path: None)
    assert done.verdict.exit_code == ExitCode.WORLD, done.verdict.sentence
    assert "the group was not ready 2ms after its start" in str(done.world)
    assert [entry["phase"] for entry in entries(done.run.journal)][-2:] == ["sealed", "checked"]
    assert done.run.node_trace("n1").read_bytes()
    assert traces_of(done.run.journal)["n1"] == digest(done.run.node_trace("n1"))
    assert judge(done.run, plan_of(done.run), ending_of(done.run)).sentence == done.verdict.sentence


@pytest.mark.slow
def test_the_report_lists_the_files_that_a_run_leaves(tmp_path: Path) -> None:
    text = f"{TEXT.partition('cluster')[0]}{TEXT[TEXT.index('workload') : TEXT.index('faults')]}"
    job = Job(text, "tiny.yaml", "tiny.yaml")
    done = execute_simulated(Order(job.plan(Case(1)), text, tmp_path), Quiet(), write)
    assert done.verdict.exit_code == ExitCode.AS_EXPECTED, done.verdict.sentence
    page = done.run.report.read_bytes()
    assert b"nodes/n1/" in page
    assert not any(done.run.node("n1").rglob("data*.log"))
    write(done.run.path)
    assert done.run.report.read_bytes() == page


def test_commands_that_are_shown_can_be_copied(tmp_path: Path) -> None:
    job, case = Job(TEXT, "ti ny.yaml", "ti ny.yaml"), Case(7, text=TEXT)
    path = tmp_path / "a run"
    assert again(job, case, {case: path}) == (
        f"delphic run '{path}/scenario.yaml' --seed 7 --on sim"
    )


def test_the_help_tells_which_seeds() -> None:
    told = CliRunner().invoke(RUN, ["--help"]).stdout
    assert "[default: the scenario's own, or 1..100]" in " ".join(told.split())
