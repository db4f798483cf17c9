"""How far slaves lag behind their master over time, above the state of each side."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from ...harness.language.sides import MASTER
from ...harness.prose import plural
from ..markup import Child, Html, el
from ..prose import seconds_text
from .document import Document
from .figures import STATES, Rows, series_look, state_bars
from .replication import Lag, Replication, Stretch
from .tables import table


class Line(NamedTuple):
    """The lag of one slave: tasks behind, whenever it told (seconds), and what to say of each."""

    name: str
    times: tuple[float, ...]
    tasks: tuple[int, ...]
    hovers: tuple[str, ...]


class LagFigure(msgspec.Struct, frozen=True):
    """Lag in tasks above one band a side."""

    lines: tuple[Line, ...]
    states: Rows


def lag_section(document: Document) -> Html | None:
    """The plot, what its colours mean, and each side in a line."""
    found = document.replication
    if found is None:
        return None
    label = (
        f"Tasks by which {plural(len(found.lags), 'slave')} lagged over "
        f"{document.end / 1e6:.1f} seconds, and the state of each side"
    )
    slaves = [
        el("span", el("span", class_=f"swatch line {series_look(at)}"), lag.side, class_="key")
        for at, lag in enumerate(found.lags)
    ]
    present = {stretch.state for stretch in found.stretches}
    states = [
        el("span", el("span", class_=f"swatch {look}"), state, class_="key")
        for state, look in STATES.items()
        if state in present
    ]
    heads = ("side", "tasks", "most behind", "behind at the end", "states")
    return el(
        "figure",
        el("div", el("div", slaves), el("div", states), class_="legend"),
        el("div", id="lag-plot", class_="plot", tabindex=0, role="group", aria_label=label),
        el(
            "div",
            id="states-plot",
            class_="plot",
            tabindex=0,
            role="group",
            aria_label="The state of each side over time; the table below says it in words",
        ),
        el(
            "figcaption",
            "Lag: the tasks that the master has enqueued, less those that the slave says it has "
            "finished, whenever it answers a look at its metrics. Below it the state of each side, "
            "from when a client learned of it; the master's is what its operators were told. "
            "Shaded: faults in force.",
        ),
        table("Lag and states, one line a side", heads, _rows(found)),
    )


def lag_figure(document: Document) -> LagFigure | None:
    """A line for each slave, and a row for each side."""
    found = document.replication
    if found is None:
        return None
    bars = tuple(state_bars(found.stretches, found.sides, 0))
    labels = tuple(map(_called, found.sides))
    return LagFigure(tuple(map(_line, found.lags)), Rows(labels, bars))


def _line(lag: Lag) -> Line:
    return Line(
        name=lag.side,
        times=tuple(time_us / 1e6 for time_us in lag.times),
        tasks=tuple(lag.tasks),
        hovers=tuple(
            f"{lag.side}: {plural(tasks, 'task')} behind, {finished:,} finished"
            for tasks, finished in zip(lag.tasks, lag.finished, strict=True)
        ),
    )


def _called(side: str) -> str:
    return "master" if side == MASTER else side


def _rows(found: Replication) -> Iterator[Sequence[Child]]:
    lags = {lag.side: lag for lag in found.lags}
    for side in found.sides:
        lag, states = lags.get(side), _in_all(found.of(side))
        if side == MASTER:
            yield _called(side), f"{found.enqueued:,} enqueued", "–", "–", states
        elif lag is None:
            yield side, "never told", "–", "–", states
        else:
            most, when = max(zip(lag.tasks, lag.times, strict=True), key=lambda point: point[0])
            yield (
                side,
                f"{lag.finished[-1]:,} finished",
                f"{plural(most, 'task')} at {seconds_text(when)}",
                f"{lag.tasks[-1]:,}",
                states,
            )


def _in_all(held: Sequence[Stretch]) -> str:
    """`ENABLED 12.1 s, DISABLED 3.0 s (2 times)`."""
    told = []
    for state in STATES:
        lengths = [stretch.end - stretch.start for stretch in held if stretch.state == state]
        if lengths:
            often = f" ({len(lengths)} times)" if len(lengths) > 1 else ""
            told.append(f"{state} {sum(lengths) / 1e6:,.1f} s{often}")
    return ", ".join(told)
