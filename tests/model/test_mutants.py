"""Every known mistake is caught, by the promise it breaks, on a shortest path."""

from dataclasses import replace

import pytest
from delphic.model.explore.explorer import explore
from delphic.model.explore.result import Finding
from delphic.model.mutants import RAFT_MUTANTS, Mutant
from delphic.model.raft_group import raft_group
from delphic.model.raft_rules import Rules, merged
from delphic.model.raft_types import Append, Member, Options

LENGTHS = {
    "commit-old-term": 14,
    "read-before-noop": 13,
    "read-unconfirmed": 15,
    "duplicate-vote-counted": 8,
    "read-on-lease": 17,
    "vote-twice": 3,
    "stale-vote-counted": 7,
    "no-previous-term-check": 12,
}
"""Steps of shortest counterexamples, worked out once by search; a change is worth a look."""


@pytest.mark.slow
@pytest.mark.parametrize("mutant", RAFT_MUTANTS.values(), ids=lambda m: m.name)
def test_a_mutant_breaks_its_promise(mutant: Mutant) -> None:
    result = explore(mutant.model(), symmetry=True)
    found = result.violation or result.stuck
    assert found is not None
    assert found.property == mutant.breaks
    if mutant.name in LENGTHS:
        assert isinstance(found, Finding)
        assert len(found.path) == LENGTHS[mutant.name]


def by_own_last_index(s: Member, m: Append) -> int:
    """§5.3 names the last new entry, not the last of the log."""
    return max(s.commit, min(m.commit, len(merged(s.log, m.prev, m.entries))))


@pytest.mark.slow
def test_a_commit_index_up_to_the_own_last_index_changes_nothing_here() -> None:
    options = Options(members=2, terms=3, entries=1)
    right = explore(raft_group(options, crashes=1))
    rules = replace(Rules(), follower_commit=by_own_last_index)
    other = explore(raft_group(options, crashes=1, rules=rules))
    assert right.holds
    assert other.holds
    assert (other.states, other.transitions) == (right.states, right.transitions)


def test_every_row_of_the_zoo_that_a_model_can_show_has_its_mistake() -> None:
    named = {row for m in RAFT_MUTANTS.values() for row in m.source.replace(",", "").split()}
    assert {*(f"R{n}" for n in (1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 26))} <= named
