"""The logs of all members as one, in the order of the harness's clock, to be searched."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from ...harness.prose import plural
from ..markup import Child, Html, el
from ..prose import seconds_text
from .nodelogs import NodeLog

LINES_MAX = 2_000
"""Of more lines, those nearest to what matters: a page of all would not open on a phone."""


class MergedLine(NamedTuple):
    """One line; microseconds from the start of the run."""

    time: int
    node: str
    number: int
    text: str
    left_out: int = 0
    """So many lines before it are not shown."""


class Merged(msgspec.Struct, frozen=True):
    """Lines of all members by time, those of `total` that are shown. Members whose logs tell no
    time are `untimed`, and not among them."""

    lines: tuple[MergedLine, ...] = ()
    total: int = 0
    untimed: tuple[str, ...] = ()


def merged(logs: Sequence[NodeLog], moments: Iterable[int]) -> Merged:
    """All lines that tell a time, or the nearest to these moments if they are very many."""
    found = [
        MergedLine(
            line.time,
            log.node,
            line.number,
            # Members of ours begin with their own name, too.
            line.text.removeprefix(f"{log.node} "),
        )
        for log in logs
        for line in log.lines
        if line.time is not None
    ]
    found.sort(key=lambda line: line[:3])
    untimed = tuple(log.node for log in logs if log.lines and not log.timed)
    if len(found) <= LINES_MAX:
        return Merged(tuple(found), len(found), untimed)
    return Merged(tuple(_nearest(found, sorted(moments))), len(found), untimed)


def _nearest(found: Sequence[MergedLine], moments: Sequence[int]) -> Iterable[MergedLine]:
    """The first and last ones, and those nearest to a moment, each with what is missing before."""
    points = sorted({found[0].time, found[-1].time, *moments})

    def distance(at: int) -> int:
        place = bisect_left(points, found[at].time)
        return min(abs(points[near] - found[at].time) for near in (place - 1, place)
                   if 0 <= near < len(points))  # fmt: skip

    kept = sorted(sorted(range(len(found)), key=lambda at: (distance(at), at))[:LINES_MAX])
    last = -1
    for at in kept:
        yield found[at]._replace(left_out=at - last - 1)
        last = at


def merged_section(logs: Merged) -> Html | None:
    """A search field, a choice of members, and the lines."""
    shown = logs.lines
    if not shown:
        return None
    nodes = sorted({line.node for line in shown})
    choice = el("select", el("option", "all", value=""), [el("option", n) for n in nodes],
                id="log-node", data_log="node")  # fmt: skip
    field = el("input", type="search", id="log-text", data_log="text", placeholder="words")
    total = logs.total
    of = "" if len(shown) == total else f" of {total:,}: those nearest to faults and to the witness"
    more = [f"Logs without times are left out: {', '.join(logs.untimed)}."]
    return el(
        "div",
        el(
            "div",
            el("span", el("label", "Member", for_="log-node"), " ", choice),
            el("span", el("label", "Text", for_="log-text"), " ", field),
            el("output", plural(len(shown), "line") + of, id="log-count", aria_live="polite"),
            class_="filters",
            role="group",
            aria_label="Filter the log",
        ),
        el("ol", [_line(line) for line in shown], class_="merged", tabindex=0, id="merged",
           aria_label="Logs of all members, by time"),
        el("p", more if logs.untimed else None, class_="meta"),
    )  # fmt: skip


def _line(line: MergedLine) -> Html:
    gap: Child = None
    if line.left_out:
        gap = el("span", f"⋯ {plural(line.left_out, 'line')} left out", class_="left-out")
    return el(
        "li",
        gap,
        el("span", f"{seconds_text(line.time)} ", class_="time"),
        el("b", f"{line.node} "),
        line.text,
        data_node=line.node,
    )
