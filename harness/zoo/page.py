"""docs/zoo.md, from the figures in docs/zoo.json; and the same on a terminal."""

import re
from collections.abc import Iterator, Mapping, Sequence

from ...impl.bugs_of_users import USER_BUGS
from .matrix import Cell, Matrix, Row
from .nouns import Family

HEAD = """# The zoo: seeded mistakes, and who finds them how soon

Written by `delphic zoo --table docs/zoo.json`: do not edit.

A check that catches nothing is no check. So every mistake that is known from the field or from a
paper is made on purpose, in the implementation, in the models and in the harness itself, and every
check hunts it. A figure is how many seconds of one core that took, the median of {starts} starts
where chance has a part. **missed**: the check could have seen the mistake and did not, at least
not in {budget:g} s. A dot: it cannot see it, wherever it looks; the reasons are below. A dash:
this guard of the harness did not notice, which is no shame as long as another one does.

Two more mistakes are seeded that are not here, for no numbered promise and no scenario is about
them: {users}. `tests/impl/test_door_bugs.py` has what finds them.

"""

FOOT = """
## Rows of the list

Rows R are those of the harness notes, rows V those of the digest of the documents: mistakes that
were made elsewhere, or that the documents suggest. A mistake can only be seeded where the code is
in which it is made.

| row | seeded as | or why not |
|---|---|---|
"""

NOT_HERE: Mapping[str, str] = {
    "R18": "the members of a group do not change",
    "R19": "the members of a group do not change",
    "R28": "the members of a group do not change",
    "R29": "there is one sync at a time, so that none can overtake another",
    "R30": "the members of a group do not change",
}
"""Mistakes for which there is no place in the implementation."""

IN_PART: Mapping[str, str] = {
    "R20": "the log is lost by damage: nobody removes members, and one whose disk is wiped is "
    "lost for ever",
    "R27": "one sync at a time: the ABA of two reports cannot happen",
}
"""What of a row that is here has no place."""

_USERS = " and ".join(f"`{name}`" for name in USER_BUGS)

_TITLES = {
    Family.IMPLEMENTATION: "Mistakes in the implementation",
    Family.MODEL: "Mistakes in the models",
    Family.HARNESS: "Mistakes in the harness",
}


def page(found: Matrix) -> str:
    """The page as Markdown."""
    return "".join(
        (
            HEAD.format(starts=found.starts, budget=found.budget_s, users=_USERS),
            *(f"{line}\n" for line in _summary(found)),
            *(f"{line}\n" for line in _checks(found)),
            *(f"{line}\n" for family in _TITLES for line in _chapter(found, family)),
            *(f"{line}\n" for line in _reasons(found, "missed", "Missed, and why")),
            *(f"{line}\n" for line in _reasons(found, "blind", "Not to be seen, and why")),
            FOOT,
            *(f"{line}\n" for line in _list(found)),
        )
    )


def _list(found: Matrix) -> Iterator[str]:
    """Every row of the list, with the seeded bugs that name it as where they were seen."""
    named: dict[str, list[str]] = {}
    for row in found.rows:
        if row.family is Family.IMPLEMENTATION:
            for number in re.findall(r"\b[RV]\d+\b", row.source):
                named.setdefault(number, []).append(f"`{row.name}`")
    assert not named.keys() & NOT_HERE.keys()
    for number in sorted({*named, *NOT_HERE}, key=lambda name: (name[0], int(name[1:]))):
        why = NOT_HERE.get(number) or IN_PART.get(number, "")
        yield f"| {number} | {', '.join(named.get(number, ()))} | {why} |"


NAMED_MAX = 5
"""More mistakes at which nobody looked are counted: the table has their dots."""


def counts(found: Matrix) -> str:
    """How many were caught, in one sentence."""
    caught = len(found.mistakes) - len(found.escaped)
    share = caught / max(1, len(found.mistakes))
    sentence = f"{caught} of {len(found.mistakes)} mistakes were caught ({share:.0%})"
    if found.escaped:
        sentence += f"; not {', '.join(row.name for row in found.escaped)}"
    sentence += "."
    if unseen := found.unseen:
        named = ", ".join(row.name for row in unseen)
        told = named if len(unseen) <= NAMED_MAX else f"{len(unseen)} more"
        sentence += f" These checks cannot see {told}."
    if found.alarms:
        alarms = ", ".join(cell.check for cell in found.alarms)
        sentence += f" FALSE ALARM where no mistake was made: {alarms}."
    return sentence


def title(place: str, name: str) -> str:
    """What a mistake is called on a terminal: those of a model with the model's name."""
    return f"{place}: {name}" if place else name


