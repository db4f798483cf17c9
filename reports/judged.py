"""The page about a file with anybody's history: verdict, picture, operations, how it was found."""

from collections.abc import Iterator, Mapping
from typing import Any

from ..harness.verdict import Validity
from .markup import Child, Html, el
from .page.tables import facts, table
from .prose import ICONS, value_text
from .standalone import head, page_header

_CHARACTER = 8
"""Pixels of a column of the picture: a character of its labels."""
_LANE = 40
_MARGIN = 120


def render(judged: Mapping[str, Any]) -> str:
    """The whole page, which needs nothing else. Everything that comes from the file is escaped."""
    sections = [
        _section("verdict", "Verdict", _banner(judged)),
        _section("witness", "The operations that show it", _witness(judged)),
        _section("findings", "All that is wrong", _findings(judged)),
        _section("how", "How it was found", _how(judged)),
    ]
    title = f"{judged['validity']}: {judged['file']} · Delphic"
    return "".join(
        (
            '<!doctype html>\n<html lang="en">',
            head(title, ("report.css",), ()).text,
            "<body>",
            page_header().text,
            el("main", sections).text,
            "</body></html>\n",
        )
    )


def _section(anchor: str, title: str, content: Html | None) -> Html | None:
    if content is None:
        return None
    hidden = "heard" if anchor == "verdict" else None
    heading = el("h2", title, id=f"{anchor}-title", class_=hidden)
    return el("section", heading, content, id=anchor, aria_labelledby=f"{anchor}-title")


def _banner(judged: Mapping[str, Any]) -> Html:
    icon, word = ICONS[Validity(judged["validity"])]
    about = f"{judged['operations']:,} operations, judged as {judged['spec']}"
    told = judged["findings"][0] if judged["findings"] else None
    return el(
        "div",
        el(
            "div",
            el("p", el("span", icon, class_="icon", aria_hidden="true"), word, class_="word"),
            class_=f"verdict {judged['validity']}",
        ),
        el("h1", judged["file"]),
        el("p", about, class_="meta"),
        el("p", judged["sentence"], class_="sentence"),
        el("p", el("strong", told["anomaly"]), f": {told['meaning']}")
        if told and told["meaning"]
        else None,
    )


def _witness(judged: Mapping[str, Any]) -> Html | None:
    if not judged["witness"]:
        return None
    heads = ("op", "line", "process", "node", "did", "answered", "time")
    rows = [_row(shown) for shown in judged["witness"]]
    caption = "Left to right is time; an operation with a dashed frame was never answered."
    return el(
        "div",
        el("figure", el("div", _lanes(judged["witness"]), class_="scroll"),
           el("figcaption", caption)),
        el("p", judged["proof"]) if judged["proof"] else None,
        table("Its operations, in order of invocation", heads, rows, class_="flow"),
    )  # fmt: skip


def _row(shown: Mapping[str, Any]) -> list[Child]:
    did = shown["f"] if shown["argument"] is None else f"{shown['f']} {_said(shown['argument'])}"
    if shown["key"] is not None:
        did = f"{did} on {_said(shown['key'])}"
    return [
        f"#{shown['invoked']}",
        "" if shown["line"] is None else str(shown["line"]),
        str(shown["process"]),
        shown["node"] or "",
        did,
        _said(shown["result"]) if shown["answered"] else "nobody knows",
        _time(shown),
    ]


def _said(value: Any) -> str:
    return "nothing" if value is None else value_text(value)


def _time(shown: Mapping[str, Any]) -> str:
    """From when to when, where the history says."""
    begin, end = shown["invoked_ns"], shown["returned_ns"]
    if not begin and not end:
        return ""
    return f"{begin / 1e9:.3f} s – " + ("?" if end is None else f"{end / 1e9:.3f} s")


def _lanes(witness: list[Mapping[str, Any]]) -> Html:
    """A lane for each process, with a frame for each of its operations."""
    processes = list(dict.fromkeys(shown["process"] for shown in witness))
    width = _MARGIN + _CHARACTER * (2 + max(shown["columns"][1] for shown in witness))
    height = _LANE * len(processes)
    names = [
        el("text", f"process {process}", x=0, y=_LANE * at + 24)
        for at, process in enumerate(processes)
    ]
    frames = [
        part
        for shown in witness
        for part in _frame(shown, _LANE * processes.index(shown["process"]))
    ]
    label = f"{len(witness)} operations of {len(processes)} processes over time"
    return el(
        "svg",
        names,
        frames,
        viewBox=f"0 0 {width} {height}",
        width=width,
        height=height,
        role="img",
        aria_label=label,
        class_="lanes",
    )


def _frame(shown: Mapping[str, Any], top: int) -> Iterator[Html]:
    start, end = shown["columns"]
    x = _MARGIN + _CHARACTER * start
    kind = None if shown["answered"] else "open"
    yield el("rect", x=x, y=top + 6, width=_CHARACTER * (end - start), height=27, rx=4,
             class_=kind)  # fmt: skip
    yield el("text", shown["label"], x=x + _CHARACTER, y=top + 24)


def _findings(judged: Mapping[str, Any]) -> Html | None:
    if judged["findings_count"] < 2:
        return None
    told = [
        el("li", el("strong", one["anomaly"]), f": {one['sentence']}") for one in judged["findings"]
    ]
    rest = judged["findings_count"] - len(told)
    return el("div", el("ul", told), el("p", f"… and {rest:,} more") if rest else None)


def _how(judged: Mapping[str, Any]) -> Html:
    told = {
        "format": judged["format"],
        "judged by": judged["method"],
        "objects told apart by": judged["partition"],
        "operations": judged["operations"],
        "never answered": judged["unanswered"],
        "certainly failed, left out": judged["failed"],
        "seconds to read": judged["read_s"],
        "seconds to judge": judged["judged_s"],
    }
    if judged["decided_up_to"] is not None:
        told["right up to"] = f"#{judged['decided_up_to']}"
    notes = [el("li", note) for note in judged["notes"]]
    return el("div", facts("In figures", told), el("ul", notes) if notes else None)
