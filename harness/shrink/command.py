"""The command `delphic shrink`."""

import shlex
import textwrap
from pathlib import Path

import click

from .. import data
from ..commands.numbers import Seconds
from ..errors import ExitCode, UsageError, WorldError
from ..reading import resolved
from ..rundir import RunDir
from ..scenario import PROMISES
from .cut import Small, cut_down
from .failing import broken
from .search import Bounds, summary
from .trial import trials

_DEFAULT = Bounds()


@click.command("shrink")
@click.argument("directory", metavar="RUN", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), help="The file to write.  [default: RUN/shrunk.yaml]"
)
@click.option(
    "--promise",
    "promises",
    type=click.Choice(PROMISES),
    multiple=True,
    metavar="ID",
    help="What has to go on breaking.  [default: what the first verdict that failed names]",
)
@click.option(
    "--trials",
    "most",
    type=click.IntRange(1),
    default=_DEFAULT.trials,
    show_default=True,
    help="Simulated runs at most.",
)
@click.option(
    "--seconds",
    type=Seconds(0, min_open=True),
    default=_DEFAULT.seconds,
    show_default=True,
    help="Time at most.",
)
@click.option("--jobs", type=click.IntRange(1, 64), default=1, show_default=True)
@data.AS_JSON
@click.option("--quiet", is_flag=True, help="Say nothing of the way there.")
@click.pass_context
def shrink_command(
    context: click.Context,
    directory: Path,
    out: Path | None,
    promises: tuple[str, ...],
    most: int,
    seconds: float,
    jobs: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """Cut a run that broke a promise down to the smallest scenario that still breaks it.

    Where members only differ from the model, to the smallest in which they differ in the same way.
    Faults, operations, members, clients and times go as long as the simulator still shows the
    failure, with one of several seeds. What is left runs as it is: `delphic run FILE --on sim`.
    Ctrl-C ends the search: the smallest that was found by then is written, exit code 3.
    """
    run = RunDir(resolved(directory))
    file = run.shrunk if out is None else out
    _refuse_place(file)
    bounds = Bounds(trials=most, seconds=seconds)
    with trials(jobs) as ask:
        small = cut_down(
            run,
            ask,
            bounds=bounds,
            promises=promises,
            say=(lambda line: None)
            if quiet or as_json
            else lambda line: click.echo(line, err=True),
        )
    try:
        file.write_text(small.text, encoding="utf-8")
    except OSError as error:
        # What took so long to find is shown at least.
        click.echo(small.text, nl=False, err=as_json)
        raise WorldError(f"cannot write {file}: {error.strerror}") from error
    code = _code(small)
    if as_json:
        data.show(_plain(small, run, file), code)
    else:
        _tell(small, file)
    context.exit(code)


def _code(small: Small) -> ExitCode:
    """What ended the search, if anything did, as an exit code; and said."""
    match small.shrunk.stopped:
        case None:
            return ExitCode.AS_EXPECTED
        case WorldError() as error:
            click.echo(f"error: {error}", err=True)
            return error.exit_code
        case KeyboardInterrupt():
            click.echo("stopped", err=True)
            return ExitCode.INCONCLUSIVE


def _refuse_place(file: Path) -> None:
    """Before anything is tried: what can be known of it by then."""
    if file.is_dir():
        raise UsageError(f"--out {file}: is a directory; give the file a name")
    if not file.parent.is_dir():
        raise UsageError(f"--out {file}: there is no directory {file.parent}")


def _plain(small: Small, run: RunDir, file: Path) -> dict[str, object]:
    shrunk = small.shrunk
    return {
        "run": run.path,
        "file": file,
        "seed": shrunk.candidate.seed,
        "promises": broken(small.failing),
        "divergence": next((name for name in small.failing if name not in PROMISES), None),
        "story": small.story,
        "size": summary(shrunk.candidate.data),
        "trials": shrunk.trials,
        "is_minimal": shrunk.is_minimal,
        "again": _again(file),
    }


def _tell(small: Small, file: Path) -> None:
    shrunk = small.shrunk
    click.echo(textwrap.fill(small.story, 100))
    why = "" if shrunk.is_minimal else "; there may be a smaller one (--trials, --seconds)"
    click.echo(f"{summary(shrunk.candidate.data)}, after {shrunk.trials} runs{why}")
    click.echo(f"again   {_again(file)}")


def _again(file: Path) -> str:
    here = Path.cwd()
    near = file.relative_to(here) if file.is_relative_to(here) else file
    return shlex.join(["delphic", "run", str(near), "--on", "sim"])
