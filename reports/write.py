"""Makes the reports of one run: the door to this room."""

from pathlib import Path

from ..harness.rundir import RunDir
from ..harness.writing import put
from . import junit, markdown
from .page import html
from .page.document import document


def write(run_directory: Path) -> list[Path]:
    """Write report.html, junit.xml and summary.md from the files of the run; return their paths.

    Raises UsageError where there is no run, WorldError where the files cannot be written.
    """
    run = RunDir(run_directory)
    found = document(run_directory)
    pages = {
        run.report: html.render(found),
        run.junit: junit.render(found),
        run.summary: markdown.render(found),
    }
    for path, text in pages.items():
        # Text of a run may hold halves of surrogate pairs, which no file can.
        put(path, text.encode("utf-8", errors="replace"))
    return list(pages)