def head(titles: Sequence[str], checks: Sequence[str]) -> str:
    """The first line of the table on a terminal."""
    width = max(map(len, titles))
    return f"{'':{width}}  " + "  ".join(f"{name:>{_width(name)}}" for name in checks)


def line(row: Row, titles: Sequence[str]) -> str:
    """One mistake on a terminal."""
    width = max(map(len, titles))
    cells = (f"{_said(row, cell):>{_width(cell.check)}}" for cell in row.cells)
    return f"{title(row.place, row.name):{width}}  " + "  ".join(cells)


def _width(name: str) -> int:
    return max(len(name), len("missed"))


_NOT_CAUGHT = {Family.NOTHING: "quiet", Family.HARNESS: "–"}


def _said(row: Row, cell: Cell) -> str:
    """One cell, in a word."""
    match cell.outcome:
        case "blind":
            return "·"
        case "missed":
            return _NOT_CAUGHT.get(row.family, "missed")
        case "caught" if row.family is Family.NOTHING:
            return "ALARM"
    share = f" {cell.found}/{cell.starts}" if cell.found < cell.starts else ""
    return f"{cell.cpu_s:.1f} s{share}"


def _summary(found: Matrix) -> Iterator[str]:
    yield f"**{counts(found)}**"
    yield ""
    if found.quiet:
        yield "Where no mistake was made, hunts go to their end, whatever that costs. Quiet were:"
        yield ""
        yield "| check | how far it looked |"
        yield "|---|---|"
        yield from (f"| `{cell.check}` | {cell.reason} |" for cell in found.quiet)
        yield ""


def _checks(found: Matrix) -> Iterator[str]:
    yield "| check | it |"
    yield "|---|---|"
    for check in found.checks:
        yield f"| `{check.name}` | {check.about} |"
    yield ""


def _chapter(found: Matrix, family: Family) -> Iterator[str]:
    """Two tables: who finds it when; and what the mistake is, and what was seen of it."""
    rows = [row for row in found.rows if row.family is family]
    if not rows:
        return
    looking = _looking(rows)
    yield f"## {_TITLES[family]}"
    yield ""
    yield f"| mistake | {' | '.join(f'`{name}`' for name in looking)} |"
    yield f"|---|{'--:|' * len(looking)}"
    for row in rows:
        cells = [_said(row, cell) for cell in row.cells if cell.check in looking]
        cells = ["**missed**" if said == "missed" else said for said in cells]
        yield f"| `{row.name}` | {' | '.join(cells)} |"
    yield ""
    yield "| mistake | seen where | what it is | breaks | caught by |"
    yield "|---|---|---|---|---|"
    for row in rows:
        where = ", ".join(filter(None, (row.place, row.source)))
        breaks = ", ".join(row.promises)
        yield f"| `{row.name}` | {where} | {row.mistake} | {breaks} | {_voices(found, row)} |"
    yield ""


def _looking(rows: Sequence[Row]) -> list[str]:
    """The checks that can see at least one of these."""
    return [
        cell.check
        for at, cell in enumerate(rows[0].cells)
        if any(row.cells[at].outcome != "blind" for row in rows)
    ]


def _voices(found: Matrix, row: Row) -> str:
    """Of each check that caught it, who did, the most frequent first, and with what effort."""
    units = {check.name: check.effort for check in found.checks}
    told = []
    for cell in row.cells:
        if cell.outcome == "caught":
            by = " or ".join(f"`{voice.by}`" for voice in cell.by[:2])
            most = f", at most {cell.effort_max}" if cell.effort_max > cell.effort else ""
            told.append(f"{cell.check}: {by} ({_counted(cell.effort, units[cell.check])}{most})")
    return "; ".join(told)


def _counted(effort: float, unit: str) -> str:
    return f"{effort:g} {unit.removesuffix('s') if effort == 1 else unit}"


def _reasons(found: Matrix, outcome: str, title: str) -> Iterator[str]:
    """By reason, who does not see what; not what is in another family altogether."""
    told: dict[tuple[str, str], list[str]] = {}
    for family in _TITLES:
        rows = [row for row in found.rows if row.family is family]
        looking = _looking(rows) if rows else []
        for row in rows:
            if family is Family.HARNESS and row.caught:
                continue
            for cell in row.cells:
                if cell.outcome == outcome and cell.check in looking:
                    told.setdefault((cell.check, cell.reason), []).append(row.name)
    if not told:
        return
    yield f"## {title}"
    yield ""
    yield "| check | mistakes | why |"
    yield "|---|---|---|"
    for (check, reason), names in told.items():
        yield f"| `{check}` | {', '.join(f'`{name}`' for name in names)} | {reason} |"
    yield ""
