"""The list of runs: filtered, sorted, a page at a time."""

import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from starlette.responses import HTMLResponse

from ...harness.prose import plural
from ..index.index import Index
from ..index.listing import ORDERS, UNEXPECTED, Choice, Filter, Order, choices, count, listed
from ..markup import Child, Html, el, joined
from ..prose import shortened
from ..signs import badge, sign_and_word
from ..suite.counted import day
from .frame import page, run_path

PAGE_ROWS = 50

_HEADS: tuple[tuple[str, str], ...] = (
    ("run", "scenario"),
    ("verdict", "verdict"),
    ("target", "target"),
    ("seed", "seed"),
    ("started", "started"),
    ("took", "duration"),
    ("ops/s", "rate"),
)
"""Heads of columns, and by what they sort."""


@dataclass(frozen=True, slots=True)
class Query:
    """What the address asks for."""

    wanted: Filter
    order: Order
    number: int = 1

    @property
    def first(self) -> int:
        return (self.number - 1) * PAGE_ROWS

    def address(self, path: str = "/") -> str:
        """The same as an address; what is as always is left out."""
        wanted, order = self.wanted, self.order
        said = {
            "q": wanted.text,
            "scenario": wanted.scenario,
            "verdict": wanted.kind,
            "target": wanted.target,
            "sort": "" if order == Order() else f"{'-' if order.is_falling else ''}{order.by}",
            "page": "" if self.number == 1 else str(self.number),
        }
        kept = {name: value for name, value in said.items() if value}
        return f"{path}?{urlencode(kept)}" if kept else path


def query(parameters: Mapping[str, str]) -> Query:
    """Whatever it says: what nobody understands is as if it had not been said."""
    sort = parameters.get("sort", "")
    by = sort.removeprefix("-")
    return Query(
        Filter(
            scenario=parameters.get("scenario", ""),
            kind=parameters.get("verdict", ""),
            target=parameters.get("target", ""),
            text=parameters.get("q", ""),
        ),
        Order(by, is_falling=sort.startswith("-")) if by in ORDERS else Order(),
        _page_number(parameters.get("page", "")),
    )


def _page_number(text: str) -> int:
    return int(text) if re.fullmatch(r"[1-9][0-9]{0,6}", text) else 1


def render(index: Index, asked: Query) -> HTMLResponse:
    """The page of an index that is up to date; it follows how the list changes."""
    title = f"Runs in {index.root.name}"
    return page(
        title, el("h1", title), el("div", parts(index, asked), data_list=asked.address("/live"))
    )


