"""Scripts of bench/ as modules, which their neighbours find by name and later tests do not."""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Callable[..., ModuleType]:
    """Load scripts, each of which may import those before it; the last is returned."""

    def loaded(*names: str) -> ModuleType:
        made = None
        for path in (BENCH / f"{name}.py" for name in names):
            spec = importlib.util.spec_from_file_location(path.stem, path)
            assert spec is not None
            assert spec.loader is not None
            made = importlib.util.module_from_spec(spec)
            monkeypatch.setitem(sys.modules, path.stem, made)
            spec.loader.exec_module(made)
        assert made is not None
        return made

    return loaded
