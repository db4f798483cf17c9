"""The comparison with other checkers: what it concludes, without running any of them."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

PEERS = Path(__file__).resolve().parents[2] / "bench" / "peers"


@pytest.fixture
def bounds(load: Callable[..., ModuleType]) -> ModuleType:
    return load("peers/bounds")


@pytest.fixture
def tools(bounds: ModuleType, load: Callable[..., ModuleType]) -> ModuleType:
    return load("peers/tools")


def result(name: str, states: int, **tools: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "states": states, "tools": tools}


def ours(states: int) -> dict[str, Any]:
    return {"states": states, "states_per_cpu_s": 900, "states_per_cpu_s_explore_only": 1200}


def test_a_ratio_is_told_for_whole_processes_and_for_the_exploration_alone(
    bounds: ModuleType,
) -> None:
    peer = {"states": 10, "states_per_cpu_s": 100}
    absent = {"absent": "no cargo on this machine"}
    found = bounds.ratios({"ours": ours(10), "tlc": peer, "stateright": absent})
    assert found == {"ours/tlc": 9.0, "ours/tlc_explore_only": 12.0}


def test_a_tool_that_counts_otherwise_is_named(bounds: ModuleType) -> None:
    agreeing = result("a", 10, ours=ours(10), tlc={"not_run": "takes long"})
    differing = result("b", 10, ours=ours(10), stateright={"states": 11})
    assert bounds.disagreements([agreeing, differing]) == ["b: stateright found 11, expected 10"]


def test_a_bar_is_judged_at_the_largest_bound_by_whole_processes(bounds: ModuleType) -> None:
    small = result("small", 10) | {"ratios": {"ours/tlc": 300.0, "ours/tlc_explore_only": 400.0}}
    large = result("large", 20) | {"ratios": {"ours/tlc": 150.0, "ours/tlc_explore_only": 250.0}}
    judged = bounds.bars([large, small], {"tlc": 200.0, "stateright": 10.0})
    assert judged["tlc"]["bound"] == "large"
    assert (judged["tlc"]["met"], judged["tlc"]["met_explore_only"]) == (False, True)
    assert judged["stateright"]["met"] is None


def test_the_specification_is_configured_with_every_bound(
    bounds: ModuleType, tools: ModuleType
) -> None:
    text = (PEERS / "tlc" / "Raft.cfg").read_text()
    for bound in bounds.BOUNDS:
        lines = {line.strip() for line in tools.configured(text, bound).splitlines()}
        asked = (bound.terms, bound.entries, bound.crashes)
        named = zip(("Terms", "Entries", "Crashes"), asked, strict=True)
        assert {f"{name} = {value}" for name, value in named} <= lines


def test_only_an_exploration_that_ended_well_is_counted(tools: ModuleType) -> None:
    ended = "126904 states generated, 12125 distinct states found, 0 states left on queue."
    assert tools.tlc_counts(f"No error has been found.\n{ended}\n") == (12125, 126904)
    with pytest.raises(SystemExit):
        tools.tlc_counts(f"Error: Invariant LogMatching is violated.\n{ended}\n")
    with pytest.raises(SystemExit):
        tools.tlc_counts("No error has been found.\n")


def test_a_program_that_is_not_there_makes_its_tool_absent(
    tools: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(tools.Absent, match="no java on this machine"):
        tools.Tlc.prepare(PEERS)
    with pytest.raises(tools.Absent, match="no cargo on this machine"):
        tools.Stateright.prepare(PEERS)


def test_a_child_is_charged_for_its_processor_time(tools: ModuleType) -> None:
    run = tools.run_child([sys.executable, "-c", "print(sum(range(1000)))"])
    assert run.output == "499500\n"
    assert run.cpu_s > 0
    assert run.wall_s > 0
