"""The Raft group as it is built: what it chooses is harmless, and its promises can be broken."""

from dataclasses import replace
from typing import Any

import pytest
from delphic.model.actor import Receive
from delphic.model.explore.explorer import explore
from delphic.model.explore.limits import Limits
from delphic.model.mutants import RAFT_MUTANTS
from delphic.model.properties import raft as promises
from delphic.model.raft_built import DIFFERENCES, built_group, images
from delphic.model.raft_group import raft_group
from delphic.model.raft_rules import Rules
from delphic.model.raft_types import NOBODY, Disk, Member, Options, Role, Snapshot, Write

PLAIN = Options(members=2, terms=3, entries=1, prevote=True, quorum=True, reads=1, sync=True)
# Those that two members show soon; the plain model has all of them.
MISTAKES = {
    "always-truncate": Options(members=2, terms=2, entries=1, batch=2),
    "commit-old-term": Options(members=2, terms=3, entries=0),
    "truncates-applied": Options(members=2, terms=2, entries=1, batch=2),
    "vote-forgotten": Options(members=2, terms=2, entries=0),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "difference", [d for d in DIFFERENCES if d.change is not None], ids=lambda d: d.name
)
def test_each_difference_that_is_a_rule_is_harmless_by_itself(difference: object) -> None:
    """HS-1, HS-2, HS-3, HS-4, HS-5: in the plain model, with nothing else changed."""
    rules = difference.change(Rules())  # type: ignore[attr-defined]
    assert rules != Rules()
    found = explore(raft_group(PLAIN, rules=rules), workers=2, limits=Limits(states=3_000_000))
    assert found.violation is None
    assert found.states > 100_000


@pytest.mark.slow
def test_all_of_them_together_are_harmless_with_a_crash_that_tears_writes() -> None:
    """HS-1, HS-2, HS-3, HS-4, HS-5: group commit, pipelining and torn writes are in this model."""
    options = Options(members=2, terms=2, entries=1, batch=2, reads=1)
    found = explore(built_group(options, crashes=1), symmetry=True, workers=2)
    assert found.holds, found.violation
    assert found.complete
    assert found.states == 11_248_546


@pytest.mark.slow
def test_a_leader_may_take_back_what_it_was_told_whatever_the_reason() -> None:
    """HS-1, HS-2, HS-3: to know less is never wrong, and a round that no read waits for neither."""
    options = Options(members=2, terms=2, entries=0, batch=2)
    found = explore(built_group(options, doubts=2), symmetry=True, workers=2)
    assert found.violation is None, found.violation
    assert found.complete
    assert found.states == 1_888_053


def test_a_disk_that_loses_what_it_had_takes_away_what_raft_is_built_on() -> None:
    options = Options(members=2, terms=2, entries=1, batch=2)
    found = explore(built_group(options, losses=1), symmetry=True, workers=1)
    assert found.violation is not None
    assert found.violation.property == "matches-are-true"


@pytest.mark.slow
@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_breaks_it_as_it_breaks_the_plain_model(name: str) -> None:
    rules = RAFT_MUTANTS[name].change(Rules())
    crashes = RAFT_MUTANTS[name].crashes
    found = explore(
        built_group(MISTAKES[name], rules=rules, crashes=crashes),
        workers=2,
        limits=Limits(states=4_000_000),
    )
    assert found.violation is not None


def test_a_crash_leaves_a_beginning_of_what_was_written() -> None:
    """Term and vote first, then the cut, then entry by entry; what was durable stays."""
    disk, after = Disk(1, NOBODY, (1, 1)), Disk(2, 1, (1, 2, 2))
    state = Member(
        0, 2, 1, Role.FOLLOWER, after.log, 0, 0, (), (0,), (0,), False, frozenset(), 0, None,
        disk, frozenset(), (Write(after, frozenset()),),
    )  # fmt: skip
    assert set(images(state)) == {
        disk,
        replace_log(after, (1, 1)),
        replace_log(after, (1,)),
        replace_log(after, (1, 2)),
        after,
    }


def replace_log(disk: Disk, log: tuple[int, ...]) -> Disk:
    return disk._replace(log=log)


@pytest.mark.parametrize("group", [raft_group, built_group], ids=["in the paper", "as it is built"])
def test_a_crash_before_a_snapshot_is_on_the_disk_takes_it_back_and_breaks_nothing(
    group: Any,
) -> None:
    """HS-10: S17 is about what a disk holds, and a member that stays up."""
    model = group(Options(terms=2, entries=0, checkpoints=1, sync=True), crashes=1)
    got = model.step(2, model.actors[2].initial(2), Receive(Snapshot(0, 2, 2, (2,))))
    assert got is not None
    assert (got.state.snap, got.state.disk.snap) == (1, 0)
    crash = next(e for e in model.events(2, got.state) if promises.is_crash(e))
    back = model.step(2, got.state, crash)
    assert back is not None
    assert back.state.snap == 0
    assert promises.snapshot_is_committed(got.state, crash, back)
    synced = got.state._replace(disk=got.state.disk._replace(snap=1, log=(2,)))
    assert not promises.snapshot_is_committed(synced, crash, back)


def test_a_rule_that_somebody_changed_stays_changed() -> None:
    """The differences come on top of a mutant's rules."""
    rules = replace(Rules(), committable=lambda s, n: True)
    model = built_group(Options(), rules=rules)
    assert model.actors[0].rules.committable is rules.committable
