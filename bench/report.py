"""How long a report of a long history takes, and how big it gets: one JSON object.

Usage: python bench/report.py [--ops N]. The run is synthetic (tests/reports/synthetic.py).
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

from delphic.harness.verdict import Validity
from delphic.reports import html, junit, markdown
from delphic.reports.document import document

T = TypeVar("T")

SYNTHETIC = Path(__file__).resolve().parent.parent / "tests" / "reports" / "synthetic.py"
REPEATS = 3


def synthetic() -> Any:
    """The generator of run directories: tests are no package."""
    spec = importlib.util.spec_from_file_location("reports_synthetic", SYNTHETIC)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def timed(make: Callable[[], T]) -> tuple[T, float]:
    """The result and the best of a few times, in seconds of this process's own."""
    best = float("inf")
    for _ in range(REPEATS):
        began = time.process_time()
        result = make()
        best = min(best, time.process_time() - began)
    return result, round(best, 3)


def measured(path: Path, ops: int, validity: Validity) -> dict[str, Any]:
    """One run directory of about so many ops, reported on."""
    made = synthetic().build(path, ops=ops, clients=16, validity=validity)
    found, document_s = timed(lambda: document(path))
    page, html_s = timed(lambda: html.render(found))
    _, others_s = timed(lambda: junit.render(found) + markdown.render(found))
    return {
        "ops": len(made.ops),
        "document_s": document_s,
        "html_s": html_s,
        "junit_and_markdown_s": others_s,
        "total_s": round(document_s + html_s + others_s, 3),
        "report_bytes": len(page.encode()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ops", type=int, default=108_000)
    ops = parser.parse_args().ops
    with tempfile.TemporaryDirectory() as folder:
        found = {
            validity.value: measured(Path(folder) / validity.value, ops, validity)
            for validity in (Validity.PASS, Validity.FAIL)
        }
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
