"""Facts of a run as HTML tables that stay legible on a phone."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from ..markup import Child, Html, el
from ..prose import seconds_text, value_text
from .faults import Act, Probe
from .nodelogs import Excerpt

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
    alone = [(name, value) for name, value in _flat(values, depth=DEPTH_MAX) if not _group(value)]
    found = []
    if alone:
        rows = [(_words(name), value_cell(value)) for name, value in alone]
        found.append(table(caption, ("what", "value"), rows, class_="facts"))
    for name, value in values.items():
        group = _group(value)
        if not group:
            continue
        title = f"{caption}: {_words(name)}"
        if len(group) > 1 and all(isinstance(v, Mapping) for v in group.values()):
            found.append(_matrix(title, group))
        else:
            found += facts(title, {k: v for k, v in _flat(group)})
    return found


def _group(value: Any) -> Mapping[str, Any]:
    """The value as a group of values with names, if it is one."""
    if isinstance(value, Mapping):
        return value
    if isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
        return {str(number): item for number, item in enumerate(value, start=1)}
    return {}


def _matrix(caption: str, group: Mapping[str, Mapping[str, Any]]) -> Html:
    """Groups of the same kind side by side, in a column each if those are fewer."""
    flat = {name: dict(_flat(values)) for name, values in group.items()}
    names = list(dict.fromkeys(name for values in flat.values() for name in values))
    if len(names) < len(flat):
        rows = [(key, *(value_cell(values.get(n)) for n in names)) for key, values in flat.items()]
        return table(caption, ("name", *map(_words, names)), rows, class_="grid")
    rows = [(_words(n), *(value_cell(values.get(n)) for values in flat.values())) for n in names]
    return table(caption, ("what", *flat), rows, class_="grid")


def _flat(values: Mapping[str, Any], depth: int = 1) -> Iterable[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping) and value and depth < DEPTH_MAX:
            yield from ((f"{name} {path}", found) for path, found in _flat(value, depth + 1))
        else:
            yield str(name), value


def _words(name: str) -> str:
    """`longest under faults` of `longest_under_faults`."""
    return name.replace("_", " ")


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
            return _float_cell(value)
        case str():
            return value
        case list() | tuple() if all(isinstance(item, str | int) for item in value):
            return ", ".join(map(str, value)) or "–"
        case _:
            return value_text(value)


def _float_cell(value: float) -> str:
    """Three decimals; of what is below one, three digits that say something."""
    if 0 < abs(value) < 1:
        return f"{value:.3g}"
    return f"{value:,.3f}".rstrip("0").rstrip(".")


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


def excerpt(log: Excerpt, *, is_open: bool = False) -> Html:
    """Lines of one member's log, folded away or not."""
    lines: list[Child] = []
    last = None
    for line in log.lines:
        if last is not None and line.number != last + 1:
            lines.append(el("span", "⋯\n", class_="left-out"))
        last = line.number
        time = seconds_text(line.time) if line.is_stamped else ""
        number = el("span", f"{line.number:>5} ", class_="number")
        lines += [number, el("span", f"{time:>10} ", class_="time"), f"{line.text}\n"]
    summary = el("summary", el("strong", log.node), " ", log.note)
    text = el("pre", lines, tabindex=0, aria_label=f"Log of {log.node}") if lines else None
    return el("details", summary, text, open=is_open, class_="log")
