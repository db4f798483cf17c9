"""Bit-state hashing: exact with room to spare, honest about what it may miss without."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from delphic.model.cli import explore_command
from delphic.model.explore.bitstate import Bits, ones
from delphic.model.explore.checkpoint import Checkpoints, WrongCheckpoint
from delphic.model.explore.explorer import explore
from delphic.model.explore.limits import Limits
from delphic.model.mutants import RAFT_MUTANTS
from delphic.model.raft_group import raft_group
from delphic.model.raft_types import Options
from delphic.model.summary import UNDECIDED, code, sentence

MODEL = raft_group(Options(members=2, terms=3, entries=1), crashes=1)
STATES = 35_947


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_with_room_it_counts_what_is_there_and_yet_proves_nothing(workers: int) -> None:
    exact = explore(MODEL, workers=workers)
    result = explore(MODEL, workers=workers, bitstate=1 << 22)
    assert result.states == exact.states == STATES
    assert (result.transitions, result.depth) == (exact.transitions, exact.depth)
    assert result.reached == exact.reached
    assert not result.complete
    assert not result.holds
    assert code(result) == UNDECIDED
    assert result.bits is not None
    assert result.bits.omitted() < 0.01
    assert [e.skipped for e in result.eventually] == ["states may have been missed"]
    said = sentence(MODEL, result)
    assert said.startswith("UNDECIDED: no violation found in 35,947 states, coverage estimate at ")


@pytest.mark.slow
def test_where_bits_are_scarce_about_as_many_states_are_missed_as_it_says() -> None:
    """On a model whose states are reached in many ways: what is missed has few followers."""
    model = raft_group(Options(terms=2, entries=1))
    states = 357_149
    result = explore(model, bitstate=states * 12 // 8)
    assert result.bits is not None
    missed, expected = states - result.states, result.bits.omitted()
    assert expected / 2 < missed < expected * 2
    assert 0.9 < result.bits.coverage() < 1


def test_a_filter_that_is_full_misses_everything_and_the_search_ends() -> None:
    result = explore(MODEL, bitstate=64)
    assert result.bits is not None
    assert result.states < 2_000
    assert result.bits.chance() > 0.5
    assert "too full" in sentence(MODEL, result)


def test_what_it_finds_is_real_and_has_a_path() -> None:
    mutant = RAFT_MUTANTS["match-falls"]
    found = explore(mutant.model(), bitstate=1 << 20).violation
    assert found is not None
    assert (found.property, len(found.path)) == (mutant.breaks, 11)


def test_the_estimate_is_the_integral_of_the_chance() -> None:
    bits = Bits(size=1000, marked=450, states=200)
    chances = [(1 - np.exp(-3 * (at + 0.5) / 1000)) ** 3 for at in range(200)]
    by_hand = sum(p / (1 - p) for p in chances)
    assert bits.omitted() == pytest.approx(by_hand, rel=1e-3)
    assert bits.chance() == pytest.approx(0.45**3)
    assert Bits(size=1 << 40, marked=3, states=1).omitted() < 1e-30


def test_bits_are_counted_in_parts() -> None:
    table = np.zeros(300_000, np.uint64)
    table[[0, 150_000, 299_999]] = [1, 2**64 - 1, 5]
    assert ones(table) == 1 + 64 + 2


@pytest.mark.slow
def test_it_can_be_kept_and_taken_up(tmp_path: Path) -> None:
    whole = explore(MODEL, bitstate=1 << 20)
    explore(MODEL, bitstate=1 << 20, limits=Limits(depth=9), checkpoints=Checkpoints(tmp_path))
    rest = explore(MODEL, bitstate=1 << 20, checkpoints=Checkpoints(resume=tmp_path))
    assert (rest.states, rest.transitions) == (whole.states, whole.transitions)
    with pytest.raises(WrongCheckpoint, match="bytes of bit-state is 1048576 there and 0 here"):
        explore(MODEL, checkpoints=Checkpoints(resume=tmp_path))


def test_the_command_line_says_that_it_is_no_proof() -> None:
    asked = ["raft", "--members", "2", "--bitstate", "1"]
    result = CliRunner().invoke(explore_command, asked, standalone_mode=False)
    assert result.return_value == UNDECIDED
    assert result.output.startswith("UNDECIDED: no violation found in ")
    data = CliRunner().invoke(explore_command, [*asked, "--json"], standalone_mode=False)
    plain = json.loads(data.output)
    assert plain["bitstate"]["bits"] == 1 << 23
    assert plain["complete"] is False
