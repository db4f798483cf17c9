"""`delphic check`: a run directory, or a file with anybody's history."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import msgspec

from .. import data
from ..checkers.judging import GENEROUS
from ..checkers.specs import SPECS
from ..checkers.specs.spec import Spec
from ..commands.numbers import Seconds
from ..errors import UsageError, WorldError, worst_code
from ..evidence import Budget
from ..formats import FORMATS
from ..formats.csv_table import COLUMNS
from ..prose import plural
from ..rundir import RunDir
from ..verdict import Validity
from .judge import Question, checking, judge
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
    @click.option("--seconds", type=Seconds(0), default=GENEROUS.seconds, show_default=True,
                  help="How long a search may take.")  # fmt: skip
    @click.option("--memory", type=click.IntRange(1), default=GENEROUS.memory_mib,
                  show_default=True, help="How many MiB a search may use.")  # fmt: skip
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
        or nothing to judge, 4 the page could not be written, 5 an error of Delphic's own.
        """
        if specs:
            _list(as_json=as_json)
            return
        if path is None:
            raise UsageError("what is to be checked? delphic check RUN, or FILE --spec NAME")
        if path.is_dir():
            if spec or form or report or model:
                raise UsageError(_refusal_of_folder(path))
            context.exit(check_run(path, as_json))
        budget = Budget(seconds=seconds, configurations=GENEROUS.configurations, memory_mib=memory)
        which = None if partition is None else Partition(partition)
        names = _mapping(columns)
        found = judge(Question(path, spec, form, which, names, budget, second_opinion, model))
        plain = _plain(found)
        if not as_json:
            click.echo("\n".join(_lines(found)))
        lost = None if report is None else _lost(report, page(plain))
        code = found.exit_code if lost is None else worst_code([found.exit_code, lost.exit_code])
        if as_json:
            data.show(plain | {"exit_code": code})
        if report is not None:
            click.echo(f"error: {lost}" if lost else f"report  {report}", err=as_json or bool(lost))
        context.exit(code)

    return check


def _refusal_of_folder(path: Path) -> str:
    """Why nobody says what a folder is a history of."""
    if not RunDir(path).plan.is_file():
        return f"{path} is no run directory: it has no plan.json; give a file with a history"
    return f"{path} is a run directory, which says itself what it is: {checking(path)}"


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


def _lost(path: Path, text: str) -> WorldError | None:
    """Write a page, or say why it cannot be: a verdict is not lost with it."""
    try:
        path.write_bytes(text.encode("utf-8", errors="replace"))
    except OSError as error:
        return WorldError(f"cannot write {path}: {error.strerror}")
    return None


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
