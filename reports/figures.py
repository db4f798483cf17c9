"""Plotly figures as plain data. A colour is the name of a CSS variable; the page fills it in."""

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from math import inf
from typing import Any

from .document import Document
from .faults import Act, faults
from .members import Span
from .prose import seconds_text, shortened
from .replication import DISABLED, ENABLED, SILENT, STOPPED, UNKNOWN, Stretch
from .series import Latency

Trace = dict[str, Any]
Figure = dict[str, Any]

FAULT_ROWS_MAX = 10
SPANS_MAX = 3_000
ROW_PIXELS = 22
MARGIN_PIXELS = {"l": 58, "r": 12, "t": 8, "b": 40}
LABEL_CHARACTERS_MAX = 32

_NEAR_SHARE = 0.07
"""Of the run's length: labels nearer to each other than this touch on a phone."""

_LABEL_SHARE = 0.25
"""Of the run's length: what a fault's label may need beside its bar."""

ROLE_COLOURS = {
    "leader": "--leader",
    "candidate": "--candidate",
    "precandidate": "--precandidate",
    "follower": "--follower",
    "unknown": "--unseen",
    "paused": "--paused",
    "dead": "--dead",
}
STATES = {
    ENABLED: ("enabled", ""),
    DISABLED: ("disabled", "/"),
    STOPPED: ("stopped", "x"),
    SILENT: ("silent", ""),
    UNKNOWN: ("unseen", ""),
}
"""Each state's colour and hatching: whoever sees no colours has hatching and words."""

_HATCHED = {"dead": "x", "paused": "/"}


def timeline(document: Document) -> Figure:
    """Faults, phases and members on top of one lane a client; the page adds the operations.

    `rows` tells the page where the lanes begin. All y values count rows from the top.
    """
    struck = faults(document.acts)
    placed = _fault_rows(struck, document.end)
    labels = [f"F{act.number}" for act in struck]
    if len(struck) > FAULT_ROWS_MAX:
        labels = ["faults", *[""] * max(placed)]
    phase_row = len(labels)
    labels += ["phase"] * bool(document.phases)
    first_member = len(labels)
    members = list(dict.fromkeys([*document.members, *(s.node for s in document.spans)]))
    labels += [shortened(member, 8) for member in members]
    first_side = len(labels)
    found = document.replication
    sides, stretches = ((), ()) if found is None else (found.sides, found.stretches)
    labels += [shortened(f"{side} is", 8) for side in sides]
    first_lane = len(labels)
    labels += [f"client {lane}" for lane in range(document.calls.lanes)]
    rows = {member: first_member + at for at, member in enumerate(members)}
    data = [
        *_fault_bars(document, placed),
        *_phase_bars(document, phase_row),
        *_role_bars(document.spans, rows),
        *state_bars(stretches, sides, first_side),
    ]
    pixels = ROW_PIXELS if len(labels) <= 40 else ROW_PIXELS * 2 // 3
    height = len(labels) * pixels + MARGIN_PIXELS["t"] + MARGIN_PIXELS["b"]
    layout = frame(document, height) | {
        "barmode": "overlay",
        "bargap": 0.18,
        "uniformtext": {"mode": "hide", "minsize": 9},
        "shapes": [*bands(struck, document.end), *_rules((phase_row, first_member, first_lane))],
        "annotations": list(_fault_labels(document, placed)),
        "yaxis": {
            "range": [len(labels) - 0.5, -0.5],
            "tickvals": list(range(len(labels))),
            "ticktext": [escape(label) for label in labels],
            "fixedrange": True,
            "zeroline": False,
            "showgrid": False,
            "ticklen": 0,
        },
    }
    return {"data": data, "layout": layout, "firstLane": first_lane}


def series(document: Document) -> Figure:
    """Latency on a logarithmic scale above throughput by outcome, with the faults behind both."""
    found = document.series
    struck = faults(document.acts)
    data: list[Trace] = []
    for number, latency in enumerate(found.latencies):
        data += _latency_traces(latency, found.middles_s, f"--series-{min(number, 2)}")
    colours = {"ok": "--op-ok", "fail": "--op-fail", "info": "--op-info"}
    for outcome, rates in found.rates.items():
        data.append(
            {
                "type": "bar",
                "name": outcome,
                "x": found.middles_s,
                "y": rates,
                "yaxis": "y2",
                "width": found.bin_s,
                "marker": {"color": colours[outcome], "line": {"width": 0}},
                "hovertemplate": f"%{{y:.1f}} {outcome} a second<extra></extra>",
            }
        )
    axis = {"fixedrange": True, "zeroline": False, "gridcolor": "--line"}
    layout = frame(document, 430) | {
        "barmode": "stack",
        "bargap": 0,
        "hovermode": "x",
        "shapes": list(bands(struck, document.end)),
        "annotations": list(band_labels(struck, document.end)),
        "margin": MARGIN_PIXELS | {"t": 30},
        "yaxis": axis
        | {"type": "log", "domain": [0.42, 1], "title": {"text": "latency, ms"}, "dtick": 1},
        "yaxis2": axis
        | {"domain": [0, 0.34], "title": {"text": "calls a second"}, "rangemode": "tozero"},
    }
    return {"data": data, "layout": layout}


