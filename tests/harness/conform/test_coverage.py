"""Which of the model's steps runs make: what there is, what is counted, and who is told."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner
from delphic.__main__ import delphic
from delphic.harness.check import statistics
from delphic.harness.conform import kinds, suite
from delphic.harness.conform.kinds import Exercised, known, together
from delphic.harness.conform.novelty import Measured, measured
from delphic.harness.conform.raft.bind import DOCUMENTED, SMALL
from delphic.harness.conform.raft.local import local_step, told
from delphic.harness.conform.raft.refine import Explained, unbounded
from delphic.harness.conform.raft.terms import log_of
from delphic.harness.conform.raft.universe import Universe, universe
from delphic.harness.conform.trace.coverage import Counting
from delphic.harness.simulate.campaign import Case, Job
from delphic.harness.simulate.execute import simulate_plan
from delphic.harness.traces import Received, Trace
from delphic.harness.verdict import Validity, Verdict
from delphic.model.actor import Receive
from delphic.model.raft_types import Append, Disk, Fsync, Member, Own, Role

SHORT = """
name: short
cluster: {config: {raftElectionTick: 10}}
workload: {name: log, clients: 2, rate: 60}
duration: 2s
faults:
  - {at: 800ms, partition: leader, for: 500ms}
  - {at: 1500ms, kill: one, for: 300ms}
