"""The benchmark of replication: what it makes of its measurements, and one measurement in small."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

PARTS = ("processes", "pair", "throughput", "turns", "rows", "replication")
"""Each imports those before it."""


@pytest.fixture
def bench(load: Callable[..., ModuleType]) -> ModuleType:
    return load(*PARTS)


def turn(bench: ModuleType, seconds: float, batches: int, cpu_s: float = 0.6) -> Any:
    cpu = (cpu_s / 3, cpu_s * 2 / 3, 0.1)
    syncs = (3 * batches, 2 * batches)
    return bench.Measured(seconds, *cpu, *syncs, 0.0, batches, [seconds / batches * 1e3] * batches)


def test_a_ratio_is_told_of_all_turns_and_of_neighbouring_ones(bench: ModuleType) -> None:
    turns = {
        bench.OFF: [turn(bench, 1.0, 10), turn(bench, 1.0, 10), turn(bench, 1.0, 100)],
        bench.ON: [turn(bench, 1.0, 5), turn(bench, 1.0, 9), turn(bench, 1.0, 16)],
        bench.DATABASES[2]: [turn(bench, 1.0, 10), turn(bench, 1.0, 12), turn(bench, 1.0, 50)],
    }
    found = bench.compared(turns, 100)
    assert (found["ratio"], found["ratio_quartiles"]) == (0.25, [0.33, 0.5, 0.7])
    assert (found["cpu_ratio"], found["cpu_ratio_quartiles"]) == (4.0, [1.556, 2.0, 4.125])
    assert (found["off"]["rows_per_s"], found["on"]["rows_per_s"]) == (4000.0, 1000.0)
    assert (found["noise"]["ratio"], found["noise"]["ratio_quartiles"]) == (0.6, [0.75, 1.0, 1.1])
    assert found["rows_per_s_of_turns"][bench.ON] == [500.0, 900.0, 1600.0]
    assert found["on"]["syncs_per_batch"] == {"controller": 3.0, "data_nodes": 2.0}
    assert found["on"]["cpu_ms_per_batch"]["data_nodes"] == 40.0


def test_every_database_has_its_turn_in_every_place(bench: ModuleType) -> None:
    rounds = [bench.order(number) for number in range(6)]
    for place in range(3):
        found = [turns[place] for turns in rounds]
        assert [found.count(path) for path in bench.DATABASES] == [2, 2, 2]


def test_what_is_behind_and_what_does_not_count_is_told(bench: ModuleType) -> None:
    on = turn(bench, 1.0, 5)
    on.behind_s, on.appended = 0.25, 7
    turns = {bench.OFF: [turn(bench, 1.0, 5)], bench.ON: [on], bench.DATABASES[2]: [on]}
    shown = bench.compared(turns, 10)["on"]
    assert (shown["task_data_behind_s"], shown["appended"], shown["batches"]) == (0.25, 7, 5)


def test_a_batch_has_the_columns_of_the_tutorial_and_one_day(bench: ModuleType) -> None:
    batch = bench.batch_of(500, 3)
    assert batch.num_columns == 9
    assert batch.schema.field("DateTime").type == pa.timestamp("s")
    days = batch["DateTime"].cast(pa.date32()).unique().to_pylist()
    assert [str(day) for day in days] == ["2023-01-11"]
    assert batch["SecurityID"].unique().to_pylist() == ["000000", "000001", "000002"]


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_measurement_ends_with_all_rows_on_the_slave(
    bench: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(bench, "CASES", [(10, 2)])
    options = SimpleNamespace(
        rows=None, writers=None, seconds=0.1, turns=2, bulk_rows=1000, bulk_turns=1
    )
    with bench.Clusters(tmp_path, synced=True) as clusters:
        found = bench.uvloop.run(bench.measure(clusters, options))
    (case,) = found["cases"]
    stopped, running = case["slave_stopped"], case["slave_running_shares_the_cores"]
    # Two turns, and one before that does not count, but that the slave has to catch up with.
    for kind, turns in ((stopped, 2), (running, 1)):
        batches = min(kind[who]["batches"] for who in ("off", "on"))
        assert batches >= turns * bench.BATCHES_MIN
    assert stopped["on"]["appended"] > stopped["on"]["batches"]
    assert case["catch_up"]["tasks"] >= stopped["on"]["appended"] + bench.BATCHES_MIN
    assert case["catch_up"]["rows"] == 10 * case["catch_up"]["tasks"]
    assert stopped["on"]["cpu_ms_per_batch"]["data_nodes"] > 0
    assert found["one_transaction"]["rows"] == 1000
    assert found["one_transaction"]["on_the_slave_after_s"] > 0
