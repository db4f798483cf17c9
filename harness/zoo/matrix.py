"""The kill matrix: every mistake against every check, over several processes; plain data."""

import math
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Literal

import msgspec

from .bugs import every
from .checks import CHECKS
from .nouns import Budget, Bug, Caught, Check, Family, Missed, Outcome

SCHEMA = 1


class Voice(msgspec.Struct, frozen=True):
    """Who saw a mistake, and from how many starts."""

    by: str
    starts: int


class Cell(msgspec.Struct, frozen=True, omit_defaults=True):
    """One mistake and one check.

    Where it was caught, `effort` and `cpu_s` are medians over the starts from which it was, and
    `sentence` is what the first of them said. `reason`: why it was missed, or cannot be seen.
    """

    check: str
    outcome: Literal["caught", "missed", "blind"]
    starts: int = 0
    found: int = 0
    by: tuple[Voice, ...] = ()
    effort: float = 0.0
    effort_max: int = 0
    cpu_s: float = 0.0
    sentence: str = ""
    reason: str = ""


class Row(msgspec.Struct, frozen=True, omit_defaults=True):
    """One mistake and every check."""

    family: Family
    name: str
    mistake: str
    source: str
    promises: tuple[str, ...] = ()
    place: str = ""
    cells: tuple[Cell, ...] = ()

    @property
    def caught(self) -> bool:
        return any(cell.outcome == "caught" for cell in self.cells)

    @property
    def seen(self) -> bool:
        """Whether some check could have caught it."""
        return any(cell.outcome != "blind" for cell in self.cells)


class Told(msgspec.Struct, frozen=True):
    """What a reader has to know of a check."""

    name: str
    about: str
    effort: str


class Matrix(msgspec.Struct, frozen=True):
    """What docs/zoo.json holds: all that one command found."""

    schema: int
    starts: int
    budget_s: float
    checks: tuple[Told, ...]
    rows: tuple[Row, ...]

    @property
    def mistakes(self) -> list[Row]:
        """What was made: all of it where all checks were asked, else what those asked can see."""
        return [row for row in self._made() if row.seen or self._by_all()]

    @property
    def unseen(self) -> list[Row]:
        """What was made and none of the checks that were asked can see; others may."""
        return [row for row in self._made() if not (row.seen or self._by_all())]

    def _by_all(self) -> bool:
        return CHECKS.keys() <= {told.name for told in self.checks}

    def _made(self) -> list[Row]:
        return [row for row in self.rows if row.family is not Family.NOTHING]

    @property
    def escaped(self) -> list[Row]:
        """Mistakes that no check caught."""
        return [row for row in self.mistakes if not row.caught]

    @property
    def alarms(self) -> list[Cell]:
        """What was caught where there was nothing to catch."""
        return self._of_nothing("caught")

    @property
    def quiet(self) -> list[Cell]:
        """What found nothing there; the reason says how far it looked."""
        return self._of_nothing("missed")

    def _of_nothing(self, outcome: str) -> list[Cell]:
        rows = [row for row in self.rows if row.family is Family.NOTHING]
        return [cell for row in rows for cell in row.cells if cell.outcome == outcome]


@dataclass(frozen=True, slots=True)
class Terms:
    """How thoroughly to hunt: seconds of one core a hunt of a mistake, starts, processes."""

    budget_s: float
    starts: int = 1
    jobs: int = 1


Known = Mapping[tuple[Family, str, str, str], Cell]
"""Cells that were measured before: by family, place and name of the mistake, and check."""


def known(before: Matrix, budget_s: float) -> Known:
    """What need not be hunted again for so many seconds.

    What was caught from every start stays caught; what a shorter hunt missed, a longer one may not.
    """
    return {
        (row.family, row.place, row.name, cell.check): cell
        for row in before.rows
        for cell in row.cells
        if cell.outcome != "blind" and (cell.found == cell.starts or before.budget_s >= budget_s)
    }


