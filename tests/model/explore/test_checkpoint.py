"""An exploration that was cut off and taken up again ends as if nothing had happened."""

import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from delphic.model.actor import Bag, Fifo, Model, Network, Soup
from delphic.model.cli import explore_command
from delphic.model.explore import checkpoint
from delphic.model.explore.checkpoint import LATEST, Checkpoints, WrongCheckpoint, workers_of
from delphic.model.explore.explorer import explore
from delphic.model.explore.limits import Limits, Progress
from delphic.model.explore.result import Result
from delphic.model.mutants import RAFT_MUTANTS
from delphic.model.raft_group import raft_group
from delphic.model.raft_types import Options


class Killed(Exception):
    """Stands for the end of the process, between two levels."""


def killed_after(depth: int) -> Any:
    def watch(now: Progress) -> None:
        if now.depth == depth:
            raise Killed

    return watch


def face(result: Result) -> dict[str, Any]:
    return {
        "counts": (result.states, result.transitions, result.depth, result.cut),
        "coverage": result.coverage,
        "reached": result.reached,
        "complete": result.complete,
        "eventually": [(e.property, e.phase, e.states, e.stuck) for e in result.eventually],
        "step calls": result.statistics["step_calls"],
    }


MODELS: list[tuple[Options, int, Network]] = [
    (Options(members=2, terms=3, entries=1), 1, Soup()),
    (Options(members=2, terms=2, entries=1), 1, Bag(2)),
    (Options(members=2, terms=2, entries=0, reads=1), 1, Fifo(2)),
]


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(("options", "crashes", "network"), MODELS)
def test_a_killed_search_goes_on_to_the_same_end(
    tmp_path: Path, options: Options, crashes: int, network: Network, workers: int
) -> None:
    model = raft_group(options, crashes=crashes, network=network)
    whole = explore(model, workers=workers)
    keep = Checkpoints(tmp_path, every_s=0)
    with pytest.raises(Killed):
        explore(model, workers=workers, checkpoints=keep, watch=killed_after(7))
    again = Checkpoints(tmp_path, every_s=0, resume=tmp_path)
    with pytest.raises(Killed):
        explore(model, workers=workers, checkpoints=again, watch=killed_after(11))
    assert (tmp_path / LATEST).read_text() == "level-10"
    assert sorted(p.name for p in tmp_path.iterdir()) == [LATEST, "level-10"]
    rest = explore(model, workers=workers, checkpoints=Checkpoints(resume=tmp_path))
    assert face(rest) == face(whole)


@pytest.mark.slow
def test_orbits_go_on_as_well_and_a_limit_leaves_a_checkpoint(tmp_path: Path) -> None:
    model = raft_group(Options(terms=2, entries=0))
    whole = explore(model, symmetry=True, seed=5)
    cut = explore(
        model, symmetry=True, seed=5, limits=Limits(depth=6), checkpoints=Checkpoints(tmp_path)
    )
    assert cut.stopped_by == "the limit of 6 levels"
    rest = explore(model, symmetry=True, seed=5, checkpoints=Checkpoints(resume=tmp_path))
    assert face(rest) == face(whole)


def small(tmp_path: Path, model: Model, **options: Any) -> Path:
    explore(model, limits=Limits(depth=4), checkpoints=Checkpoints(tmp_path), **options)
    return tmp_path


def test_a_path_over_a_checkpoint_is_whole(tmp_path: Path) -> None:
    model = RAFT_MUTANTS["match-falls"].model()
    folder = small(tmp_path, model)
    found = explore(model, checkpoints=Checkpoints(resume=folder)).violation
    whole = explore(model).violation
    assert found == whole


OTHERS = [
    (Options(members=2, terms=4, entries=1), {}, "bound terms is 3 there and 4 here"),
    (Options(members=2, terms=3, entries=1), {"seed": 1}, "seed is 0 there and 1 here"),
    (Options(members=2, terms=3, entries=1), {"workers": 2}, "workers is 1 there and 2 here"),
    (Options(members=2, terms=3, entries=1), {"symmetry": True}, "permutations is 1 there"),
]


@pytest.mark.parametrize(("options", "how", "said"), OTHERS)
def test_another_exploration_is_refused(
    tmp_path: Path, options: Options, how: dict[str, Any], said: str
) -> None:
    folder = small(tmp_path, raft_group(Options(members=2, terms=3, entries=1)))
    with pytest.raises(WrongCheckpoint, match=said):
        explore(raft_group(options), checkpoints=Checkpoints(resume=folder), **how)


class Elsewhere:
    """An observer of the same name as one of Raft's, which finds something else."""

    def __init__(self, name: str) -> None:
        self.name = name

    def initial(self) -> None:
        return None

    def observe(self, state: Any, note: Any) -> None:
        return state


def test_other_questions_of_the_same_name_are_refused(tmp_path: Path) -> None:
    """What is explored already would never be asked."""
    model = raft_group(Options(members=2, terms=3, entries=1))
    folder = small(tmp_path, model)
    explore(replace(model), checkpoints=Checkpoints(resume=folder), limits=Limits(depth=5))
    others = [
        {"observers": tuple(Elsewhere(one.name) for one in model.observers)},
        {"within": lambda state: True},
        {"properties": tuple(replace(p, holds=lambda *_: True) for p in model.properties)},
    ]
    for other in others:
        with pytest.raises(WrongCheckpoint, match="source is"):
            explore(replace(model, **other), checkpoints=Checkpoints(resume=folder))


