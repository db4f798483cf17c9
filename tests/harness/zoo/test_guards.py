"""Mistakes in the harness: each is noticed by its guard, and without one all guards are quiet."""

import json
import re

import pytest
from click.testing import CliRunner
from delphic.harness.check import check
from delphic.harness.checkers import CHECKERS
from delphic.harness.errors import ExitCode, UsageError
from delphic.harness.language import shipped
from delphic.harness.nemeses import NEMESES
from delphic.harness.simulate.campaign import Case, Tried, try_case
from delphic.harness.simulate.clock import HostClock
from delphic.harness.targets.sim import SIM
from delphic.harness.verdict import Validity
from delphic.harness.zoo import aa_cli, drills
from delphic.harness.zoo import bugs as zoo
from delphic.harness.zoo.aa import every, nulled_job, tried
from delphic.harness.zoo.checks import CHECKS
from delphic.harness.zoo.guard import Guard
from delphic.harness.zoo.mutants import MUTANTS, installed
from delphic.harness.zoo.nouns import NOTHING, Budget, Bug, Caught, Family, Missed
from delphic.harness.zoo.planted import PLANTS
from delphic.harness.zoo.sabotage import attribute, entry

ENOUGH = Budget(60.0)
GUARDS = [check.name for check in CHECKS.values() if isinstance(check, Guard)]
UNDOING = {"heal", "restart", "resume", "release"}
HARMLESS = {"stage"}
"""Steps that break nothing."""


def mutant(name: str) -> Bug:
    return next(bug for bug in zoo.chosen([name]) if bug.family is Family.HARNESS)


@pytest.mark.slow
@pytest.mark.parametrize("name", MUTANTS)
def test_a_mistake_in_the_harness_is_noticed_by_the_guard_whose_business_it_is(name: str) -> None:
    found = CHECKS[MUTANTS[name].guard].hunt(mutant(name), ENOUGH)
    assert isinstance(found, Caught), found
    assert "fell over" not in found.sentence


@pytest.mark.slow
@pytest.mark.parametrize("name", GUARDS)
def test_a_guard_is_quiet_where_nothing_is_wrong(name: str) -> None:
    found = CHECKS[name].hunt(NOTHING, ENOUGH)
    assert isinstance(found, Missed), found
    assert re.fullmatch(r"All [\d,]+ looks noticed nothing\.", found.reason)


def test_the_eight_mistakes_of_the_notes_are_among_them() -> None:
    rows = {mutant.source.split(",")[0] for mutant in MUTANTS.values()}
    assert {f"H{number}" for number in range(1, 9)} <= rows


def test_something_is_planted_for_every_checker() -> None:
    wanted = {(name, validity) for plant in PLANTS for name, validity in plant.seen_by.items()}
    assert {name for name, validity in wanted if validity is not Validity.PASS} == set(CHECKERS)
    assert {name for name, validity in wanted if validity is Validity.PASS} == set(CHECKERS)


def test_the_drills_have_every_kind_of_fault_but_those_that_undo_others() -> None:
    scenarios = [shipped.scenario(name) for name in (drills.SCENARIO, drills.OF_TASK_DATA)]
    played = {fault.kind for scenario in scenarios for _, fault in scenario.fixed()}
    simulated = {
        k for k, n in NEMESES.items() if n.requires is None or n.requires in SIM.capabilities
    }
    assert played == simulated - UNDOING - HARMLESS - {"bit-flip", "cut-tail"}


def test_a_mistake_is_gone_when_it_is_left() -> None:
    was = (dict(CHECKERS), HostClock.set, dict(NEMESES), Validity.severity)
    for name in MUTANTS:
        with installed(name):
            pass
    assert (dict(CHECKERS), HostClock.set, dict(NEMESES), Validity.severity) == was


