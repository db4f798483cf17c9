"""Campaigns: what is missing in a ledger is run, and nothing twice; what comes out is told."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import astuple
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

BENCH = Path(__file__).resolve().parents[2] / "bench"
HANDFUL = BENCH.parent / "scenarios" / "handful.yaml"

Load = Callable[..., ModuleType]


def line(scenario: str, on: str, first: int, last: int, **verdicts: int) -> dict[str, object]:
    seeds = {"scenario": scenario, "on": on, "first": first, "last": last}
    return {**seeds, "commit": "c1", "verdicts": verdicts, "unexpected": []}


def test_seeds_that_the_ledger_lacks_the_lowest_first(load: Load) -> None:
    bench = load("campaign")
    lines = [line("a", "sim", 1, 30), line("b", "local", 1, 50), line("b", "sim", 26, 50)]
    found = bench.missing(["a", "b"], 55, "sim", lines)
    assert [astuple(chunk) for chunk in found] == [
        ("a", 31, 50),
        ("b", 1, 25),
        ("a", 51, 55),
        ("b", 51, 55),
    ]
    assert list(bench.missing(["a"], 30, "sim", lines)) == []


def test_the_page_sums_up_what_the_ledger_has(load: Load) -> None:
    bench = load("campaign")
    lines = [line("a", "sim", 1, 2, **{"pass": 2}), line("a", "local", 1, 1, unknown=1)]
    lines.append({**line("a", "sim", 3, 4, **{"pass": 1, "inconclusive": 1}), "commit": "c2"})
    row = "| `a` | 3 pass, 1 inconclusive | 0 pass, 1 unknown | – | c1, c2 |\n"
    assert row in bench.page(lines)


def test_the_page_is_that_of_the_ledger(load: Load) -> None:
    bench, docs = load("campaign"), BENCH.parent / "docs"
    lines = bench.read(docs / "campaigns.jsonl")
    assert bench.page(lines) == (docs / "campaigns.md").read_text()
    assert {line["on"] for line in lines} <= set(bench.TRIED)


def test_what_a_place_cannot_do_is_not_tried_there(load: Load) -> None:
    bench = load("campaign")
    everywhere, here = bench.shipped("sim"), bench.shipped("local")
    assert "disk-full" in everywhere
    assert "disk-full" not in here
    assert "quickstart" in here
    assert not [name for name in everywhere if name.startswith("bug-")]


def run(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCH / "campaign.py"), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=BENCH.parent)


@pytest.mark.slow
def test_a_second_campaign_runs_only_what_is_new(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    words = ("--on", "sim", "--ledger", str(ledger), "--jobs", "1", "handful")
    assert run("--seeds", "2", *words).returncode == 0
    assert run("--seeds", "2", *words).returncode == 0
    done = run("--seeds", "3", *words)
    assert json.loads(done.stdout)["sim"]["handful"]["verdicts"] == {"pass": 3}
    kept = [json.loads(text) for text in ledger.read_text().splitlines()]
    assert [(one["first"], one["last"]) for one in kept] == [(1, 2), (3, 3)]


def called(
    bench: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    ledger: Path,
    *words: str,
    commit: str = "c2",
    unexpected: Sequence[str] = (),
) -> tuple[int, list[tuple[int, int]]]:
    """Its exit code and what it tried, where every world ends as told and this is the commit."""
    tried: list[tuple[int, int]] = []

    def play(chunk: Any, on: str, folder: Path) -> dict[str, object]:
        tried.append((chunk.first, chunk.last))
        return {"verdicts": {"pass": 1}, "unexpected": list(unexpected)}

    monkeypatch.setattr(bench, "TRIED", dict.fromkeys(bench.TRIED, play))
    monkeypatch.setattr(bench.tempfile, "tempdir", str(ledger.parent))
    monkeypatch.setattr(bench, "commit_of_here", lambda: commit)
    asked = ["campaign.py", "--on", "sim", "--ledger", str(ledger), *words, "a"]
    monkeypatch.setattr(sys, "argv", asked)
    return bench.main(), tried


def kept(ledger: Path, *lines: dict[str, object]) -> Path:
    ledger.write_text("".join(json.dumps(one) + "\n" for one in lines))
    return ledger


def test_a_fresh_campaign_runs_what_other_commits_have_run(
    load: Load, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    old = {**line("a", "sim", 1, 100), "unexpected": ["long ago"]}
    ledger = kept(tmp_path / "ledger.jsonl", old, {**line("a", "sim", 1, 50), "commit": "c2"})
    bench = load("campaign")
    assert called(bench, monkeypatch, ledger, "--seeds", "100", "--fresh") == (0, [(51, 100)])
    assert called(bench, monkeypatch, ledger, "--seeds", "100", "--fresh") == (0, [])
    assert called(bench, monkeypatch, ledger, "--seeds", "100") == (1, [])


def test_a_fresh_campaign_fails_as_long_as_its_commit_does(
    load: Load, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bench, ledger = load("campaign"), tmp_path / "ledger.jsonl"
    words = ("--seeds", "50", "--fresh")
    assert called(bench, monkeypatch, ledger, *words, unexpected=["broken"]) == (1, [(1, 50)])
    assert called(bench, monkeypatch, ledger, *words) == (1, [])
    assert called(bench, monkeypatch, ledger, *words, commit="c3") == (0, [(1, 50)])


def test_a_tree_with_changes_is_never_the_same_again(
    load: Load, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bench, ledger = load("campaign"), tmp_path / "ledger.jsonl"
    for _ in range(2):
        ran = called(bench, monkeypatch, ledger, "--seeds", "50", "--fresh", commit="c2-dirty")
        assert ran == (0, [(1, 50)])


def test_a_campaign_says_how_much_of_what_was_missing_it_ran(
    load: Load,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bench, ledger = load("campaign"), tmp_path / "ledger.jsonl"
    called(bench, monkeypatch, ledger, "--seeds", "100", "--minutes", "-1")
    assert "0 of 2 missing ranges were run" in capsys.readouterr().err
    called(bench, monkeypatch, ledger, "--seeds", "100")
    assert "2 of 2 missing ranges were run" in capsys.readouterr().err
    called(bench, monkeypatch, ledger, "--seeds", "100")
    assert "nothing was missing: nothing was run" in capsys.readouterr().err


def test_nights_run_what_other_nights_have_run_of_other_commits() -> None:
    nights = [
        text
        for text in (BENCH.parent / "Makefile").read_text().splitlines()
        if "bench/campaign.py" in text
    ]
    assert len(nights) == 2
    assert all("--fresh" in night for night in nights)


@pytest.mark.slow
@pytest.mark.parametrize("on", ["sim", "local"])
def test_a_broken_promise_is_told(on: str, tmp_path: Path) -> None:
    text = yaml.safe_load(HANDFUL.read_text())
    text["cluster"]["bugs"] = {"all": ["ack-before-quorum"]}
    scenario = tmp_path / "broken.yaml"
    scenario.write_text(yaml.safe_dump(text))
    done = run("--on", on, "--seeds", "1", "--jobs", "1", str(scenario))
    told = json.loads(done.stdout)
    assert done.returncode == 1
    assert told[on][str(scenario)]["verdicts"] == {"fail": 1}
    assert len(told["unexpected"]) == 1
