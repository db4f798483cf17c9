"""Many worlds of one scenario: outcomes, groups, crash points, and the seed decides it all."""

import gc
import json
import os
import subprocess
import sys
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from delphic.harness.crash import CrashPoint
from delphic.harness.errors import ExitCode
from delphic.harness.judging.judgement import conclude
from delphic.harness.plan import Plan
from delphic.harness.simulate.campaign import (
    Campaign,
    Case,
    Job,
    Tried,
    campaign,
    crash_cases,
    try_case,
)
from delphic.harness.simulate.execute import Simulated, simulate_plan
from delphic.harness.simulate.guided import guided
from delphic.harness.simulate.loop import SimLoop
from delphic.harness.targets.sim import SimCluster
from delphic.harness.verdict import Validity, Verdict
from dying_pool import DyingPool

TINY = """
name: tiny
title: A handful of operations
cluster: {members: 3, config: {raftElectionTick: 10}, bugs: {all: [BUG]}}
workload:
  name: log
  clients: 2
  ops:
    - {client: 0, at: 500ms, append: 2}
    - {client: 1, at: 510ms, append: 1}
    - {client: 0, at: 800ms, read: [0, null]}
    - {client: 1, at: 1s, append: 1}
duration: 2s
"""

CORRECT = Job(TINY.replace("BUG", ""), "tiny.yaml", "tiny.yaml")

DIGESTS = """
import json, sys
from delphic.harness.language import shipped
from delphic.harness.simulate.campaign import Case, Job, try_case
found = {}
for name in sys.argv[1:]:
    text, file = shipped.text_of(name)
    one = try_case(Job(text, file, name), Case(7))
    found[name] = [one.digest, one.validity.value, one.sentence]
print(json.dumps(found))
"""

SCENARIOS = (
    "quickstart",
    "chaos",
    "bug-aborted-read",
    "bug-commit-old-term",
    "bug-folder-not-synced",
    "bug-ack-before-fsync",
    "bug-stale-vote-counted",
    "bug-duplicate-vote-counted",
    "bug-truncate-off-by-one",
    "bug-always-truncate",
)


def tried(seed: int, validity: Validity, *signature: str) -> Tried:
    return Tried(Case(seed), validity, validity is Validity.PASS, "…", signature)


def digests(hash_seed: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", DIGESTS, *SCENARIOS],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
    )


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes_in_every_process() -> None:
    """Histories and traces of ten scenarios, with different hash seeds of Python."""
    told = []
    with digests("1") as first, digests("2") as second:
        for process in (first, second):
            out, _ = process.communicate()
            assert process.returncode == 0
            told.append(json.loads(out))
    one, other = told
    assert one == other
    assert len({digest for digest, _, _ in one.values()}) == len(SCENARIOS)
    assert not [name for name, found in one.items() if found[1] == "harness_error"]


@pytest.mark.slow
def test_other_seeds_give_other_worlds() -> None:
    found = campaign(CORRECT, [Case(seed) for seed in range(5)])
    assert [one.validity for one in found.tried] == [Validity.PASS] * 5
    assert len({one.digest for one in found.tried}) == 5


@pytest.mark.slow
def test_worlds_are_the_same_whatever_number_of_processes_works_on_them() -> None:
    cases = [Case(seed) for seed in range(6)]
    alone, together = campaign(CORRECT, cases, jobs=1), campaign(CORRECT, cases, jobs=3)
    assert [(t.case, t.digest) for t in alone.tried] == [(t.case, t.digest) for t in together.tried]


@pytest.mark.slow
def test_the_correct_build_survives_a_crash_at_effects_of_every_kind() -> None:
    """Every 97th of all crash points; `make nightly` takes them all. Promises HS-2, HS-3, HS-25."""
    cases = crash_cases(CORRECT, 1)
    assert {(point.after, point.power) for case in cases for point in case.crash} == {
        (after, power) for after in (False, True) for power in (False, True)
    }
    found = campaign(CORRECT, cases[::97], jobs=1)
    assert len(found.tried) > 40
    assert [one.sentence for one in found.tried if one.validity is not Validity.PASS] == []


@pytest.mark.slow
@pytest.mark.parametrize(("bug", "is_seen"), [("ack-before-fsync", True), ("", False)])
def test_a_power_cut_at_some_effect_shows_what_was_acknowledged_too_early(
    bug: str, is_seen: bool
) -> None:
    """Disks are slow, so that there is something between an acknowledgement and its sync.

    Three disks have to lose it, which one power cut in some twenty brings about: of the correct
    build the points of one seed are enough, with the bug other seeds are tried until one does.
    """
    slow = "faults:\n  - {at: 400ms, disk: {node: all, is: slow, factor: 200}}\n"
    job = Job(TINY.replace("BUG", bug) + slow, "slow.yaml", "slow.yaml")
    cases: list[Case] = []
    for seed in range(1, 5 if is_seen else 2):
        points = [case.crash[0] for case in crash_cases(job, seed)]
        leader = [point for point in points if point.node == "n1" and point.power and point.after]
        cases += [Case(seed, (point,)) for point in leader[170:230]]
    found = campaign(job, cases)
    assert bool(found.failed) is is_seen
    assert {one.validity for one in found.tried} <= {Validity.PASS, Validity.FAIL}


@pytest.mark.slow
def test_nothing_is_left_of_a_world_that_is_over() -> None:
    """Members die in the middle of syncs: a suspended job would keep the whole world alive."""
    faults = """
faults:
  - {at: 200ms, disk: {node: all, is: slow, factor: 100}}
  - {at: 520ms, power-cut: all, for: 100ms}
  - {at: 810ms, kill: all, for: 100ms}
"""
    job = Job(TINY.replace("BUG", "") + faults, "tiny.yaml", "tiny.yaml")
    worlds = [
        weakref.ref(simulate_plan(job.plan(Case(seed))).cluster.world.loop) for seed in range(5)
    ]
    gc.collect()
    assert [world() for world in worlds] == [None] * 5


