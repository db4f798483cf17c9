"""The bench of many runs measures what it says, of few runs as of many."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType


def test_it_indexes_and_lists_as_many_runs_as_it_says(
    load: Callable[..., ModuleType], tmp_path: Path
) -> None:
    found = load("made", "runs").measured(tmp_path, 120)
    assert found["runs"] == 120
    assert len(list((tmp_path / "runs").iterdir())) == 121
    assert all(value > 0 for value in found.values())
