"""The path that a real run makes in the model, and where the two part."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from delphic.harness.clocks import Clocks
from delphic.harness.errors import UsageError
from delphic.harness.explorer.api import Api
from delphic.harness.explorer.atlas import NoSuchState
from delphic.harness.explorer.flight import APART, Flight
from delphic.harness.explorer.run import RunPaths, in_order, paths_of
from delphic.harness.rundir import RunDir
from delphic.harness.traces import Received, Record, Torn, Trace

Assemble = Callable[..., Api]


@pytest.fixture(scope="module")
def paths(run: Path) -> RunPaths:
    return RunPaths(RunDir(run))


def traces_of(run: Path) -> dict[str, Trace]:
    folders = sorted((run / "nodes").iterdir())
    return {one.name: Trace((one / "trace.jsonl").read_bytes()) for one in folders}


def test_every_line_is_a_step_and_none_receives_before_it_was_sent(run: Path) -> None:
    traces = traces_of(run)
    order = [line for line in in_order(traces) if isinstance(line, Record)]
    assert len(order) == sum(len(trace.records) for trace in traces.values()) > 100
    for node, trace in traces.items():
        assert [line for line in order if line.node == node] == list(trace.records)
    flight = Flight(order)
    sent_at = {uid: number for number, sent in enumerate(flight.sent) for uid in sent}
    taken = [(n, r.event.uid) for n, r in enumerate(order) if isinstance(r.event, Received)]
    assert sum(uid in sent_at for _, uid in taken) > 50
    assert all(sent_at[uid] < number for number, uid in taken if uid in sent_at)


def test_clocks_that_are_wrong_change_nothing_about_that(run: Path) -> None:
    traces = traces_of(run)
    first = sorted(traces)[0]
    later = [msgspec.structs.replace(r, t_ns=r.t_ns + 10**9) for r in traces[first].records]
    members = sorted(traces)
    straight, (path, *_) = paths_of(members, traces, Clocks())
    wrong, (other, *_) = paths_of(members, {**traces, first: Trace.of(later)}, Clocks())
    assert other.about().steps == path.about().steps
    assert wrong.steps == straight.steps
    found, expected = (
        {(r.place.node, r.rule) for r in validated.rejected} for validated in (wrong, straight)
    )
    assert found == expected != set()


def test_messages_are_in_flight_from_their_sending_to_their_arrival(paths: RunPaths) -> None:
    path = paths.path(0)
    flight = path._flight
    steps = path.about().steps
    assert steps > APART
    flying: dict[object, None] = {}
    for number in range(1, steps + 1):
        record = path._records[number - 1]
        if isinstance(record.event, Received):
            flying.pop(record.event.uid, None)
        flying.update(dict.fromkeys(flight.sent[number - 1]))
        if number % 97 == 0:
            assert flight.at(number) == tuple(flying)


def test_a_step_tells_the_run_the_model_and_the_state(paths: RunPaths) -> None:
    path = paths.path(0)
    elected = next(
        line for line in path.lines(0, "timer election").lines if "election" in line.caption
    )
    step = path.step(elected.number)
    who = elected.who
    assert step.explained[0].startswith(f"{who} hears from no leader for too long")
    assert step.at_s is not None
    assert [one.name for one in step.actors if one.moved] == [who]
    said = {field.name: field.text for field in step.said}
    moved = next(one for one in step.actors if one.moved)
    assert {f.name: f.text for f in moved.fields}["role"] == said["role"] == "precandidate"
    assert {one.source for one in step.network if one.is_new} == {who}
    assert [one.status for one in step.properties] == ["holds"] * 5


def test_where_run_and_model_part_both_states_stand_side_by_side(paths: RunPaths) -> None:
    about = paths.about()
    assert "not the model's; the first:" in about.sentence
    parting = about.paths[0].partings[0]
    assert parting.rule == "step"
    step = paths.path(0).step(parting.number)
    assert step.partings == (parting,)
    rows = {row[0]: row[1:] for row in parting.sides}
    agreed, model, member = rows["commit"]
    assert agreed == model != member
    assert {field.name: field.text for field in step.said}["commit"] == member
    actor = next(one for one in step.actors if one.name == parting.who)
    assert {f.name: f.text for f in actor.fields}["commit"] == agreed
    assert parting in paths.path(0).step(parting.number + 1).partings
    before = paths.path(0).step(parting.number - 1).partings
    assert before == ()
    line = paths.path(0).lines(parting.number, "").lines[0]
    assert line.mark == "not the model's"


def test_before_the_first_step_nobody_has_started(paths: RunPaths) -> None:
    step = paths.path(0).step(0)
    assert {one.said for one in step.actors} == {"not started yet"}
    assert (step.number, step.network, step.lost) == (0, (), 0)


def test_steps_are_told_by_the_hundred_and_found_by_their_words(paths: RunPaths) -> None:
    path = paths.path(0)
    first = path.lines(0, "")
    assert (len(first.lines), first.following) == (100, 101)
    booted = path.lines(0, "BOOT with")
    assert {line.who for line in booted.lines} == {"n1", "n2", "n3"}
    assert booted.following is None
    assert path.lines(0, "no such words").lines == ()


def test_what_is_not_there_is_refused(paths: RunPaths, tmp_path: Path) -> None:
    with pytest.raises(NoSuchState, match="There is no path 7"):
        paths.path(7)
    with pytest.raises(NoSuchState, match="There is no step 999999"):
        paths.path(0).step(999_999)
    with pytest.raises(UsageError, match="is no run directory"):
        RunPaths(RunDir(tmp_path))


def test_a_run_without_traces_is_refused(run: Path, assemble: Assemble, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("plan.json", "journal.jsonl", "history.jsonl"):
        (bare / name).write_bytes((run / name).read_bytes())
    with pytest.raises(UsageError, match="has no traces"):
        assemble("--run", str(bare))


def test_a_member_whose_trace_is_missing_is_named(run: Path, tmp_path: Path) -> None:
    """As the checker does, and as `delphic check` refuses a trace that is not what was sealed."""
    less = tmp_path / "less"
    shutil.copytree(run, less)
    (less / "nodes" / "n3" / "trace.jsonl").unlink()
    paths = RunPaths(RunDir(less))
    silent = " No trace of n3: what was done there is not known."
    assert silent in paths.about().sentence
    validated, found = paths._paths()
    paths._read = replace(validated, rejected=()), found
    assert f"steps of 2 members are the model's.{silent}" in paths.about().sentence
    (less / "nodes" / "n2" / "trace.jsonl").write_bytes(b"")
    with pytest.raises(UsageError, match="not what was sealed"):
        RunPaths(RunDir(less))


def test_torn_lines_are_passed_on_in_their_place(run: Path) -> None:
    traces = traces_of(run)
    node = sorted(traces)[0]
    torn = Torn(len(traces[node].lines) + 1, '{"node":"n1","in')
    spoiled = {**traces, node: Trace.of((*traces[node].lines, torn))}
    assert (node, torn) in list(in_order(spoiled))
