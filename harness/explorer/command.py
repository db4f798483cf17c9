"""`delphic explore`: with --ui a page to click through, without it the search of model/cli.py."""

import shlex
import threading
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...model.cli import build
from ...model.cli import explore_command as search_command
from ...model.models import MODELS, Entry
from ...reports.server import application, serve, server_options, token_for
from ..errors import UsageError
from ..rundir import RunDir
from .api import About, Api, Mistake
from .atlas import Atlas, identity_of, network_text
from .hunt import Hunt, limits_of

if TYPE_CHECKING:
    from .run import RunPaths

OF_RUNS = ("raft", "raft-built")
"""Models whose members write traces."""

SEARCH_ONLY = ("walks", "bitstate", "checkpoint", "resume", "trace_out", "listing")
"""Options of the search that mean nothing to a page."""


@click.command("explore")
@click.option("--ui", is_flag=True, help="Click through the states in a browser.")
@click.option(
    "--run",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="RUNDIR",
    help="With --ui: the path of the model that the run's traces make, too.",
)
@server_options
def explore_command(
    ui: bool,
    run: Path | None,
    address: str,
    port: int,
    token: str | None,
    open_browser: bool,
    **options: Any,
) -> int:
    if ui:
        return _serve(run, address, port, token, open_browser=open_browser, **options)
    context = click.get_current_context()
    for option in ("run", "address", "port", "token", "open_browser"):
        if context.get_parameter_source(option) is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--{option.replace('_browser', '')} goes with --ui")
    assert search_command.callback is not None
    code: int = search_command.callback(**options)
    return code


explore_command.params = [*search_command.params, *explore_command.params]
explore_command.help = search_command.help


def _serve(
    run: Path | None,
    address: str,
    port: int,
    token: str | None,
    *,
    open_browser: bool,
    name: str | None,
    as_json: bool,
    **options: Any,
) -> int:
    api = assembled(name, run, options)
    app = application(api.routes(), token_for(address, token))
    serve(app, address, port, open_browser=open_browser, as_json=as_json)
    return 0


def assembled(name: str | None, run: Path | None, options: dict[str, Any]) -> Api:
    """Everything behind the page. Raises UsageError."""
    if name is None:
        if run is None:
            raise UsageError(f"which model? There are {', '.join(MODELS)}")
        name = OF_RUNS[-1]
    entry = MODELS.get(name)
    if entry is None:
        raise UsageError(f"no model '{name}'; there are {', '.join(MODELS)}")
    if run is not None and name not in OF_RUNS:
        raise UsageError(f"--run: traces are those of {' or '.join(OF_RUNS)}, not of {name}")
    meant = {param.name: param.opts[0] for param in search_command.params}
    for option in SEARCH_ONLY:
        if options.get(option):
            raise UsageError(f"{meant[option]} does not go with --ui")
    model = build(entry, options)
    atlas = Atlas(model, identity_of(model, options["mutant"]))
    lock = threading.Lock()
    limits = limits_of(
        *(options[f"max_{what}"] for what in ("states", "depth", "memory", "seconds"))
    )
    hunt = Hunt(
        atlas,
        lock,
        limits=limits,
        symmetry=options["symmetry"],
        workers=options["workers"] or 1,
        seed=options["seed"],
    )
    paths = None if run is None else _paths_of(run)
    return Api(_about(entry, atlas, options, run), atlas, hunt, lock, paths)


def _paths_of(run: Path) -> "RunPaths":
    # Only who asks for a run waits for all that can read one.
    from .run import RunPaths

    return RunPaths(RunDir(run))


def _about(entry: Entry, atlas: Atlas, options: dict[str, Any], run: Path | None) -> About:
    model, mutant = atlas.model, entry.mutants.get(options["mutant"] or "")
    return About(
        model=entry.name,
        title=entry.title,
        command=_command(entry, options, run),
        network=network_text(model.network) if entry.has_network else "",
        bounds=tuple((key, _spelled(value)) for key, value in bounds_of(atlas)),
        actors=tuple(model.actor_name(node) for node in range(len(model.actors))),
        mutant=None
        if mutant is None
        else Mistake(mutant.name, mutant.mistake, mutant.source, mutant.breaks),
        run=None if run is None else str(run),
    )


def bounds_of(atlas: Atlas) -> list[tuple[str, Any]]:
    """How much there is of what, and how often what may happen."""
    return list((dict(atlas.model.parameters) | dict(atlas.model.budgets)).items())


def _spelled(value: Any) -> str:
    return str(value.value) if isinstance(value, Enum) else str(value).lower()


def _command(entry: Entry, options: dict[str, Any], run: Path | None) -> str:
    """What starts such a server again."""
    words = ["delphic", "explore", entry.name, "--ui"]
    for option in ("members", "network", "mutant"):
        if options[option]:
            words += [f"--{option}", options[option]]
    for option, flag in (("bounds", "--bound"), ("properties", "--property")):
        for value in options[option]:
            words += [flag, value]
    if options["symmetry"]:
        words.append("--symmetry")
    if run is not None:
        words += ["--run", str(run)]
    return shlex.join(words)
