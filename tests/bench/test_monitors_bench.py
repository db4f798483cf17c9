"""The monitors' benchmark: what it has judged is right, or wrong in one place."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
from delphic.harness import history as histories

SCRIPT = Path(__file__).resolve().parents[2] / "bench" / "monitors.py"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("monitors_bench", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "monitors_bench", module)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cas-register", "log-poll", "set", "queue"])
def test_one_late_lie_is_found_and_nothing_else(
    name: str, bench: ModuleType, tmp_path: Path
) -> None:
    path = tmp_path / "history.jsonl"
    for violate in (False, True):
        run = bench.ops(bench.THINGS[name](6_000), 6_000, seed=1, clients=20, violate=violate)
        path.write_bytes(b"".join(histories.encode(op) for op in run))
        found = bench.measured(path, name)
        assert found["validity"] == ("fail" if violate else "pass"), found["sentence"]
        assert found["operations"] > 5_000
        assert found["check_s"] > 0
        assert found["memory_mib"] > 0
