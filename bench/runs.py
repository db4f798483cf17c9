"""How long many runs take to index, list, and report on together: one JSON object.

Usage: python bench/runs.py [--runs N]. The runs are made from thin air: verdicts and plans of their
usual size, without histories (tests/reports/runs/fleet.py).
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from delphic.reports.index.index import Index
from delphic.reports.index.listing import Filter, Order
from delphic.reports.serve.browse import Query, render
from delphic.reports.suite import page
from delphic.reports.suite.gather import gather
from made import REPORTS, generator, timed


def measured(folder: Path, count: int) -> dict[str, Any]:
    """One directory with so many runs."""
    root = folder / "runs"
    made = generator("fleet", REPORTS / "runs")
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
