"""The one door to the figures of checking: which bars it says were met, missed or not measured."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"


@pytest.fixture
def bench(load: Callable[..., ModuleType]) -> ModuleType:
    return load("checkers")


def monitors(**changed: Any) -> dict[str, Any]:
    case = {"spec": "queue", "violate": False, "asked": 1_000_000, "check_s": 4.9}
    case["validity"] = "pass"
    return {"monitors": {"monitors": [{**case, "check_cpu_s": 3.0, "memory_mib": 900, **changed}]}}


def grid(part: str, kind: str, **summary: Any) -> dict[str, Any]:
    return {
        part: {"summary": {kind: {"cells": 4, "slowest_s": 0.2, "slowest_cpu_s": 0.1, **summary}}}
    }


def registers(decided: int = 4, **summary: Any) -> dict[str, Any]:
    return grid("registers", "unique", decided={"monitor": decided}, **summary)


def ambiguous(search: int, porcupine: int, ratio: float | None) -> dict[str, Any]:
    counts = {"search": search, "porcupine": porcupine}
    return grid("ambiguous", "ambiguous", decided=counts, **{"ours/porcupine": ratio})


@pytest.mark.parametrize(
    ("found", "met"),
    [
        (monitors(), True),
        (monitors(check_s=5.1), False),
        (monitors(memory_mib=1537), False),
        (monitors(asked=100_000), None),
        (monitors(validity="fail"), False),
        (monitors(violate=True), False),
        (monitors(violate=True, validity="fail"), True),
        (registers(), True),
        (registers(decided=3), False),
        (registers(slowest_s=1.0), False),
        (ambiguous(4, 3, 4.9), True),
        (ambiguous(4, 3, 5.1), False),
        (ambiguous(2, 3, 0.1), False),
        (ambiguous(4, 0, None), None),
        (grid("ambiguous", "ambiguous", decided={"search": 4}), None),
    ],
)
def test_a_bar_is_met_missed_or_not_measured(
    bench: ModuleType, found: dict[str, Any], met: bool | None
) -> None:
    (bar,) = bench.bars(found).values()
    assert bar["met"] is met


def test_parts_without_figures_have_no_bar(bench: ModuleType) -> None:
    absent = {"recorded": {"absent": "no go"}, "logs": {"failed": 1}, "registers": {"failed": 1}}
    assert bench.bars(absent) == {}


def test_every_part_has_a_program_that_takes_its_words(bench: ModuleType) -> None:
    for part, (name, *words) in bench.PROGRAMS.items():
        assert bench.QUICK.keys() <= bench.PROGRAMS.keys()
        asked = [*words, *bench.QUICK.get(part, ()), "--help"]
        done = subprocess.run([sys.executable, BENCH / name, *asked], capture_output=True)
        assert done.returncode == 0, done.stderr


def test_what_the_programs_print_is_printed_with_the_bars(
    bench: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(bench.PROGRAMS, "monitors", ("monitors.py", "--specs", "queue"))
    monkeypatch.setitem(bench.QUICK, "monitors", ("--operations", "6000"))
    monkeypatch.setitem(bench.PROGRAMS, "recorded", ("no-such-program.py",))
    monkeypatch.setattr(sys, "argv", ["checkers.py", "--quick", "--parts", "monitors", "recorded"])
    assert bench.main() == 1
    told = json.loads(capsys.readouterr().out)
    assert told["recorded"] == {"failed": 2}
    assert {bar["met"] for bar in told["bars"].values()} == {None}
    assert [case["validity"] for case in told["monitors"]["monitors"]] == ["pass", "fail"]
