"""Which of the model's steps a run made, and which it never did."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from .document import Document
from .markup import Child, Html, el
from .prose import plural
from .tables import table


def coverage(document: Document) -> Html | None:
    """How many kinds of steps were made; the others by event. None where nobody counted."""
    found = None if document.verdict is None else document.verdict.statistics.get("coverage")
    if not found:
        return None
    seen, whole = found["exercised"], found["kinds"]
    beyond = found["beyond"]
    sentence = (
        f"The members made {plural(found['steps'], 'step')} of the model, of {seen} of the {whole} "
        "kinds that exploring it reaches."
    )
    if beyond:
        sentence += f" {plural(len(beyond), 'kind')} lie beyond the bounds of that."
    return el(
        "div",
        el("p", sentence),
        _kinds(f"{plural(whole - seen, 'kind')} that never came", found["never"]),
        _kinds(f"{plural(len(beyond), 'kind')} beyond the bounds", beyond),
    )


def _kinds(title: str, kinds: Sequence[Any]) -> Html | None:
    if not kinds:
        return None
    rows: list[list[Child]] = [
        [event, el("ul", [el("li", branch) for _, branch in branches])]
        for event, branches in groupby(kinds, key=lambda kind: kind[0])
    ]
    heads = ("event", "what it would have done")
    return el("details", el("summary", title), table(title, heads, rows, class_="flow"))
