"""Which of the model's steps a run made, and which it never did."""

from collections.abc import Sequence
from itertools import groupby

import msgspec

from ...harness.prose import plural
from ..markup import Child, Html, el
from .document import Document
from .tables import table


class Made(msgspec.Struct, frozen=True):
    """What verdict.json says of it; a kind is an event and what it did."""

    steps: int
    exercised: int
    kinds: int
    never: tuple[tuple[str, str], ...]
    beyond: tuple[tuple[str, str], ...]


def coverage(document: Document) -> Html | None:
    """How many kinds of steps were made; the others by event. None where nobody counted."""
    told = None if document.verdict is None else document.verdict.statistics.get("coverage")
    try:
        made = msgspec.convert(told, Made)
    except msgspec.ValidationError:
        # No coverage, or one by another version.
        return None
    sentence = (
        f"The members made {plural(made.steps, 'step')} of the model, of {made.exercised} of the "
        f"{made.kinds} kinds that exploring it reaches."
    )
    if made.beyond:
        sentence += f" Beyond the bounds of that: {plural(len(made.beyond), 'kind')}."
    return el(
        "div",
        el("p", sentence),
        _kinds("Kinds that never came", made.never),
        _kinds("Kinds beyond the bounds of exploring", made.beyond),
    )


def _kinds(title: str, kinds: Sequence[tuple[str, str]]) -> Html | None:
    if not kinds:
        return None
    rows: list[list[Child]] = [
        [event, el("ul", [el("li", branch) for _, branch in branches])]
        for event, branches in groupby(kinds, key=lambda kind: kind[0])
    ]
    heads = ("event", "what it would have done")
    return el("details", el("summary", title), table(title, heads, rows, class_="flow"))
