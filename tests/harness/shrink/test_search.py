"""The search, with made-up rules in place of the simulator: what breaks, and what need not be."""

from collections.abc import Callable, Generator, Iterable, Iterator
from itertools import islice
from typing import Any

import pytest
from delphic.harness.errors import ScenarioError
from delphic.harness.language.document import Document
from delphic.harness.scenario import read
from delphic.harness.shrink import steps
from delphic.harness.shrink.moments import moments, spell
from delphic.harness.shrink.moves import MOVES, TIMES, size
from delphic.harness.shrink.search import (
    Bounds,
    Candidate,
    Failure,
    Outcome,
    Shrunk,
    Trials,
    shrink,
    summary,
)
from hypothesis import given, settings
from hypothesis import strategies as st

Data = dict[str, Any]
Rule = Callable[[Candidate], bool]

HS4 = frozenset({"HS-4"})
BOUNDS = Bounds(trials=5_000, seconds=1e9, seeds=2, clock=lambda: 0.0)


def judged(rule: Rule, candidate: Candidate) -> Outcome:
    read(Document(candidate.data, {}, "asked"))
    return Outcome((Failure(HS4),) if rule(candidate) else ())


def one_by_one(rule: Rule, asked: list[Candidate] | None = None) -> Trials:
    def trials(candidates: Iterable[Candidate]) -> Generator[Outcome, None, None]:
        for candidate in candidates:
            if asked is not None:
                asked.append(candidate)
            yield judged(rule, candidate)

    return trials


def looking_ahead(rule: Rule, count: int) -> Trials:
    def trials(candidates: Iterable[Candidate]) -> Generator[Outcome, None, None]:
        left = iter(candidates)
        while batch := list(islice(left, count)):
            yield from [judged(rule, candidate) for candidate in batch]

    return trials


def shrunk(data: Data, rule: Rule, bounds: Bounds = BOUNDS, seed: int = 7) -> Shrunk:
    found = shrink(Candidate(data, seed), HS4, one_by_one(rule), bounds)
    assert found is not None
    return found


def kinds(data: Data) -> list[str]:
    return [steps.kind_of(step) for step in data.get("faults", [])]


def op_kinds(data: Data) -> list[str]:
    return ["append" if "append" in op else "read" for op in data["workload"]["ops"]]


def is_within(needle: list[str], hay: list[str]) -> bool:
    """Whether one list is in the other, in order."""
    left = iter(hay)
    return all(word in left for word in needle)


MOMENTS = st.integers(1, 9_500).map(lambda ms: spell(ms * 1_000))
STEPS = st.one_of(
    st.builds(
        lambda at, kind, target, length: {"at": at, kind: target, "for": spell(length * 1_000)},
        MOMENTS,
        st.sampled_from(["kill", "pause", "partition"]),
        st.sampled_from(["leader", "follower", "one"]),
        st.integers(1, 400),
    ),
    st.builds(lambda at: {"at": at, "delay": {"links": "all", "by": "130ms"}}, MOMENTS),
    st.builds(lambda then: {"then": then, "kill": "one"}, MOMENTS),
)
OPERATIONS = st.builds(
    lambda client, at, node, what: {"client": client, "at": at, "node": node, **what},
    st.integers(0, 3),
    MOMENTS,
    st.sampled_from(["n1", "n2", "n5"]),
    st.one_of(
        st.integers(1, 5).map(lambda count: {"append": count}),
        st.integers(0, 50).map(lambda start: {"read": [start, 20]}),
    ),
)


@st.composite
def scenarios(draw: st.DrawFn) -> Data:
    ops = draw(st.lists(OPERATIONS, max_size=8))
    ops.sort(key=lambda op: moments({"duration": op["at"], "workload": {}}))
    return {
        "name": "mine",
        "cluster": {"members": 5, "config": {"raftElectionTick": 100}},
        "workload": {"name": "log", "op_timeout": "150ms", "routing": "home", "ops": ops},
        "duration": "10s",
        "faults": draw(st.lists(STEPS, max_size=6)),
        "limits": {"leader": "4s"},
    }


