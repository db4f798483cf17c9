"""The command `suite-report`: the page about a directory of runs."""

import os
from pathlib import Path
from urllib.parse import quote

import click

from ...harness import data
from ...harness.errors import WorldError
from ..index.index import Index
from .gather import gather
from .page import render
from .zoo import read

PAGE = "suite.html"
"""What the page is called, beside the runs that it links to."""


@click.command("suite-report")
@click.argument(
    "directory", metavar="[RUNS]", type=click.Path(path_type=Path), default=Path("runs")
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="By default suite.html among the runs."
)
@click.option(
    "--zoo", "matrix", type=click.Path(path_type=Path), help="A kill matrix: docs/zoo.json."
)
@click.option("--rebuild", is_flag=True, help="Read all run directories again, not what changed.")
@click.option("--json", "as_json", is_flag=True, help="No page: print what it would say as data.")
def suite_report_command(
    directory: Path, out: Path | None, matrix: Path | None, *, rebuild: bool, as_json: bool
) -> None:
    """Write one page about many runs: matrix, trends, promises, flaky ones.

    \b
    delphic suite --on sim --seeds 1..20        # runs of all scenarios, in runs/
    delphic suite-report                        # runs/suite.html
    delphic suite-report nightly --zoo docs/zoo.json
    """
    zoo = None if matrix is None else read(matrix)
    index = Index(directory)
    try:
        if rebuild:
            index.rebuild()
        else:
            index.refresh(is_only_one=True)
        found = gather(index, zoo)
    finally:
        index.close()
    if as_json:
        data.show(found)
        return
    path = out or directory / PAGE
    runs = quote(os.fsencode(os.path.relpath(directory, path.parent)))
    try:
        path.write_text(render(found, f"{runs}/{{run}}/report.html"), encoding="utf-8")
    except OSError as error:
        raise WorldError(f"cannot write {path}: {error.strerror}") from error
    click.echo(f"report  {path}")
