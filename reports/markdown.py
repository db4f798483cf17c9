"""The verdict in a few lines of Markdown, for the summary page of a CI job."""

import re
from collections.abc import Iterator, Sequence

from .markup import is_forbidden
from .page.document import Document
from .page.faults import faults
from .page.witness import Witness
from .prose import ICONS, duration_text, seconds_text, shortened

CELL_CHARACTERS_MAX = 300

_SPECIAL = re.compile(r"([\\`*_\[\]<>#|~$@!&])")


def render(document: Document) -> str:
    """The whole summary."""
    return "\n".join(_lines(document)) + "\n"


def _lines(document: Document) -> Iterator[str]:
    icon, word = ICONS[document.validity]
    yield f"## {icon} {word}: {plain(document.title)}"
    yield ""
    judged = document.verdict
    yield plain(judged.sentence if judged else "This run has not been judged.")
    yield ""
    if judged is not None:
        how = "as expected" if judged.as_expected else "**not as expected**"
        yield f"Expected: {judged.expected}; this is {how}."
        yield ""
    if document.verdicts:
        yield from table(
            ("checker", "verdict", "what it says", "promises"),
            [
                (v.checker, v.validity.value.replace("_", " "), v.sentence, ", ".join(v.promises))
                for v in document.verdicts
            ],
        )
    for witness in document.witnesses[:1]:
        yield from _witness(witness)
    if document.acts:
        told = [
            f"F{act.number} {act.label(document.members)} "
            f"({seconds_text(act.start)}–{seconds_text(act.end)})"
            for act in faults(document.acts)
        ]
        yield f"Faults: {plain('; '.join(told))}."
        yield ""
    for figure in document.story:
        note = f" ({plain(figure.note)})" if figure.note else ""
        yield f"- {plain(figure.label)}: **{plain(figure.value)}**{note}"
    yield ""
    for sentence in document.missing:
        yield f"- Incomplete: {plain(sentence)}"
    if document.missing:
        yield ""
    if document.command:
        yield f"Repeat it: {code(document.command)}"


def _witness(witness: Witness) -> Iterator[str]:
    if not witness.rows:
        return
    yield "Witness:"
    yield ""
    rows = [
        (
            f"{row.index}",
            seconds_text(row.start),
            f"{row.process} at {row.node}" if row.node else row.process,
            f"{row.f} {row.asked}",
            row.result,
            row.outcome,
            "open" if row.end is None else duration_text(row.end - row.start),
        )
        for row in witness.numbered
    ]
    yield from table(("op", "time", "process", "did", "came back", "outcome", "took"), rows)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{' --- |' * len(heads)}"
    for row in rows:
        yield f"| {' | '.join(plain(shortened(cell, CELL_CHARACTERS_MAX)) for cell in row)} |"
    yield ""


def plain(text: str) -> str:
    """Text on one line in which nothing means anything to Markdown."""
    kept = "".join("\N{REPLACEMENT CHARACTER}" if is_forbidden(c) else c for c in text)
    return _SPECIAL.sub(r"\\\1", " ".join(kept.split()))


def code(text: str) -> str:
    """Verbatim text, fenced by more backticks than it holds."""
    one_line = " ".join(text.split())
    longest = max((len(run) for run in re.findall("`+", one_line)), default=0)
    fence = "`" * (longest + 1)
    space = " " if longest else ""
    return f"{fence}{space}{one_line}{space}{fence}"


def block(lines: Sequence[str]) -> Iterator[str]:
    """Verbatim lines, between fences of more backticks than they hold."""
    longest = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    yield fence
    yield from lines
    yield fence
