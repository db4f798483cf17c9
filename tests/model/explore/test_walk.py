"""Random walks: they mean what the model means, repeat, and what they break is short and real."""

import random
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from delphic.model.actor import Bag, Fifo, Kind, Model, Network, Property, Scope, Soup, Step
from delphic.model.explore.replay import replay
from delphic.model.explore.shorten import shorten
from delphic.model.explore.stroll import Stroll
from delphic.model.explore.walk import Plan, walk
from delphic.model.explore.world import Global, World
from delphic.model.mutants import RAFT_MUTANTS
from delphic.model.raft_group import raft_group
from delphic.model.raft_types import Options
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from systems import systems


@pytest.mark.slow
@settings(max_examples=300, derandomize=True, deadline=None)
@given(systems(), st.integers(0, 10**6))
def test_a_stroll_offers_exactly_the_moves_that_change_something(model: Model, seed: int) -> None:
    chance = random.Random(seed)
    stroll, world = Stroll(model), World(model)
    state = world.initial()
    broken = stroll.begin()
    for _ in range(12):
        choices = {stroll.as_move(c): c for each in stroll.moves().values() for c in each}
        if broken is not None or not choices:
            break
        meant = {s.move: s for s in world.successors(state)}
        changing = {m for m, s in meant.items() if s.broken is not None or s.after != state}
        assert changing <= set(choices) <= set(meant)
        move = chance.choice(sorted(choices, key=repr))
        broken = stroll.make(choices[move])
        if meant[move].broken is not None:
            assert broken is not None
            break
        state = meant[move].after
        assert held(stroll) == flat(state, model.network)


def held(stroll: Stroll) -> list[str]:
    """What is in flight, in no order."""
    return sorted(repr(stroll.message(mid)) for mids in stroll.held.values() for mid in mids)


def flat(state: Global, network: Network) -> list[str]:
    if isinstance(network, Fifo):
        return sorted(repr(m) for _, queue in state.net for m in queue)
    return sorted(repr(m) for m in state.net)


MUTANTS = ["commit-old-term", "match-falls", "stale-vote-counted", "vote-lost-in-crash"]


@pytest.mark.parametrize("name", MUTANTS)
def test_a_walk_finds_a_mistake_and_makes_it_short(name: str) -> None:
    mutant = RAFT_MUTANTS[name]
    model = mutant.model()
    walked = walk(model, Plan(walks=500, depth=60, seed=1))
    found = walked.violation
    assert found is not None
    assert found.property == mutant.breaks
    assert len(found.path) <= walked.found_after
    moves = list(found.path.moves)
    assert replay(World(model), moves) == found.path
    stroll = Stroll(model)
    for at in range(len(moves)):
        assert stroll.follow(moves[:at] + moves[at + 1 :], found.property) is None


def face(walked: Any) -> tuple[Any, ...]:
    return (walked.walks, walked.steps, walked.longest, walked.coverage, walked.reached)


def test_walks_of_one_seed_are_the_same_walks() -> None:
    model = raft_group(Options(members=3, terms=3, entries=1), crashes=1, network=Bag(4))
    first = walk(model, Plan(walks=20, depth=40, seed=3))
    assert face(first) == face(walk(model, Plan(walks=20, depth=40, seed=3)))
    assert face(first) != face(walk(model, Plan(walks=20, depth=40, seed=4)))
    assert first.violation is None
    assert first.coverage["drop"] > 0
    assert first.longest <= 40


def test_a_walk_ends_where_nothing_changes_any_more() -> None:
    walked = walk(raft_group(Options(members=2, terms=1, entries=0)), Plan(walks=3, depth=50))
    assert (walked.walks, walked.steps) == (3, 0)
    assert "timeout" in walked.never_fired
    assert "a leader is elected" in walked.unreached


@pytest.mark.slow
def test_walks_reach_what_no_small_bound_holds() -> None:
    model = raft_group(
        Options(members=5, terms=4, entries=2, reads=1, checkpoints=1), crashes=1, network=Soup()
    )
    walked = walk(model, Plan(walks=150, depth=150, seed=2))
    assert walked.violation is None
    assert not walked.never_fired
    assert "a snapshot is installed" in walked.reached


class Standing(NamedTuple):
    """Counts to 3 and begins again; `look` changes nothing, and is forbidden or to be reached."""

    kind: Kind

    def initial(self, node: int) -> int:
        return 0

    def events(self, state: int) -> tuple[str, ...]:
        return ("look", "go")

    def step(self, state: int, event: Any) -> Step:
        return Step(state) if event == "look" else Step((state + 1) % 3)

    def model(self) -> Model:
        wanted = self.kind is Kind.SOMETIMES
        looks = Property("look", self.kind, Scope.STEP, lambda s, e, t: (e == "look") is wanted)
        return Model(
            "standing",
            (self,),  # type: ignore[arg-type]
            Soup(),
            properties=(looks,),
            expected_events=("look", "go"),
        )


def test_a_step_that_changes_nothing_is_judged_as_well() -> None:
    found = walk(Standing(Kind.ALWAYS).model(), Plan(walks=50, depth=50)).violation
    assert found is not None
    assert [move.event for move in found.path.moves] == ["look"]


def test_a_step_that_changes_nothing_is_noted_and_not_taken() -> None:
    walked = walk(Standing(Kind.SOMETIMES).model(), Plan(walks=1, depth=20))
    assert walked.reached == {"look": 1}
    assert (walked.never_fired, walked.unreached) == ((), ())
    assert walked.coverage == {"go": 20, "look": 1}


def test_time_is_a_limit() -> None:
    model = raft_group(Options(members=3, terms=3, entries=1))
    walked = walk(model, Plan(walks=10**6, depth=50, seconds=0.05))
    assert 0 < walked.walks < 10**6


@settings(max_examples=100, derandomize=True, deadline=None)
@given(st.lists(st.integers(0, 9), max_size=30))
def test_shortening_keeps_what_is_needed_and_nothing_else(items: list[int]) -> None:
    def failing(part: list[int]) -> list[int] | None:
        return part if part.count(3) >= 2 and 7 in part else None

    if failing(items) is not None:
        assert sorted(shorten(items, failing)) == [3, 3, 7]
