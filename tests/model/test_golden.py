"""The counts of every model in small bounds are those written down; the rest is for the night."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from delphic.model import golden
from delphic.model.golden import CASES, Case, counted, differences, recorded

SMALL = [case for case in CASES if not case.large]
TINY = Case("raft", {"members": 2, "entries": 0})


@pytest.mark.slow
@pytest.mark.parametrize("case", SMALL, ids=lambda case: case.name)
def test_a_small_bound_counts_what_is_written_down(case: Case) -> None:
    """HS-1, HS-2, HS-4, HS-5, HS-6, HS-8, HS-9, HS-10, HS-11, HS-12, HS-13, HS-14, HS-18."""
    assert counted(case) == recorded()[case.name]


def test_the_file_has_a_row_for_each_case_and_every_promise_holds_there() -> None:
    rows = recorded()
    assert list(rows) == [case.name for case in CASES]
    assert {row["verdict"] for row in rows.values()} == {"holds"}
    assert {type(case.network).__name__ for case in SMALL} == {"Soup", "Bag", "Fifo"}
    assert {case.model for case in SMALL} == {
        "raft",
        "storage",
        "storage-built",
        "subscription",
        "replication",
        "keyed",
    }


def test_a_difference_is_named() -> None:
    then = {"states": 7, "verdict": "holds"}
    now = {"states": 8, "verdict": "holds"}
    assert list(differences("raft", now, then)) == ["raft: states 8, recorded 7"]
    assert list(differences("raft", then, then)) == []


def test_the_command_writes_the_file_and_compares_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "golden.json"
    monkeypatch.setattr(golden, "FILE", file)
    monkeypatch.setattr(golden, "CASES", (TINY,))
    assert CliRunner().invoke(golden.main, []).exit_code == 0
    assert json.loads(file.read_text())["raft members=2 entries=0"]["states"] == 29
    assert CliRunner().invoke(golden.main, ["--check"]).exit_code == 0
    file.write_text(file.read_text().replace(": 29,", ": 30,"))
    wrong = CliRunner().invoke(golden.main, ["--check"])
    assert wrong.exit_code == 1
    assert "raft members=2 entries=0: states 29, recorded 30" in wrong.output
