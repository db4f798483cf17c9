"""Many runs at one place: every scenario that can be run there, for several seeds."""

import asyncio
import json
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import nullcontext, redirect_stdout
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click

from .. import data
from ..errors import DelphicError, ExitCode, UsageError, worst_code
from ..judging.judgement import NOT_SEEN
from ..language import shipped
from ..language.selector import closest
from ..simulate.cli import Seeds
from ..targets.find import LAB, find, is_laboratory

_SURVEYED = ("n1", "n2", "n3")


@dataclass(frozen=True, slots=True)
class Job:
    """One run."""

    scenario: str
    seed: int


@dataclass(frozen=True, slots=True)
class Done:
    """How a run ended: its exit code, and its verdict; `beside` is what it said of other things."""

    job: Job
    code: int
    sentence: str
    seconds: float
    beside: str = ""


Say = Callable[[Done], object]


async def run_all(
    jobs: Sequence[Job], command: Callable[[Job], Sequence[str]], parallel: int, say: Say
) -> list[Done]:
    """Run all, so many at a time, each in a process of its own; cancelled, wait for their end."""
    turns = asyncio.Semaphore(parallel)
    found: list[Done] = []

    async def run(job: Job) -> None:
        async with turns:
            done = await _run(job, command(job))
        found.append(done)
        say(done)

    async with asyncio.TaskGroup() as group:
        for job in jobs:
            group.create_task(run(job))
    return found


async def _run(job: Job, words: Sequence[str]) -> Done:
    loop = asyncio.get_running_loop()
    began = loop.time()
    process = await asyncio.create_subprocess_exec(
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        output, errors = await process.communicate()
    except asyncio.CancelledError:
        # The terminal's Ctrl-C was theirs, too: they undo what they did, and end.
        await process.wait()
        raise
    assert process.returncode is not None
    sentence, beside = _said(output, errors.decode(errors="replace"))
    return Done(job, process.returncode, sentence, loop.time() - began, beside)


def _said(output: bytes, errors: str) -> tuple[str, str]:
    """The verdict, or what went wrong where there is none; and what else was said."""
    lines = [line for line in errors.splitlines() if line.strip()]
    try:
        told = json.loads(output)
        return f"{told['validity']}: {told['sentence']}", "\n".join(lines)
    except (ValueError, KeyError, TypeError):
        mistakes = (line for line in lines if line.lower().startswith("error:"))
        sentence = next(mistakes, lines[-1] if lines else "")
        return sentence, "\n".join(line for line in lines if line != sentence)


def counted(found: Sequence[Done]) -> list[Done]:
    """Those runs that decide: a seeded bug is up to chance, and need not show for every seed."""
    shown = {done.job.scenario for done in found if done.code == ExitCode.AS_EXPECTED}
    return [done for done in found if not (_missed(done) and done.job.scenario in shown)]


def _missed(done: Done) -> bool:
    return done.code == ExitCode.PROMISE_BROKEN and NOT_SEEN in done.sentence


def able(names: Sequence[str], on: str) -> tuple[list[str], dict[str, str]]:
    """Which of these scenarios can be run there; and of the others, what they would need."""
    with find(on, _SURVEYED) as where:
        capabilities = where.capabilities
    lacks = {name: sorted(shipped.scenario(name).needs() - capabilities) for name in names}
    return (
        [name for name, missing in lacks.items() if not missing],
        {name: ", ".join(missing) for name, missing in lacks.items() if missing},
    )


@click.command("suite")
@click.argument("scenarios", metavar="[NAME]...", nargs=-1)
@click.option("--on", "target", default=LAB, show_default=True, help="As of `delphic run`.")
@click.option("--seeds", type=Seeds(), default="1..5", show_default=True)
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="At a time.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs"), show_default=True)
@click.option("--but", multiple=True, metavar="NAME", help="Leave a scenario out.")
@data.AS_JSON
@click.pass_context
def suite_command(
    context: click.Context,
    scenarios: tuple[str, ...],
    target: str,
    seeds: range,
    jobs: int,
    out: Path,
    but: tuple[str, ...],
    as_json: bool,
) -> None:
    """Run scenarios, or all that come with Delphic, for several seeds, where it is possible.

    Those that need what the place cannot do are left out, and named. A seeded bug must show for
    one seed at least. The exit code is that of the worst run. The suite report is written anew.
    """
    if jobs > 1 and target not in ("local", "sim") and not is_laboratory(target):
        raise UsageError("--jobs: hosts of a file can carry one run at a time")
    tell = partial(click.echo, err=as_json)
    chosen, lacking = able(_wanted(scenarios or shipped.names(), but), target)
    for name, missing in lacking.items():
        tell(f"left out  {name}: needs {missing}")
    if not chosen:
        raise UsageError(f"nothing to run: {target} can do none of them")

    def command(job: Job) -> list[str]:
        own = ["run", job.scenario, "--seed", str(job.seed), "--on", target]
        return [sys.executable, "-m", "delphic", *own, "--json", "--out", str(out)]

    def say(done: Done) -> None:
        how = "ok" if done.code == ExitCode.AS_EXPECTED else f"exit {done.code}"
        job = done.job
        tell(f"{how:9} {job.scenario} {job.seed} ({done.seconds:.0f} s)  {done.sentence}")
        if done.beside:
            click.echo(done.beside, err=True)

    planned = [Job(name, seed) for name in chosen for seed in seeds]
    found = asyncio.run(run_all(planned, command, jobs, say))
    deciding = counted(found)
    code = worst_code([done.code for done in deciding])
    if not as_json:
        _summarize(found, deciding)
    with redirect_stdout(sys.stderr) if as_json else nullcontext():
        _report(context, out)
    if as_json:
        runs = [_plain(done, counts=done in deciding) for done in found]
        data.show({"target": target, "out": out, "runs": runs, "left_out": lacking}, code)
    context.exit(code)


