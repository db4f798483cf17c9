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
from delphic.harness.traces import Record, Trace
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
