"""Run directories to report on: made once, read by many tests."""

import importlib.util
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from delphic.harness.verdict import Validity
from delphic.reports.document import Document, document

HERE = Path(__file__).resolve().parent


def _synthetic() -> ModuleType:
    """The generator beside this file: tests here are modules without a package."""
    spec = importlib.util.spec_from_file_location("reports_synthetic", HERE / "synthetic.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


SYNTHETIC = _synthetic()

KINDS: dict[str, dict[str, Any]] = {
    "pass": {"ops": 2_000},
    "small": {"ops": 200},
    "fail": {"ops": 2_000, "validity": Validity.FAIL},
    "expected": {"ops": 600, "validity": Validity.FAIL, "expected": "fail"},
    "inconclusive": {"ops": 200, "validity": Validity.INCONCLUSIVE},
    "hostile": {"ops": 600, "validity": Validity.FAIL, "hostile": True},
}

Runs = Callable[[str], Any]
Documents = Callable[[str], Document]


@pytest.fixture(scope="session")
def hostile_text() -> str:
    """What a hostile run puts everywhere."""
    return SYNTHETIC.HOSTILE


@pytest.fixture(scope="session")
def build() -> Callable[..., Any]:
    """Makes a run directory of one's own."""
    return SYNTHETIC.build


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """A run directory of a kind, and what was put into it: for reading only."""
    made: dict[str, Any] = {}

    def run(kind: str) -> Any:
        if kind not in made:
            made[kind] = SYNTHETIC.build(tmp_path_factory.mktemp(kind) / "run", **KINDS[kind])
        return made[kind]

    return run


@pytest.fixture(scope="session")
def documents(runs: Runs) -> Documents:
    """The document of a run of a kind."""
    made: dict[str, Document] = {}

    def of(kind: str) -> Document:
        if kind not in made:
            made[kind] = document(runs(kind).path)
        return made[kind]

    return of


@pytest.fixture
def copied(runs: Runs, tmp_path: Path) -> Callable[[str], Path]:
    """A copy of a run directory, to be damaged."""

    def copy(kind: str) -> Path:
        return Path(shutil.copytree(runs(kind).path, tmp_path / kind))

    return copy
