"""A key column: the recommended way holds, others break what they are said to break."""

from dataclasses import replace

import pytest
from delphic.model.explore.explorer import explore
from delphic.model.explore.naive import explore_naively
from delphic.model.keyed import Keyed
from delphic.model.keyed_group import keyed
from delphic.model.keyed_mutants import KEYED_MUTANTS, QUIET, KeyedMutant
from delphic.model.keyed_rules import Judge, Options, fresh, newest
from delphic.model.keyed_types import Entry, Phase, Producer, Restart, Send, rows_of
from delphic.model.matrix import row

LOSSY = replace(QUIET, timeouts=1, changes=1)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        replace(LOSSY, window=0),
        replace(LOSSY, batches=3),
        replace(LOSSY, batches=1, batch=2, restarts=1),
        replace(QUIET, producers=2, batches=1, timeouts=1, changes=1),
    ],
    ids=["all rows", "a key comes again", "batches", "two producers"],
)
def test_the_recommended_way_holds(options: Options) -> None:
    """HS-16, HS-2, HS-4, HS-26; and all that should happen does."""
    result = explore(keyed(options))
    assert result.complete
    assert result.violation is None
    assert result.holds, (result.unreached, result.never_fired, result.eventually)


@pytest.mark.slow
@pytest.mark.parametrize("mutant", KEYED_MUTANTS.values(), ids=lambda m: m.name)
def test_a_mutant_breaks_what_it_is_said_to_break_before_anything_else(
    mutant: KeyedMutant,
) -> None:
    result = explore(mutant.model())
    stuck = None if result.stuck is None else result.stuck.property
    broken = result.violation.property if result.violation is not None else stuck
    assert broken == mutant.breaks
    if mutant.also_breaks:
        assert set(row(mutant, names=mutant.also_breaks).steps) == set(mutant.also_breaks)


@pytest.mark.slow
def test_replicas_may_judge_where_they_judge_by_their_tables() -> None:
    """X5: deterministic at apply, the other way that there is."""
    options = replace(LOSSY, restarts=1, checkpoints=1, batches=1, judge=Judge.REPLICAS)
    result = explore(keyed(options))
    assert result.complete
    assert result.violation is None


@pytest.mark.slow
def test_the_fast_explorer_sees_what_the_slow_one_sees() -> None:
    model = keyed(replace(LOSSY, batches=1))
    slow, fast = explore_naively(model), explore(model)
    assert (fast.states, fast.transitions, fast.depth) == (
        slow.states,
        slow.transitions,
        slow.depth,
    )
    assert fast.reached == slow.reached


def test_rows_are_new_whose_key_is_neither_known_nor_met_in_the_batch() -> None:
    assert fresh((1, 2, 1, 3), (3,)) == (1, 2)
    assert fresh((1, 2, 1), (), first_wins=False) == (1, 2, 1)
    assert newest(Options(window=2), (1, 2, 3)) == (2, 3)
    assert newest(Options(window=0), (1, 2, 3)) == (1, 2, 3)


def test_a_batch_with_nothing_new_is_logged_without_rows() -> None:
    group = Keyed(Options(batches=2))
    state = group.initial(0)
    for _ in range(2):
        step = group.step(state, Send(0, (0,)))
        assert step is not None
        assert isinstance(step.state, type(state))
        state = step.state._replace(producers=(Producer(1, (0,), Phase.UNSURE),))
    assert state.log == (Entry(0, 1, (0,)), Entry(0, 1, ()))
    assert rows_of(state.log) == (0,)


def test_a_leader_that_restarts_is_none_and_its_producers_are_unsure() -> None:
    group = Keyed(Options())
    step = group.step(group.initial(0), Send(0, (0,)))
    assert step is not None
    step = group.step(step.state, Restart(0))
    assert step is not None
    (producer,) = step.state.producers
    assert producer.phase is Phase.UNSURE
    assert not group.serves(step.state)
    assert step.cost == "restarts"
