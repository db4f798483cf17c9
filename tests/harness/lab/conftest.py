"""Laboratories whose files lie in the test's own folder, and which are gone after it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from delphic.harness.lab import lab

Require = Callable[[object, str], None]


@pytest.fixture
def labs(require: Require, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where laboratories can be made; the folder with their files."""
    reason = lab.hindrance()
    require(reason is None, reason or "")
    monkeypatch.setenv("DELPHIC_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("DELPHIC_CACHE", str(tmp_path / "cache"))
    try:
        yield tmp_path / "state" / "labs"
    finally:
        for folder in lab.folders():
            lab.remove(folder)
