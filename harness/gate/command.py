"""The command `delphic gate`."""

import json
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from .. import data
from ..errors import ExitCode, UsageError, WorldError
from ..language.selector import closest
from ..language.units import seconds
from ..lifecycle import Report
from ..reading import check_name, read_text, resolved
from . import baseline, config
from .bell import Bell
from .bugs import switched_on
from .gate import Gate, Rules
from .inputs import Inputs
from .memory import Memory
from .process import answer, perform
from .resolve import resolve
from .result import GateResult, Known, lacking
from .show import summary, watcher
from .since import affected, changed
from .step import Step
from .work import Doer

FILE = "gate.yaml"


@dataclass(frozen=True, slots=True)
class Pages:
    """What writes reports: of a run, of a gate into a directory, and as annotations for GitHub."""

    run: Report
    gate: Callable[[GateResult, Path], object]
    annotations: Callable[[GateResult], str]
    markdown: Callable[[GateResult], str]


class Budget(click.ParamType[float]):
    """A duration as scenarios have it."""

    name = "DURATION"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        try:
            found = value if isinstance(value, float) else seconds(value)
        except ValueError as error:
            self.fail(str(error), param)
        if found == 0:
            self.fail("nothing can be done in no time", param)
        return found


def gate_command(
    run: Report,
    gate: Callable[[GateResult, Path], object],
    annotations: Callable[[GateResult], str],
    markdown: Callable[[GateResult], str],
) -> click.Command:
    """The command, with all that writes reports."""
    pages = Pages(run, gate, annotations, markdown)

    @click.command("gate")
    @click.argument("file", type=click.Path(path_type=Path), default=Path(FILE))
    @click.option("--budget", type=Budget(), help="How long all steps may take, like 10m.")
    @click.option("--jobs", type=click.IntRange(1, 64), help="Processes or threads of a step.")
    @click.option("--since", metavar="REV", help="Only what a change since then can affect.")
    @click.option("--resume", is_flag=True, help="Do nothing again whose inputs are the same.")
    @click.option("--only", multiple=True, metavar="NAME", help="Only this step.")
    @click.option("--bug", "bugs", multiple=True, help="Switch a seeded bug on, to see red.")
    @click.option("--list", "listing", is_flag=True, help="Say what would be done, and why.")
    @click.option("--schema", "as_schema", is_flag=True, help="Print the JSON Schema of the file.")
    @click.option(
        "--annotations",
        type=click.Choice(["auto", "github", "none"]),
        default="auto",
        show_default=True,
        help="Print annotations; auto: on GitHub.",
    )
    @click.option(
        "--out", type=click.Path(path_type=Path), default=Path("runs/gate"), show_default=True
    )
    @data.AS_JSON
    @click.option("--quiet", is_flag=True, help="Say nothing but the end.")
    @click.option("--do", "channel", type=int, hidden=True)
    @click.pass_context
    def command(
        context: click.Context, /, channel: int | None, as_schema: bool, **asked: Any
    ) -> None:
        """Do every step of FILE within its budget, and say what came of all together.

        Exit code, the first that holds: 1 a promise was broken, 5 a bug of Delphic, 4 the hosts
        failed us, 3 inconclusive, or not done for lack of time, 2 a mistake in the command or a
        file; else 0: as expected.
        """
        if channel is not None:
            answer(channel, lambda order, tell, found: Doer(order, pages.run, tell, found).do())
        elif as_schema:
            click.echo(json.dumps(config.schema(), indent=2))
        else:
            context.exit(_Asked(pages=pages, **asked).gate())

    return command


