"""Which reads a round confirms: those that were asked for before it began, and all of them."""

from functools import cache
from random import Random
from typing import Any

import pytest
from delphic.harness.conform.trace.corrupt import OF_READS, Corruption
from delphic.harness.conform.trace.validator import Validated, validate
from delphic.harness.plan import plan
from delphic.harness.scenario import load
from delphic.harness.simulate.execute import simulate_plan
from delphic.harness.traces import Record, Trace
from delphic.impl.raft.reads import Reads

BUSY = """
name: busy
workload: {name: log, clients: 16, rate: 900, read_share: 0.9, op_timeout: 500ms}
cluster: {config: {raftElectionTick: 10}}
duration: 1s
"""
"""Reads come while others are on their way."""


def traced() -> dict[str, tuple[Record, ...]]:
    done = simulate_plan(plan(load(BUSY, "busy.yaml"), seed=1, target="sim", command=""))
    return {alias: Trace(data).records for alias, data in done.traces.items()}


@cache
def busy() -> dict[str, tuple[Record, ...]]:
    return traced()


def judged(lines: Any) -> Validated:
    return validate(sorted(lines), {alias: Trace.of(found) for alias, found in lines.items()})


def test_a_read_waits_for_the_round_after_the_one_under_way() -> None:
    found = judged(busy())
    assert (found.rejected, found.undecided) == ((), ())
    several = sum(len(record.answered) > 1 for lines in busy().values() for record in lines)
    assert several > 3


@pytest.mark.parametrize("corruption", OF_READS, ids=lambda one: str(one.__name__))
def test_a_read_of_another_round_is_no_step_of_the_model(corruption: Corruption) -> None:
    """HS-4: what a round that began before a read says of the leader is too old for it."""
    for draw in range(3):
        spoiled = corruption(busy(), Random(f"{corruption.__name__}/{draw}"))
        assert spoiled is not None
        (rejected,) = judged(spoiled.traces).rejected
        assert (rejected.rule, rejected.field) == ("step", "answered"), spoiled.what


def _joins_the_round(self: Reads, tokens: tuple[int, ...]) -> None:
    if self.asked:
        self.asked = (*self.asked, *tokens)
    else:
        self.waiting.extend(tokens)


def test_a_leader_that_lets_reads_join_a_round_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """HS-4: nobody else in a quiet world notices it."""
    monkeypatch.setattr(Reads, "wait", _joins_the_round)
    found = judged(traced())
    assert [rejected.field for rejected in found.rejected] == ["answered"]
