"""Directories of runs for those who read many at once."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent


def _fleet() -> ModuleType:
    """The generator beside this file: tests here are modules without a package."""
    spec = importlib.util.spec_from_file_location("reports_fleet", HERE / "fleet.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


FLEET = _fleet()


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test leaves an index in the user's cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="session")
def fleet() -> Any:
    """What makes runs: `Run`, `write`, `drawn`."""
    return FLEET
