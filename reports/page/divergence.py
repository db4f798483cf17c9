"""The section of the page that shows where members part from the model: states side by side."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ...harness.prose import plural
from ...harness.verdict import Verdict
from ..markup import Child, Html, el
from ..prose import shortened
from .document import Document
from .tables import table

CHECKER = "conformance"
OF_CORES = "replication-conformance"

VALUE_CHARACTERS_MAX = 400

_HEADS = ("field", "last agreed", "then, in the model", "then, in the implementation")
_AROUND = ("when", "member", "step", "was given", "was then")


class Line(msgspec.Struct, frozen=True):
    """What a member did around a divergence, as verdict.json says."""

    at_s: float | None = None
    member: Any = ""
    step: Any = ""
    event: Any = ""
    then: Any = ""
    is_it: bool = False


class Other(msgspec.Struct, frozen=True):
    """Something else that cannot be."""

    where: Any = None
    reason: Any = ""
    promises: tuple[Any, ...] = ()


class Divergence(msgspec.Struct, frozen=True):
    """What verdict.json says of a divergence: the schema leaves it to the checker."""

    member: Any = None
    incarnation: Any = None
    step: Any = None
    cause: Any = None
    would_break: tuple[Any, ...] = ()
    states: tuple[tuple[Any, Any, Any, Any], ...] = ()
    around: tuple[Line, ...] = ()


def divergence_section(document: Document) -> Html | None:
    """The first step that the model does not make; None if there was none."""
    for verdict in document.verdicts:
        found = verdict.details.get("divergence")
        if verdict.checker == CHECKER and isinstance(found, Mapping):
            return _divergence(verdict, found)
        if verdict.checker == OF_CORES and isinstance(found, Mapping):
            return _divergence_of_core(verdict, found)
    return None


def _divergence_of_core(verdict: Verdict, found: Mapping[str, Any]) -> Html:
    """One step of one core of replication: what it was given, and the one thing that differs."""
    caption = (
        f"Step {found.get('step')} of incarnation {found.get('incarnation')} of the core "
        f"{found.get('core')} of {found.get('member')}"
    )
    differs = (
        el("span", "≠ ", str(found.get("what")), class_="mark"),
        el("strong", _spelled(found.get("model"))),
        el("strong", _spelled(found.get("found")), class_="unwanted"),
    )
    return el(
        "article",
        el("p", verdict.sentence, class_="sentence"),
        table(caption, ("what", "in the model", "in the implementation"), [differs]),
        el("p", "It was given: ", el("code", _spelled(found.get("event")))),
        class_="violation",
    )


def _spelled(value: Any) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return shortened(text, VALUE_CHARACTERS_MAX)


def _divergence(verdict: Verdict, told: Mapping[str, Any]) -> Html:
    sentence = el("p", verdict.sentence, class_="sentence")
    try:
        found = msgspec.convert(told, Divergence)
        others = msgspec.convert(verdict.details.get("others") or (), tuple[Other, ...])
    except msgspec.ValidationError as error:
        # By another version, or damaged.
        more = el("p", f"What verdict.json says of it cannot be read ({error}).")
        return el("article", sentence, more, class_="violation")
    broken = ", ".join(map(str, found.would_break))
    return el(
        "article",
        sentence,
        _states(found),
        el("p", f"In the model such a step breaks: {broken}.") if broken else None,
        _around(found.around),
        _others(others),
        class_="violation",
    )


def _states(found: Divergence) -> Html | None:
    """Rows in which model and implementation differ come first, and are marked."""
    rows = [tuple(map(str, row)) for row in found.states]
    if not rows:
        return None
    rows.sort(key=lambda row: not _differs(row))
    caption = f"Step {found.step} of incarnation {found.incarnation} of "
    caption += f"{found.member} ({found.cause or 'came by no event'}); ≠ differs"
    return table(caption, _HEADS, [_cells(row) for row in rows], class_="stack sides")


def _differs(row: Sequence[str]) -> bool:
    return bool(row[2] and row[3]) and row[2] != row[3]


def _cells(row: Sequence[str]) -> list[Child]:
    name, before, model, implementation = row
    if not _differs(row):
        return [name, before, model, implementation]
    return [
        el("span", "≠ ", name, class_="mark"),
        before,
        el("strong", model),
        el("strong", implementation, class_="unwanted"),
    ]


def _around(lines: Sequence[Line]) -> Html | None:
    if not lines:
        return None
    rows: list[list[Child]] = []
    for line in lines:
        when = "–" if line.at_s is None else f"{line.at_s:,.4f} s"
        mark: Child = el("span", when, class_="mark") if line.is_it else when
        rows.append([mark, *map(str, (line.member, line.step, line.event, line.then))])
    caption = "What members did around it, by their clocks (step: incarnation/number)"
    return table(caption, _AROUND, rows, class_="stack around")


def _others(others: Sequence[Other]) -> Html | None:
    """What else is wrong: often what comes of the first."""
    if not others:
        return None
    items = [
        el("li", el("strong", f"{one.where}: "), str(one.reason), _broke(one)) for one in others
    ]
    summary = el("summary", f"{plural(len(items), 'thing')} more that cannot be")
    return el("details", summary, el("ul", items))


def _broke(one: Other) -> str:
    return f" (breaks {', '.join(map(str, one.promises))})" if one.promises else ""