def _wanted(names: Sequence[str], but: Sequence[str]) -> list[str]:
    """Those that are left. Raises UsageError where none is, or what is left out was not there."""
    for name in but:
        if name not in names:
            raise UsageError(f"--but {name}: is none of them{closest(name, list(names))}")
    wanted = [name for name in names if name not in but]
    if not wanted:
        raise UsageError("nothing to run: --but leaves nothing")
    return wanted


def _plain(done: Done, *, counts: bool) -> dict[str, object]:
    return {
        "scenario": done.job.scenario,
        "seed": done.job.seed,
        "exit_code": done.code,
        "counts": counts,
        "sentence": done.sentence,
        "seconds": round(done.seconds, 3),
    }


def _summarize(every: Sequence[Done], found: Sequence[Done]) -> None:
    if missed := len(every) - len(found):
        click.echo(f"{missed} runs did not show the seeded bug that other seeds did show")
    failed: dict[str, list[int]] = defaultdict(list)
    for done in found:
        if done.code != ExitCode.AS_EXPECTED:
            failed[done.job.scenario].append(done.job.seed)
    good = sum(done.code == ExitCode.AS_EXPECTED for done in found)
    click.echo(f"{good} of {len(found)} runs as expected")
    for name, seeds in sorted(failed.items()):
        click.echo(f"  not {name}: {', '.join(str(seed) for seed in sorted(seeds))}")


def _report(context: click.Context, out: Path) -> None:
    """The page about all runs there, by the command that writes it, if the front door has one.

    One that fails is said, not raised: it never costs what the runs found.
    """
    doors = context.parent.command if context.parent else None
    report = doors.get_command(context, "suite-report") if isinstance(doors, click.Group) else None
    if report is None or not out.is_dir():
        return
    try:
        context.invoke(report, directory=out)
    except DelphicError as error:
        click.echo(f"The suite report could not be written: {error}", err=True)
