"""Facts of a run as HTML tables that stay legible on a phone."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from .faults import Act, Probe
from .markup import Child, Html, el
from .prose import value_text

Rows = Iterable[Sequence[Child]]

DEPTH_MAX = 6
NOTHING = ("–", "", None)
"""Cells that a narrow page leaves out."""


def table(caption: Child, heads: Sequence[str], rows: Rows, *, class_: str = "stack") -> Html:
    """A table whose rows begin with their heading.

    Where it is narrow, rows of a `stack` become cards with labels and those of a `flow` cards
    without; the roles keep both tables for those who hear them.
    """
    body = [_row(heads, cells) for cells in rows]
    return _scroll(
        caption,
        el(
            "table",
            el("caption", caption),
            el(
                "thead",
                el(
                    "tr", [el("th", h, scope="col", role="columnheader") for h in heads], role="row"
                ),
                role="rowgroup",
            ),
            el("tbody", body, role="rowgroup"),
            class_=class_,
            role="table",
        ),
    )


def _row(heads: Sequence[str], cells: Sequence[Child]) -> Html:
    first, *rest = cells
    head = el("th", first, scope="row", role="rowheader", data_label=heads[0])
    others = [
        el("td", cell, role="cell", data_label=name, class_="none" if cell in NOTHING else None)
        for name, cell in zip(heads[1:], rest, strict=True)
    ]
    return el("tr", head, others, role="row")


def _scroll(label: Child, content: Html) -> Html:
    """Content that scrolls by itself where it is wider than the page."""
    name = label.text if isinstance(label, Html) else str(label)
    return el("div", content, class_="scroll", tabindex=0, role="region", aria_label=name)


def facts(caption: str, values: Mapping[str, Any]) -> list[Html]:
    """Nested values as tables: what stands alone first, then a table for each group."""
    alone = {k: v for k, v in values.items() if not isinstance(v, Mapping)}
    groups = {k: v for k, v in values.items() if isinstance(v, Mapping) and v}
    found = []
    if alone:
        rows = [(name, value_cell(value)) for name, value in alone.items()]
        found.append(table(caption, ("what", "value"), rows, class_="facts"))
    for name, group in groups.items():
        title = f"{caption}: {name}"
        nested = [v for v in group.values() if isinstance(v, Mapping)]
        if len(nested) == len(group) > 1:
            found.append(_matrix(title, group))
        else:
            rows = [(path, value_cell(value)) for path, value in _flat(group)]
            found.append(table(title, ("what", "value"), rows, class_="facts"))
    return found


def _matrix(caption: str, group: Mapping[str, Mapping[str, Any]]) -> Html:
    """Groups of the same kind side by side: one row each."""
    flat = {name: dict(_flat(values)) for name, values in group.items()}
    columns = list(dict.fromkeys(column for values in flat.values() for column in values))
    rows = [
        (name, *(value_cell(values.get(column)) for column in columns))
        for name, values in flat.items()
    ]
    return table(caption, ("", *columns), rows, class_="grid")


def _flat(values: Mapping[str, Any], depth: int = 1) -> Iterable[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping) and value and depth < DEPTH_MAX:
            yield from ((f"{name} {path}", found) for path, found in _flat(value, depth + 1))
        else:
            yield str(name), value


def value_cell(value: Any) -> str:
    """A value for people."""
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.3f}".rstrip("0").rstrip(".")
        case str():
            return value
        case list() | tuple() if all(isinstance(item, str | int) for item in value):
            return ", ".join(map(str, value)) or "–"
        case _:
            return value_text(value)


def reachability(act: Act) -> Html | None:
    """Who reached whom, as seen after the act: a row for who sent, a column for who should hear."""
    if not act.probes:
        return None
    names = sorted({p.source for p in act.probes} | {p.destination for p in act.probes})
    by_pair = {(probe.source, probe.destination): probe for probe in act.probes}
    rows = [
        (source, *(_probe_cell(by_pair.get((source, destination))) for destination in names))
        for source in names
    ]
    caption = "Observed: does what the row sends reach the column?"
    return table(caption, ("from \\ to", *names), rows, class_="reach")


def _probe_cell(probe: Probe | None) -> Child:
    if probe is None:
        return "·"
    if probe.seconds is None:
        found, name = "✕ cut", "cut"
    else:
        found, name = f"✓ {probe.seconds * 1e3:.1f} ms", "open"
    if probe.is_as_wanted:
        return el("span", found, class_=name)
    wanted = "cut" if probe.wanted_cut else "open"
    return el("strong", f"{found}, wanted {wanted}", class_="unwanted")


def states(act: Act) -> Html | None:
    """What the member's processes were, as seen after the act."""
    if not act.states:
        return None
    grouped = groupby(sorted(act.states, key=lambda pair: pair[1]), key=lambda pair: pair[1])
    told = [f"{', '.join(node for node, _ in pairs)} {state}" for state, pairs in grouped]
    return el("p", "Observed: ", el("strong", "; ".join(told)), ".")
