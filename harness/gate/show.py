"""What a person sees of a gate: a live status on a terminal, a line a step elsewhere."""

import sys
import time

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ..errors import ExitCode
from .result import GateResult, State, StepResult
from .step import Step

_COLOURS = {
    ExitCode.AS_EXPECTED: "green",
    ExitCode.PROMISE_BROKEN: "red",
    ExitCode.HARNESS: "red",
}

NAME_WIDTH = 34


class Quiet:
    """Shows nothing."""

    def begun(self, step: Step) -> None:
        return

    def news(self, text: str) -> None:
        return

    def ended(self, result: StepResult) -> None:
        return

    def close(self) -> None:
        return


class Lines:
    """For logs: a line when a step ends."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def begun(self, step: Step) -> None:
        return

    def news(self, text: str) -> None:
        return

    def ended(self, result: StepResult) -> None:
        self._console.print(line(result), soft_wrap=True)

    def close(self) -> None:
        return


class Terminal(Lines):
    """For people: the step under way, redrawn; those that are done stay."""

    def __init__(self, console: Console, budget_s: float) -> None:
        super().__init__(console)
        self._began = time.monotonic()
        self._budget_s = budget_s
        self._step, self._step_began, self._news = "", self._began, ""
        self._live = Live(
            console=console, refresh_per_second=4, transient=True, get_renderable=self._status
        )
        self._live.start()

    def begun(self, step: Step) -> None:
        self._step, self._step_began, self._news = step.name, time.monotonic(), ""

    def news(self, text: str) -> None:
        self._news = text

    def close(self) -> None:
        self._live.stop()

    def _status(self) -> Table:
        now = time.monotonic()
        table = Table.grid(padding=(0, 2))
        table.add_row(
            Text(self._step, style="bold"),
            Text(f"{now - self._step_began:.0f} s", style="cyan"),
            Text(self._news, overflow="ellipsis", no_wrap=True),
            Text(f"{now - self._began:.0f} of {self._budget_s:g} s", style="dim"),
        )
        return table


Watcher = Quiet | Lines


def watcher(budget_s: float, *, quiet: bool) -> Watcher:
    """The form that suits where standard error goes."""
    if quiet:
        return Quiet()
    console = Console(stderr=True, highlight=False)
    return Terminal(console, budget_s) if sys.stderr.isatty() else Lines(console)


def line(result: StepResult) -> Text:
    """One step: what became of it, its name, its time, its sentence."""
    text = Text(f"{result.word:13} ", style=_style(result))
    took = f"{result.seconds:5.0f} s" if result.seconds else " " * 7
    sentence = result.sentence.partition("\n")[0]
    text.append(f"{result.name:{NAME_WIDTH}} {took}  {sentence}", style="default")
    for note in result.notes:
        text.append(f"\n{'':13} {note}", style="dim")
    return text


def _style(result: StepResult) -> str:
    if result.state is State.UNAFFECTED:
        return "dim"
    if result.known is not None or result.flaky:
        return "yellow"
    return _COLOURS.get(result.code, "yellow")


def summary(result: GateResult) -> Text:
    """The end: the verdict, what is red with what shows it, and how to see it again."""
    text = Text(f"{result.word}: ", style=f"bold {_COLOURS.get(result.exit_code, 'yellow')}")
    text.append(result.sentence, style="default")
    text.append(f" ({result.seconds:.0f} of {result.budget_s:g} s)", style="dim")
    for step in result.steps:
        if step.code is ExitCode.AS_EXPECTED:
            continue
        for finding in step.findings:
            promises = f" [{', '.join(finding.promises)}]" if finding.promises else ""
            first = finding.sentence.partition("\n")[0]
            text.append(f"\n  {step.name}{promises}: {first}", style="default")
            if finding.run is not None:
                text.append(f"\n    run    {finding.run}", style="default")
            if finding.again:
                text.append(f"\n    again  {finding.again}", style="default")
    for note in result.notes:
        text.append(f"\n{note}", style="dim")
    return text
