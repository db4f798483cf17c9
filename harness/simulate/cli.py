"""The commands of the simulator: simulate, replay."""

import json
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import click
import yaml
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from .. import data
from ..commands.completion import Scenarios
from ..errors import DelphicError, ExitCode, UsageError, worst_code
from ..judging.judgement import plan_of
from ..language import shipped
from ..launch import check_capabilities
from ..lifecycle import Order, Report
from ..plan import NO_SWITCHES, Switches
from ..reading import read_bytes, resolved
from ..rundir import RunDir
from ..running.progress import Quiet
from ..scenario import SEED_MAX, load
from ..targets.sim import SIM
from ..verdict import Validity
from .campaign import Campaign, Case, Job, Tried, campaign, crash_cases, expects_failure
from .execute import simulate_plan
from .guided import guided as guided_campaign
from .keep import execute_simulated

SHOWN_GROUPS = 10

SEEDS = range(1, 101)
"""Tried where neither the command nor the scenario says which."""

WORLDS_MAX = 1_000_000
"""Of one command; each is a case in memory."""


STOP_ON_VIOLATION = click.option(
    "--stop-on-violation",
    is_flag=True,
    help="Check while the run goes on, and end it at the first broken promise that is seen.",
)


class Seeds(click.ParamType[range]):
    """`A..B`, both included, or one number: that many from 1 on."""

    name = "A..B"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> range:
        if isinstance(value, range):
            return value
        found = seeds_in(value)
        if found is None:
            self.fail(f"{value!r} is not understood: write 1..1000, or 1000 for the same", param)
        if are_too_many(found):
            self.fail(f"{value} are too many: at most {WORLDS_MAX:,} worlds at once", param)
        return found


def are_too_many(seeds: range) -> bool:
    """Whether no command can hold a case for each."""
    return seeds.stop - seeds.start > WORLDS_MAX


def seeds_in(text: str) -> range | None:
    """`A..B` or `N` as seeds; None where it is neither, or nothing."""
    found = re.fullmatch(r"([0-9]{1,19})(?:\.\.([0-9]{1,19}))?", text)
    if found is None:
        return None
    first, last = (1, int(found[1])) if found[2] is None else (int(found[1]), int(found[2]))
    return range(first, last + 1) if first <= last <= SEED_MAX else None


def simulate_command(report: Report) -> click.Command:
    """The command; `report` is what writes the reports of a run directory."""

    @click.command("simulate")
    @click.argument("scenario", metavar="NAME|FILE", type=Scenarios())
    @click.option(
        "--seeds", type=Seeds(), help="Which worlds.  [default: the scenario's own, or 1..100]"
    )
    @click.option("--jobs", type=click.IntRange(1), help="Processes; as many as cores if not said.")
    @click.option(
        "--crash-points",
        is_flag=True,
        help="Crash every member at every effect on disk and network, one a world.",
    )
    @click.option(
        "--guided",
        is_flag=True,
        help="As many worlds as seeds; change faults of those that led to new steps of the model.",
    )
    @click.option(
        "--lockstep", is_flag=True, help="Stop a world at the first step that is not the model's."
    )
    @STOP_ON_VIOLATION
    @click.option("--keep-going", is_flag=True, help="Do not stop at a broken promise.")
    @click.option("--out", type=click.Path(path_type=Path), default=Path("runs"), show_default=True)
    @data.AS_JSON
    @click.option("--quiet", is_flag=True, help="No progress.")
    @click.pass_context
    def simulate(
        context: click.Context,
        scenario: str,
        seeds: range | None,
        jobs: int | None,
        crash_points: bool,
        guided: bool,
        lockstep: bool,
        stop_on_violation: bool,
        keep_going: bool,
        out: Path,
        as_json: bool,
        quiet: bool,
    ) -> None:
        """Run one scenario in simulated worlds, one a seed, and check each.

        The first failure of every kind is run again into a run directory with its report. Exit code
        as of `delphic run`; where a scenario expects a failure, one seed has to show it.
        """
        if crash_points and guided:
            raise UsageError("--crash-points tries every point there is: --guided has no say there")
        switches = Switches(lockstep=lockstep, stop_on_violation=stop_on_violation)
        job = job_of(scenario, switches)
        chosen = seeds_of(job) if seeds is None else seeds
        cases = _cases(job, chosen, crash_points=crash_points)
        how: dict[str, Any] = {"jobs": jobs or os.cpu_count() or 1, "keep_going": keep_going}
        found = Campaign(expects_failure(job))
        try:
            with _shown(scenario, len(cases), quiet=quiet or as_json) as watch:
                if guided:
                    guided_campaign(job, chosen, watch=watch, found=found, **how)
                else:
                    campaign(job, cases, watch=watch, found=found, **how)
        except KeyboardInterrupt:
            found.is_cut_short = True
            tried = f"{len(found.tried):,} of {len(cases):,} worlds were tried"
            click.echo(f"stopped: {tried}; failures are kept, Ctrl-C again leaves that", err=True)
        firsts = [group[0].case for group in found.groups()[:SHOWN_GROUPS]]
        kept, lost = keep_cases(job, firsts, out, report)
        context.exit(_said(job, found, kept, lost, as_json=as_json))

    return simulate


