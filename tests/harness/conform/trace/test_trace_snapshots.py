"""Traces with checkpoints and snapshots: right ones are accepted, spoiled ones are not."""

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from delphic.harness.conform.trace.validator import Validated, validate
from delphic.harness.plan import plan
from delphic.harness.scenario import load
from delphic.harness.simulate.execute import simulate_plan
from delphic.harness.traces import Boot, Compacted, Received, Record, SnapshotRequest, Trace
from msgspec.structs import replace

AWAY = """
name: away
cluster: {members: 3, config: {raftElectionTick: 10, streamingHAPurgeInterval: 1}}
workload: {name: log, clients: 2, rate: 20, read_share: 0.3, op_timeout: 500ms}
duration: 5s
faults:
  - {at: 400ms, kill: n3, for: 2s}
  - {at: 3s, kill: n1, for: 500ms}
minimum: {snapshots installed: 1, checkpoints: 4}
"""

Lines = dict[str, list[Record]]


@cache
def away() -> dict[str, tuple[Record, ...]]:
    done = simulate_plan(plan(load(AWAY, "away.yaml"), seed=1, target="sim", command=""))
    return {alias: Trace(data).records for alias, data in done.traces.items()}


def judged(lines: Any) -> Validated:
    return validate(sorted(lines), {alias: Trace.of(found) for alias, found in lines.items()})


def changed(fits: Callable[[Record], bool], spoil: Callable[[Record], Record]) -> Lines:
    """With the first record that fits spoiled."""
    lines = {alias: list(found) for alias, found in away().items()}
    for found in lines.values():
        for at, record in enumerate(found):
            if fits(record):
                found[at] = spoil(record)
                return lines
    raise AssertionError("no record fits")


def shorter(runs: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    """The same terms, up to one entry less."""
    *before, (term, last) = runs
    return (*before, (term, last - 1))


def other_terms(runs: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    return tuple((term + 1, last) for term, last in runs)


def is_checkpoint(record: Record) -> bool:
    return isinstance(record.event, Compacted)


def is_installation(record: Record) -> bool:
    return record.persist.installs


def is_late_boot(record: Record) -> bool:
    return isinstance(record.event, Boot) and record.log is not None and bool(record.log.base)


def with_base(record: Record, change: Callable[[Any], Any]) -> Record:
    return replace(record, persist=replace(record.persist, base=change(record.persist.base)))


def with_offer(record: Record, change: Callable[[Any], Any]) -> Record:
    event = record.event
    assert isinstance(event, Received)
    assert isinstance(event.message, SnapshotRequest)
    fields = replace(event.message.fields, terms=change(event.message.fields.terms))
    return replace(record, event=replace(event, message=replace(event.message, fields=fields)))


@pytest.mark.slow
def test_checkpoints_and_snapshots_are_steps_of_the_model() -> None:
    found = judged(away())
    assert (found.rejected, found.undecided) == ((), ())
    events = found.counted.events
    assert events["compact"] >= 4
    assert events["offer"] >= 1
    assert events["receive snapshot"] >= 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fits", "spoil"),
    [
        (is_checkpoint, lambda r: with_base(r, shorter)),
        (is_checkpoint, lambda r: with_base(r, other_terms)),
        (is_checkpoint, lambda r: replace(r, event=Compacted(r.post.last[0] + 1))),
        (is_checkpoint, lambda r: replace(r, persist=replace(r.persist, installs=True))),
        (is_checkpoint, lambda r: replace(r, persist=replace(r.persist, base=None), synced=True)),
        (is_installation, lambda r: with_base(r, shorter)),
        (is_installation, lambda r: with_offer(r, shorter)),
        (is_installation, lambda r: with_offer(r, other_terms)),
        (is_installation, lambda r: replace(r, persist=replace(r.persist, installs=False))),
        (is_installation, lambda r: replace(r, post=replace(r.post, commit=r.post.commit - 1))),
        (is_late_boot, lambda r: replace(r, log=replace(r.log, base=shorter(r.log.base)))),
        (is_late_boot, lambda r: replace(r, log=replace(r.log, base=other_terms(r.log.base)))),
        (is_late_boot, lambda r: replace(r, post=replace(r.post, commit=0))),
    ],
)
def test_what_is_spoiled_about_a_snapshot_is_noticed(
    fits: Callable[[Record], bool], spoil: Callable[[Record], Record]
) -> None:
    assert judged(changed(fits, spoil)).rejected
