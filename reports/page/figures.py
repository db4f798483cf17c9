"""Figures as plain data: rows of bars over time, lines, points. The page's script draws them."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from ..prose import seconds_text, shortened
from .document import Document
from .faults import Act, faults
from .members import Span
from .replication import DISABLED, ENABLED, SILENT, STOPPED, UNKNOWN, Stretch

FAULT_ROWS_MAX = 10
SPANS_MAX = 3_000
LABEL_CHARACTERS_MAX = 32

_LABEL_SHARE = 0.25
"""Of the run's length: what a fault's label may need beside its bar."""

ROLES = ("leader", "candidate", "precandidate", "follower", "unknown", "paused", "dead")
STATES = {
    ENABLED: "enabled",
    DISABLED: "disabled",
    STOPPED: "stopped",
    SILENT: "silent",
    UNKNOWN: "unseen",
}
"""Each state's look: a colour and a hatching, for whoever sees no colours."""


def series_look(at: int) -> str:
    """How the line of so many-th is drawn: one of three colours, and of more also dashed."""
    return f"series-{at % 3} dash-{at // 3 % 3}"


class Bar(NamedTuple):
    """A stretch of time in a row; seconds. `look` is what the page's style calls it."""

    start: float
    end: float
    row: int
    look: str
    text: str
    hover: str


class Note(NamedTuple):
    """A text beside a moment in a row, on its left or on its right."""

    at: float
    row: int
    text: str
    is_left: bool


class Rows(msgspec.Struct, frozen=True):
    """Rows from the top, each with its name; thin lines above those in `rules`."""

    labels: tuple[str, ...]
    bars: tuple[Bar, ...]
    rules: tuple[int, ...] = ()
    notes: tuple[Note, ...] = ()
    lane: int = 0
    """The first row of a client."""


class Band(NamedTuple):
    """A fault in force, shaded behind everything; seconds."""

    start: float
    end: float
    name: str


def timeline(document: Document) -> Rows:
    """Faults, phases and members on top of one lane a client; the page adds the operations."""
    struck = faults(document.acts)
    placed = _fault_rows(struck, document.end)
    labels = [f"F{act.number}" for act in struck]
    if len(struck) > FAULT_ROWS_MAX:
        labels = ["faults", *[""] * max(placed)]
    phase_row = len(labels)
    labels += ["phase"] * bool(document.phases)
    first_member = len(labels)
    seen = dict.fromkeys(span.node for span in document.spans)
    # Of several clusters only controllers have a role: others are there if something happened.
    planned = [m for m in document.members if not document.plan.sides or m in seen]
    members = list(dict.fromkeys([*planned, *seen]))
    labels += [shortened(member, 8) for member in members]
    first_side = len(labels)
    found = document.replication
    sides, stretches = ((), ()) if found is None else (found.sides, found.stretches)
    labels += [shortened(f"{side} is", 8) for side in sides]
    first_lane = len(labels)
    labels += [f"client {lane}" for lane in range(document.calls.lanes)]
    rows = {member: first_member + at for at, member in enumerate(members)}
    return Rows(
        labels=tuple(labels),
        bars=(
            *_fault_bars(document, placed),
            *_phase_bars(document, phase_row),
            *_role_bars(document.spans, rows),
            *state_bars(stretches, sides, first_side),
        ),
        rules=tuple(sorted({phase_row, first_member, first_lane} - {0})),
        notes=tuple(_fault_notes(document, placed)),
        lane=first_lane,
    )


def bands(document: Document) -> tuple[Band, ...]:
    """Every fault for as long as it was in force."""
    return tuple(
        Band(act.start / 1e6, _end(act, document.end) / 1e6, f"F{act.number}")
        for act in faults(document.acts)
    )


def _fault_rows(struck: Sequence[Act], end: int) -> list[int]:
    """A row for each fault, or, of many, the first row where it and its label are free."""
    if len(struck) <= FAULT_ROWS_MAX:
        return list(range(len(struck)))
    free_at: list[float] = []
    placed = []
    for act in struck:
        row = next((at for at, free in enumerate(free_at) if free <= act.start), len(free_at))
        row = min(row, FAULT_ROWS_MAX - 1)
        if row == len(free_at):
            free_at.append(0)
        free_at[row] = max(act.start + _LABEL_SHARE * end, _end(act, end))
        placed.append(row)
    return placed


def _end(act: Act, end: int) -> int:
    return max(act.start, end if act.end is None else act.end)


def _fault_bars(document: Document, placed: Sequence[int]) -> Iterator[Bar]:
    for act, row in zip(faults(document.acts), placed, strict=True):
        hover = _fault_hover(act, document.members)
        yield Bar(act.start / 1e6, _end(act, document.end) / 1e6, row, "fault", "", hover)


def _fault_hover(act: Act, members: Sequence[str]) -> str:
    until = "the end" if act.end is None else seconds_text(act.end)
    bit = {True: "took hold", False: "did not take hold", None: "no receipt"}[act.bit]
    label = f"F{act.number} {act.label(members)}, asked: {act.target or 'nothing'}"
    return f"{label}; {seconds_text(act.start)} to {until}; {bit}"


def _fault_notes(document: Document, placed: Sequence[int]) -> Iterator[Note]:
    """Each fault's name beside its bar, on the side where there is room."""
    for act, row in zip(faults(document.acts), placed, strict=True):
        is_left = act.start > 0.55 * document.end
        name = f"F{act.number} {act.label(document.members)}"
        at = act.start if is_left else _end(act, document.end)
        yield Note(at / 1e6, row, shortened(name, LABEL_CHARACTERS_MAX), is_left)


def _phase_bars(document: Document, row: int) -> Iterator[Bar]:
    for phase in document.phases:
        hover = f"phase {phase.name}: {seconds_text(phase.start)} to {seconds_text(phase.end)}"
        yield Bar(phase.start / 1e6, phase.end / 1e6, row, "phase", phase.name, hover)


def _role_bars(spans: Sequence[Span], rows: dict[str, int]) -> Iterator[Bar]:
    """One bar a span; of very many spans the longest, for the others could not be seen."""
    shown = sorted(spans, key=lambda span: span.start - span.end)[:SPANS_MAX]
    for span in sorted(shown, key=lambda span: (ROLES.index(span.role), span.start)):
        text = f"term {span.term}" if span.role == "leader" else ""
        start, end = span.start / 1e6, span.end / 1e6
        yield Bar(start, end, rows[span.node], span.role, text, _role_hover(span))


def state_bars(stretches: Iterable[Stretch], sides: Sequence[str], first: int) -> Iterator[Bar]:
    """The states of a master and its slaves; `first` is the master's row."""
    for s in stretches:
        hover = f"{s.side} is {s.state}, {seconds_text(s.start)} to {seconds_text(s.end)}"
        row = first + sides.index(s.side)
        yield Bar(s.start / 1e6, s.end / 1e6, row, STATES[s.state], s.state, hover)


def _role_hover(span: Span) -> str:
    term = "" if span.term is None else f" in term {span.term}"
    follows = f" of {span.leader}" if span.role == "follower" and span.leader else ""
    when = f"{seconds_text(span.start)} to {seconds_text(span.end)}"
    return f"{span.node}: {span.role}{follows}{term}, {when}"
