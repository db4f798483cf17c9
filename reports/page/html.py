"""The page: one file that needs nothing else, from the verdict down to where everything lies."""

from typing import NamedTuple

from ..markup import Child, Html, el
from ..standalone import asset, head, page_header
from .backlog import queues_section
from .banner import banner
from .coverage import coverage
from .divergence import divergence_section
from .document import Document
from .hosts import hosts_section
from .lag import lag_section
from .plots import plotted, series_section, timeline_section
from .sections import checkers, fault_section, logs, provenance, statistics, story
from .spacetime import spacetime_section
from .violations import witness_section


def render(document: Document) -> str:
    """The whole page. Everything that comes from the run is escaped."""
    parts = (
        _Part("verdict", "Verdict", "Verdict", banner(document)),
        _Part("story", "Figures", "The run in figures", story(document)),
        _Part("witness", "Witness", "Witness", witness_section(document)),
        _Part(
            "divergence", "Model", "Where the model says otherwise", divergence_section(document)
        ),
        _Part("messages", "Messages", "Messages around it", spacetime_section(document)),
        _Part("timeline", "Timeline", "Operations over time", timeline_section(document)),
        _Part("lag", "Lag", "Replication: lag and states", lag_section(document)),
        _Part("queues", "Queues", "What waits", queues_section(document)),
        _Part("latency", "Latency", "Latency and throughput", series_section(document)),
        _Part("checkers", "Checks", "What was checked", checkers(document)),
        _Part("faults", "Faults", "Faults and their receipts", fault_section(document)),
        _Part("statistics", "Statistics", "Statistics", statistics(document)),
        _Part("coverage", "Coverage", "Steps of the model", coverage(document)),
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
        plotted(document),
        "</script>\n<script>",
        asset("report.js"),
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
    link = el("a", "#", href=f"#{part.anchor}", class_="anchor", aria_label=f"Link to {part.title}")
    heading = el("h2", part.title, " ", link, id=f"{part.anchor}-title", class_=hidden)
    return el(
        "section",
        heading,
        part.content,
        id=part.anchor,
        aria_labelledby=f"{part.anchor}-title",
    )


def _head(document: Document) -> Html:
    validity = "not judged" if document.validity is None else document.validity.value
    return head(
        f"{validity}: {document.title} · Delphic",
        ("plots.css", "report.css"),
        (asset("report.js"),),
    )