def _said(
    job: Job, found: Campaign, kept: dict[Case, Path], lost: DelphicError | None, *, as_json: bool
) -> ExitCode:
    """Tell all; the exit code. `lost`: why not everything was kept."""
    code = found.exit_code() if lost is None else worst_code([found.exit_code(), lost.exit_code])
    if as_json:
        data.show(_plain(job, found, kept), code)
    else:
        _tell(job, found, kept)
    if lost is not None:
        click.echo(f"error: {lost}", err=True)
    return code


def _cases(job: Job, seeds: range, *, crash_points: bool) -> list[Case]:
    if crash_points:
        return [case for seed in seeds for case in crash_cases(job, seed)]
    return [Case(seed) for seed in seeds]


def job_of(scenario: str, switches: Switches = NO_SWITCHES) -> Job:
    """The scenario, once it is known that a simulated world can do all that it asks for.

    Raises UsageError.
    """
    text, file = shipped.text_of(scenario)
    loaded = load(text, file)
    check_capabilities(loaded, SIM)
    switches.check(loaded)
    return Job(text, file, scenario, switches)


def seeds_of(job: Job) -> range:
    """Those to try if nobody says which."""
    own = load(job.text, job.file).seed
    return SEEDS if own is None else range(own, own + 1)


def keep_cases(
    job: Job, cases: Iterable[Case], out: Path, report: Report
) -> tuple[dict[Case, Path], DelphicError | None]:
    """Run cases again, into run directories with everything; and what kept one from being written.

    That is no reason to lose what is known of the cases.
    """
    kept: dict[Case, Path] = {}
    try:
        for case in cases:
            order = Order(job.plan(case), case.text or job.text, out, keep=True)
            kept[case] = execute_simulated(order, Quiet(), report).run.path
    except DelphicError as error:
        return kept, error
    return kept, None


class _Shown:
    """Progress on standard error."""

    def __init__(self, scenario: str, total: int, console: Console) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[said]}"),
            console=console,
            transient=True,
        )
        self._task = self._bar.add_task(scenario, total=total, said="")

    def __enter__(self) -> Callable[[Campaign], None]:
        self._bar.start()
        return self.update

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def update(self, found: Campaign) -> None:
        said = f"{_rates(found)}, {len(found.failed)} broken"
        self._bar.update(self._task, completed=len(found.tried), said=said)


