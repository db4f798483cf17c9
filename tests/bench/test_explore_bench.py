"""The explorer's benchmark: what it makes of its measurements, and one measurement in small."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture
def bench(load: Callable[..., ModuleType]) -> ModuleType:
    return load("kernel", "explore")


def case(workers: int, rate: float, size: float) -> dict[str, Any]:
    return {
        "case": "crash",
        "workers": workers,
        "transitions_per_s": {"best": rate, "median": 1.0},
        "bytes_per_state": {"best": size, "median": 1.0},
    }


def test_a_bar_is_met_by_the_best_run_of_the_first_case(bench: ModuleType) -> None:
    cases = [case(1, 12e6, 55.0), case(2, 20e6, 61.0)]
    told = bench.bars([*cases, {"case": "orbits", "workers": 1}], 2.5)
    assert {name: bar["met"] for name, bar in told.items()} == {
        "transitions_per_s_one_worker": True,
        "transitions_per_s_two_workers": False,
        "bytes_per_state": False,
        "warm_start_s": True,
    }
    assert told["bytes_per_state"] == {"aim": 60, "reached": 61.0, "met": False}


def test_a_summary_is_the_best_and_the_median(bench: ModuleType) -> None:
    assert bench.summary([3.0, 1.0, 2.126], min) == {"best": 1.0, "median": 2.13}
    assert bench.summary([3.4, 1.0], max, 0) == {"best": 3.0, "median": 2.0}


def test_a_bound_is_what_differs_from_the_least(bench: ModuleType) -> None:
    assert bench.LARGE.bound() == {"members": 3, "terms": 2, "entries": 2, "crashes": 3}
    assert bench.CASES["orbits"].bound()["symmetry"] is True
    assert bench.CASES["synced reads"].bound()["sync"] is True


def test_runs_are_joined_and_their_counts_must_agree(
    bench: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = {
        "states": 100, "transitions": 1000, "depth": 5, "step_calls": 9, "local_states": 8,
        "messages": 7, "wall_s": 2.0, "cpu_s": 1.0, "bytes_per_state": 50.0,
    }  # fmt: skip
    runs = iter([run, {**run, "wall_s": 1.0}])
    monkeypatch.setattr(bench, "alone", lambda name, workers: next(runs))
    told = bench.repeated("crash", 1, 2)
    assert told["transitions_per_s"] == {"best": 1000, "median": 750}
    assert told["states_per_cpu_s"]["best"] == 100
    runs = iter([run, {**run, "states": 101}])
    with pytest.raises(AssertionError, match="counts differ"):
        bench.repeated("crash", 1, 2)


@pytest.mark.slow
def test_a_measurement_counts_and_weighs(bench: ModuleType) -> None:
    found = bench.measure(bench.SMALL, 1, bench.Limits(good_states=0))
    assert bench.counts(found) == (12_125, 126_735, 18)
    assert found["cpu_s"] > 0
    assert 0 <= found["collision_probability"] < 1e-9


def test_the_large_bound_has_more_than_a_hundred_million_states(bench: ModuleType) -> None:
    assert bench.LARGE_COUNTS[0] > 10**8