def test_a_mistake_is_gone_when_what_happened_under_it_failed() -> None:
    class Owner:
        word = "right"

    registry = {"word": "right"}

    def fail() -> None:
        with attribute(Owner, "word", 1), entry(registry, "word", 1):
            assert (Owner.word, registry["word"]) == (1, 1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert (Owner.word, registry["word"]) == ("right", "right")


def test_a_harness_that_falls_over_has_been_noticed() -> None:
    def look() -> None:
        raise IndexError("nothing there")

    guard = Guard("fragile", "falls over", "It is quiet.", look)  # type: ignore[arg-type]
    found = guard.hunt(NOTHING, ENOUGH)
    assert isinstance(found, Caught)
    assert found.by == "IndexError"
    assert found.sentence == "The harness fell over: IndexError: nothing there"


def test_a_scenario_that_cannot_be_read_is_no_news_of_a_mistake() -> None:
    def look() -> None:
        raise UsageError("no such key")

    guard = Guard("fragile", "falls over", "It is quiet.", look)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no such key"):
        guard.hunt(NOTHING, ENOUGH)


def test_a_blind_checker_passes_what_the_sighted_one_does_not() -> None:
    plant = next(one for one in PLANTS if one.name == "two members lead in one term")
    with installed("passes-elections"):
        assert check(plant.evidence, ["elections"])[0].validity is Validity.PASS
    assert check(plant.evidence, ["elections"])[0].validity is Validity.FAIL


# A/A.


@pytest.mark.slow
@pytest.mark.parametrize("name", [*shipped.names(), *shipped.regressions()])
def test_a_scenario_without_its_faults_is_clean(name: str) -> None:
    found = try_case(nulled_job(name, longest_s=1.0), Case(1))
    assert found.validity is Validity.PASS, found.sentence
    assert found.as_expected
    assert found.operations > 0


def test_a_scenario_without_its_faults_has_no_faults_no_bugs_and_the_same_clients() -> None:
    job = nulled_job("bug-stale-read", longest_s=3.0)
    plan = job.plan(Case(7))
    assert (plan.faults, plan.bugs, plan.expect.validity) == ((), {}, "pass")
    assert plan.duration_s == 3.0
    assert plan.load.clients == 12
    assert nulled_job("bug-stale-read").plan(Case(7)).duration_s == 25.0
    assert job.again(Case(7)) == "delphic aa bug-stale-read --seeds 7..7"


def test_all_scenarios_take_part_unless_some_are_named() -> None:
    assert [job.name for job in every()] == [*shipped.names(), *shipped.regressions()]
    assert [job.name for job in every(["chaos"])] == ["chaos"]


@pytest.mark.slow
def test_several_processes_find_what_one_does() -> None:
    jobs = [nulled_job("handful", longest_s=1.0), nulled_job("no-faults", longest_s=1.0)]
    alone, together = [*tried(jobs, [1, 2], 1)], [*tried(jobs, [1, 2], 2)]
    assert [one.digest for one in alone] == [one.digest for one in together]
    assert len({one.digest for one in alone}) == 4


@pytest.mark.slow
def test_the_command_says_that_all_was_clean() -> None:
    words = ["handful", "--seeds", "2", "--jobs", "1"]
    found = CliRunner().invoke(aa_cli.aa_command, words, standalone_mode=False)
    assert found.output == "2 of 2 worlds without faults were clean.\n"
    assert found.return_value is ExitCode.AS_EXPECTED


@pytest.mark.parametrize("as_json", [False, True])
def test_what_is_found_where_nothing_is_wrong_is_an_error_of_delphics_own(
    monkeypatch: pytest.MonkeyPatch, as_json: bool
) -> None:
    one = Tried(Case(3), Validity.FAIL, False, "A row is lost.")
    monkeypatch.setattr(aa_cli, "tried", lambda *_: iter([one]))
    words = ["handful", "--seeds", "3..3", *(["--json"] if as_json else [])]
    found = CliRunner().invoke(aa_cli.aa_command, words, standalone_mode=False)
    assert found.return_value is ExitCode.HARNESS
    if as_json:
        assert json.loads(found.output)["scenarios"][0]["dirty"][0]["sentence"] == "A row is lost."
    else:
        assert found.output.splitlines() == [
            "handful: fail: A row is lost.",
            "  again   delphic aa handful --seeds 3..3",
            "0 of 1 worlds without faults were clean.",
        ]