def test_another_version_of_the_sources_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = raft_group(Options(members=2, terms=3, entries=1))
    folder = small(tmp_path / "kept", model)
    shutil.copytree(checkpoint.SOURCE / "properties", tmp_path / "source")
    monkeypatch.setattr(checkpoint, "SOURCE", tmp_path / "source")
    with pytest.raises(WrongCheckpoint, match="source is"):
        explore(model, checkpoints=Checkpoints(resume=folder))


def test_a_question_with_some_arguments_given_is_told_by_its_function() -> None:
    model = raft_group(Options(members=2, terms=3, entries=1))
    asked = [replace(model, within=partial(question)) for question in (face, face, small)]
    one, same, other = map(checkpoint._source, asked)
    assert one == same != other


def test_a_source_that_changed_while_it_was_explored_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What runs is what was loaded, whatever the files say when a checkpoint is written."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "rules.py").write_text("A = 1\n")
    monkeypatch.setattr(checkpoint, "SOURCE", source)

    def edit(now: Progress) -> None:
        if now.depth == 2:
            (source / "rules.py").write_text("A = 2\n")

    model = raft_group(Options(members=2, terms=3, entries=1))
    keep = Checkpoints(tmp_path / "kept")
    explore(model, limits=Limits(depth=4), checkpoints=keep, watch=edit)
    with pytest.raises(WrongCheckpoint, match="source is"):
        explore(model, checkpoints=Checkpoints(resume=tmp_path / "kept"))
    (source / "rules.py").write_text("A = 1\n")
    explore(model, checkpoints=Checkpoints(resume=tmp_path / "kept"), limits=Limits(depth=5))


def test_a_mutant_of_the_same_bounds_is_refused(tmp_path: Path) -> None:
    model = raft_group(Options(terms=2, entries=1))
    folder = small(tmp_path, model)
    mutant = RAFT_MUTANTS["follower-writes"].model()
    assert mutant.parameters == model.parameters
    with pytest.raises(WrongCheckpoint, match="makes other steps"):
        explore(mutant, checkpoints=Checkpoints(resume=folder))


def test_a_checkpoint_that_was_never_finished_does_not_count(tmp_path: Path) -> None:
    with pytest.raises(WrongCheckpoint, match="holds no checkpoint"):
        workers_of(tmp_path)
    model = raft_group(Options(members=2, terms=3, entries=1))
    folder = small(tmp_path, model)
    shutil.copytree(folder / "level-4", folder / "level-5.part")
    (folder / "level-5.part" / "header.json").unlink()
    assert explore(model, checkpoints=Checkpoints(resume=folder)).states == explore(model).states


def cut_in_two(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def garble(file: Path) -> None:
    file.write_bytes(b"\x80" + b"[1]" * 40)


@pytest.mark.parametrize("name", ["header.json", "plain.pickle", "arrays.npy"])
@pytest.mark.parametrize("how", [cut_in_two, garble, Path.unlink, lambda file: file.write_text("")])
def test_a_damaged_checkpoint_is_refused(tmp_path: Path, name: str, how: Any) -> None:
    model = raft_group(Options(members=2, terms=3, entries=1))
    how(small(tmp_path, model) / "level-4" / name)
    with pytest.raises(WrongCheckpoint, match="is damaged"):
        explore(model, checkpoints=Checkpoints(resume=tmp_path))
    if name == "header.json":
        with pytest.raises(WrongCheckpoint, match="is damaged"):
            workers_of(tmp_path)


def test_a_header_that_lacks_what_it_must_have_is_damage(tmp_path: Path) -> None:
    folder = small(tmp_path, raft_group(Options(members=2, terms=3, entries=1)))
    for header in ("[1]", "{}", '{"workers": null}'):
        (folder / "level-4" / "header.json").write_text(header)
        with pytest.raises(WrongCheckpoint, match="is damaged"):
            workers_of(folder)


def test_starts_that_a_search_left_out_are_not_there_for_the_next_one(tmp_path: Path) -> None:
    """Liveness is not decided from a part of the states in which faults may end."""
    model = RAFT_MUTANTS["next-stays"].model()
    whole = explore(model)
    assert whole.stuck is not None
    few = Limits(depth=whole.depth - 1, good_states=3)
    explore(model, limits=few, checkpoints=Checkpoints(tmp_path))
    rest = explore(
        model, limits=Limits(good_states=10**6), checkpoints=Checkpoints(resume=tmp_path)
    )
    assert rest.stuck is None
    assert {e.skipped for e in rest.eventually} == {"more than 3 states to begin in"}


def test_the_command_line_keeps_and_takes_up(tmp_path: Path) -> None:
    start = ["raft", "--members", "2", "--bound", "entries=1", "--bound", "crashes=1"]
    run = CliRunner().invoke
    cut = run(
        explore_command,
        [*start, "--workers", "1", "--max-depth", "4", "--checkpoint", str(tmp_path)],
        standalone_mode=False,
    )
    assert cut.return_value == 3
    assert cut.output.startswith("UNDECIDED: stopped by the limit of 4 levels. Explored to depth 4")
    rest = run(explore_command, [*start, "--resume", str(tmp_path)], standalone_mode=False)
    assert rest.return_value == 0
    assert "all 269 reachable states" in rest.output
    wrong = run(explore_command, [*start, "--seed", "4", "--resume", str(tmp_path)])
    assert wrong.exit_code == 2
    assert "seed is 0 there and 4 here" in wrong.output


def test_a_limit_of_memory_ends_a_search_inside_a_level_and_says_how_far_it_came() -> None:
    result = CliRunner().invoke(
        explore_command,
        ["raft", "--bound", "terms=3", "--max-memory", "8"],
        standalone_mode=False,
    )
    assert result.return_value == 3
    assert result.output.startswith("UNDECIDED: stopped by the limit of 8,388,608 bytes. Explored ")
    assert "nothing broken so far" in result.output