def frame(document: Document, height: int) -> dict[str, Any]:
    """The layout that all plots have in common: colours, margins, and one axis of time."""
    end = max(1e-3, document.end / 1e6)
    return {
        "height": height,
        "margin": MARGIN_PIXELS,
        "showlegend": False,
        "hovermode": "closest",
        "paper_bgcolor": "--clear",
        "plot_bgcolor": "--clear",
        "font": {"family": "system-ui, sans-serif", "size": 11, "color": "--text"},
        "hoverlabel": {
            "bgcolor": "--surface",
            "bordercolor": "--line",
            "font": {"color": "--text", "size": 12},
            "align": "left",
        },
        "xaxis": {
            "range": [-0.005 * end, end * 1.005],
            "title": {"text": "seconds since the start of the run", "standoff": 8},
            "gridcolor": "--line",
            "zeroline": False,
            "anchor": "free",
            "position": 0,
        },
    }


def _fault_rows(struck: Sequence[Act], end: int) -> list[int]:
    """A row for each fault, or, of many, the first row where it and its label are free."""
    if len(struck) <= FAULT_ROWS_MAX:
        return list(range(len(struck)))
    free_at: list[float] = []
    placed = []
    for act in struck:
        row = next((at for at, free in enumerate(free_at) if free <= act.start), len(free_at))
        row = min(row, FAULT_ROWS_MAX - 1)
        if row == len(free_at):
            free_at.append(0)
        free_at[row] = max(act.start + _LABEL_SHARE * end, _end(act, end))
        placed.append(row)
    return placed


def _end(act: Act, end: int) -> int:
    return max(act.start, end if act.end is None else act.end)


def bar(name: str, colour: str, **columns: Any) -> Trace:
    """Horizontal bars; hover texts are `hovertext`, plain."""
    return {
        "type": "bar",
        "orientation": "h",
        "name": name,
        "marker": {"color": colour, "line": {"width": 0}},
        "hovertemplate": "%{hovertext}<extra></extra>",
        "width": 0.82,
        "textposition": "none",
        "textangle": 0,
    } | columns


def _fault_bars(document: Document, placed: Sequence[int]) -> Iterator[Trace]:
    struck = faults(document.acts)
    if struck:
        yield bar(
            "faults",
            "--fault",
            base=[act.start / 1e6 for act in struck],
            x=[max(1, _end(act, document.end) - act.start) / 1e6 for act in struck],
            y=placed,
            hovertext=[_fault_hover(act, document.members) for act in struck],
            width=0.7,
        )


def _fault_hover(act: Act, members: Sequence[str]) -> str:
    until = "the end" if act.end is None else seconds_text(act.end)
    bit = {True: "took hold", False: "did not take hold", None: "no receipt"}[act.bit]
    label = f"F{act.number} {act.label(members)}, asked: {act.target or 'nothing'}"
    return escape(f"{label}; {seconds_text(act.start)} to {until}; {bit}")


