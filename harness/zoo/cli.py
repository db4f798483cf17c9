"""`delphic zoo`: every seeded mistake against every check, from the command line."""

import os
from collections.abc import Sequence
from pathlib import Path

import click

from .. import data
from ..commands.numbers import Seconds
from ..errors import ExitCode, UsageError
from ..reading import read_json
from . import bugs as zoo
from . import checks as hunters
from .matrix import Matrix, Terms, matrix, rows
from .matrix import known as known_cells
from .nouns import Bug, Check, Family
from .page import counts, head, line, page, title

BUDGET_S = 60.0


@click.command("zoo")
@click.argument("bugs", metavar="[BUG]...", nargs=-1)
@click.option("--checks", metavar="NAME,...", default="", help="Only these; all if not said.")
@click.option("--starts", type=click.IntRange(1), default=1, help="Hunts where chance has a part.")
@click.option(
    "--budget",
    type=Seconds(0.1),
    default=BUDGET_S,
    show_default=True,
    metavar="SECONDS",
    help="Of one core, for the hunt of one mistake.",
)
@click.option("--jobs", type=click.IntRange(1), help="Processes; as many as cores if not said.")
@click.option(
    "--known",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="JSON",
    help="Hunt only what is not in there, or missed in less time; an earlier output of --json.",
)
@data.AS_JSON
@click.option(
    "--table",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="JSON",
    help="Hunt nothing: print docs/zoo.md from what --json printed.",
)
def zoo_command(
    bugs: tuple[str, ...],
    checks: str,
    starts: int,
    budget: float,
    jobs: int | None,
    known: Path | None,
    as_json: bool,
    table: Path | None,
) -> int:
    """Hunt every seeded mistake with every check: who catches what, how soon, who misses it.

    Exit code 0: each was caught by some check, and none raised a false alarm. 1: one escaped. 5: a
    check caught something where no mistake was made. Of some checks, only the mistakes count that
    they can see.
    """
    if table is not None and as_json:
        raise UsageError("--table prints a page, of what --json printed: without --json")
    if table is not None:
        click.echo(page(measured(table)), nl=False)
        return ExitCode.AS_EXPECTED
    names = [name for name in checks.split(",") if name]
    asked, hunting = zoo.chosen(bugs), hunters.chosen(names)
    _can_see(asked, hunting)
    terms = Terms(budget, starts, jobs or os.cpu_count() or 1)
    before = None if known is None else known_cells(measured(known), budget)
    found = []
    titles = [title(bug.place, bug.name) for bug in asked]
    if not as_json:
        click.echo(head(titles, [check.name for check in hunting]))
    for row in rows(asked, hunting, terms, before):
        found.append(row)
        if not as_json:
            click.echo(line(row, titles))
    result = matrix(found, hunting, terms)
    if as_json:
        data.show(result, code(result))
    else:
        _explain(result)
    return code(result)


def _can_see(asked: Sequence[Bug], hunting: Sequence[Check]) -> None:
    """Raises UsageError where only some checks are asked, and none can see any of the mistakes."""
    everybody = len(hunting) == len(hunters.CHECKS)
    if everybody or any(check.blind(bug) is None for bug in asked for check in hunting):
        return
    names = ", ".join(dict.fromkeys(bug.name for bug in asked))
    raise UsageError(
        f"nothing to hunt: {', '.join(check.name for check in hunting)} cannot see {names}"
    )


def code(found: Matrix) -> ExitCode:
    """A false alarm is worse than an escape: nothing that the check says can be believed."""
    if found.alarms:
        return ExitCode.HARNESS
    return ExitCode.PROMISE_BROKEN if found.escaped else ExitCode.AS_EXPECTED


def measured(file: Path) -> Matrix:
    """What `--json` printed. Raises UsageError where it is something else."""
    return read_json(file, Matrix, "what `delphic zoo --json` prints")


def _explain(found: Matrix) -> None:
    """What the table cannot say: why something was missed, how far no alarm was found, or what."""
    for row in found.mistakes:
        if row.family is Family.HARNESS and row.caught:
            continue  # each guard looks at its own part of the harness
        for cell in row.cells:
            if cell.outcome == "missed":
                click.echo(f"missed   {row.name} by {cell.check}: {cell.reason}")
    for cell in found.quiet:
        click.echo(f"quiet    {cell.check}: {cell.reason}")
    for cell in found.alarms:
        click.echo(f"ALARM    {cell.check}: {cell.sentence}")
    click.echo(counts(found))
