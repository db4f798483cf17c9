"""The harness's commands: run, check, report, schema, list."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import click
import msgspec

from .. import data
from ..crash import CrashPoint
from ..crash import parse as parse_crash
from ..errors import ExitCode, WorldError, worst_code
from ..judging import command as judging
from ..judging.command import Page
from ..judging.judgement import plan_of, rejudged
from ..judging.judgement import write as keep_verdict
from ..language import reference, shipped
from ..launch import Asked, launch
from ..lifecycle import Finished, Report
from ..plan import Switches
from ..reading import resolved
from ..rundir import RunDir
from ..running.progress import progress
from ..scenario import SEED_MAX, schema
from ..simulate.cli import STOP_ON_VIOLATION
from ..verdict import RunVerdict, Validity
from .completion import Scenarios

_COLOURS = {Validity.PASS: "green", Validity.FAIL: "red"}


def run_command(report: Report) -> click.Command:
    """The command; `report` writes the reports of a run directory."""

    @click.command("run")
    @click.argument("scenario", metavar="NAME|FILE", type=Scenarios())
    @click.option("--seed", type=click.IntRange(0, SEED_MAX), help="Repeats a run's decisions.")
    @click.option(
        "--on",
        "target",
        metavar="local|sim|lab[:HOSTS]|FILE.yaml",
        default="local",
        show_default=True,
        help="Where members live: processes here, a simulated world, a laboratory, hosts over SSH.",
    )
    @click.option(
        "--crash",
        type=CrashPoints(),
        multiple=True,
        help="Crash a member at one of its effects, as in n1:17:after:power; target sim only.",
    )
    @click.option(
        "--lockstep",
        is_flag=True,
        help="Stop at the first step that is not the model's; target sim only.",
    )
    @STOP_ON_VIOLATION
    @click.option("--out", type=click.Path(path_type=Path), default=Path("runs"), show_default=True)
    @click.option("--keep", is_flag=True, help="Keep members' data even when all is well.")
    @data.AS_JSON
    @click.option("--quiet", is_flag=True, help="Say nothing but the verdict.")
    @click.pass_context
    def run(
        context: click.Context,
        scenario: str,
        seed: int | None,
        target: str,
        crash: tuple[CrashPoint, ...],
        lockstep: bool,
        stop_on_violation: bool,
        out: Path,
        keep: bool,
        as_json: bool,
        quiet: bool,
    ) -> None:
        """Run one scenario, check it, and write its report.

        Exit code: 0 as expected, 1 a promise was broken, 2 a mistake in the command or the
        scenario, 3 inconclusive or unknown, 4 the machine failed us, 5 an error of Delphic's own.
        """
        show = progress(quiet=quiet or as_json)
        switches = Switches(lockstep=lockstep, stop_on_violation=stop_on_violation)
        asked = Asked(scenario, target, seed, crash, switches)
        warn = partial(click.echo, err=True)
        finished = launch(asked, out, show, report, keep=keep, warn=warn)
        code = _exit_code(finished)
        _tell(finished.verdict, finished.run, code, as_json=as_json)
        _complain(finished)
        context.exit(code)

    return run


class CrashPoints(click.ParamType[CrashPoint]):
    """A crash point as text."""

    name = "NODE:EFFECT:before|after[:power]"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> CrashPoint:
        try:
            return parse_crash(value)
        except ValueError as error:
            self.fail(str(error), param)


def _tell(found: RunVerdict, run: RunDir, code: int, *, as_json: bool) -> None:
    """What came of it: the sentence first."""
    again = plan_of(run).command
    if as_json:
        beside = {"run": run.path, "report": _report_of(run), "again": again}
        data.show({**msgspec.structs.asdict(found), **beside, "exit_code": code})
        return
    validity = click.style(
        found.validity.value, fg=_COLOURS.get(found.validity, "yellow"), bold=True
    )
    click.echo(f"{validity}: {found.sentence}")
    for verdict in found.verdicts:
        name = verdict.validity.value
        promises = f" [{', '.join(verdict.promises)}]" if verdict.promises else ""
        click.echo(f"  {name:13} {verdict.checker}{promises}: {verdict.sentence}")
    if (report := _report_of(run)) is not None:
        click.echo(f"report  {_near(report)}")
    click.echo(f"again   {again}")


def _report_of(run: RunDir) -> Path | None:
    return run.report if run.report.is_file() else None


def _near(path: Path) -> Path:
    """The path as seen from here, if it lies below."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _exit_code(finished: Finished) -> ExitCode:
    """That of the verdict; where all is as expected, that of what failed besides the system."""
    code = ExitCode(finished.verdict.exit_code)
    if code is ExitCode.AS_EXPECTED and finished.world is not None:
        return ExitCode.WORLD
    if code is ExitCode.AS_EXPECTED and finished.report_failure is not None:
        return ExitCode.HARNESS
    return code


def _complain(finished: Finished) -> None:
    """Say what failed besides the system."""
    if finished.world is not None:
        click.echo(f"error: {finished.world}", err=True)
    if finished.report_failure is not None:
        click.echo(f"The report could not be written:\n{finished.report_failure}", err=True)


_RUN = click.argument("directory", metavar="RUN", type=click.Path(path_type=Path))


def check_command(report: Report, page: Page) -> click.Command:
    """The command; `report` writes the reports of a run directory, `page` one about a file."""

    def check_run(directory: Path, as_json: bool) -> int:
        """Check a run directory again, and write its reports again."""
        run = RunDir(resolved(directory))
        found = rejudged(run)
        lost = _lost(found, run, report)
        code = worst_code([found.exit_code] if lost is None else [found.exit_code, lost.exit_code])
        _tell(found, run, code, as_json=as_json)
        if lost is not None:
            click.echo(f"error: {lost}", err=True)
        return code

    return judging.check_command(check_run, page)


def _lost(found: RunVerdict, run: RunDir, report: Report) -> WorldError | None:
    """Write verdict and reports, or say why they cannot be: no verdict is lost with them."""
    try:
        keep_verdict(run, found)
        report(run.path)
    except WorldError as error:
        return error
    return None


def report_command(report: Report) -> click.Command:
    """The command; `report` writes the reports of a run directory."""

    @click.command("report")
    @_RUN
    @data.AS_JSON
    def write(directory: Path, as_json: bool) -> None:
        """Write the reports of a run directory again, as it was judged."""
        run = RunDir(resolved(directory))
        report(run.path)
        if as_json:
            files = {"report": run.report, "junit": run.junit, "summary": run.summary}
            data.show({"run": run.path, **files})
            return
        click.echo(f"report  {_near(run.report)}")

    return write


@click.command("schema")
@click.option("--markdown", is_flag=True, help="The same for people: a page with every key.")
def schema_command(markdown: bool) -> None:
    """Print the JSON Schema of scenarios, for editors."""
    click.echo(reference.page(schema()).rstrip() if markdown else json.dumps(schema(), indent=2))


@click.command("list")
@data.AS_JSON
def list_command(as_json: bool) -> None:
    """List the scenarios that come with Delphic."""
    scenarios = [shipped.scenario(name) for name in shipped.names()]
    if as_json:
        listed = [{"name": s.name, "title": s.title, "promises": s.promises} for s in scenarios]
        data.show({"scenarios": listed})
        return
    for scenario in scenarios:
        click.echo(f"{scenario.name:24} {scenario.title}")
