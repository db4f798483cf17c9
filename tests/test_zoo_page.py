"""docs/zoo.md: every seeded bug, found; the page says what its figures say."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from delphic.harness import shipped
from delphic.harness.scenario import load
from delphic.impl.bugs import BUGS

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_zoo", ROOT / "bench" / "zoo.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "docs" / "zoo.json").read_text())
    return found


def test_the_page_says_what_was_measured(bench: ModuleType, told: dict[str, Any]) -> None:
    assert (ROOT / "docs" / "zoo.md").read_text() == bench.table(told)


def test_every_bug_was_found_from_every_start_in_few_seeds(told: dict[str, Any]) -> None:
    assert [one["bug"] for one in told["bugs"]] == list(BUGS)
    for one in told["bugs"]:
        assert one["found"] == one["starts"] == told["starts"], one["bug"]
        assert one["seeds_median"] <= 20, one["bug"]


@pytest.mark.parametrize("name", BUGS)
def test_every_bug_has_a_scenario_that_seeds_it_and_expects_its_promises(name: str) -> None:
    text, file = shipped.text_of(f"bug-{name}")
    scenario = load(text, file)
    assert [name] in scenario.cluster.bugs.values()
    assert scenario.expect.verdict == "fail"
    assert set(scenario.expect.promises) & set(BUGS[name].promises)
