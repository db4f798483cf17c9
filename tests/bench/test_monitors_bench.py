"""The monitors' benchmark: what it has judged is right, or wrong in one place."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from delphic.harness import history as histories

BENCH = Path(__file__).resolve().parents[2] / "bench"


@pytest.fixture
def bench(load: Callable[..., ModuleType]) -> ModuleType:
    return load("kernel", "monitors")


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


@pytest.mark.parametrize(("valid", "violated", "code"), [("pass", "fail", 0), ("pass", "pass", 1)])
def test_a_monitor_that_judges_wrongly_fails_the_bench(
    valid: str,
    violated: str,
    code: int,
    bench: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = [{"violate": False, "validity": valid}, {"violate": True, "validity": violated}]
    monkeypatch.setattr(bench, "cases", lambda count, seed, names: iter(found))
    monkeypatch.setattr(sys, "argv", ["monitors.py"])
    assert bench.main() == code
    assert json.loads(capsys.readouterr().out)["monitors"] == found


LARGE = f"""
import sys
sys.path.insert(0, {str(BENCH)!r})
import monitors
once = b"x" * (512 << 20)
del once
print(next(monitors.cases(100, 1, ["queue"]))["memory_mib"])
"""


@pytest.mark.slow
def test_the_memory_of_whoever_generates_is_not_the_judge_s() -> None:
    told = subprocess.run([sys.executable, "-c", LARGE], check=True, capture_output=True, text=True)
    assert 0 < int(told.stdout) < 400