def test_a_bug_of_ours_is_an_outcome_that_says_where() -> None:
    broken = Job(TINY.replace("BUG", "").replace("500ms", "soon"), "tiny.yaml", "tiny.yaml")
    found = try_case(broken, Case(1))
    assert found.validity is Validity.HARNESS_ERROR
    assert "ScenarioError" in found.sentence


def test_a_failure_that_is_expected_hides_no_bug_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    hoping = replace(CORRECT, text=f"{CORRECT.text}expect: {{verdict: fail, promises: [HS-2]}}\n")
    found = simulate_plan(CORRECT.plan(Case(1)))
    lost = Verdict("durability", Validity.FAIL, "Lost.", ("XX-1",))
    odd = Verdict("order", Validity.HARNESS_ERROR, "DELPHIC CONTRADICTS ITSELF")

    def broken(plan: Plan) -> Simulated:
        return replace(found, verdict=conclude(plan, [lost, odd], found.ending))

    monkeypatch.setattr("delphic.harness.simulate.campaign.simulate_plan", broken)
    assert try_case(hoping, Case(1)).validity is Validity.HARNESS_ERROR
    assert try_case(CORRECT, Case(1)).validity is Validity.FAIL


def test_a_group_that_does_not_get_ready_is_no_bug_of_ours() -> None:
    job = Job(f"{TINY.replace('BUG', '')}limits: {{leader: 1ms, first_ack: 1ms}}\n", "", "")
    found = try_case(job, Case(1))
    assert found.validity in (Validity.INCONCLUSIVE, Validity.UNKNOWN)
    assert "The run could not be finished: " in found.sentence
    assert "the group was not ready 2ms after its start" in found.sentence


@pytest.mark.parametrize("search", [campaign, guided])
def test_what_was_found_before_a_process_died_is_told(
    search: Callable[..., Campaign], monkeypatch: pytest.MonkeyPatch
) -> None:
    dying = DyingPool(lambda case: Tried(case, Validity.PASS, True, "…"))
    for name in ("campaign", "guided"):
        monkeypatch.setattr(f"delphic.harness.simulate.{name}.ProcessPoolExecutor", dying)
    seeds = range(1, 20)
    tries: Any = seeds if search is guided else [Case(seed) for seed in seeds]
    found = search(CORRECT, tries, jobs=2, keep_going=True)
    assert [one.case.seed for one in found.tried] == [1, 2, 3]
    assert "A process that tried worlds, seed 3 or one of those beside" in found.tried[-1].sentence
    assert found.exit_code() is ExitCode.HARNESS


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("advances", [1, 40, 400])
def test_who_ends_a_world_ends_the_search(
    error: type[BaseException], advances: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C comes at any moment; here, a callback of the harness that was to run never will."""
    advance, left = SimLoop._advance, iter(range(advances))

    def interrupted(loop: SimLoop) -> None:
        advance(loop)
        if next(left, None) is None and loop.main.queue:
            loop.main.queue.popleft()
            raise error

    monkeypatch.setattr(SimLoop, "_advance", interrupted)
    with pytest.raises(error):
        try_case(CORRECT, Case(1))


def test_a_world_that_stands_still_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    async def up(cluster: SimCluster) -> None:
        def again() -> None:
            cluster.world.loop.call_soon(again)

        again()

    monkeypatch.setattr(SimCluster, "up", up)
    monkeypatch.setattr("delphic.harness.simulate.loop.STANDSTILL_MAX", 1_000)
    found = try_case(CORRECT, Case(1))
    assert found.validity is Validity.HARNESS_ERROR
    assert found.signature == ("Standstill",)


def test_failures_that_look_alike_are_one_group() -> None:
    found = Campaign(expects_failure=False)
    found.tried = [
        tried(1, Validity.FAIL, "log lost"),
        tried(2, Validity.PASS),
        tried(3, Validity.FAIL, "log stale"),
        tried(4, Validity.FAIL, "log stale"),
    ]
    groups = [[one.case.seed for one in group] for group in found.groups()]
    assert groups == [[3, 4], [1]]


@pytest.mark.parametrize(
    ("expects_failure", "validities", "code"),
    [
        (False, ["pass", "pass"], ExitCode.AS_EXPECTED),
        (False, ["pass", "fail"], ExitCode.PROMISE_BROKEN),
        (False, ["pass", "inconclusive"], ExitCode.INCONCLUSIVE),
        (False, ["fail", "harness_error"], ExitCode.HARNESS),
        (True, ["pass", "pass"], ExitCode.PROMISE_BROKEN),
    ],
)
def test_the_exit_code_of_many_worlds(
    expects_failure: bool, validities: list[str], code: ExitCode
) -> None:
    found = Campaign(expects_failure)
    found.tried = [
        Tried(Case(seed), Validity(name), name == "pass" and not expects_failure, "…")
        for seed, name in enumerate(validities)
    ]
    assert found.exit_code() is code


def test_the_command_that_shows_a_case_again_can_be_typed(tmp_path: Path) -> None:
    job = Job("", "x", "my scenario.yaml")
    case = Case(3, (CrashPoint("n1", 17, after=True, power=True),))
    assert job.again(case) == (
        "delphic run 'my scenario.yaml' --seed 3 --on sim --crash n1:17:after:power"
    )
