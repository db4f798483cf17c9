"""The command `serve`."""

from pathlib import Path

import click

from ...harness import data
from ..index.index import Index
from ..server import serve, server_options, token_for
from .app import app


@click.command("serve")
@click.argument(
    "directory", metavar="[RUNS]", type=click.Path(path_type=Path), default=Path("runs")
)
@server_options
@data.AS_JSON
def serve_command(
    directory: Path,
    address: str,
    port: int,
    token: str | None,
    *,
    open_browser: bool,
    as_json: bool,
) -> None:
    """Browse, filter, compare, watch and download the runs of a directory.

    \b
    delphic serve                               # runs/, for this machine only
    delphic serve nightly --port 8080 --open
    delphic serve --address 0.0.0.0             # for others, who need the token that is printed

    It reads files only, and changes none but its own index in the user's cache.
    """
    asked = token_for(address, token)
    index = Index(directory)
    try:
        index.refresh()
        serve(app(index, asked), address, port, open_browser=open_browser, as_json=as_json)
    finally:
        index.close()
