"""Every promise is broken by some mistake when it is checked alone; the table says so."""

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from delphic.model import matrix
from delphic.model.explore.explorer import explore
from delphic.model.models import MODELS, Entry
from delphic.model.mutants import RAFT_MUTANTS
from delphic.model.only import only
from delphic.model.raft_group import raft_group
from delphic.model.raft_types import Options

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "mutants.md"

ALONE = {mutant.name: mutant.also_breaks for mutant in RAFT_MUTANTS.values() if mutant.also_breaks}


@pytest.mark.parametrize("entry", MODELS.values(), ids=lambda entry: entry.name)
def test_every_promise_that_always_holds_has_a_mistake_that_breaks_it(entry: Entry) -> None:
    models = [mutant.model() for mutant in entry.mutants.values()]
    promised = {p.name for model in models for p in model.properties if p.kind == "always"}
    caught = {mutant.breaks for mutant in entry.mutants.values()}
    also = {name for m in entry.mutants.values() for name in getattr(m, "also_breaks", ())}
    assert promised <= caught | also
    assert not caught & also, "only what nobody breaks first needs to be said"


@pytest.mark.slow
@pytest.mark.parametrize("name", ALONE)
def test_checked_alone_it_breaks(name: str) -> None:
    found = matrix.row(RAFT_MUTANTS[name], names=ALONE[name])
    assert set(found.steps) == set(ALONE[name])


def test_the_document_knows_every_mistake_and_every_promise() -> None:
    written = DOCUMENT.read_text()
    for entry in MODELS.values():
        for mutant in entry.mutants.values():
            assert f"| {mutant.name} | {mutant.mistake} | {mutant.source} |" in written
            for prop in matrix.promises(mutant.model()):
                assert f" | {prop.name} | " in written
            (line,) = [x for x in written.splitlines() if x.startswith(f"| {mutant.name} | ")][:1]
            assert "**" in line, f"{mutant.name} is not shown to be caught"
    assert "| nobody |" not in written


def test_a_row_ends_with_what_a_mistake_does_not_break() -> None:
    row = matrix.row(RAFT_MUTANTS["next-stays"])
    assert row.complete
    assert row.steps == {"the group converges": 7}
    short = matrix.row(RAFT_MUTANTS["vote-twice"], states=10)
    assert not short.complete
    assert short.steps == {"one-vote-per-term": 3}, "the first is found, whatever it takes"


def test_the_table_tells_apart_broken_not_broken_and_not_decided() -> None:
    entry = MODELS["raft"]
    few = replace(entry, mutants={"x": RAFT_MUTANTS["vote-twice"]})
    first = RAFT_MUTANTS["vote-twice"]
    names = tuple(p.name for p in matrix.promises(first.model()))
    rows = [
        matrix.Row(first, names, {"one-vote-per-term": 3, "election-safety": 6}, 7, complete=False)
    ]
    lines = list(matrix.chapter(few, rows))
    assert "| 2 | one-vote-per-term | HS-1, S2, §5.2 | vote-twice 3 |" in lines
    assert "| 1 | term-never-falls | HS-1, S12 | nobody |" in lines
    (line,) = [line for line in lines if line.startswith("| vote-twice | · |")]
    assert line.startswith("| vote-twice | · | **3** | · |")
    assert line.endswith("| 6 | · | · | ? | to depth 7 |")


@pytest.mark.slow
def test_the_command_writes_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = MODELS["raft"]
    few = {"next-stays": RAFT_MUTANTS["next-stays"]}
    small = replace(entry, mutants=few)
    monkeypatch.setattr(matrix, "MODELS", {"raft": small, "raft-built": MODELS["raft-built"]})
    result = CliRunner().invoke(matrix.main, [str(tmp_path / "m.md")])
    assert result.exit_code == 0
    page = (tmp_path / "m.md").read_text()
    assert "| the group converges | HS-20, HS-22, HS-23, HS-25 | next-stays 7 |" in page
    assert page.count("\n## ") == 1, "what has no mutants has no table"


def test_a_model_asked_for_one_promise_sees_nothing_of_the_others() -> None:
    model = RAFT_MUTANTS["vote-twice"].model()
    found = explore(only(model, ("election-safety",)), symmetry=True).violation
    assert found is not None
    assert (found.property, len(found.path)) == ("election-safety", 6)
    assert explore(only(model, ("log-matching",)), symmetry=True).violation is None
    other = explore(only(model, ("state-machine-safety",)), symmetry=True)
    assert other.violation is None, "two members lead in a term, and nobody asked"


def test_observers_go_where_nobody_asks_them() -> None:
    model = raft_group(Options(members=2, terms=3, entries=0))
    bare = only(model, ("log-matching", "the group converges"))
    assert bare.observers == ()
    assert [p.name for p in bare.properties] == ["log-matching", "the group converges"]
    assert only(model, ()) is model
    assert explore(bare).states <= explore(model).states