@st.composite
def rules(draw: st.DrawFn, data: Data) -> Rule:
    """Breaks where some of the faults and operations are left, in order, and some more holds."""
    faults = [kind for kind in kinds(data) if draw(st.booleans())]
    ops = [kind for kind in op_kinds(data) if draw(st.booleans())]
    members = draw(st.sampled_from([3, 4, 5]))
    shortest_s = draw(st.sampled_from([0.0, 1.5, 7.3]))
    needs_tick = draw(st.booleans())
    odd_seeds_only = draw(st.booleans())

    def rule(candidate: Candidate) -> bool:
        made = read(Document(candidate.data, {}, ""))
        return (
            is_within(faults, kinds(candidate.data))
            and is_within(ops, op_kinds(candidate.data))
            and made.cluster.members >= members
            and made.duration >= shortest_s
            and (not needs_tick or "raftElectionTick" in made.cluster.config)
            and (not odd_seeds_only or candidate.seed % 2 == 1)
        )

    return rule


def smaller(data: Data) -> Iterator[tuple[Data, bool]]:
    """All that one move makes of a scenario and that is smaller; whether only times are."""
    faults, ops = data.get("faults", []), data["workload"]["ops"]
    less = [data | {"faults": steps.without(faults, range(i, i + 1))} for i in range(len(faults))]
    for at in range(len(ops)):
        less.append(data | {"workload": data["workload"] | {"ops": ops[:at] + ops[at + 1 :]}})
    less += [one for move in MOVES for one in move(data)]
    times = [one for move in TIMES for one in move(data)]
    for one, only_times in [*((one, False) for one in less), *((one, True) for one in times)]:
        try:
            read(Document(one, {}, ""))
        except ScenarioError:
            continue
        if size(one) < size(data):
            yield one, only_times


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(st.data())
def test_what_is_left_breaks_the_promise_and_no_move_makes_it_smaller(draws: Any) -> None:
    data = draws.draw(scenarios())
    try:
        read(Document(data, {}, ""))
    except ScenarioError:
        return
    rule = draws.draw(rules(data))
    found = shrunk(data, rule)
    assert found.is_minimal
    assert rule(found.candidate)
    assert size(found.candidate.data) <= size(data)
    seeds = [found.candidate.seed, 1 if found.candidate.seed == 0 else 0]

    def shown(data: Data) -> int:
        return sum(rule(Candidate(data, seed)) for seed in seeds)

    enough = shown(found.candidate.data)
    for one, only_times in smaller(found.candidate.data):
        assert shown(one) < (enough if only_times else 1)


@pytest.mark.slow
@settings(deadline=None, max_examples=30)
@given(st.data(), st.integers(2, 9), st.integers(1, 300))
def test_looking_ahead_changes_nothing_and_no_more_is_spent_than_allowed(
    draws: Any, ahead: int, most: int
) -> None:
    data = draws.draw(scenarios())
    try:
        read(Document(data, {}, ""))
    except ScenarioError:
        return
    rule = draws.draw(rules(data))
    bounds = Bounds(trials=most, seconds=1e9, seeds=2, clock=lambda: 0.0)
    asked: list[Candidate] = []
    alone = shrink(Candidate(data, 7), HS4, one_by_one(rule, asked), bounds)
    assert alone == shrink(Candidate(data, 7), HS4, looking_ahead(rule, ahead), bounds)
    assert alone is not None
    assert alone.trials == len(asked) <= most
    assert rule(alone.candidate)


DATA: Data = {
    "name": "mine",
    "workload": {"name": "log", "ops": []},
    "duration": "20s",
    "faults": [
        {"at": "2.345s", "partition": "leader", "for": "1.2s"},
        {"at": "7s", "kill": "leader", "for": "2s"},
    ],
}