def rows(
    bugs: Sequence[Bug], checks: Sequence[Check], terms: Terms, before: Known | None = None
) -> Iterator[Row]:
    """Hunt every mistake with every check that can see it; rows come in order.

    What is known from `before` is taken over, from no fewer starts than are asked for now, unless a
    check cannot see the mistake any more.
    """
    before = before or {}
    if terms.jobs == 1:
        for bug in bugs:
            hunts = {c.name: [_hunt(*one) for one in _hunts(bug, c, terms, before)] for c in checks}
            yield _row(bug, checks, hunts, before)
        return
    with ProcessPoolExecutor(terms.jobs, mp_context=get_context("forkserver")) as pool:
        under_way: list[tuple[Bug, dict[str, list[Future[Outcome]]]]] = []
        for bug in bugs:
            futures = {
                c.name: [pool.submit(_hunt, *one) for one in _hunts(bug, c, terms, before)]
                for c in checks
            }
            under_way.append((bug, futures))
        try:
            for bug, futures in under_way:
                done = {name: [one.result() for one in ones] for name, ones in futures.items()}
                yield _row(bug, checks, done, before)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def matrix(found: Sequence[Row], checks: Sequence[Check], terms: Terms) -> Matrix:
    """The rows and what was asked for."""
    told = tuple(Told(check.name, check.about, check.effort) for check in checks)
    return Matrix(SCHEMA, terms.starts, terms.budget_s, told, tuple(found))


def _key(bug: Bug, check: Check) -> tuple[Family, str, str, str]:
    return bug.family, bug.place, bug.name, check.name


def _hunts(
    bug: Bug, check: Check, terms: Terms, before: Known
) -> list[tuple[Family, str, str, str, Budget]]:
    """The hunts for one cell, as they travel to another process."""
    starts = terms.starts if check.chance else 1
    cell = before.get(_key(bug, check))
    if check.blind(bug) is not None or (cell is not None and cell.starts >= starts):
        return []
    # Without a mistake nothing ends a hunt but its end: the last look may be the false alarm.
    budget_s = math.inf if bug.family is Family.NOTHING else terms.budget_s
    return [(*_key(bug, check), Budget(budget_s, start)) for start in range(starts)]


def _hunt(family: Family, place: str, name: str, check: str, budget: Budget) -> Outcome:
    wanted = (family, place, name)
    bug = next(bug for bug in every() if (bug.family, bug.place, bug.name) == wanted)
    return CHECKS[check].hunt(bug, budget)


def _row(
    bug: Bug, checks: Sequence[Check], hunts: Mapping[str, list[Outcome]], before: Known
) -> Row:
    cells = tuple(
        _cell(check, hunts[check.name], check.blind(bug), before.get(_key(bug, check)))
        for check in checks
    )
    return Row(bug.family, bug.name, bug.mistake, bug.source, bug.promises, bug.place, cells)


def _cell(
    check: Check, outcomes: Sequence[Outcome], blind: str | None, before: Cell | None
) -> Cell:
    if blind is not None:
        return Cell(check.name, "blind", reason=blind)
    if not outcomes:
        assert before is not None, "whatever can be seen is hunted unless it is known"
        return before
    caught = [one for one in outcomes if isinstance(one, Caught)]
    missed = [one for one in outcomes if isinstance(one, Missed)]
    reason = missed[0].reason if missed else ""
    if not caught:
        cpu_s = statistics.median(one.cpu_s for one in missed)
        return Cell(check.name, "missed", len(outcomes), cpu_s=round(cpu_s, 2), reason=reason)
    voices = Counter(one.by for one in caught)
    return Cell(
        check.name,
        "caught",
        starts=len(outcomes),
        found=len(caught),
        by=tuple(Voice(by, count) for by, count in voices.most_common()),
        effort=statistics.median(one.effort for one in caught),
        effort_max=max(one.effort for one in caught),
        cpu_s=round(statistics.median(one.cpu_s for one in caught), 2),
        sentence=caught[0].sentence,
        reason=reason,
    )
