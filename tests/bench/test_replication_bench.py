"""The benchmark of replication: what it makes of its measurements, and one measurement in small."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"
PARTS = ("processes", "pair", "throughput", "turns", "replication")
"""Each imports those before it."""


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    for name in PARTS:
        spec = importlib.util.spec_from_file_location(name, BENCH / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
    return module


def turn(bench: ModuleType, seconds: float, batches: int) -> Any:
    return bench.Measured(
        seconds, 0.2, 0.4, 0.1, 3 * batches, 2 * batches, 0.0, [seconds / batches * 1e3] * batches
    )


def test_a_ratio_is_told_of_all_turns_and_of_neighbouring_ones(bench: ModuleType) -> None:
    turns = {
        bench.OFF: [turn(bench, 1.0, 10), turn(bench, 1.0, 10), turn(bench, 1.0, 100)],
        bench.ON: [turn(bench, 1.0, 5), turn(bench, 1.0, 9), turn(bench, 1.0, 16)],
    }
    turns[bench.ON][0].behind_s = 1.0
    found = bench.compared(turns, 100)
    assert (found["ratio_until_durable"], found["on"]["task_data_behind_s"]) == (0.188, 1.0)
    assert (found["ratio"], found["ratio_of_turns_p50"]) == (0.25, 0.5)
    assert (found["off"]["rows_per_s"], found["on"]["rows_per_s"]) == (4000.0, 1000.0)
    assert found["on"]["syncs_per_batch"] == {"controller": 3.0, "data_nodes": 2.0}
    assert found["on"]["cpu_ms_per_batch"]["data_nodes"] == 40.0


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
        rows=None, writers=None, seconds=0.2, turns=2, bulk_rows=1000, bulk_turns=1
    )
    with bench.Clusters(tmp_path, synced=True) as clusters:
        found = bench.uvloop.run(bench.measure(clusters, options))
    (case,) = found["cases"]
    stopped, running = case["slave_stopped"], case["slave_running_shares_the_cores"]
    # Each of two writers appends once in either turn, and once before.
    assert min(kind[who]["batches"] for kind in (stopped, running) for who in bench.OF) >= 4
    assert case["catch_up"]["tasks"] == stopped["on"]["batches"] + 2
    assert case["catch_up"]["rows"] == 10 * case["catch_up"]["tasks"]
    assert stopped["on"]["cpu_ms_per_batch"]["data_nodes"] > 0
    assert found["one_transaction"]["rows"] == 1000
    assert found["one_transaction"]["on_the_slave_after_s"] > 0
