"""What a person sees during a run: a live status on a terminal, a few lines elsewhere."""

import asyncio
import sys
from typing import Protocol, TextIO

from rich.console import Console
from rich.live import Live as Screen
from rich.table import Table
from rich.text import Text

from ..op import OpType
from ..plan import Plan
from ..run import Live

_REFRESH_S, _LINE_S = 0.25, 5.0


class Progress(Protocol):
    """Somewhere to show a run. Nothing of it may slow the run down."""

    def say(self, text: str) -> None:
        """A line that stays."""

    async def follow(self, plan: Plan, live: Live) -> None:
        """Show the run until cancelled."""


class Quiet:
    """Says nothing."""

    def say(self, text: str) -> None:
        return

    async def follow(self, plan: Plan, live: Live) -> None:
        return


class Lines:
    """For logs: a line a phase, and one now and then."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def say(self, text: str) -> None:
        print(text, file=self._stream, flush=True)

    async def follow(self, plan: Plan, live: Live) -> None:
        phase, said_ns = "", 0
        while True:
            now_ns = live.recorder.now_ns()
            if live.phase != phase or now_ns - said_ns > _LINE_S * 1e9:
                phase, said_ns = live.phase, now_ns
                self.say(f"{now_ns / 1e9:6.1f} s  {phase}: {', '.join(_counts(live))}")
            await asyncio.sleep(_REFRESH_S)


class Terminal:
    """For people: a status that redraws itself."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def say(self, text: str) -> None:
        self._console.print(Text(text))

    async def follow(self, plan: Plan, live: Live) -> None:
        rates = Rates(live)
        with Screen(console=self._console, auto_refresh=False, transient=True) as screen:
            while True:
                screen.update(_status(plan, live, rates.per_second()), refresh=True)
                await asyncio.sleep(_REFRESH_S)


class Rates:
    """Acknowledged operations a second, since the last look."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._last = (live.recorder.now_ns(), 0)

    def per_second(self) -> float:
        now, count = self._live.recorder.now_ns(), self._live.recorder.counts[OpType.OK]
        then, before = self._last
        self._last = (now, count)
        return (count - before) / max(1e-3, (now - then) / 1e9)


def progress(*, quiet: bool) -> Progress:
    """The form that suits where standard error goes."""
    if quiet:
        return Quiet()
    return Terminal(Console(stderr=True)) if sys.stderr.isatty() else Lines(sys.stderr)


def _counts(live: Live) -> list[str]:
    counts = live.recorder.counts
    return [f"{counts[kind]:,} {kind.value}" for kind in (OpType.OK, OpType.FAIL, OpType.INFO)]


def _status(plan: Plan, live: Live, per_second: float) -> Table:
    elapsed = f"{(live.recorder.now_ns() - live.since_ns) / 1e9:.1f} s"
    if live.phase == "main":
        elapsed += f" of {plan.duration_s:g} s"
    leader = live.observer.leader or "none"
    faults = "; ".join(live.conductor.active) or "none"
    table = Table.grid(padding=(0, 2))
    table.add_row(
        Text(plan.scenario, style="bold"),
        Text(live.phase, style="cyan"),
        elapsed,
    )
    table.add_row("operations", f"{per_second:,.0f}/s", ", ".join(_counts(live)))
    table.add_row("leader", leader, f"term {live.observer.term}")
    table.add_row("faults", "", Text(faults, style="red" if live.conductor.active else "dim"))
    return table
