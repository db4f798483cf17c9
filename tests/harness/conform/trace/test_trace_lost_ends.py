"""Ends of processes that a kill took: found by whatever clocks hosts have, or nobody knows."""

from collections.abc import Mapping
from functools import cache

import pytest
from delphic.harness.clocks import Clocks, Course, shared
from delphic.harness.conform.trace import group
from delphic.harness.conform.trace.validator import Validated, validate
from delphic.harness.plan import plan
from delphic.harness.scenario import load
from delphic.harness.simulate.clock import EPOCH_NS
from delphic.harness.simulate.execute import simulate_plan
from delphic.harness.traces import AppendRequest, Received, Record, Trace
from msgspec.structs import replace

KILLS = """
name: kills
workload: {name: log, clients: 8, rate: 300, read_share: 0.6, op_timeout: 500ms}
cluster: {config: {raftElectionTick: 10}}
duration: 4s
faults:
  - random: {from: [partition, kill, kill, kill], every: 500ms, for: 300ms, until: 3800ms}
  - random: {from: [messages, delay, kill], every: 600ms, for: 400ms, until: 3800ms}
"""

QUIET = """
name: quiet
workload: {name: log, clients: 2, rate: 30}
duration: 1s
"""

HOUR_NS = 3_600_000_000_000


@cache
def files() -> Mapping[str, Trace]:
    """What is in the members' own files: kills took the ends."""
    found = simulate_plan(plan(load(KILLS, "kills.yaml"), seed=4, target="sim", command=""))
    hosts = found.cluster.world.hosts
    return {alias: Trace(hosts[alias].disk.content("/node/trace.jsonl")) for alias in found.traces}


def shifted(by: Mapping[str, int]) -> dict[str, Trace]:
    """With clocks that say so much more."""
    return {
        alias: Trace.of(
            replace(line, t_ns=line.t_ns + by.get(alias, 0)) if isinstance(line, Record) else line
            for line in trace.lines
        )
        for alias, trace in files().items()
    }


def judged(traces: Mapping[str, Trace], clocks: Clocks | None = None) -> Validated:
    return validate(sorted(traces), traces, clocks=clocks or Clocks())


@pytest.mark.parametrize("member", ["n1", "n2", "n3"])
def test_a_lost_end_is_found_whatever_a_clock_says(
    member: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group, "INPUTS_MAX", 40)
    found = judged(shifted({member: HOUR_NS}))
    assert (found.rejected, found.undecided) == ((), ())
    assert found.gaps > 0


def test_clocks_that_are_known_tell_what_was_sent_when(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group, "INPUTS_MAX", 80)
    own = {"n1": Course(EPOCH_NS), "n2": Course(EPOCH_NS + HOUR_NS), "n3": Course(EPOCH_NS)}
    found = judged(shifted({"n2": HOUR_NS}), Clocks(own=own))
    assert (found.rejected, found.undecided) == ((), ())


@pytest.mark.parametrize("clocks", [Clocks(), shared(EPOCH_NS)])
def test_where_messages_were_left_out_a_search_in_vain_proves_nothing(
    clocks: Clocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group, "INPUTS_MAX", 0)
    found = judged(files(), clocks)
    assert found.rejected == ()
    assert "0 of the messages that may have arrived" in found.undecided[0].reason


@cache
def quiet() -> Mapping[str, Trace]:
    """Everybody ends in an orderly way."""
    found = simulate_plan(plan(load(QUIET, "quiet.yaml"), seed=1, target="sim", command=""))
    return {alias: Trace(data) for alias, data in found.traces.items()}


@pytest.mark.parametrize("inc", [2, 99])
def test_who_never_began_has_sent_nothing(inc: int) -> None:
    """A leader's request comes from a process of which there is no line: nobody elected that."""
    node, at = next(
        (node, at)
        for node, trace in quiet().items()
        for at, record in enumerate(trace.records)
        if isinstance(record.event, Received) and isinstance(record.event.message, AppendRequest)
        if not record.event.message.fields.entries and record.persist.is_empty
    )
    record = quiet()[node].records[at]
    assert isinstance(record.event, Received)
    leader, _, number = record.event.uid
    forged = replace(record, event=replace(record.event, uid=(leader, inc, number)))
    lines = quiet()[node].records
    spoiled = Trace.of((*lines[:at], forged, *lines[at + 1 :]))
    found = judged({**quiet(), node: spoiled})
    assert (leader, "recovery") in {(r.place.node, r.rule) for r in found.rejected}


def test_processes_that_left_no_line_in_the_end_are_bridged() -> None:
    """Their peers heard them, and a kill took all that they wrote."""
    trace = files()["n3"]
    last = trace.records[-1].inc
    assert last > 1
    rest = Trace.of(record for record in trace.records if record.inc < last)
    found = judged({**files(), "n3": rest})
    assert (found.rejected, [u.place.node for u in found.undecided]) == ((), ["n3"])
