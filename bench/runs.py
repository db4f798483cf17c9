"""How long many runs take to index, list, and report on together: one JSON object.

Usage: python bench/runs.py [--runs N]. The runs are made from thin air: verdicts and plans of their
usual size, without histories (tests/reports/runs/fleet.py).
"""

import argparse
import importlib.util
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from delphic.reports.index.index import Index
from delphic.reports.index.listing import Filter, Order
from delphic.reports.serve.browse import Query, render
from delphic.reports.suite import page
from delphic.reports.suite.gather import gather

T = TypeVar("T")

FLEET = Path(__file__).resolve().parent.parent / "tests" / "reports" / "runs" / "fleet.py"
REPEATS = 3


def fleet() -> Any:
    """The generator of runs: tests are no package."""
    spec = importlib.util.spec_from_file_location("reports_fleet", FLEET)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def timed(do: Callable[[], T], repeats: int = REPEATS) -> tuple[T, float]:
    """The result and the best of a few times, in seconds of this process's own."""
    best = float("inf")
    for _ in range(repeats):
        began = time.process_time()
        result = do()
        best = min(best, time.process_time() - began)
    return result, round(best, 4)


def measured(folder: Path, count: int) -> dict[str, Any]:
    """One directory with so many runs."""
    root = folder / "runs"
    made = fleet()
    for run in made.drawn(count):
        made.write(root, run)
    index = Index(root, folder / "index.sqlite3")
    found, first_s = timed(index.refresh, repeats=1)
    assert found == count
    unchanged, again_s = timed(index.refresh)
    assert unchanged == 0
    made.write(root, made.Run("one-more", 1))
    _, one_more_s = timed(index.refresh, repeats=1)
    _, newest_s = timed(lambda: render(index, Query(Filter(), Order())))
    _, deep_s = timed(lambda: render(index, Query(Filter(), Order("rate"), count // 50)))
    words = Filter(text="vote-twice scenario-33", kind="fail")
    _, search_s = timed(lambda: render(index, Query(words, Order("verdict"))))
    suite, gather_s = timed(lambda: gather(index), repeats=1)
    text, page_s = timed(lambda: page.render(suite), repeats=1)
    return {
        "runs": count,
        "index_s": first_s,
        "refresh_unchanged_s": again_s,
        "refresh_one_more_s": one_more_s,
        "list_newest_s": newest_s,
        "list_last_page_by_rate_s": deep_s,
        "list_search_s": search_s,
        "suite_gather_s": gather_s,
        "suite_page_s": page_s,
        "suite_page_bytes": len(text.encode()),
        "index_bytes": (folder / "index.sqlite3").stat().st_size,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measured(Path(folder), arguments.runs), indent=2))


if __name__ == "__main__":
    main()
