"""Clocks of hosts: brought to the history's time by two looks at each, or not at all."""

import json
from pathlib import Path
from typing import Any

import pytest
from delphic.harness.clocks import Clocks, Course, Steady, clocks_of, course_of, shared
from delphic.harness.rundir import RunDir

S = 1_000_000_000


def test_a_clock_that_began_elsewhere_and_goes_faster_tells_the_historys_time() -> None:
    # Ours said 10 s when the history began; theirs is 500 s ahead then, and gains 50 µs a second.
    def theirs(ours_ns: int) -> int:
        return ours_ns + 500 * S + (ours_ns - 10 * S) * 50 // 1_000_000

    before = Steady(9 * S, theirs(9 * S), 200_000)
    after = Steady(109 * S, theirs(109 * S), 300_000)
    course = course_of(10 * S, before, after)
    assert course is not None
    assert course.within_ns == 300_000
    assert course.zero_ns == pytest.approx(510 * S, abs=10)
    assert course.at_ns(theirs(70 * S)) == pytest.approx(60 * S, abs=100)
    assert course.told_ns(60 * S) == pytest.approx(theirs(70 * S), abs=100)


def test_two_looks_near_each_other_say_nothing_about_how_fast_it_goes() -> None:
    course = course_of(S, Steady(S, 5 * S, 400_000), Steady(S + 1_000_000, 5 * S + 1_500_000, 1))
    assert course == Course(5 * S, 1.0, 400_000)


@pytest.mark.parametrize(
    "after", [Steady(), Steady(101 * S, 5 * S, 1), Steady(101 * S, 205 * S, 1)]
)
def test_a_clock_that_was_not_looked_at_or_did_something_else_is_not_known(after: Steady) -> None:
    assert course_of(S, Steady(S, 5 * S, 1), after) is None


def test_who_is_not_known_has_no_time() -> None:
    own = Clocks(own={"n1": Course(7)})
    assert (own.at_ns("n1", 9), own.at_ns("n2", 9)) == (2, None)
    assert shared(4).at_ns("n2", 9) == 5


def written(folder: Path, ending: dict[str, Any], hosts: str | None) -> RunDir:
    run = RunDir(folder)
    run.journal.write_text(json.dumps({"unix_s": 1.0, "phase": "sealed", "ending": ending}) + "\n")
    if hosts is not None:
        run.hosts.write_text(hosts)
    return run


LOOKS = {"steady_before": {"ours_ns": S, "theirs_ns": 8 * S, "within_ns": 5},
         "steady_after": {"ours_ns": 11 * S, "theirs_ns": 18 * S, "within_ns": 9}}  # fmt: skip
HOSTS = json.dumps({"hosts": {"h1": {"members": {"n1": "a:1", "n2": "a:2"}, **LOOKS},
                              "h2": {"members": {"n3": "b:1"}}}})  # fmt: skip


def test_a_run_directory_tells_the_clocks_of_its_members(tmp_path: Path) -> None:
    course = Course(9 * S, 1.0, 9)
    run = written(tmp_path, {"hosts_zero_ns": 2 * S}, HOSTS)
    assert clocks_of(run) == Clocks(own={"n1": course, "n2": course})
    assert clocks_of(written(tmp_path, {"zero_ns": 3}, HOSTS)) == shared(3)


@pytest.mark.parametrize("hosts", [None, "", "{", '{"hosts": 3}', "\udcff"])
def test_what_cannot_be_read_is_not_known(tmp_path: Path, hosts: str | None) -> None:
    run = written(tmp_path, {"hosts_zero_ns": 2 * S}, None)
    if hosts is not None:
        run.hosts.write_bytes(hosts.encode(errors="surrogateescape"))
    assert clocks_of(run) == Clocks()


def test_clocks_that_faults_set_and_runs_without_an_end_are_not_known(tmp_path: Path) -> None:
    assert clocks_of(RunDir(tmp_path)) == Clocks()
    assert clocks_of(written(tmp_path, {}, HOSTS)) == Clocks()
    run = written(tmp_path, {"zero_ns": "soon"}, HOSTS)
    assert clocks_of(run) == Clocks()
    run.journal.write_text("{torn\n{}\n")
    assert clocks_of(run) == Clocks()