class _Unseen:
    """No progress."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None


def _shown(scenario: str, total: int, *, quiet: bool) -> _Shown | _Unseen:
    if quiet or not sys.stderr.isatty():
        return _Unseen()
    return _Shown(scenario, total, Console(stderr=True))


def _rates(found: Campaign) -> str:
    wall_s = max(found.wall_s, 1e-9)
    operations = sum(one.operations for one in found.tried)
    virtual_s = sum(one.virtual_s for one in found.tried)
    return (
        f"{len(found.tried) / wall_s:.1f} worlds/s, {operations / wall_s:,.0f} operations/s, "
        f"{virtual_s / wall_s:.0f} × real time"
    )


def _tell(job: Job, found: Campaign, kept: dict[Case, Path]) -> None:
    count = len(found.tried)
    click.echo(f"{job.name}: {count:,} worlds in {found.wall_s:.1f} s ({_rates(found)})")
    others = [
        f"{len(found.of(validity)):,} {validity.value}"
        for validity in Validity
        if found.of(validity)
    ]
    click.echo(f"  {', '.join(others)}")
    _tell_coverage(found)
    for group in found.groups()[:SHOWN_GROUPS]:
        first = group[0]
        click.echo(f"{len(group):,} × {first.sentence}")
        run = kept.get(first.case)
        click.echo(f"  first   {first.case}" + (f", {_near(run)}" if run else ""))
        click.echo(f"  again   {again(job, first.case, kept)}")
        if run is not None:
            click.echo(f"  shrink  {shlex.join(['delphic', 'shrink', str(_near(run))])}")
    for validity in (Validity.HARNESS_ERROR, Validity.UNKNOWN, Validity.INCONCLUSIVE):
        _tell_others(job, found.of(validity))
    if found.expects_failure and not (found.failed or found.is_cut_short):
        click.echo("The failure that the scenario expects was not seen in any of them.")


def again(job: Job, case: Case, kept: dict[Case, Path]) -> str:
    """The command that shows a case: of faults that were changed, the kept scenario has them."""
    if not case.text:
        return job.again(case)
    if case not in kept:
        return f"delphic run its scenario --seed {case.seed} --on sim"
    name = _near(kept[case] / "scenario.yaml")
    return shlex.join(["delphic", "run", str(name), "--seed", str(case.seed), "--on", "sim"])


def _tell_coverage(found: Campaign) -> None:
    exercised = found.exercised
    if exercised.counts:
        click.echo(f"  {exercised.sentence}")
        for line in exercised.lines():
            click.echo(f"    {line}")
    if found.local_steps:
        click.echo(f"  {len(found.local_steps):,} local steps of the model")


def _tell_others(job: Job, ones: Sequence[Tried]) -> None:
    if ones:
        first = ones[0]
        click.echo(f"{len(ones):,} × {first.validity.value}: {first.sentence}")
        click.echo(f"  again   {again(job, first.case, {})}")


def _plain(job: Job, found: Campaign, kept: dict[Case, Path]) -> dict[str, Any]:
    return {
        "scenario": job.name,
        "worlds": len(found.tried),
        "wall_s": round(found.wall_s, 3),
        "cpu_s": round(sum(one.cpu_s for one in found.tried), 3),
        "virtual_s": round(sum(one.virtual_s for one in found.tried), 3),
        "operations": sum(one.operations for one in found.tried),
        "verdicts": {validity.value: len(found.of(validity)) for validity in Validity},
        "failures": [
            {
                "cases": [str(one.case) for one in group],
                "sentence": group[0].sentence,
                "run": None if group[0].case not in kept else str(kept[group[0].case]),
                "again": again(job, group[0].case, kept),
            }
            for group in found.groups()
        ],
        "coverage": found.exercised.to_dict() if found.exercised.counts else None,
        "local_steps": len(found.local_steps) or None,
        "others": [
            {"case": str(one.case), "validity": one.validity.value, "sentence": one.sentence}
            for one in found.tried
            if one.validity not in (Validity.PASS, Validity.FAIL)
        ],
    }


def _near(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


@click.command("replay")
@click.argument("directory", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--until", type=click.IntRange(0), metavar="INDEX", help="Stop after this op.")
@click.option("--state", is_flag=True, help="Show what each member then has in memory.")
@data.AS_JSON
@click.pass_context
def replay_command(
    context: click.Context, directory: Path, until: int | None, state: bool, as_json: bool
) -> None:
    """Play the schedule of a simulated run again, and compare its history.

    Exit code 0: the same history, as far as it was played. 1: another one, because this is another
    version of Delphic, or because something reached out of its world.
    """
    run = RunDir(resolved(directory))
    planned = plan_of(run)
    if planned.target != SIM.name:
        raise UsageError(
            f"{directory} was run on {planned.target}: only simulated runs can be played again; "
            f"the same plan: {planned.command}"
        )
    before = read_bytes(run.history)
    lines = before.count(b"\n")
    if until is not None and until >= lines:
        raise UsageError(f"--until {until}: the history has the ops 0 to {lines - 1}")
    found = simulate_plan(planned, until=until)
    same = before.startswith(found.history) and (until is not None or before == found.history)
    code = ExitCode.AS_EXPECTED if same else ExitCode.PROMISE_BROKEN
    ops = found.history.count(b"\n")
    other = "" if same else _first_difference(before, found.history)
    if as_json:
        told = {"run": run.path, "same": same, "ops": ops, "ops_recorded": lines}
        data.show(told | {"difference": other, "states": found.states if state else None}, code)
        context.exit(code)
    if state:
        plain = json.loads(json.dumps(found.states))
        click.echo(yaml.safe_dump(plain, sort_keys=False, default_flow_style=None), nl=False)
    if same:
        click.echo(f"the same history: {ops:,} of {lines:,} ops", err=state)
    else:
        click.echo(
            f"another history: {other}; the run was made by "
            f"another version, or something in it was not decided by its seed",
            err=state,
        )
    context.exit(code)


def _first_difference(before: bytes, now: bytes) -> str:
    pairs = zip(before.splitlines(), now.splitlines(), strict=False)
    for index, (one, other) in enumerate(pairs):
        if one != other:
            return f"op {index} was {one.decode(errors='replace')} and is {other.decode()}"
    return "one of them ends earlier"
