"""How far slaves lag behind their master over time, above the state of each side."""

from collections.abc import Iterator, Sequence
from html import escape

from ..harness.sides import MASTER
from .document import Document
from .faults import faults
from .figures import (
    MARGIN_PIXELS,
    STATES,
    Figure,
    Trace,
    band_labels,
    bands,
    frame,
    state_bars,
)
from .markup import Child, Html, el
from .prose import plural, seconds_text
from .replication import Lag, Replication, Stretch
from .tables import table

LAG_PIXELS = 240
ROW_PIXELS = 28

_DASHES = ("solid", "dash", "dot")


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
        el("span", el("span", class_=f"swatch series-{at % 3}"), lag.side, class_="key")
        for at, lag in enumerate(found.lags)
    ]
    present = {stretch.state for stretch in found.stretches}
    states = [
        el("span", el("span", class_=f"swatch {look}"), state, class_="key")
        for state, (look, _) in STATES.items()
        if state in present
    ]
    heads = ("side", "tasks", "most behind", "behind at the end", "states")
    return el(
        "figure",
        el("div", el("div", slaves), el("div", states), class_="legend"),
        el("div", id="lag-plot", class_="plot", tabindex=0, role="group", aria_label=label),
        el(
            "figcaption",
            "Lag: the tasks that the master has enqueued, less those that the slave says it has "
            "finished, whenever it answers a look at its metrics. Below it the state of each side, "
            "from when a client learned of it; the master's is what its operators were told. "
            "Shaded: faults in force.",
        ),
        table("Lag and states, one line a side", heads, _rows(found)),
    )


def lag_figure(document: Document) -> Figure | None:
    """Lag in tasks above one band a side, with the faults behind both."""
    found = document.replication
    if found is None:
        return None
    struck = faults(document.acts)
    band_pixels = ROW_PIXELS * len(found.sides)
    inner = LAG_PIXELS + band_pixels
    margin = MARGIN_PIXELS | {"t": 30}
    axis = {"fixedrange": True, "zeroline": False, "gridcolor": "--line"}
    layout = frame(document, inner + margin["t"] + margin["b"]) | {
        "barmode": "overlay",
        "bargap": 0.18,
        "uniformtext": {"mode": "hide", "minsize": 9},
        "margin": margin,
        "shapes": list(bands(struck, document.end)),
        "annotations": list(band_labels(struck, document.end)),
        "yaxis": axis
        | {
            "domain": [(band_pixels + 16) / inner, 1],
            "title": {"text": "tasks behind"},
            # A slave that keeps up is a line at the bottom, not noise over the whole height.
            "range": [0, 1.08 * max(5, *(max(lag.tasks) for lag in found.lags))],
        },
        "yaxis2": axis
        | {
            "domain": [0, band_pixels / inner],
            "range": [len(found.sides) - 0.5, -0.5],
            "tickvals": list(range(len(found.sides))),
            "ticktext": [escape(_called(side)) for side in found.sides],
            "showgrid": False,
            "ticklen": 0,
        },
    }
    lines = [_line(lag, at) for at, lag in enumerate(found.lags)]
    return {
        "data": [*lines, *state_bars(found.stretches, found.sides, 0, yaxis="y2")],
        "layout": layout,
    }


def _line(lag: Lag, at: int) -> Trace:
    colour = f"--series-{at % 3}"
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": escape(lag.side),
        "x": [time_us / 1e6 for time_us in lag.times],
        "y": lag.tasks,
        "hovertext": [
            escape(f"{lag.side}: {plural(tasks, 'task')} behind, {finished:,} finished")
            for tasks, finished in zip(lag.tasks, lag.finished, strict=True)
        ],
        "hovertemplate": "%{hovertext}<br>%{x:.3f} s<extra></extra>",
        "line": {"color": colour, "width": 2, "dash": _DASHES[at // 3 % len(_DASHES)]},
        "marker": {"color": colour, "size": 4},
    }


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
