"""The harness's commands: run, check, report, schema, list."""

import json
import random
import shlex
from pathlib import Path
from typing import Any

import click

from . import leases, shipped
from .crash import CrashPoint
from .crash import parse as parse_crash
from .errors import ExitCode, UsageError
from .judgement import plan_of, recheck
from .judging.command import Page, check_command
from .lifecycle import Finished, Order, Report, execute
from .plan import Plan, Switches, plan
from .progress import progress
from .rundir import RunDir
from .scenario import Scenario, load, schema
from .selector import closest
from .simulate import cli as simulator
from .simulate.cli import STOP_ON_VIOLATION
from .simulate.keep import execute_simulated
from .targets.find import find
from .targets.sim import SIM
from .targets.target import RealTarget, Target
from .verdict import RunVerdict, Validity

_SEED_MAX = 999_999

_COLOURS = {Validity.PASS: "green", Validity.FAIL: "red"}


def commands(report: Report, page: Page) -> list[click.Command]:
    """The commands; `report` writes the reports of a run directory, `page` one about a file."""
    own = [_run(report), _check(report, page), _report(report), _schema, _list]
    return [*own, *simulator.commands(report)]


def _run(report: Report) -> click.Command:
    @click.command("run")
    @click.argument("scenario", metavar="NAME|FILE")
    @click.option("--seed", type=click.IntRange(0), help="Repeats a run's decisions.")
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
        quiet: bool,
    ) -> None:
        """Run one scenario, check it, and write its report.

        Exit code: 0 as expected, 1 a promise was broken, 2 a mistake in the command or the
        scenario, 3 inconclusive or unknown, 4 the machine failed us, 5 an error of Delphic's own.
        """
        text, file = shipped.text_of(scenario)
        loaded = load(text, file)
        with find(target, loaded.cluster.aliases) as where:
            switches = Switches(lockstep=lockstep, stop_on_violation=stop_on_violation)
            planned = _planned(loaded, scenario, seed, where, crash, switches)
            show = progress(quiet=quiet)
            for sentence in leases.heal():
                click.echo(sentence, err=True)
            if isinstance(where, RealTarget):
                finished = execute(Order(planned, text, out, keep, where), show, report)
            else:
                finished = execute_simulated(Order(planned, text, out, keep), show, report)
        _tell(finished.verdict, finished.run, planned)
        context.exit(_failures(finished))

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


def _planned(
    scenario: Scenario,
    name: str,
    seed: int | None,
    where: Target,
    crash: tuple[CrashPoint, ...],
    switches: Switches,
) -> Plan:
    """The plan, once everything that it needs is known to be there. Raises UsageError."""
    target = where.name
    _check_capabilities(scenario, where)
    chosen = scenario.seed if seed is None else seed
    if chosen is None:
        chosen = random.SystemRandom().randint(0, _SEED_MAX)
    _check_crashes(crash, scenario, target)
    if switches.lockstep and target != SIM.name:
        raise UsageError(f"--lockstep: only target {SIM.name} can do it, not {target}")
    switches.check(scenario)
    on = [] if target == "local" else ["--on", target]
    crashes = [word for point in crash for word in ("--crash", str(point))]
    words = ["delphic", "run", name, "--seed", str(chosen), *on, *crashes]
    command = shlex.join([*words, *switches.words()])
    return plan(
        scenario,
        seed=chosen,
        target=target,
        command=command,
        crash=crash,
        switches=switches,
        inventory=where.inventory_digest,
    )


def _check_capabilities(scenario: Scenario, where: Target) -> None:
    """Raises UsageError, which says what is missing and why."""
    missing = sorted(scenario.needs() - where.capabilities)
    if missing:
        has = ", ".join(sorted(capability.value for capability in where.capabilities))
        why = [f"{one.value}: {where.reasons[one]}" for one in missing if one in where.reasons]
        raise UsageError(
            f"{scenario.name} needs {', '.join(missing)}, which target {where.name} cannot do "
            f"(it can: {has}){''.join(f'; {one}' for one in why)}"
        )


def _check_crashes(crash: tuple[CrashPoint, ...], scenario: Scenario, target: str) -> None:
    """Raises UsageError where there is nobody to crash."""
    if crash and target != SIM.name:
        raise UsageError(f"--crash: only target {SIM.name} can do it, not {target}")
    members = scenario.cluster.aliases
    for point in crash:
        if point.node not in members:
            raise UsageError(f"--crash {point}: no such member{closest(point.node, members)}")


def _tell(found: RunVerdict, run: RunDir, planned: Plan) -> None:
    """What came of it: the sentence first."""
    validity = click.style(
        found.validity.value, fg=_COLOURS.get(found.validity, "yellow"), bold=True
    )
    click.echo(f"{validity}: {found.sentence}")
    for verdict in found.verdicts:
        name = verdict.validity.value
        promises = f" [{', '.join(verdict.promises)}]" if verdict.promises else ""
        click.echo(f"  {name:13} {verdict.checker}{promises}: {verdict.sentence}")
    if run.report.is_file():
        click.echo(f"report  {_near(run.report)}")
    click.echo(f"again   {planned.command}")


def _near(path: Path) -> Path:
    """The path as seen from here, if it lies below."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _failures(finished: Finished) -> int:
    """Say what failed besides the system; the exit code of all together."""
    code = ExitCode(finished.verdict.exit_code)
    if finished.world is not None:
        click.echo(f"error: {finished.world}", err=True)
        code = ExitCode.WORLD if code is ExitCode.AS_EXPECTED else code
    if finished.report_failure is not None:
        click.echo(f"The report could not be written:\n{finished.report_failure}", err=True)
        code = ExitCode.HARNESS if code is ExitCode.AS_EXPECTED else code
    return code


_RUN = click.argument("directory", metavar="RUN", type=click.Path(path_type=Path))


def _check(report: Report, page: Page) -> click.Command:
    def check_run(directory: Path) -> int:
        """Check a run directory again, and write its reports again."""
        run = RunDir(directory.resolve())
        found = recheck(run)
        report(run.path)
        _tell(found, run, plan_of(run))
        return found.exit_code

    return check_command(check_run, page)


def _report(report: Report) -> click.Command:
    @click.command("report")
    @_RUN
    def write(directory: Path) -> None:
        """Write the reports of a run directory again, as it was judged."""
        run = RunDir(directory.resolve())
        report(run.path)
        click.echo(f"report  {_near(run.report)}")

    return write


@click.command("schema")
def _schema() -> None:
    """Print the JSON Schema of scenarios, for editors."""
    click.echo(json.dumps(schema(), indent=2))


@click.command("list")
def _list() -> None:
    """List the scenarios that come with Delphic."""
    for name in shipped.names():
        click.echo(f"{name:24} {shipped.scenario(name).title}")