def test_time_is_over_when_the_clock_says_so() -> None:
    ticks = iter(range(10_000))
    bounds = Bounds(seconds=3.0, clock=lambda: float(next(ticks)))
    found = shrink(Candidate(DATA, 7), HS4, one_by_one(lambda _: True), bounds)
    assert found is not None
    assert not found.is_minimal
    assert found.trials == 3


def test_a_failure_that_no_seed_shows_is_told() -> None:
    asked: list[Candidate] = []
    bounds = Bounds(seeds_at_first=4)
    assert shrink(Candidate(DATA, 2), HS4, one_by_one(lambda _: False, asked), bounds) is None
    assert [candidate.seed for candidate in asked] == [2, 0, 1, 3]


def test_another_promise_is_another_failure() -> None:
    def trials(candidates: Iterable[Candidate]) -> Generator[Outcome, None, None]:
        for candidate in candidates:
            both = len(kinds(candidate.data)) == 2
            yield Outcome((Failure(HS4 if both else frozenset({"HS-2"})),))

    found = shrink(Candidate(DATA, 7), HS4, trials, BOUNDS)
    assert found is not None
    assert kinds(found.candidate.data) == ["partition", "kill"]


def test_the_seed_that_shows_a_smaller_scenario_is_kept_with_it() -> None:
    def rule(candidate: Candidate) -> bool:
        return len(kinds(candidate.data)) == 2 or candidate.seed == 0

    found = shrunk(DATA, rule)
    assert found.candidate.seed == 0
    assert kinds(found.candidate.data) == []


def test_times_become_short_and_round() -> None:
    def rule(candidate: Candidate) -> bool:
        made = read(Document(candidate.data, {}, "")).fixed()
        return (
            [fault.kind for _, fault in made] == ["partition", "kill"]
            and (made[0][1].at_s or 0) >= 0.25
            and (made[1][1].at_s or 0) >= (made[0][1].at_s or 0) + 2
        )

    found = shrunk(DATA, rule).candidate.data
    assert [step["at"] for step in found["faults"]] == ["300ms", "3s"]
    assert found["duration"] == "4s"
    assert summary(found) == "2 faults, 0 operations, 3 members, 4s"


def test_drawn_faults_are_written_out_and_then_left_out() -> None:
    data = DATA | {
        "faults": [
            {"at": "1s", "pause": "n1", "for": "100ms"},
            {
                "random": {
                    "from": ["kill", {"pause": "n2"}],
                    "every": "2s",
                    "for": "1s",
                    "until": "19s",
                }
            },
        ]
    }
    drawn = [step for step in steps.written_out(data, 7)["faults"] if "kill" in step]

    def rule(candidate: Candidate) -> bool:
        return "kill" in kinds(steps.written_out(candidate.data, candidate.seed))

    found = shrunk(data, rule).candidate.data
    assert len(found["faults"]) == 1
    assert found["faults"][0]["kill"] in [step["kill"] for step in drawn]


def test_a_search_says_how_it_gets_on() -> None:
    said: list[str] = []
    shrink(Candidate(DATA, 7), HS4, one_by_one(lambda _: True), BOUNDS, said.append)
    assert said[0] == "    1 runs  2 faults, 0 operations, 3 members, 20s"
    assert said[-1].endswith("0 faults, 0 operations, 3 members, 1s")


def test_times_change_only_where_no_fewer_seeds_show_it() -> None:
    def rule(candidate: Candidate) -> bool:
        made = read(Document(candidate.data, {}, "")).fixed()
        at_s = [fault.at_s or 0 for _, fault in made]
        return len(at_s) == 2 and (at_s[1] >= 2 or candidate.seed == 7)

    found = shrunk(DATA, rule).candidate
    assert (found.seed, found.data["faults"][1]["at"]) == (7, "2s")
