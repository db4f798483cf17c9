"""`delphic check`: a run directory, or a file with anybody's history."""

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import msgspec

from .. import data
from ..checkers.judging import GENEROUS
from ..checkers.specs import SPECS
from ..checkers.specs.spec import Spec
from ..errors import UsageError
from ..evidence import Budget
from ..formats import FORMATS
from ..formats.csv_table import COLUMNS
from ..prose import plural
from ..rundir import RunDir
from ..verdict import Validity
from .judge import Question, judge
from .judged import Judged, lines_of
from .partition import Partition

_COLOURS = {Validity.PASS: "green", Validity.FAIL: "red"}
Page = Callable[[dict[str, Any]], str]
"""What makes a page of a judgement in plain data."""


_PARTITION = click.option(
    "--partition",
    type=click.Choice([one.value for one in Partition]),
    help="What tells objects apart: their key (the default), the first part of values that are "
    "[key, value], or nothing.",
)
_FORMAT = click.option(
    "--format", "form", type=click.Choice([*FORMATS]), help="If its content does not tell."
)


def check_command(check_run: Callable[[Path, bool], int], page: Page) -> click.Command:
    """The command; `check_run` judges a run directory, tells it, and returns the exit code."""

    @click.command("check")
    @click.argument("path", metavar="RUN|FILE", type=click.Path(path_type=Path), required=False)
    @click.option("--spec", metavar="NAME|FILE.py:NAME", help="What it is a history of.")
    @click.option("--model", metavar="NAME", help="Of transactions: which model they must keep to.")
    @click.option("--specs", is_flag=True, help="List the specifications that there are.")
    @_PARTITION
    @_FORMAT
    @click.option(
        "--columns",
        metavar="OURS=THEIRS,…",
        default="",
        help=f"Columns of a table. Ours: {', '.join(COLUMNS)}.",
    )
    @click.option("--seconds", type=float, default=GENEROUS.seconds, show_default=True,
                  help="How long a search may take.")  # fmt: skip
    @click.option("--memory", type=int, default=GENEROUS.memory_mib, show_default=True,
                  help="How many MiB a search may use.")  # fmt: skip
    @click.option("--second-opinion", is_flag=True, help="Compare monitor and search on parts.")
    @click.option("--report", type=click.Path(path_type=Path), help="Write a page about it there.")
    @data.AS_JSON
    @click.pass_context
    def check(
        context: click.Context,
        path: Path | None,
        spec: str | None,
        model: str | None,
        specs: bool,
        partition: str | None,
        form: str | None,
        columns: str,
        seconds: float,
        memory: int,
        second_opinion: bool,
        report: Path | None,
        as_json: bool,
    ) -> None:
        """Judge a run directory again, or any history: is there an order that explains it?

        Exit code: 0 there is, 1 there is none, 2 a mistake in the command or the file, 3 undecided
        or nothing to judge, 5 an error of Delphic's own.
        """
        if specs:
            _list(as_json=as_json)
            return
        if path is None:
            raise UsageError("what is to be checked? delphic check RUN, or FILE --spec NAME")
        if path.is_dir():
            _refuse_options(path, spec or form or report or model)
            context.exit(check_run(path, as_json))
        _refuse_a_runs(path)
        budget = Budget(seconds=seconds, configurations=GENEROUS.configurations, memory_mib=memory)
        which = None if partition is None else Partition(partition)
        names = _mapping(columns)
        found = judge(Question(path, spec, form, which, names, budget, second_opinion, model))
        if as_json:
            data.show(_plain(found))
        else:
            click.echo("\n".join(_lines(found)))
        if report is not None:
            _write(report, page(_plain(found)))
            click.echo(f"report  {report}", err=as_json)
        context.exit(found.exit_code)

    return check


def _refuse_options(path: Path, option: str | Path | None) -> None:
    if option:
        raise UsageError(f"{path} is a run directory, which says itself what it is: {_again(path)}")


def _refuse_a_runs(path: Path) -> None:
    """A run's rows come in batches, which its own checkers know and no specification does."""
    run = RunDir(path.parent)
    if path == run.history and run.plan.is_file():
        raise UsageError(
            f"{path} is the history of a run, which has its own checks: {_again(path.parent)}"
        )


def _again(run: Path) -> str:
    return shlex.join(["delphic", "check", str(run)])


def _mapping(text: str) -> dict[str, str]:
    """`f=operation,argument=value` as a mapping. Raises UsageError."""
    found = {}
    for part in filter(None, text.split(",")):
        ours, equals, theirs = part.partition("=")
        if not equals or ours not in COLUMNS:
            raise UsageError(f"--columns {part}: OURS=THEIRS, and ours are {', '.join(COLUMNS)}")
        found[ours] = theirs
    return found


def _list(*, as_json: bool) -> None:
    if as_json:
        data.show({"specs": [_spec(spec) for spec in SPECS.values()]})
        return
    for spec in SPECS.values():
        click.echo(f"{spec.name:16} {spec.about}")
        for shape in spec.operations:
            click.echo(f"{'':16}   {shape.f}({shape.argument}) → {shape.result}")
        if spec.models:
            click.echo(f"{'':16}   --model {'|'.join(spec.models)}")


def _spec(spec: Spec) -> dict[str, Any]:
    operations = [
        {"f": shape.f, "argument": shape.argument, "result": shape.result}
        for shape in spec.operations
    ]
    about = {"name": spec.name, "about": spec.about}
    return {**about, "operations": operations, "models": list(spec.models)}


def _plain(found: Judged) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(found, enc_hook=repr, str_keys=True)
    return told


def _write(path: Path, text: str) -> None:
    try:
        path.write_bytes(text.encode("utf-8", errors="replace"))
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from error


def _lines(found: Judged) -> list[str]:
    """For a person: what was found, and then how."""
    first, *lines = lines_of(found)
    word, _, sentence = first.partition(": ")
    colour = _COLOURS.get(found.validity, "yellow")
    lines.insert(0, f"{click.style(word, fg=colour, bold=True)}: {sentence}")
    lines += [f"  {note}" for note in found.notes]
    lines += _second_opinion(found)
    lines.append(
        f"  {found.operations:,} operations, {found.unanswered:,} never answered; read in "
        f"{found.read_s:.2f} s, judged as {found.spec} in {found.judged_s:.2f} s by {found.method}"
    )
    return lines


def _second_opinion(found: Judged) -> list[str]:
    compared = found.statistics.get("second_opinion")
    if compared is None:
        return []
    return [
        f"  monitor and search agree on {plural(compared['compared'], 'part')} of it"
        + (f" ({compared['undecided']} undecided)" if compared["undecided"] else "")
    ]