"""

MEMBERS = ("n1", "n2", "n3")


@pytest.fixture(scope="module")
def traces() -> dict[str, bytes]:
    return simulate_plan(Job(SHORT, "short.yaml", "short.yaml").plan(Case(1))).traces


@pytest.fixture(scope="module")
def found(traces: dict[str, bytes]) -> Measured:
    return measured(MEMBERS, traces)


def received(traces: Mapping[str, bytes]) -> int:
    """Messages that were taken in, as the traces themselves say."""
    records = (record for data in traces.values() for record in Trace(data).records)
    return sum(isinstance(record.event, Received) for record in records)


def counted(found: Measured) -> int:
    return sum(n for name, n in found.kinds.events.items() if name.startswith("receive"))


def is_plausible(traces: Mapping[str, bytes], found: Measured) -> bool:
    """Whether the counts can be those of these traces: the model ignores a few messages only."""
    return 0.9 * received(traces) < counted(found) <= received(traces)


# What there is.


@pytest.mark.slow
def test_the_file_knows_every_kind_that_small_bounds_reach() -> None:
    fresh = universe([bounds for bounds in SMALL if bounds.walk is not None])
    assert fresh.kinds
    assert set(fresh.kinds) <= known().kinds
    assert len(fresh.local_steps) <= known().local_steps


def test_the_file_is_of_the_documented_bounds() -> None:
    assert known().bounds == tuple(map(str, DOCUMENTED))


@pytest.mark.slow
def test_a_file_that_lacks_a_kind_is_noticed() -> None:
    fresh = universe([SMALL[-1]])
    lacking = known().kinds - {fresh.kinds[0]}
    assert not set(fresh.kinds) <= lacking


def test_an_empty_universe_reaches_nothing() -> None:
    assert Universe().to_dict([]) == {"bounds": [], "kinds": [], "local_steps": 0}


# What is counted.


@pytest.mark.slow
def test_a_run_makes_kinds_that_exploring_reaches(
    traces: dict[str, bytes], found: Measured
) -> None:
    made = together([found.kinds.to_dict()])
    assert is_plausible(traces, found)
    assert ("timeout", "follower to precandidate, answers at once") in made.seen
    assert ("quorum", "leader") in made.seen
    assert len(made.seen) > 25
    assert {*made.seen, *made.never} == known().kinds
    assert made.counts.total() == sum(found.kinds.events.values())


@pytest.mark.slow
def test_a_counter_that_never_counts_is_noticed(
    traces: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(self: Counting, before: Member, explained: Explained) -> None:
        pass

    monkeypatch.setattr(Counting, "add", nothing)
    found = measured(MEMBERS, traces)
    assert not is_plausible(traces, found)
    assert together([found.kinds.to_dict()]).never == sorted(known().kinds)
    assert found.local_steps  # They are noted apart from the counts.


@pytest.mark.slow
def test_a_trace_that_the_model_does_not_explain_counts_up_to_there(
    traces: dict[str, bytes],
) -> None:
    lines = traces["n1"].splitlines(keepends=True)
    cut = {**traces, "n1": b"".join([*lines[:100], *lines[200:]])}
    some, whole = measured(MEMBERS, cut), measured(MEMBERS, traces)
    assert sum(some.kinds.events.values()) < sum(whole.kinds.events.values())
    assert some.local_steps <= whole.local_steps


def member(entries: int, *, role: Role = Role.FOLLOWER, commit: int = 0) -> Member:
    log = log_of((1,) * entries)
    state: Member = unbounded(3).recover(0, Disk(2, -1, log))
    return state._replace(role=role, commit=commit)


@pytest.mark.parametrize("event", [Own.TIMEOUT, Fsync(1), Own.LAPSE])
def test_a_local_step_does_not_depend_on_how_long_the_log_is(event: Own | Fsync) -> None:
    assert local_step(member(10), event) == local_step(member(1_000_000), event)


def appended(prev: int, *terms: int) -> Receive:
    return Receive(Append(1, 0, 2, prev, 1 if prev else 0, log_of(terms), 0, 0))


def test_a_local_step_tells_where_entries_meet_the_log() -> None:
    steps = [
        appended(3),
        appended(3, 2),
        appended(2, 1),
        appended(2, 1, 2),
        appended(2, 2),
        appended(7, 2),
        Receive(Append(1, 0, 2, 3, 2, log_of(()), 0, 0)),
    ]
    words = [told(local_step(member(3), step)) for step in steps]
    assert len(set(words)) == len(words)
    for one, word in zip(
        words, ("no entries", "new entries", "known entries", "known and new", "against", "beyond",
                "against the log"), strict=True,
    ):  # fmt: skip
        assert word in one


# Who is told.


def test_what_runs_make_adds_up() -> None:
    one, other = sorted(known().kinds)[:2]
    made = together([{"branches": [[*one, 2]]}, {"branches": [[*one, 3], [*other, 1]]}, {}])
    assert made.counts == {one: 5, other: 1}
    assert made.to_dict()["exercised"] == 2
    assert made.to_dict()["steps"] == 6
    assert len(made.never) == len(known().kinds) - 2
    assert made.sentence == f"Of the model's {len(known().kinds)} kinds of steps, 2 were made."


def test_a_kind_that_no_exploring_reached_is_told_apart() -> None:
    made = Exercised()
    made.add({"branches": [["timeout", "leader to nobody", 1]]})
    assert made.beyond == [("timeout", "leader to nobody")]
    assert not made.seen
    assert "1 kinds that exploring did not reach" in made.sentence


def test_what_was_never_made_is_listed_by_event() -> None:
    lines = Exercised().lines()
    assert len(lines) == len({event for event, _ in known().kinds})
    assert "never quorum: leader; leader to follower" in lines


def test_a_verdict_has_it_among_its_statistics() -> None:
    kind = sorted(known().kinds)[0]
    details = {"coverage": {"events": {}, "branches": [[*kind, 7]]}}
    told = statistics([Verdict("conformance", Validity.PASS, "Fine.", details=details)])
    assert told["coverage"]["exercised"] == 1
    assert told["coverage"]["steps"] == 7
    assert "coverage" not in statistics([Verdict("conformance", Validity.PASS, "Fine.")])


@pytest.mark.slow
def test_the_command_shows_scenarios_and_what_none_of_them_did(
    tmp_path: Path,
) -> None:
    path = str(tmp_path / "short.yaml")
    Path(path).write_text(SHORT)
    shown = CliRunner().invoke(suite.coverage_command, [path, "--seeds", "2", "--jobs", "1"])
    assert shown.exit_code == 0, shown.output
    row, whole = (line for line in shown.output.splitlines() if line.startswith(("| /", "| **")))
    assert row.split("|")[3:6] == whole.split("|")[3:6]
    assert "## Never made" in shown.output
    assert shown.output.count("\n| receive vote") > 1


@pytest.mark.slow
def test_simulate_tells_what_all_its_worlds_made(tmp_path: Path) -> None:
    path = str(tmp_path / "short.yaml")
    Path(path).write_text(SHORT)
    words = ["simulate", path, "--seeds", "2", "--jobs", "1", "--out", str(tmp_path)]
    plain = json.loads(CliRunner().invoke(delphic, [*words, "--json"]).output)
    assert plain["coverage"]["exercised"] > 25
    assert plain["coverage"]["kinds"] == len(kinds.known().kinds)
    said = CliRunner().invoke(delphic, words).output
    count = plain["coverage"]["exercised"]
    assert f"Of the model's {len(known().kinds)} kinds of steps, {count} were made" in said
    assert "never receive vote" in said


def test_the_page_has_every_shipped_scenario_of_a_group() -> None:
    page = (Path(__file__).parents[3] / "docs" / "coverage.md").read_text()
    rows = [line.split("|")[1].strip() for line in page.splitlines() if line.startswith("| ")]
    assert {"quickstart", "chaos"} <= set(suite.of_groups())
    assert not {name for name in suite.of_groups() if name.startswith("replicate")}
    missing = [name for name in suite.of_groups() if name not in rows]
    assert missing == [], "delphic coverage --seeds 2 > docs/coverage.md"
    assert f"| kinds of {len(known().kinds)} |" in page
