"""The plots of a run's page: what stands around them, and the data that the page's script draws."""

from collections.abc import Sequence

import msgspec

from ..markup import Child, Html, el
from . import figures
from .backlog import queue_figures
from .document import Document
from .lag import lag_figure
from .series import KINDS_MAX

_MOVES = (("◀", "Earlier", "ArrowLeft"), ("▶", "Later", "ArrowRight"),
          ("−", "Zoom out", "-"), ("+", "Zoom in", "+"))  # fmt: skip


def timeline_section(document: Document) -> Html | None:
    if not len(document.calls) and not document.spans:
        return el("p", "There are no operations to show.", class_="missing")
    found = document.calls
    label = (
        f"{len(found):,} operations of {found.lanes} clients and the roles of "
        f"{len(document.members)} members over {document.end / 1e6:.1f} seconds"
    )
    return el(
        "figure",
        _legend(document),
        _filters(document),
        _buttons(document),
        el("div", id="timeline-plot", class_="plot", tabindex=0, role="group", aria_label=label),
        el("p", id="timeline-detail", class_="detail", aria_live="polite"),
        el(
            "figcaption",
            el(
                "span", "Drag to zoom, with Shift to move, double-click to see all; ", class_="fine"
            ),
            el("span", "Tap a mark for its operation, swipe to move; ", class_="coarse"),
            "with the keyboard: arrow keys move, + and − zoom, 0 shows all, . and , go from "
            "operation to operation. Shapes tell functions, colours outcomes; bars reach from "
            "invocation to completion.",
        ),
        el("noscript", el("p", "The plots need JavaScript; the tables do not.")),
    )


def _legend(document: Document) -> Html:
    """What shapes and colours mean; what clients did can be switched off."""
    fs = document.calls.fs
    names = list(fs)
    if len(fs) > KINDS_MAX:
        names = [*fs[: KINDS_MAX - 1], f"{len(fs) - KINDS_MAX + 1} others"]
    rest = None if len(fs) <= KINDS_MAX else ", ".join(fs[KINDS_MAX - 1 :])
    shapes = [
        el("button", el("span", _shape(at), class_="shape", aria_hidden="true"), name,
           type="button", data_toggle_f=at, aria_pressed="true",
           title=rest if at == KINDS_MAX - 1 else None)
        for at, name in enumerate(names)
    ]  # fmt: skip
    outcomes = [
        el("button", el("span", class_=f"swatch {name}"), meaning, type="button",
           data_toggle_outcome=code, aria_pressed="true")
        for code, (name, meaning) in enumerate(_OUTCOMES)
    ]  # fmt: skip
    present = {span.role for span in document.spans}
    roles = [
        el("span", el("span", class_=f"swatch {role}"), role, class_="key")
        for role in figures.ROLES
        if role in present
    ]
    return el(
        "div",
        el("div", shapes, outcomes, role="group", aria_label="Operations to show"),
        el("div", roles),
        class_="legend",
    )


_OUTCOMES = (
    ("ok", "ok"),
    ("fail", "fail: certainly not done"),
    ("info", "info: nobody knows"),
)


def _filters(document: Document) -> Html:
    """What to show of what clients did, and how much that is."""
    found = document.calls
    nodes = sorted((name, at) for at, name in enumerate(found.nodes) if name)
    choices = [
        _choice("Client", "lane", [(f"client {n}", n) for n in range(found.lanes)]),
        _choice("Node", "node", nodes),
    ]
    if len(found.fs) > 1:
        choices.append(_choice("Function", "f", [(f, at) for at, f in enumerate(found.fs)]))
    if len(found.keys) > 1:
        field = el("input", type="search", data_filter="key", id="filter-key",
                   placeholder="part of a key")  # fmt: skip
        choices.append(el("span", el("label", "Key", for_="filter-key"), " ", field))
    count = el("output", id="timeline-count", aria_live="polite")
    return el("div", choices, count, class_="filters", role="group", aria_label="Filter")


def _choice(name: str, of: str, values: Sequence[tuple[str, int]]) -> Html:
    options = [el("option", text, value=code) for text, code in values]
    everything = el("option", "all", value="")
    return el(
        "span",
        el("label", name, for_=f"filter-{of}"),
        " ",
        el("select", everything, options, id=f"filter-{of}", data_filter=of),
    )


def _shape(at: int) -> str:
    return "■●◆"[min(at, 2)]


def _buttons(document: Document) -> Html:
    """Places worth looking at."""
    end = document.end / 1e6
    places: list[tuple[str, float, float]] = [("Whole run", 0, end)]
    for witness in document.witnesses[:1]:
        for row in witness.numbered[:4]:
            until = row.start if row.end is None else row.end
            places.append((f"Witness {row.number}", row.start / 1e6, until / 1e6))
    for act in [act for act in document.acts if act.number is not None][: figures.FAULT_ROWS_MAX]:
        until = document.end if act.end is None else act.end
        places.append((f"F{act.number} {act.kind}", act.start / 1e6, until / 1e6))
    buttons = [
        el("button", name, type="button", data_from=round(start, 4), data_to=round(stop, 4))
        for name, start, stop in places
    ]
    moves = [
        el("button", sign, type="button", aria_label=name, title=name, data_move=key)
        for sign, name, key in _MOVES
    ]
    return el("div", buttons, moves, class_="zoom", role="group", aria_label="Zoom to")


def series_section(document: Document) -> Html | None:
    found = document.series
    if not found.middles_s:
        return None
    label = f"Latency of successful calls in bins of {found.bin_s:g} seconds"
    keys: list[Child] = [
        el("span", el("span", class_=f"swatch series-{min(at, 2)}"), latency.f, class_="key")
        for at, latency in enumerate(found.latencies)
    ]
    keys += [el("span", text, class_="key") for text in ("— median", "··· 99th percentile")]
    outcomes = [
        el("span", el("span", class_=f"swatch {name}"), name, class_="key") for name in found.rates
    ]
    return el(
        "figure",
        el("div", el("div", keys), el("div", outcomes), class_="legend"),
        el("div", id="latency-plot", class_="plot", tabindex=0, role="group", aria_label=label),
        el("div", id="rates-plot", class_="plot", tabindex=0, role="group",
           aria_label="Completions a second by outcome"),
        el(
            "figcaption",
            f"Latency of successful calls (dots are single calls) and completions a second, in "
            f"bins of {found.bin_s:g} s. Shaded: faults in force.",
        ),
    )  # fmt: skip


def plotted(document: Document) -> str:
    """What the page's script draws, as JSON that cannot end the element it is in."""
    witness = {row.index: row.number for w in document.witnesses[:1] for row in w.numbered}
    data = {
        "end": document.end / 1e6,
        "bands": figures.bands(document),
        "timeline": figures.timeline(document),
        "series": document.series if document.series.middles_s else None,
        "lag": lag_figure(document),
        "queues": queue_figures(document),
        "calls": document.calls,
        "outcomes": ("ok", "fail", "info"),
        "witness": witness,
    }
    text = msgspec.json.encode(data).decode()
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
