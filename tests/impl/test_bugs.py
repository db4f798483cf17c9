"""Seeded bugs by name."""

import pytest
from delphic.impl.bugs import ALL_BUGS, BUGS, parse
from delphic.model.mutants import RAFT_MUTANTS


def test_known_names_are_taken() -> None:
    assert parse(["vote-twice", "stale-read"]) == {"stale-read", "vote-twice"}
    assert parse([]) == frozenset()


def test_an_unknown_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="no seeded bug 'vote-thrice'") as caught:
        parse(["stale-read", "vote-thrice"])
    assert all(name in str(caught.value) for name in ALL_BUGS)


@pytest.mark.parametrize("name", ALL_BUGS)
def test_each_bug_says_what_goes_wrong_and_which_promise_breaks(name: str) -> None:
    bug = ALL_BUGS[name]
    assert bug.name == name
    assert bug.mistake.endswith(".")
    assert bug.source
    assert bug.promises
    assert all(promise.startswith(("HS-", "PR-")) for promise in bug.promises)


def test_a_mistake_that_the_model_knows_too_has_the_same_source_there() -> None:
    shared = BUGS.keys() & RAFT_MUTANTS.keys()
    assert len(shared) >= 10
    for name in shared - {"vote-twice"}:
        rows = {word.strip(",:") for word in RAFT_MUTANTS[name].source.split()}
        assert BUGS[name].source.split()[0].strip(":") in rows