def parts(index: Index, asked: Query) -> Html:
    """What changes when a run begins or ends."""
    found = count(index, asked.wanted)
    last = max(1, -(-found // PAGE_ROWS))
    asked = replace(asked, number=min(asked.number, last))
    rows = listed(index, asked.wanted, asked.order, asked.first, PAGE_ROWS)
    return joined(
        _filters(index, asked),
        el("p", _told(found, asked, last), role="status", class_="meta"),
        el("div", _table(rows, asked) if rows else _nothing(index)),
        el("div", _pages(asked, last) if last > 1 else None),
    )


def _told(found: int, asked: Query, last: int) -> str:
    of = f", page {asked.number} of {last}" if last > 1 else ""
    return f"{plural(found, 'run')}{of}"


def _filters(index: Index, asked: Query) -> Html:
    wanted = asked.wanted
    kinds = choices(index, "kind")
    odd = Choice(UNEXPECTED, count(index, Filter(kind=UNEXPECTED)))
    sort = f"{'-' if asked.order.is_falling else ''}{asked.order.by}"
    return el(
        "form",
        el(
            "label",
            "Text ",
            el("input", type="search", name="q", value=wanted.text, placeholder="promise, bug, …"),
        ),
        _select("Scenario", "scenario", choices(index, "scenario"), wanted.scenario),
        _select("Verdict", "verdict", [odd, *kinds] if odd.count else kinds, wanted.kind),
        _select("Target", "target", choices(index, "target"), wanted.target),
        el("input", type="hidden", name="sort", value=sort) if asked.order != Order() else None,
        el("button", "Filter", type="submit"),
        el("a", "All", href="/") if wanted != Filter() else None,
        class_="filters",
        role="search",
        action="/",
        data_filters=True,
    )


def _select(label: str, name: str, found: Sequence[Choice], chosen: str) -> Html:
    known = [choice.value for choice in found]
    options = [el("option", "any", value="")]
    if chosen and chosen not in known:
        options.append(el("option", chosen, value=chosen, selected=True))
    options += [
        el(
            "option",
            f"{_word(choice.value) if name == 'verdict' else choice.value} ({choice.count:,})",
            value=choice.value,
            selected=choice.value == chosen,
        )
        for choice in found
    ]
    return el("label", f"{label} ", el("select", options, name=name))


def _word(kind: str) -> str:
    return "Not as expected" if kind == UNEXPECTED else sign_and_word(kind)[1]


def _nothing(index: Index) -> Html:
    if count(index, Filter()):
        return el("p", "No run is like that.")
    return el("p", f"{index.root} holds no runs yet. ", el("code", "delphic run quickstart"),
              " makes one.")  # fmt: skip


def _table(rows: Sequence[sqlite3.Row], asked: Query) -> Html:
    heads = [el("th", el("span", "compare", class_="heard"), scope="col", role="columnheader")]
    heads += [_head(name, by, asked) for name, by in _HEADS]
    return el(
        "div",
        el("form", id="compare", action="/compare"),
        el(
            "div",
            el(
                "table",
                el("caption", "Tick two runs to compare them.", class_="fine-print"),
                el("thead", el("tr", heads, role="row"), role="rowgroup"),
                el("tbody", [_row(row) for row in rows], role="rowgroup"),
                class_="stack lead browse",
                role="table",
            ),
            class_="scroll",
            tabindex=0,
            role="region",
            aria_label="Runs",
        ),
        el("p", el("button", "Compare the two", type="submit", form="compare"), class_="act"),
    )


def _head(name: str, by: str, asked: Query) -> Html:
    order = asked.order
    is_this = order.by == by
    # What is asked for first: the newest, the worst, the longest; names from the first letter.
    falls = by not in ("scenario", "target", "seed")
    turned = Order(by, is_falling=not order.is_falling if is_this else falls)
    sign = ("▼" if order.is_falling else "▲") if is_this else ""
    return el(
        "th",
        el(
            "a",
            name,
            el("span", f" {sign}", aria_hidden="true") if sign else None,
            href=replace(asked, order=turned, number=1).address(),
        ),
        scope="col",
        role="columnheader",
        aria_sort=("descending" if order.is_falling else "ascending") if is_this else None,
    )


def _row(row: sqlite3.Row) -> Html:
    name = row["name"]
    tick = el(
        "input", type="checkbox", name="run", value=name, form="compare",
        aria_label=f"Compare {name}",
    )  # fmt: skip
    title = el("small", row["title"], class_="about") if row["title"] else None
    about = el("small", shortened(row["sentence"], 160), class_="about") if _is_told(row) else None
    cells: list[tuple[str, Child]] = [
        ("verdict", badge(row["kind"], _expected(row))),
        ("target", row["target"] or "–"),
        ("seed", "–" if row["seed"] is None else str(row["seed"])),
        ("started", day(row["started"])),
        ("took", "–" if row["duration_s"] is None else f"{row['duration_s']:,.1f} s"),
        ("ops/s", "–" if row["ok_per_s"] is None else f"{row['ok_per_s']:,.0f}"),
    ]
    link = el("a", row["scenario"] or name, href=run_path(name))
    return el(
        "tr",
        el("td", tick, role="cell", class_="tick"),
        el("th", link, title, about, scope="row", role="rowheader", data_label="run"),
        [el("td", cell, role="cell", data_label=label) for label, cell in cells],
        role="row",
        data_run=name,
    )


def _is_told(row: sqlite3.Row) -> bool:
    """Whether the sentence is worth its place: nobody reads why all is well."""
    return bool(row["sentence"]) and not row["as_expected"]


def _expected(row: sqlite3.Row) -> bool | None:
    return None if row["as_expected"] is None else bool(row["as_expected"])


def _pages(asked: Query, last: int) -> Html:
    return el("nav", el("ul", _steps(asked, last)), aria_label="Pages of the list", class_="pages")


def _steps(asked: Query, last: int) -> Iterator[Html]:
    number, is_by_age = asked.number, asked.order == Order()
    before, after = ("Newer", "Older") if is_by_age else ("Before", "Next")
    steps = (("First", 1), (before, number - 1), (after, number + 1), ("Last", last))
    for word, to in steps:
        if 1 <= to <= last and to != number:
            yield el("li", el("a", word, href=replace(asked, number=to).address()))
