"""What cannot be explained, told by the one allowance that would explain it."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from ...language.sides import MASTER
from ..wrong import Wrong
from .fates import Bounds, Fate
from .row import Deed, Sight, first_unexplained
from .story import Look, Txn, told
from .touches import TABLE, Row, touches

PROMISES: dict[str, tuple[str, ...]] = {
    "missing": ("PR-2", "PR-26"),
    "of-database-switched-off": ("PR-1", "PR-13"),
    "of-master-switched-off": ("PR-1", "PR-12"),
    "skipped-yet-there": ("PR-15",),
    "status-lies": ("PR-7", "PR-8"),
    "order": ("PR-5", "PR-21"),
    "ahead": ("PR-21",),
    "phantom": ("PR-1", "PR-21"),
    "twice": ("PR-7",),
    "half": ("PR-8", "PR-21"),
    "unlike": ("PR-5", "PR-26"),
    "master": ("PR-1",),
}
"""Kind → promises."""


class Case(msgspec.Struct, frozen=True):
    """A row on a side, and all that may have happened to it there."""

    side: str
    row: Row
    partition: int | None
    deeds: Sequence[tuple[Txn, Deed, int]]
    bounds: Mapping[int, Bounds]
    told: Mapping[int, Bounds]
    ranks: Mapping[int, int]

    @property
    def name(self) -> str:
        table, identity = self.row
        return f"table {table}" if identity == TABLE else f"row {identity} of {table}"


def blame(case: Case, seen: Sequence[tuple[Sight, Look]]) -> Wrong:
    """Why the last of these looks cannot be; it is the first that cannot."""
    sights, look = [one for one, _ in seen], seen[-1][1]
    saw = f"{told(look.call, capital=True)} on {_place(case.side)} {_shows(case, sights[-1])}"
    if case.side == MASTER:
        return _on_master(case, sights, look, saw)
    for found in (
        *_status(case, sights, look, saw),
        *_single(case, sights, look, saw),
        *_order(case, sights, look, saw),
    ):
        return found
    return Wrong(
        "order",
        f"{saw}: no order of the transactions that touched it explains all that was seen of it.",
        (look.call,),
    )


def _status(case: Case, sights: list[Sight], look: Look, saw: str) -> Iterator[Wrong]:
    deeds = touches(case.deeds, case.told, case.ranks)
    if first_unexplained(deeds, sights) is not None:
        return
    for txn, _, _ in case.deeds:
        single = {**case.bounds, txn.number: case.told[txn.number]}
        if first_unexplained(touches(case.deeds, single, case.ranks), sights) is None:
            bound = case.bounds[txn.number]
            if "skipped" in bound.why and bound.fate is Fate.MUST_NOT:
                yield _of_fate(case, txn, bound, look, saw, is_early=False)
                return
            sentence = (
                f"{saw}, which does not agree with what the status table of {case.side} says of "
                f"the task of {told(txn.call)}."
            )
            yield Wrong("status-lies", sentence, (txn.call, look.call))
            return
    sentence = f"{saw}, which does not agree with the status tables of {case.side}."
    yield Wrong("status-lies", sentence, (look.call,))


def _single(case: Case, sights: list[Sight], look: Look, saw: str) -> Iterator[Wrong]:
    """One transaction is there that must not be, or missing, or too early."""
    for txn, _, _ in case.deeds:
        bound = case.bounds[txn.number]
        for fate, low in ((Fate.MAY, bound.low), (bound.fate, 0)):
            freed = {**case.bounds, txn.number: Bounds(fate, low, _high(bound, fate))}
            if first_unexplained(touches(case.deeds, freed, case.ranks), sights) is not None:
                continue
            yield _of_fate(case, txn, bound, look, saw, is_early=low != bound.low)
            return


def _high(bound: Bounds, fate: Fate) -> int:
    return bound.high if fate is bound.fate else 1 << 62


def _of_fate(case: Case, txn: Txn, bound: Bounds, look: Look, saw: str, *, is_early: bool) -> Wrong:
    calls = (txn.call, look.call)
    if is_early:
        sentence = f"{saw}: {told(txn.call)} had not begun on the master."
        return Wrong("ahead", sentence, calls)
    if bound.fate is Fate.MUST:
        sentence = (
            f"{saw}, without {told(txn.call)}, which was acknowledged while master and database "
            "were switched on, and by then had to be there."
        )
        return Wrong("missing", sentence, calls)
    kind = "of-database-switched-off"
    if "skipped" in bound.why:
        kind = "skipped-yet-there"
    elif "master" in bound.why:
        kind = "of-master-switched-off"
    sentence = f"{saw}, as {told(txn.call)} left it, which must not be there: {bound.why}."
    return Wrong(kind, sentence, calls)


def _order(case: Case, sights: list[Sight], look: Look, saw: str) -> Iterator[Wrong]:
    deeds = touches(case.deeds, case.bounds, case.ranks)
    if first_unexplained(deeds, sights, ordered=False) is not None:
        return
    newest = [txn.call for txn, _, value in case.deeds if value == sights[-1].value]
    sentence = f"{saw}: transactions on it were applied in another order than the master's."
    yield Wrong("order", sentence, (*newest[:1], look.call))


def _on_master(case: Case, sights: list[Sight], look: Look, saw: str) -> Wrong:
    """The master itself: what it acknowledged is not there, or comes in another order."""
    for txn, _, _ in case.deeds:
        freed = {**case.bounds, txn.number: Bounds(Fate.MAY, txn.begin)}
        if first_unexplained(touches(case.deeds, freed, {}), sights) is None:
            sentence = f"{saw}, without {told(txn.call)}, which the master had acknowledged."
            return Wrong("master", sentence, (txn.call, look.call))
    sentence = f"{saw}: no order of the transactions that the master acknowledged explains it."
    return Wrong("master", sentence, (look.call,))


def _place(side: str) -> str:
    return "the master" if side == MASTER else side


def _shows(case: Case, one: Sight) -> str:
    if one.value is None:
        return f"does not show {case.name}"
    if case.row[1] == TABLE:
        return f"shows {case.name}"
    return f"shows {case.name} with the value {one.value}"
