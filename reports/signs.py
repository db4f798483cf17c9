"""What verdicts and states of runs look like: a sign, a word and the name of a colour."""

from ..harness.verdict import Validity
from .index.facts import State
from .markup import Html, el
from .prose import ICONS

_STATES = {
    State.RUNNING: ("▶", "Running"),
    State.SILENT: ("…", "Silent"),
    State.DEAD: ("†", "Dead"),
    State.DAMAGED: ("!", "Damaged"),
}


def sign_and_word(kind: str) -> tuple[str, str]:
    """Of a verdict, or of what an unjudged run is."""
    try:
        return ICONS[Validity(kind)]
    except ValueError:
        return _STATES[State(kind)]


def badge(kind: str, as_expected: bool | None = None) -> Html:
    """Sign and word; and whether that was expected where a reader would think otherwise."""
    sign, word = sign_and_word(kind)
    is_odd = as_expected is not None and as_expected != (kind == Validity.PASS)
    note = None
    if is_odd:
        note = el("small", " as expected" if as_expected else " not expected")
    return el(
        "span",
        el("span", sign, aria_hidden="true"),
        f" {word}",
        note,
        class_=f"state {kind}{(' meant' if as_expected else ' odd') if is_odd else ''}",
    )
