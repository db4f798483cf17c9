"""The monitors' benchmark: what it has judged is right, or wrong in one place."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from delphic.harness import history as histories


@pytest.fixture
def bench(load: Callable[..., ModuleType]) -> ModuleType:
    return load("monitors")


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
