"""The cores of replication make the model's steps; mistakes in them are seen with no cluster."""

from collections.abc import Callable
from typing import Any

import pytest
from delphic.harness.conform.binding import Bounds, Conformance
from delphic.harness.conform.replication.bind import DOCUMENTED, SMALL, ReplicationBinding
from delphic.impl.bugs import ALL_BUGS
from delphic.impl.bugs_of_replication import REPLICATION_BUGS, WAITS_FOR_SLOWEST
from delphic.impl.replication.dispatcher import Dispatcher
from delphic.impl.replication.master import Master
from delphic.impl.replication.slave import Slave

REPLICATION = ReplicationBinding()
ONE, GROUP = SMALL[0], SMALL[1]
MASTERS = SMALL[2]

OUTSIDE = ("recorded-at-begin", "serves-uncommitted", "task-data-unchecked", "incomplete-shown")


def conform(bounds: Bounds, bugs: frozenset[str] = frozenset()) -> Conformance:
    return REPLICATION.conform(bounds, bugs=bugs, first=True)


@pytest.mark.slow
@pytest.mark.parametrize("bounds", SMALL, ids=lambda bounds: bounds.title)
def test_both_sides_make_the_models_steps(bounds: Bounds) -> None:
    """PR-1 to PR-18, PR-21, PR-22, PR-25, PR-27, PR-30: what holds in the model holds here."""
    found = REPLICATION.conform(bounds)
    assert found.conforms, found.divergences[0]
    assert found.cores > found.pairs.total() > 400
    assert found.replayed > 100
    assert found.pairs.keys() >= {
        "complete", "receive pull", "receive pulled", "dispatch", "receive apply", "finish",
        "lose", "stop", "start", "skip", "fail_over", "recorded any time", "pull while paused",
        "drop",
    }  # fmt: skip
    assert not found.pairs.keys() & {"flush", "crash", "receive fetch", "turn", "poison"}


@pytest.mark.slow
@pytest.mark.parametrize("bug", sorted(REPLICATION.bugs))
def test_a_seeded_bug_diverges_with_no_cluster_started(bug: str) -> None:
    assert bug in ALL_BUGS
    assert any(not conform(bounds, frozenset({bug})).conforms for bounds in (GROUP, MASTERS, ONE))


def test_all_bugs_of_the_cores_but_one_are_in_the_binding() -> None:
    """One keeps sixteen tasks, and no model has so many; the others are around the cores."""
    around = {WAITS_FOR_SLOWEST, *OUTSIDE}
    assert REPLICATION_BUGS.keys() - REPLICATION.bugs == around
    assert set(SMALL) < set(DOCUMENTED)


def _counts_from_zero(real: Callable[..., Any]) -> Callable[..., Any]:
    """A fail-over that does not begin with what is logged."""

    def dump(self: Slave) -> Any:
        state = real(self)
        return type(state)(state.status, state.offset, (), state.scope)

    return dump


def _doubles(real: Callable[..., Any]) -> Callable[..., Any]:
    """A dispatcher that tells a data node twice."""

    def step(self: Dispatcher, news: Any) -> Any:
        effects = real(self, news)
        return (*effects, *effects)

    return step


def _accepts(real: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, pull: ""


def _never(real: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, database: False


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "name", "mistake", "event"),
    [
        (Slave, "dump", _counts_from_zero, "fail_over"),
        (Dispatcher, "step", _doubles, "dispatch"),
        (Master, "refuses", _accepts, "receive pull"),
        (Master, "replicates", _never, "begin"),
        (Slave, "guards", _never, "write"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_mistake_that_nobody_seeded_is_seen(
    target: type,
    name: str,
    mistake: Callable[..., Any],
    event: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(target, name, mistake(getattr(target, name)))
    found = REPLICATION.conform(ONE)
    assert event in {each.event for each in found.divergences}


@pytest.mark.slow
def test_a_divergence_is_told_with_its_way() -> None:
    (first, *_) = conform(MASTERS, frozenset({"queues-while-disabled"})).divergences
    assert (first.event, first.field) == ("define", "tasks")
    assert len(first.path) == 1
    assert first.expected == ()
    assert len(first.found) == 1
