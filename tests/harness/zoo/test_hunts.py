"""Hunts of one mistake by one check: caught with who saw it, missed with the reason, or blind."""

from dataclasses import replace

import pytest
from delphic.harness.checkers import CHECKERS
from delphic.harness.checkers.checker import Checker
from delphic.harness.conform.cli import BINDINGS
from delphic.harness.conform.replication.bind import BLIND as BLIND_TO_REPLICATION
from delphic.harness.evidence import Evidence
from delphic.harness.language import shipped
from delphic.harness.verdict import Validity, Verdict
from delphic.harness.zoo import bugs as zoo
from delphic.harness.zoo.checks import CHECKS
from delphic.harness.zoo.cores import CONFORM
from delphic.harness.zoo.explore import COUNTERPARTS, EXPLORE, UNKNOWN_TO_MODELS
from delphic.harness.zoo.nouns import NOTHING, Budget, Bug, Caught, Family, Missed
from delphic.harness.zoo.sabotage import entry
from delphic.harness.zoo.worlds import HISTORY, LOCKSTEP, TRACE
from delphic.impl.bugs import ALL_BUGS
from delphic.impl.bugs_of_replication import REPLICATION_BUGS
from delphic.model.actor import Model
from delphic.model.explore.limits import Limits
from delphic.model.explore.result import Result
from delphic.model.models import MODELS

ENOUGH = Budget(60.0)


def bug(family: Family, name: str) -> Bug:
    return next(bug for bug in zoo.chosen([name]) if bug.family is family)


def test_exploring_catches_a_mutant_by_the_promise_that_it_breaks_and_says_how_far_that_is() -> (
    None
):
    found = EXPLORE.hunt(bug(Family.MODEL, "vote-twice"), ENOUGH)
    assert isinstance(found, Caught)
    assert found.by == "one-vote-per-term HS-1"
    assert found.effort == 3
    assert found.sentence.startswith("one-vote-per-term breaks after 3 steps.")
    assert found.cpu_s > 0


def test_exploring_catches_what_stops_a_group_for_ever() -> None:
    found = EXPLORE.hunt(bug(Family.MODEL, "no-noop"), ENOUGH)
    assert isinstance(found, Caught)
    assert found.by.startswith("the group converges")


def test_exploring_hunts_a_seeded_bug_as_the_mutant_that_makes_the_same_mistake() -> None:
    found = EXPLORE.hunt(bug(Family.IMPLEMENTATION, "follower-ack-before-fsync"), ENOUGH)
    assert isinstance(found, Caught)
    assert found.by.startswith("persisted-before-reply")


def test_a_budget_that_is_too_small_is_a_miss_that_says_so() -> None:
    found = EXPLORE.hunt(bug(Family.MODEL, "read-on-lease"), Budget(0.01))
    assert isinstance(found, Missed)
    assert found.reason.endswith(" states broke nothing in 0.01 seconds of one core.")


def test_exploring_stops_by_what_it_costs_and_not_by_the_clock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    later = iter(range(0, 10**9, 1000))
    monkeypatch.setattr("time.perf_counter", lambda: float(next(later)))
    found = EXPLORE.hunt(bug(Family.MODEL, "vote-twice"), ENOUGH)
    assert isinstance(found, Caught)


def test_all_models_that_a_hunt_explores_share_its_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    spent = iter(range(0, 10**9, 25))
    monkeypatch.setattr("time.process_time", lambda: float(next(spent)))
    asked: list[float | None] = []

    def explore(model: Model, *, limits: Limits, **_: object) -> Result:
        asked.append(limits.cpu_seconds)
        late = limits.cpu_seconds is not None and limits.cpu_seconds <= 0
        return Result(model.name, complete=not late, stopped_by="time" if late else "")

    monkeypatch.setattr("delphic.harness.zoo.explore.explore", explore)
    assert isinstance(EXPLORE.hunt(NOTHING, ENOUGH), Missed)
    assert asked == [35.0, -15.0]


@pytest.mark.parametrize("name", ALL_BUGS)
def test_every_seeded_bug_is_in_a_model_or_there_is_a_reason_why_not(name: str) -> None:
    mutants = {mutant for entry in MODELS.values() for mutant in entry.mutants}
    is_there = COUNTERPARTS.get(name, name) in mutants
    assert is_there is not (name in UNKNOWN_TO_MODELS)
    assert (EXPLORE.blind(bug(Family.IMPLEMENTATION, name)) is None) is is_there