def _fault_labels(document: Document, placed: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Each fault's name beside its bar, on the side where there is room."""
    for act, row in zip(faults(document.acts), placed, strict=True):
        is_left = act.start > 0.55 * document.end
        name = f"F{act.number} {act.label(document.members)}"
        yield {
            "x": (act.start if is_left else _end(act, document.end)) / 1e6,
            "y": row,
            "text": escape(shortened(name, LABEL_CHARACTERS_MAX)),
            "showarrow": False,
            "xanchor": "right" if is_left else "left",
            "xshift": -3 if is_left else 3,
        }


def _phase_bars(document: Document, row: int) -> Iterator[Trace]:
    if document.phases:
        yield bar(
            "phases",
            "--phase",
            base=[phase.start / 1e6 for phase in document.phases],
            x=[max(1, phase.end - phase.start) / 1e6 for phase in document.phases],
            y=[row] * len(document.phases),
            text=[escape(phase.name) for phase in document.phases],
            hovertext=[
                escape(f"phase {p.name}: {seconds_text(p.start)} to {seconds_text(p.end)}")
                for p in document.phases
            ],
            textposition="inside",
            insidetextanchor="middle",
            insidetextfont={"color": "--text", "size": 10},
            marker={"color": "--phase", "line": {"width": 1, "color": "--bg"}},
        )


def _role_bars(spans: Sequence[Span], rows: dict[str, int]) -> Iterator[Trace]:
    """One trace a role; of very many spans the longest, for the others could not be seen."""
    shown = sorted(spans, key=lambda span: span.start - span.end)[:SPANS_MAX]
    for role, colour in ROLE_COLOURS.items():
        held = sorted((s for s in shown if s.role == role), key=lambda span: span.start)
        if not held:
            continue
        bars = bar(
            role,
            colour,
            base=[span.start / 1e6 for span in held],
            x=[max(1, span.end - span.start) / 1e6 for span in held],
            y=[rows[span.node] for span in held],
            hovertext=[_role_hover(span) for span in held],
        )
        if role in _HATCHED:
            bars["marker"]["pattern"] = _pattern(_HATCHED[role], colour, 0.2)
        if role == "leader":
            bars["text"] = [f"term {span.term}" for span in held]
            bars |= {"textposition": "inside", "insidetextanchor": "middle"}
            bars["insidetextfont"] = {"color": "--on-leader", "size": 10}
        yield bars


def state_bars(
    stretches: Sequence[Stretch], sides: Sequence[str], first: int, **columns: Any
) -> Iterator[Trace]:
    """The states of a master and its slaves, one trace a state; `first` is the master's row."""
    for state, (look, shape) in STATES.items():
        held = [stretch for stretch in stretches if stretch.state == state]
        if not held:
            continue
        bars = bar(
            state,
            f"--{look}",
            base=[stretch.start / 1e6 for stretch in held],
            x=[(stretch.end - stretch.start) / 1e6 for stretch in held],
            y=[first + sides.index(stretch.side) for stretch in held],
            text=[state] * len(held),
            textposition="inside",
            insidetextanchor="middle",
            insidetextfont={"color": "--text", "size": 10},
            hovertext=[
                escape(f"{s.side} is {state}, {seconds_text(s.start)} to {seconds_text(s.end)}")
                for s in held
            ],
        )
        bars["marker"]["pattern"] = _pattern(shape, f"--{look}", 0.12)
        yield bars | columns


def _pattern(shape: str, colour: str, solidity: float) -> dict[str, Any]:
    return {
        "shape": shape,
        "fgcolor": "--text",
        "bgcolor": colour,
        "size": 6,
        "solidity": solidity,
    }


def _role_hover(span: Span) -> str:
    term = "" if span.term is None else f" in term {span.term}"
    follows = f" of {span.leader}" if span.role == "follower" and span.leader else ""
    when = f"{seconds_text(span.start)} to {seconds_text(span.end)}"
    return escape(f"{span.node}: {span.role}{follows}{term}, {when}")


def bands(struck: Iterable[Act], end: int) -> Iterator[dict[str, Any]]:
    """Faults as shades behind everything, for as long as they were in force."""
    for act in struck:
        yield {
            "type": "rect",
            "x0": act.start / 1e6,
            "x1": _end(act, end) / 1e6,
            "y0": 0,
            "y1": 1,
            "yref": "paper",
            "fillcolor": "--band",
            "line": {"width": 0},
            "layer": "below",
        }


def band_labels(struck: Sequence[Act], end: int) -> Iterator[dict[str, Any]]:
    """`F1`, `F2` … above the bands; one that would touch its neighbour stands higher."""
    last, level = -inf, 0
    for act in struck:
        middle = (act.start + _end(act, end)) / 2
        level = (level + 1) % 2 if middle - last < _NEAR_SHARE * end else 0
        last = middle
        yield {
            "x": middle / 1e6,
            "y": 1,
            "yref": "paper",
            "yanchor": "bottom",
            "yshift": 12 * level,
            "text": f"F{act.number}",
            "showarrow": False,
        }


def _rules(rows: Iterable[int]) -> Iterator[dict[str, Any]]:
    """Thin lines between faults, phases, members and clients."""
    for row in sorted({row for row in rows if row}):
        yield {
            "type": "line",
            "xref": "paper",
            "x0": 0,
            "x1": 1,
            "y0": row - 0.5,
            "y1": row - 0.5,
            "line": {"width": 1, "color": "--line"},
        }


def _latency_traces(latency: Latency, middles_s: Sequence[float], colour: str) -> Iterator[Trace]:
    name = escape(shortened(latency.f, 20))
    yield {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": latency.points_s,
        "y": latency.points_ms,
        "marker": {"color": colour, "size": 3, "opacity": 0.3},
        "hoverinfo": "skip",
    }
    for label, values, dash in (("p50", latency.p50, "solid"), ("p99", latency.p99, "dot")):
        yield {
            "type": "scatter",
            "mode": "lines+markers",
            "name": f"{name} {label}",
            "x": middles_s,
            "y": values,
            "connectgaps": False,
            "line": {"color": colour, "width": 2, "dash": dash},
            "marker": {"color": colour, "size": 4},
            "hovertemplate": f"{name} {label} %{{y:.3~g}} ms<extra></extra>",
        }
