"""Search guided by new steps of the model: which schedules are changed, how, and again the same."""

import random
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from delphic.__main__ import delphic
from delphic.harness.errors import ExitCode
from delphic.harness.language.document import parse
from delphic.harness.language.shipped import text_of
from delphic.harness.plan import Switches
from delphic.harness.scenario import load
from delphic.harness.shrink.steps import kind_of, written_out
from delphic.harness.simulate.campaign import Campaign, Case, Job, Tried, try_case
from delphic.harness.simulate.cli import again
from delphic.harness.simulate.guided import Guide, guided
from delphic.harness.simulate.mutate import mutated, palette
from delphic.harness.verdict import Validity

SHORT = """
name: short
cluster: {config: {raftElectionTick: 10}}
workload: {name: log, clients: 2, rate: 40}
duration: 2s
faults:
  - random: {from: [partition, {kill: leader}, pause], every: 400ms, for: 200ms, until: 1800ms}
"""

JOB = Job(SHORT, "short.yaml", "short.yaml")

SEEDS = range(1, 25)


def schedules(found: Campaign) -> list[Case]:
    return [one.case for one in found.tried]


def is_guided(found: Campaign) -> bool:
    """Whether anything but what seeds draw was tried."""
    return any(one.case.text for one in found.tried)


@pytest.fixture(scope="module")
def found() -> Campaign:
    return guided(JOB, SEEDS, keep_going=True)


@pytest.mark.slow
def test_as_many_worlds_are_tried_as_there_are_seeds_and_some_are_changed(
    found: Campaign,
) -> None:
    assert len(found.tried) == len(SEEDS)
    assert is_guided(found)
    assert {one.validity for one in found.tried} <= {Validity.PASS, Validity.INCONCLUSIVE}
    assert len(found.local_steps) > 200
    assert found.exercised.counts.total() > 1_000


@pytest.mark.slow
def test_the_same_seeds_try_the_same_worlds_in_one_process_or_two(found: Campaign) -> None:
    again = guided(JOB, SEEDS, keep_going=True)
    assert schedules(again) == schedules(found)
    assert [one.digest for one in again.tried] == [one.digest for one in found.tried]
    two = guided(JOB, SEEDS, keep_going=True, jobs=2)
    assert [one.digest for one in two.tried] == [one.digest for one in found.tried]
    assert two.local_steps == found.local_steps


@pytest.mark.slow
def test_a_changed_world_can_be_tried_again_by_its_scenario(found: Campaign) -> None:
    one = next(one for one in found.tried if one.case.text)
    alone = Job(one.case.text, "scenario.yaml", "scenario.yaml")
    assert try_case(alone, Case(one.case.seed)).digest == one.digest


@pytest.mark.slow
def test_a_guide_that_learns_nothing_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(self: Guide, data: object, tried: Tried) -> int:
        return 0

    monkeypatch.setattr(Guide, "learn", nothing)
    assert not is_guided(guided(JOB, range(1, 18), keep_going=True))


def tried(seed: int, *steps: str) -> Tried:
    return Tried(Case(seed), Validity.PASS, True, "", local_steps=frozenset(steps))


def test_only_schedules_that_led_to_something_new_are_kept() -> None:
    guide = Guide(JOB, 1)
    data = written_out(parse(SHORT, "").data, 1)
    assert guide.learn(data, tried(1, "a", "b")) == 2
    assert guide.learn(data, tried(2, "b")) == 0
    assert guide.learn(data, tried(3, "b", "c")) == 1
    assert [(kept.seed, kept.new) for kept in guide.kept] == [(1, 2), (3, 1)]


def test_nothing_is_changed_before_anything_was_learned() -> None:
    guide = Guide(JOB, 1)
    assert [guide.case(seed)[0] for seed in range(8)] == [Case(seed) for seed in range(8)]


def test_every_change_is_a_scenario_with_faults_of_its_palette_alone() -> None:
    data = written_out(parse(SHORT, "").data, 1)
    choices = palette(parse(SHORT, "").data)
    kinds = {kind for kind, _ in choices}
    chance, found, others = random.Random(3), [data], [written_out(parse(SHORT, "").data, 2)]
    for _ in range(60):
        found.append(mutated(found[-1], others, choices, chance))
    assert kinds == {"partition", "kill", "pause"}
    assert len({yaml.safe_dump(one) for one in found}) > 40
    for one in found:
        assert load(yaml.safe_dump(one), "").faults
        assert {kind_of(step) for step in one["faults"]} <= kinds
    assert len({len(one["faults"]) for one in found}) > 3
    assert {key: one for key, one in found[-1].items() if key != "faults"} == {
        key: one for key, one in data.items() if key != "faults"
    }


@pytest.mark.parametrize("name", ["chaos", "quickstart", "kill-all", "trace-figure-8"])
def test_shipped_scenarios_can_be_changed(name: str) -> None:
    data = parse(*text_of(name)).data
    steps, choices = written_out(data, 1), palette(data)
    chance = random.Random(1)
    assert choices
    assert any(mutated(steps, [steps], choices, chance) != steps for _ in range(5))


def test_a_scenario_without_faults_stays_as_it_is() -> None:
    data = {**parse(SHORT, "").data, "faults": []}
    assert palette(data) == ()
    assert mutated(data, [data], (), random.Random(1)) == data


@pytest.mark.slow
def test_the_command_stops_at_a_failure_and_tells_how_to_see_it_again(tmp_path: Path) -> None:
    path = tmp_path / "short.yaml"
    path.write_text(SHORT.replace("{config", "{bugs: {all: [stale-read]}, config"))
    words = ["simulate", str(path), "--seeds", "20", "--jobs", "1", "--guided"]
    shown = CliRunner().invoke(delphic, [*words, "--out", str(tmp_path / "runs")])
    assert shown.exit_code == ExitCode.PROMISE_BROKEN, shown.output
    assert "  again   delphic run " in shown.output
    assert "local steps of the model" in shown.output


def test_a_changed_schedule_is_run_again_from_the_directory_that_keeps_it() -> None:
    changed = Case(7, text=SHORT)
    assert str(changed) == "seed 7 faults changed"
    assert JOB.again(changed) == "delphic run scenario.yaml --seed 7 --on sim"
    assert again(JOB, changed, {changed: Path("/runs/one")}) == (
        "delphic run /runs/one/scenario.yaml --seed 7 --on sim"
    )
    assert again(JOB, Case(7), {}) == "delphic run short.yaml --seed 7 --on sim"


@pytest.mark.parametrize("lockstep", [False, True])
def test_in_lockstep_no_failure_is_expected_of_guided_worlds(
    lockstep: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step that is not the model's ends them, where a broken promise was to be seen."""

    def broken(job: Job, case: Case, *, measure: bool) -> Tried:
        return Tried(case, Validity.FAIL, not lockstep, "…", ("x",))

    monkeypatch.setattr("delphic.harness.simulate.guided.try_case", broken)
    text, file = text_of("bug-vote-twice")
    job = Job(text, file, "bug-vote-twice", Switches(lockstep=lockstep))
    found = guided(job, [1, 2])
    assert found.exit_code() == (ExitCode.PROMISE_BROKEN if lockstep else ExitCode.AS_EXPECTED)


def test_crash_points_cannot_be_guided() -> None:
    shown = CliRunner().invoke(delphic, ["simulate", "handful", "--guided", "--crash-points"])
    assert shown.exit_code != 0
    assert "--guided has no say" in str(shown.exception)
