"""The first thing that people see: what was promised, what broke, when, and why."""

from collections.abc import Iterable, Iterator, Mapping

from ...harness.prose import plural
from ..markup import Child, Html, el
from ..prose import ICONS, seconds_text
from .document import BROKEN, KEPT, Document, Promise
from .faults import faults
from .witness import Row

_STATES = {KEPT: ("✓", "kept"), BROKEN: ("✕", "broken")}
NAMED_MAX = 3
"""So many broken promises, and faults, are named at once; the lists below have all."""


def banner(document: Document) -> Html:
    """Verdict, four answers, promises, and how to run it again."""
    validity = document.validity
    icon, word = ICONS[validity]
    name = "none" if validity is None else validity.value
    return el(
        "div",
        el(
            "div",
            el("p", el("span", icon, class_="icon", aria_hidden="true"), word, class_="word"),
            _expectation(document),
            class_=f"verdict {name}",
        ),
        el("h1", document.title),
        el("p", " · ".join(_particulars(document)), class_="meta"),
        _answers(document),
        _missing(document),
        _promises(document),
        _command(document.command),
    )


def _particulars(document: Document) -> Iterator[str]:
    """Which run this is."""
    yield document.plan.scenario or document.name
    if document.seed is not None:
        yield f"seed {document.seed}"
    judged = document.verdict
    target = document.plan.target or (judged.target if judged else "")
    if target:
        yield f"on {target}"
    if judged is not None:
        length = f"{judged.duration_s:,.1f} s"
        if target == "sim":
            # In a world of its own it is always the same day.
            yield f"{length} of its own time"
        else:
            yield judged.started
            yield length


def _expectation(document: Document) -> Html | None:
    if document.verdict is None:
        return None
    expected = document.verdict.expected
    if document.verdict.as_expected:
        return el("p", f"as expected ({expected})", class_="expected")
    return el("p", f"expected: {expected}", class_="expected not")


def _answers(document: Document) -> Html:
    """What was promised, what broke, when, and why: each in a line or two."""
    judged = document.verdict
    sentence = judged.sentence if judged else "This run has not been judged: it left no verdict."
    answers = (
        ("Promised", _promised(document)),
        ("Broke", _broke(document)),
        ("When", _when(document)),
        ("Why", [el("p", sentence, class_="sentence"), _first_wrong_step(document)]),
    )
    return el(
        "dl",
        [el("div", el("dt", name), el("dd", told)) for name, told in answers if told],
        class_="answers",
    )


def _promised(document: Document) -> Child:
    """How many promises, and what became of them."""
    found = document.promises
    if not found:
        return "Nothing that has a name."
    counts = [
        (sum(p.state == state for p in found), word)
        for state, word in ((BROKEN, "broken"), (KEPT, "kept"))
    ]
    counts.append((len(found) - sum(count for count, _ in counts), "undecided"))
    told = ", ".join(f"{count} {word}" for count, word in counts if count)
    return f"{plural(len(found), 'promise')}: {told}."


def _broke(document: Document) -> list[Child]:
    """The broken promises or, where none has a name, the checks that failed."""
    broken = [promise for promise in document.promises if promise.state == BROKEN]
    told: list[Child] = [
        el("p", el("span", "✕ ", class_="state fail"), el("strong", p.id), f" {p.text}")
        for p in broken[:NAMED_MAX]
    ]
    if len(broken) > NAMED_MAX:
        told.append(el("p", f"and {len(broken) - NAMED_MAX} more"))
    if not broken and document.witnesses:
        checkers = (name for w in document.witnesses for name in w.checkers)
        told.append(f"No promise, but {', '.join(dict.fromkeys(checkers))} failed.")
    if not told and document.verdict is not None:
        told.append("Nothing.")
    return told


def _when(document: Document) -> list[Child]:
    """The moments of the witness, and what was broken on purpose then; else how long all held."""
    if not document.witnesses or not document.witnesses[0].numbered:
        struck = faults(document.acts)
        held = f"{plural(len(struck), 'fault')}" if struck else "no fault"
        return [f"{document.end / 1e6:,.1f} s were watched, with {held} on purpose."]
    witness = document.witnesses[0]
    rows = witness.numbered
    first, last = rows[0].start, max(_end(row) for row in rows)
    span = seconds_text(first)
    if len(rows) > 1:
        span = f"from {span} ({rows[0].f}) to {seconds_text(last)} ({_latest(rows).f})"
    in_force = [
        f"F{act.number} ({act.kind})"
        for act in faults(document.acts)
        if act.start <= last and (act.end is None or act.end >= first)
    ]
    within = f"; in force: {_listed(in_force)}" if in_force else ", with no fault in force"
    return [
        el("p", f"{span[0].upper()}{span[1:]}{within}."),
        el("p", el("a", "Show the operations that prove it", href="#witness")),
    ]


def _latest(rows: Iterable[Row]) -> Row:
    return max(rows, key=_end)


def _end(row: Row) -> int:
    return row.start if row.end is None else row.end


def _listed(names: list[str]) -> str:
    shown = names[:NAMED_MAX]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {plural(more, 'other fault')}" if more else "")


def _first_wrong_step(document: Document) -> Html | None:
    """Where traces tell the cause: the step that the model does not make."""
    for verdict in document.verdicts:
        found = verdict.details.get("divergence")
        if isinstance(found, Mapping) and found.get("member"):
            text = f"The first wrong step was made by {found['member']}"
            if isinstance(at_s := found.get("at_s"), int | float):
                text += f" at {at_s:,.3f} s"
            return el("p", el("a", text, href="#divergence"))
    return None


def _promises(document: Document) -> Html | None:
    if not document.promises:
        return None
    items = [_promise(promise) for promise in document.promises]
    return el(
        "details",
        el("summary", f"{plural(len(items), 'promise')}, and what became of each"),
        el("ul", items, class_="promises", aria_label="Promises"),
        open=all(promise.state != BROKEN for promise in document.promises),
    )


def _promise(promise: Promise) -> Html:
    icon, word = _STATES.get(promise.state, ("?", "undecided"))
    return el(
        "li",
        el("span", f"{icon} {word}", class_=f"state {promise.state}"),
        el("span", el("strong", promise.id), " ", promise.text),
    )


def _command(command: str) -> Html | None:
    if not command:
        return None
    return el(
        "p",
        el("span", "Repeat it: "),
        el("code", command, id="command"),
        el("button", "Copy", type="button", data_copy="command"),
        class_="command",
    )


def _missing(document: Document) -> Html | None:
    if not document.missing:
        return None
    items = [el("li", sentence) for sentence in document.missing]
    return el("div", el("strong", "Incomplete:"), el("ul", items), class_="missing", role="note")
