"""The bench of the explorer measures clicks, and can fail."""

from collections.abc import Callable
from types import ModuleType

import pytest


def test_clicks_and_links_are_measured(load: Callable[..., ModuleType]) -> None:
    bench = load("explorer")
    clicked, links = bench.clicks(40)
    assert clicked["clicks"] == 40
    assert 0 < clicked["ms"]["median"] <= clicked["ms"]["p99"] <= clicked["ms"]["most"]
    assert 5 < clicked["deepest"] <= 40
    opened = bench.opened(links[:2])
    assert opened["links"] == 2
    assert opened["steps"] > 5


def test_a_bar_that_is_missed_ends_with_1(
    load: Callable[..., ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = load("explorer")
    monkeypatch.setattr("sys.argv", ["explorer.py", "--clicks", "3"])
    monkeypatch.setattr(bench, "BAR_MS", 0.0)
    assert bench.main() == 1
    monkeypatch.setattr(bench, "BAR_MS", 1e9)
    assert bench.main() == 0
