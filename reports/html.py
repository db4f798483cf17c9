"""The page: one file that needs nothing else, from the verdict down to where everything lies."""

from functools import cache
from importlib.resources import files
from typing import NamedTuple

import msgspec

from . import figures
from .coverage import coverage
from .divergence import divergence_section
from .document import Document
from .hosts import hosts_section
from .lag import lag_figure, lag_section
from .markup import Child, Html, el
from .sections import (
    banner,
    checkers,
    fault_section,
    logs,
    provenance,
    statistics,
    story,
)
from .series import KINDS_MAX
from .standalone import asset, head, page_header
from .violations import witness_section

_MOVES = (("◀", "Earlier", "ArrowLeft"), ("▶", "Later", "ArrowRight"),
          ("−", "Zoom out", "-"), ("+", "Zoom in", "+"))  # fmt: skip


def render(document: Document) -> str:
    """The whole page. Everything that comes from the run is escaped."""
    parts = (
        _Part("verdict", "Verdict", "Verdict", banner(document)),
        _Part("story", "Figures", "The run in figures", story(document)),
        _Part("witness", "Witness", "Witness", witness_section(document)),
        _Part(
            "divergence", "Model", "Where the model says otherwise", divergence_section(document)
        ),
        _Part("timeline", "Timeline", "Operations over time", _timeline(document)),
        _Part("lag", "Lag", "Replication: lag and states", lag_section(document)),
        _Part("latency", "Latency", "Latency and throughput", _series(document)),
        _Part("checkers", "Checks", "What was checked", checkers(document)),
        _Part("faults", "Faults", "Faults and their receipts", fault_section(document)),
        _Part("statistics", "Statistics", "Statistics", statistics(document)),
        _Part("coverage", "Model", "Steps of the model", coverage(document)),
        _Part("logs", "Logs", "Logs of the members", logs(document)),
        _Part("hosts", "Hosts", "Where the members lived", hosts_section(document.hosts)),
        _Part("provenance", "Provenance", "Where this comes from", provenance(document)),
    )
    shown = [part for part in parts if part.content is not None]
    links = [el("li", el("a", part.name, href=f"#{part.anchor}")) for part in shown]
    header = page_header(el("nav", el("ul", links), aria_label="Sections"))
    # Megabytes of script are joined once, not nested into element after element.
    pieces = [
        '<!doctype html>\n<html lang="en">',
        _head(document).text,
        "<body>",
        el("a", "Skip to the verdict", href="#verdict", class_="skip").text,
        header.text,
        el("main", map(_section, shown)).text,
        '<script type="application/json" id="data">',
        _data(document),
        *(f"</script>\n<script>{script}" for script in _scripts()),
        "</script></body></html>\n",
    ]
    return "".join(pieces)


class _Part(NamedTuple):
    """One section: its name in the navigation, and its heading."""

    anchor: str
    name: str
    title: str
    content: Child


def _section(part: _Part) -> Html:
    hidden = "heard" if part.anchor == "verdict" else None
    heading = el("h2", part.title, id=f"{part.anchor}-title", class_=hidden)
    return el(
        "section",
        heading,
        part.content,
        id=part.anchor,
        aria_labelledby=f"{part.anchor}-title",
    )


def _head(document: Document) -> Html:
    validity = "not judged" if document.validity is None else document.validity.value
    return head(f"{validity}: {document.title} · Delphic", ("report.css",), _scripts())


def _timeline(document: Document) -> Html | None:
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
        _buttons(document),
        el("div", id="timeline-plot", class_="plot", tabindex=0, role="group", aria_label=label),
        el(
            "figcaption",
            el("span", "Drag to zoom, double-click to see all; ", class_="fine"),
            el("span", "Tap a mark for its operation; ", class_="coarse"),
            "with the keyboard: arrow keys move, + and − zoom, 0 shows all. Shapes tell functions, "
            "colours outcomes; bars reach from invocation to completion.",
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
        for role in figures.ROLE_COLOURS
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


def _series(document: Document) -> Html | None:
    found = document.series
    if not found.middles_s:
        return None
    label = f"Latency and throughput in bins of {found.bin_s:g} seconds"
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
        el("div", id="series-plot", class_="plot", tabindex=0, role="group", aria_label=label),
        el(
            "figcaption",
            f"Latency of successful calls (dots are single calls) and completions a second, in "
            f"bins of {found.bin_s:g} s. Shaded: faults in force.",
        ),
    )


def _data(document: Document) -> str:
    """What the page's script draws, as JSON that cannot end the element it is in."""
    found = document.calls
    witness = {row.index: row.number for w in document.witnesses[:1] for row in w.numbered}
    data = {
        "end": document.end / 1e6,
        "bin": document.series.bin_s,
        "timeline": figures.timeline(document),
        "series": figures.series(document) if document.series.middles_s else None,
        "lag": lag_figure(document),
        "calls": found,
        "outcomes": ("ok", "fail", "info"),
        "witness": witness,
    }
    text = msgspec.json.encode(data).decode()
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@cache
def _scripts() -> tuple[str, str]:
    plotly = files("plotly").joinpath("package_data", "plotly.min.js").read_text("utf-8")
    assert "</script" not in plotly.lower()
    return plotly, asset("report.js")
