"""Every known mistake is caught, by the promise it breaks, on a shortest path."""

import pytest
from delphic.model.explore.explorer import explore
from delphic.model.explore.result import Finding
from delphic.model.mutants import RAFT_MUTANTS, Mutant

LENGTHS = {
    "commit-old-term": 14,
    "read-before-noop": 13,
    "read-unconfirmed": 15,
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
