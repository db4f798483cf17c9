"""Traces against the model: what is right is accepted, what is spoiled is not."""

from collections.abc import Mapping
from functools import cache
from random import Random

import msgspec
import pytest
from delphic.harness.conform.trace.corrupt import CORRUPTIONS, Corruption
from delphic.harness.conform.trace.details import side_by_side
from delphic.harness.conform.trace.validator import Validated, Validator, coverage, validate
from delphic.harness.language.shipped import scenario
from delphic.harness.plan import Plan, plan
from delphic.harness.scenario import load
from delphic.harness.simulate.execute import Simulated, simulate_plan
from delphic.harness.traces import Record, Stop, Torn, Trace

KILLS = """
name: kills
workload: {name: log, clients: 4, rate: 80, read_share: 0.4, op_timeout: 500ms}
cluster: {config: {raftElectionTick: 10}}
duration: 4s
faults:
  - random: {from: [partition, kill, kill, kill], every: 500ms, for: 300ms, until: 3800ms}
  - random: {from: [messages, delay, kill], every: 600ms, for: 400ms, until: 3800ms}
"""
"""Members die again and again, and the ends of their traces with them."""

DRAWS = 4

START = "what needs no message"


def planned(name: str, seed: int) -> Plan:
    return plan(scenario(name), seed=seed, target="sim", command="")


@cache
def chaos(seed: int) -> Simulated:
    return simulate_plan(planned("chaos", seed))


@cache
def lines(seed: int) -> Mapping[str, tuple[Record, ...]]:
    return {alias: Trace(data).records for alias, data in chaos(seed).traces.items()}


def judged(traces: Mapping[str, list[Record] | tuple[Record, ...]]) -> Validated:
    return validate(sorted(traces), {alias: Trace.of(found) for alias, found in traces.items()})


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 6))
def test_every_step_of_a_correct_group_is_the_models(seed: int) -> None:
    found = judged(lines(seed))
    assert found.rejected == ()
    assert found.undecided == ()
    assert found.steps > 500
    assert found.records == sum(map(len, lines(seed).values()))


def test_coverage_counts_the_models_steps_by_name_and_by_what_they_did() -> None:
    found = coverage(judged(lines(1)))
    assert found.events["receive append"] > 50
    assert sum(found.branches.values()) == sum(found.events.values())
    elected = [branch for event, branch in found.branches if event == "receive votereply granted"]
    assert any(branch.startswith("candidate to leader") for branch in elected)
    assert found == coverage(judged(lines(1)))


@pytest.mark.slow
@pytest.mark.parametrize("corruption", CORRUPTIONS, ids=lambda one: str(one.__name__))
def test_a_spoiled_trace_is_rejected_unless_it_is_as_legal_as_before(
    corruption: Corruption,
) -> None:
    tried = 0
    for draw in range(DRAWS):
        spoiled = corruption(lines(1), Random(f"{corruption.__name__}/{draw}"))
        if spoiled is None:
            continue
        tried += 1
        found = judged(spoiled.traces)
        assert found.rejected or spoiled.harmless, spoiled.what
    assert tried


@pytest.mark.slow
@pytest.mark.parametrize("seed", [9, 13, 22, 34])
def test_what_a_kill_took_is_found_again(seed: int) -> None:
    """The files lose their last 50 ms; what the world heard loses nothing."""
    found = simulate_plan(plan(load(KILLS, "kills.yaml"), seed=seed, target="sim", command=""))
    hosts = found.cluster.world.hosts
    files = {alias: Trace(hosts[alias].disk.content("/node/trace.jsonl")) for alias in found.traces}
    whole = {alias: Trace(data) for alias, data in found.traces.items()}
    torn = validate(sorted(files), files)
    assert (torn.rejected, torn.undecided) == ((), ())
    assert torn.gaps > 0
    assert torn.records < validate(sorted(whole), whole).records


def test_records_may_be_fed_in_the_order_of_the_world() -> None:
    everything = sorted(
        (record for found in lines(1).values() for record in found), key=lambda r: r.t_ns
    )
    validator = Validator(sorted(lines(1)))
    assert all(validator.feed(record) is None for record in _causal(everything))
    assert validator.finish().rejected == ()


