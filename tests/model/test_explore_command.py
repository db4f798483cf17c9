"""`delphic explore` as a user meets it: what it takes, what it answers, how it ends."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from delphic.model.actor import Bag, Fifo, Network, Soup
from delphic.model.cli import explore_command
from delphic.model.explore.explorer import explore
from delphic.model.explore.naive import explore_naively
from delphic.model.models import MODELS
from delphic.model.raft_group import raft_group
from delphic.model.raft_types import Options
from delphic.model.summary import sentence

NETWORKS: dict[str, Network] = {"soup": Soup(), "bag:1": Bag(1)}

TINY = ["raft", "--bound", "members=2", "--bound", "entries=0"]


def asked(*words: str) -> Result:
    return CliRunner().invoke(explore_command, words, standalone_mode=False)


def data(*words: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(asked(*words, "--json").output)
    return answer


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["rafts"], f"no model 'rafts'; there are {', '.join(MODELS)}"),
        (["raft", "--bound", "size=1"], "raft has no 'size'; it has members, terms, entries"),
        (["raft", "--bound", "terms"], "--bound terms: '' is not a whole number from 2 to 9"),
        (["raft", "--bound", "terms=1"], "--bound terms: '1' is not a whole number from 2 to 9"),
        (["raft", "--bound", "batch=0"], "--bound batch: '0' is not a whole number from 1 to 9"),
        (["raft", "--bound", "crashes=99"], "'99' is not a whole number from 0 to 9"),
        (["raft", "--bound", "sync=maybe"], "'maybe' is neither true nor false"),
        (["raft", "--members", "0"], "--members: '0' is not a whole number from 1 to 9"),
        (["raft", "--members", "many"], "--members: 'many' is not a whole number from 1 to 9"),
        (["raft", "--network", "bag"], "'bag' is none of soup, bag:K, fifo:K (K from 1 to 99)"),
        (["raft", "--mutant", "nope"], "no mutant 'nope'; there are commit-old-term, read-before"),
        (["raft", "--property", "nope"], "no property 'nope' in this configuration; there are te"),
        (["storage", "--network", "bag:2"], "--network: storage sends no messages"),
        (["storage", "--bound", "records=0"], "'0' is not a whole number from 1 to 9"),
        (["storage", "--symmetry"], "--symmetry: storage has no interchangeable members"),
        (["raft", "--seed", "9" * 60], "9 is not in the range 0<=x<="),
        (["raft", "--walks", "1", "--symmetry"], "--walks: --symmetry is about a search"),
        (["raft", "--walks", "1", "--workers", "2"], "--walks: --workers is about a search"),
        (["raft", "--walks", "1", "--bitstate", "1"], "--walks: --bitstate is about a search"),
        (["raft", "--walks", "1", "--max-depth", "5"], "--walks: --max-depth is about a search"),
        (["raft", "--walks", "1", "--checkpoint", "x"], "--walks: --checkpoint is about a search"),
    ],
)
def test_what_it_does_not_know_it_names_with_what_is_allowed(words: list[str], answer: str) -> None:
    result = CliRunner().invoke(explore_command, words)
    assert result.exit_code == 2
    assert answer in result.output


def test_the_list_names_bounds_promises_and_mistakes_of_every_model() -> None:
    said = asked("--list").output
    assert asked().output == said
    for entry in MODELS.values():
        assert f"{entry.name}: {entry.title}" in said
        assert all(name in said for name in (*entry.bounds, *entry.mutants))


@pytest.mark.parametrize(
    ("words", "network"), [("soup", Soup()), ("bag:2", Bag(2)), ("fifo:2", Fifo(2))]
)
def test_the_network_is_a_choice(words: str, network: Network) -> None:
    result = asked(*TINY, "--network", words, "--workers", "1")
    assert result.return_value == 0
    states = explore_naively(raft_group(Options(members=2, entries=0), network=network)).states
    assert f"HOLDS: 21 promises in all {states} reachable states." in result.output


@pytest.mark.parametrize(("network", "said"), [("soup", True), ("bag:1", False)])
def test_it_says_that_a_good_phase_keeps_nothing_of_a_soup(network: str, said: bool) -> None:
    model = raft_group(Options(members=2, terms=1, entries=0), network=NETWORKS[network])
    told = sentence(model, explore(model))
    assert "eventually: the group converges: always, while all members are up" in told
    assert ("are up, nothing left in flight (" in told) == said


def test_members_and_seed_and_symmetry_are_choices() -> None:
    """Counts are the same whatever the seed; orbits are fewer than states."""
    assert data(*TINY, "--seed", "5")["states"] == data(*TINY)["states"]
    wide = data("raft", "--members", "2", "--bound", "entries=0")
    assert wide["states"] == data(*TINY)["states"]
    orbits = data(*TINY, "--symmetry")["states"]
    assert 0 < orbits < wide["states"]


def test_a_mistake_is_found_in_its_own_bounds_and_in_others() -> None:
    own = asked("raft", "--mutant", "vote-twice")
    assert own.return_value == 1
    assert own.output.startswith("BROKEN: one-vote-per-term, after 3 steps.")
    wider = data("raft", "--mutant", "vote-twice", "--members", "4", "--network", "bag:6")
    assert wider["parameters"]["members"] == 4
    assert wider["violation"]["property"] == "one-vote-per-term"
    harmless = asked("raft", "--mutant", "vote-forgotten", "--bound", "crashes=0")
    assert "crash" not in harmless.output
    stored = data("storage", "--mutant", "redo-equal-lsn", "--bound", "crashes=2")
    assert stored["parameters"]["crashes"] == 2


def test_one_promise_may_be_asked_for() -> None:
    alone = data("raft", "--mutant", "vote-twice", "--property", "election-safety")
    assert alone["violation"]["steps"] == 6


@pytest.mark.parametrize("ending", [".json", ".mmd"])
def test_the_path_goes_to_a_file(tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"path{ending}"
    asked("raft", "--mutant", "vote-twice", "--trace-out", str(out))
    text = out.read_text()
    if ending == ".mmd":
        assert text.startswith("sequenceDiagram")
    else:
        assert len(json.loads(text)["steps"]) == 3


def test_a_file_that_cannot_be_written_is_the_users_mistake(tmp_path: Path) -> None:
    out = tmp_path / "nowhere" / "path.mmd"
    result = CliRunner().invoke(
        explore_command, ["raft", "--mutant", "vote-twice", "--trace-out", str(out)]
    )
    assert result.exit_code == 2
    assert "--trace-out: " in result.output
    assert "BROKEN: one-vote-per-term" in result.output, "what was found is said all the same"


def test_what_never_happens_fails_the_run() -> None:
    """A promise about something that cannot occur would hold in vain."""
    result = asked("raft", "--bound", "entries=0", "--network", "bag:1")
    assert result.return_value == 1
    assert "BROKEN: something that must be reachable is not." in result.output
    assert "never " in result.output