@dataclass(frozen=True)
class _Asked:
    """The words of the command line."""

    pages: Pages
    file: Path
    budget: float | None
    jobs: int | None
    since: str | None
    resume: bool
    only: tuple[str, ...]
    bugs: tuple[str, ...]
    listing: bool
    annotations: str
    out: Path
    as_json: bool
    quiet: bool

    def gate(self) -> int:
        """Do it; the exit code."""
        for path in (self.file, self.out):
            check_name(resolved(path))
        part, document = config.load(read_text(self.file), str(self.file))
        steps = resolve(part, document)
        known = self._known(part.baseline, [step.name for step in steps])
        steps = self._chosen(steps)
        steps = switched_on(steps, self.bugs, self.out)
        inputs, base = Inputs(), self.file.resolve().parent
        reasons: dict[str, str] | None = None
        notes: tuple[str, ...] = ()
        if self.since is not None:
            change = changed(self.since, base, but=self.out.resolve())
            found = affected(change, steps, inputs, base, part.ignore)
            reasons, notes = found.reasons, found.notes
        rules = Rules(
            part.name,
            _place(self.file),
            part.budget if self.budget is None else self.budget,
            self.jobs or part.jobs or len(os.sched_getaffinity(0)),
            self.out,
            part.flakes.retries,
            frozenset(part.flakes.of),
            known,
            datetime.now(UTC).date(),
            self.since,
            self.bugs,
            notes,
        )
        if self.listing:
            _listed(steps, reasons, notes, as_json=self.as_json)
            return ExitCode.AS_EXPECTED
        memory = Memory(self.out / "done", lambda step: inputs.digest(step, base), self.resume)
        return self._do(rules, steps, reasons, memory)

    def _do(
        self, rules: Rules, steps: list[Step], reasons: dict[str, str] | None, memory: Memory
    ) -> int:
        watch = watcher(rules.budget_s, quiet=self.quiet or self.as_json)
        try:
            bell = Bell()
            with bell.hung():
                gate = Gate(rules, steps, reasons, memory, perform, watch, bell)
                result = gate.run(lambda so_far: self.pages.gate(so_far, self.out))
        finally:
            watch.close()
        result = self._on_the_jobs_page(result)
        if self.as_json:
            data.show(result)
        else:
            Console(highlight=False).print(summary(result), soft_wrap=True)
        self._annotate(result)
        return int(result.exit_code)

    def _annotate(self, result: GateResult) -> None:
        """What GitHub shows beside files."""
        if self._is_for_github:
            click.echo(self.pages.annotations(result), nl=False, err=self.as_json)

    def _on_the_jobs_page(self, result: GateResult) -> GateResult:
        """Show it on the page of GitHub's job; where that cannot be, the result says so."""
        page = os.environ.get("GITHUB_STEP_SUMMARY")
        if not page or not self._is_for_github:
            return result
        try:
            with open(page, "a", encoding="utf-8", errors="replace") as stream:
                stream.write(self.pages.markdown(result))
        except OSError as error:
            result = lacking(result, [f"cannot write {page}: {error.strerror}"])
            with suppress(WorldError):
                self.pages.gate(result, self.out)
        return result

    @property
    def _is_for_github(self) -> bool:
        is_github = os.environ.get("GITHUB_ACTIONS") == "true"
        return self.annotations == "github" or (self.annotations == "auto" and is_github)

    def _chosen(self, steps: list[Step]) -> list[Step]:
        names = [step.name for step in steps]
        for name in self.only:
            if name not in names:
                raise UsageError(f"--only: there is no step {name!r}{closest(name, names)}")
        return [step for step in steps if not self.only or step.name in self.only]

    def _known(self, file: str | None, names: list[str]) -> dict[str, Known]:
        if file is None:
            return {}
        path = self.file.parent / file
        return {entry.step: entry for entry in baseline.load(read_text(path), str(path), names)}


def _place(file: Path) -> str:
    """The file as hosts of CI call it: from where they began."""
    here, path = Path.cwd(), file.resolve()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _listed(
    steps: Sequence[Step], reasons: dict[str, str] | None, notes: Sequence[str], *, as_json: bool
) -> None:
    """Say what would be done, and why."""
    told = [
        {
            "step": step.name,
            "kind": step.kind,
            "do": reasons is None or step.name in reasons,
            "why": "" if reasons is None else reasons.get(step.name, "nothing has changed"),
        }
        for step in steps
    ]
    if as_json:
        data.show({"steps": told, "notes": notes})
        return
    for one in told:
        click.echo(f"{'do' if one['do'] else 'leave':6} {one['step']:34} {one['why']}".rstrip())
    for note in notes:
        click.echo(note)