def _causal(records: list[Record]) -> list[Record]:
    """By clocks, but never what arrives before what sends it (clocks of this world are wrong)."""
    waiting: dict[str, list[Record]] = {}
    for record in records:
        waiting.setdefault(record.node, []).append(record)
    for found in waiting.values():
        found.sort(key=lambda r: (r.inc, r.seq))
    sent: set[object] = {START}
    order: list[Record] = []
    while any(waiting.values()):
        for found in waiting.values():
            while found and (getattr(found[0].event, "uid", None) or START) in sent:
                record = found.pop(0)
                sent.update(m.uid for m in record.out)
                sent.update(getattr(record.event, "released", ()))
                order.append(record)
    return order


def test_a_step_that_is_none_is_told_with_both_next_states() -> None:
    """A follower says that more is committed than its leader told it."""
    node, at = next(
        (node, at)
        for node, found in sorted(lines(1).items())
        for at, record in enumerate(found)
        if record.post.role == "follower" and record.post.commit + 1 < record.post.last[0]
    )
    record = lines(1)[node][at]
    wrong = msgspec.structs.replace(
        record, post=msgspec.structs.replace(record.post, commit=record.post.commit + 1)
    )
    traces = {**lines(1), node: (*lines(1)[node][:at], wrong, *lines(1)[node][at + 1 :])}
    rejected = next(r for r in judged(traces).rejected if r.place.node == node)
    assert (rejected.rule, rejected.field) == ("step", "commit")
    assert (rejected.place.inc, rejected.place.seq) == (record.inc, record.seq)
    assert rejected.model["commit"] == record.post.commit
    assert rejected.found["commit"] == record.post.commit + 1
    assert str(rejected).startswith(f"step {record.seq} of incarnation {record.inc} of {node}: ")


def test_a_torn_line_is_the_end_of_a_killed_process_and_of_nothing_else() -> None:
    node = "n1"
    torn = Torn(3, '{"node":"n1","in')
    others = {alias: Trace.of(found) for alias, found in lines(1).items()}
    found = lines(1)[node]
    members = sorted(others)
    at_end = validate(members, {**others, node: Trace.of((*found, torn))})
    is_stopped = isinstance(found[-1].event, Stop)
    assert bool(at_end.rejected) is is_stopped
    within = validate(members, {**others, node: Trace.of((*found[:9], torn, *found[9:]))})
    assert [r.rule for r in within.rejected][:1] == ["continuity"]


def test_no_kill_leaves_two_lines_that_are_none_before_the_first_record() -> None:
    traces = {alias: Trace.of(found) for alias, found in lines(1).items()}
    torn = Torn(1, '{"node":"n2","in')
    late = Torn(2, '{"node":"n2"')
    found = validate(sorted(traces), {**traces, "n2": Trace.of((torn, late, *lines(1)["n2"]))})
    (rejected,) = found.rejected
    assert (rejected.place.node, rejected.rule, rejected.field) == ("n2", "continuity", "line")


def test_the_first_record_of_a_life_is_its_boot() -> None:
    spoiled = {**lines(1), "n2": lines(1)["n2"][1:]}
    assert judged(spoiled).rejected[0].rule == "continuity"


def test_a_record_of_a_stranger_is_rejected() -> None:
    stranger = Validator(("n1", "n3")).feed(lines(1)["n2"][0])
    assert stranger is not None
    assert stranger.reason == "a record of n2, which is no member"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bug", "promise"),
    [
        ("follower-ack-before-fsync", "HS-2"),
        ("vote-twice", "HS-1"),
        ("stale-read", None),
        ("stale-vote-counted", None),
        ("ack-before-fsync", "HS-2"),
    ],
)
def test_a_seeded_bug_is_a_step_that_the_model_does_not_make(bug: str, promise: str | None) -> None:
    """HS-1, HS-2: what broke besides is named."""
    found = simulate_plan(planned(f"bug-{bug}", 1))
    traces = {alias: Trace(data) for alias, data in found.traces.items()}
    validated = validate(sorted(traces), traces)
    assert validated.rejected
    assert promise is None or promise in validated.promises
    first = validated.rejected[0]
    if first.rule == "step":
        # Whatever differs is seen side by side, be it no part of a state.
        assert any(model != done for _, _, model, done in side_by_side(first) if model and done)