def test_comparing_steps_finds_a_bug_of_the_core_without_starting_anything() -> None:
    found = CONFORM.hunt(bug(Family.IMPLEMENTATION, "stale-read"), ENOUGH)
    assert isinstance(found, Caught)
    assert found.by.startswith("raft, read: ")
    assert found.sentence.endswith(" in the implementation.")


def test_comparing_steps_finds_a_bug_of_replication() -> None:
    found = CONFORM.hunt(bug(Family.IMPLEMENTATION, "applied-unchecked"), ENOUGH)
    assert isinstance(found, Caught)
    assert found.by.startswith("replication, ")


def test_no_bug_is_called_invisible_that_a_binding_sees() -> None:
    seen = frozenset[str]().union(*(binding.bugs for binding in BINDINGS.values()))
    assert not seen & BLIND_TO_REPLICATION.keys()
    assert set(BLIND_TO_REPLICATION) | seen >= set(REPLICATION_BUGS)


def test_every_bug_that_worlds_can_show_has_a_scenario() -> None:
    for name in ALL_BUGS:
        is_there = f"bug-{name}" in shipped.names()
        assert (HISTORY.blind(bug(Family.IMPLEMENTATION, name)) is None) is is_there


def test_no_model_of_replication_runs_beside_members() -> None:
    for name in REPLICATION_BUGS:
        assert "replayed from traces" in str(LOCKSTEP.blind(bug(Family.IMPLEMENTATION, name)))


@pytest.mark.slow
def test_a_core_without_a_mistake_makes_the_steps_of_its_model() -> None:
    found = CONFORM.hunt(NOTHING, Budget(0.01))
    assert isinstance(found, Missed)
    assert found.reason.endswith(" pairs did not show it.")


@pytest.mark.parametrize("name", ALL_BUGS)
def test_every_seeded_bug_is_in_a_core_that_is_bound_or_there_is_a_reason_why_not(
    name: str,
) -> None:
    why = CONFORM.blind(bug(Family.IMPLEMENTATION, name))
    assert (why is None) is any(name in binding.bugs for binding in BINDINGS.values())
    assert why is None or why.endswith(".")


@pytest.mark.slow
def test_histories_show_a_bug_to_the_checker_that_judges_its_promise() -> None:
    found = HISTORY.hunt(bug(Family.IMPLEMENTATION, "ack-before-fsync"), ENOUGH)
    assert isinstance(found, Caught)
    assert found.by.startswith("linearizable HS-2")
    assert found.effort == 1


@pytest.mark.slow
def test_histories_of_a_group_without_a_mistake_show_nothing() -> None:
    found = HISTORY.hunt(NOTHING, Budget(0.01))
    assert isinstance(found, Missed)
    assert found.reason == "1 world raised no alarm."


@pytest.mark.slow
@pytest.mark.parametrize("check", ["history", "aa", "sound-runs"])
def test_a_false_alarm_of_a_judge_of_replication_is_caught_where_nothing_is_wrong(
    check: str,
) -> None:
    was = CHECKERS["replicated-contents"]
    assert isinstance(was, Checker)

    def judge(_: Evidence) -> Verdict:
        return Verdict(was.name, Validity.FAIL, "A row is missing.", was.promises)

    with entry(CHECKERS, was.name, replace(was, judge=judge)):
        found = CHECKS[check].hunt(NOTHING, ENOUGH)
    assert isinstance(found, Caught)
    assert found.by.startswith("replicated-contents")


@pytest.mark.slow
def test_traces_show_figure_8() -> None:
    found = TRACE.hunt(bug(Family.IMPLEMENTATION, "commit-old-term"), ENOUGH)
    assert isinstance(found, Caught)
    assert found.by.startswith("conformance")
    assert found.effort <= 2


def test_what_clients_are_told_is_in_no_trace() -> None:
    assert TRACE.blind(bug(Family.IMPLEMENTATION, "aborted-read")) is not None


def test_no_check_of_members_can_see_a_mistake_in_a_model() -> None:
    assert HISTORY.blind(bug(Family.MODEL, "vote-twice")) is not None
