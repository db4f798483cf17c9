"""Does every side show what must be there, nothing that must not be, and in the master's order?

Every row is followed on every side, through all looks in order, as row.py says. What cannot be
explained is blamed on the one allowance that would explain it.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from ...evidence import Evidence
from ...language.sides import MASTER
from ...prose import plural
from ...verdict import Validity, Verdict
from ..checker import Checker, undecided
from ..wrong import Wrong, failure
from .blame import PROMISES, Case, blame
from .bulks import wrong_counts
from .fates import Bounds, Fate, Loss, by_clients, by_status, on_master, task_ids
from .row import Sight, TooManyRuns, first_unexplained
from .story import NEVER, Look, Story, Txn, story, told
from .touches import TABLE, Field, Row, chains, field, sight, touches

NAME = "replicated-contents"
CHECKED = (
    "PR-1",
    "PR-2",
    "PR-5",
    "PR-7",
    "PR-8",
    "PR-12",
    "PR-13",
    "PR-15",
    "PR-21",
    "PR-26",
)


class Bench(msgspec.Struct, frozen=True):
    """Everything there is to judge one side by."""

    found: Story
    field: Field
    side: str
    bounds: dict[int, Bounds]
    told: dict[int, Bounds]
    """What clients know alone, without status tables."""
    ranks: dict[int, int]

    def case(self, row: Row) -> Case:
        return Case(
            self.side,
            row,
            self.field.partition.get(row),
            self.field.touched[row],
            self.bounds,
            self.told,
            self.ranks,
        )


def judge(evidence: Evidence) -> Verdict:
    """Follow every row on every side."""
    try:
        found = story(evidence.history)
        rows = field(found)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return undecided(NAME, f"The history cannot be judged: {type(error).__name__}: {error}.")
    loss = Loss(synced=bool(evidence.facts.get("synced", False)))
    benches = [
        Bench(found, rows, side, *_bounds(found, side, loss)) for side in (MASTER, *found.slaves)
    ]
    details = _details(found, rows, benches)
    seen = {look.side for look in found.looks} | {count.side for count in found.counts}
    if not seen - {MASTER}:
        return undecided(NAME, "Nobody looked at a slave.", Validity.INCONCLUSIVE)
    given_up: set[Row] = set()
    unseen = [bench.side for bench in benches if not _was_seen(bench)]
    wrong = [one for bench in benches for one in _of_side(bench, given_up)]
    wrong += _unlike(found, rows, benches[1:])
    wrong += wrong_counts(found, {bench.side: bench.bounds for bench in benches})
    if wrong:
        return failure(NAME, wrong, PROMISES, CHECKED, details)
    if found.settled is not None and unseen:
        why = f"Nobody saw what {', '.join(unseen)} had in the end."
        return undecided(NAME, why, Validity.INCONCLUSIVE)
    if given_up:
        why = f"{plural(len(given_up), 'row')} met too many open operations to be followed."
        return undecided(NAME, why)
    looked = plural(len(found.looks) + len(found.counts), "look")
    sentence = (
        f"{_judged(found, rows)} on {plural(len(benches), 'side')}: "
        f"in {looked} nothing was missing that had to be there, nothing was there that must not "
        "be, and no side showed any order but the master's."
    )
    return Verdict(NAME, Validity.PASS, sentence, CHECKED, details=details)


def _judged(found: Story, rows: Field) -> str:
    """How many rows were followed, and how many there were at most in tables that are counted."""
    most: dict[str, int] = {}
    for count in found.counts:
        most[count.table] = max(count.rows, most.get(count.table, 0))
    followed, counted = len(rows.partition), sum(most.values())
    if not counted:
        return plural(followed, "row")
    told = plural(counted, "counted row")
    return f"{plural(followed, 'row')} and {told}" if followed else told


def _bounds(
    found: Story, side: str, loss: Loss
) -> tuple[dict[int, Bounds], dict[int, Bounds], dict[int, int]]:
    if side == MASTER:
        bounds = on_master(found)
        return bounds, bounds, {}
    told_by_clients = by_clients(found, side, loss)
    return by_status(found, side, told_by_clients), told_by_clients, task_ids(found)


def _details(found: Story, rows: Field, benches: list[Bench]) -> dict[str, Any]:
    fates = {
        bench.side: {
            fate.value: sum(bound.fate is fate for bound in bench.told.values()) for fate in Fate
        }
        for bench in benches[1:]
    }
    return {
        "transactions": len(found.txns),
        "rows": len(rows.partition),
        "looks": len(found.looks),
        "settled": found.settled is not None,
        "fates": fates,
    }


def _was_seen(bench: Bench) -> bool:
    """Whether anybody looked at the side in the end."""
    settled = NEVER if bench.found.settled is None else bench.found.settled
    counts = (count for count in bench.found.counts if count.side == bench.side)
    return any(count.begin > settled for count in counts) or any(
        _is_final(bench.found, look) for look in _looks_of(bench)
    )


def _looks_of(bench: Bench) -> list[Look]:
    return [look for look in bench.found.looks if look.side == bench.side]


def _of_side(bench: Bench, given_up: set[Row]) -> Iterator[Wrong]:
    looks = _looks_of(bench)
    by_table: dict[str, list[list[Look]]] = {}
    for look in looks:
        by_table.setdefault(look.table, [[]])[0].append(look)
    by_table = {table: chains(found[0]) for table, found in by_table.items()}
    yield from _strange(bench, looks)
    for row in bench.field.touched:
        for chain in by_table.get(row[0], []):
            one = _follow(bench, row, chain, given_up)
            if one is not None:
                yield one
                break
    yield from _halves(bench, looks, given_up)


def _strange(bench: Bench, looks: list[Look]) -> Iterator[Wrong]:
    """Rows that nobody ever wrote, that are in another partition, or that are there twice."""
    for look in looks:
        for identity, (partition, _) in (look.rows or {}).items():
            wanted = bench.field.partition.get((look.table, identity))
            if wanted == partition and identity not in look.twice:
                continue
            where = f"row {identity} of {look.table}"
            if identity in look.twice:
                yield Wrong("twice", f"{told(look.call)} shows {where} twice.", (look.call,))
            elif wanted is None:
                said = "which nobody ever wrote"
                yield Wrong("phantom", f"{told(look.call)} shows {where}, {said}.", (look.call,))
            else:
                said = f"in partition {partition}, but it was written to {wanted}"
                yield Wrong("phantom", f"{told(look.call)} shows {where} {said}.", (look.call,))
            return


def _follow(bench: Bench, row: Row, chain: list[Look], given_up: set[Row]) -> Wrong | None:
    partition = bench.field.partition.get(row)
    seen = [(one, look) for look in chain if (one := sight(look, row, partition)) is not None]
    if row[1] != TABLE and any(
        one.value is not None and (row[0], one.value) not in bench.field.writer for one, _ in seen
    ):
        one, look = next(
            s
            for s in seen
            if s[0].value is not None and (row[0], s[0].value) not in bench.field.writer
        )
        what = f"{told(look.call, capital=True)} shows row {row[1]} of {row[0]} with the value "
        return Wrong("phantom", f"{what}{one.value}, which nobody ever wrote.", (look.call,))
    kept = _without_repeats(seen)
    deeds = touches(bench.field.touched[row], bench.bounds, bench.ranks)
    try:
        place = first_unexplained(deeds, [one for one, _ in kept])
        return None if place is None else blame(bench.case(row), kept[: place + 1])
    except TooManyRuns:
        given_up.add(row)
        return None


def _without_repeats(seen: list[tuple[Sight, Look]]) -> list[tuple[Sight, Look]]:
    """Of looks that show the same one after another, the first and the last."""
    kept: list[tuple[Sight, Look]] = []
    for one in seen:
        repeats = len(kept) >= 2 and kept[-1][0].value == kept[-2][0].value == one[0].value
        if repeats:
            kept[-1] = one
        else:
            kept.append(one)
    return kept


def _halves(bench: Bench, looks: list[Look], given_up: set[Row]) -> Iterator[Wrong]:
    """A transaction of which a look shows one row, but not another, is there by halves."""
    rows_of: dict[int, list[Row]] = {}
    for row, deeds in bench.field.touched.items():
        for txn, _, _ in deeds:
            rows_of.setdefault(txn.number, []).append(row)
    known: set[tuple[int, Row, int | None]] = set()
    for look in looks:
        for txn, shown in _writers(bench, look):
            for row in rows_of[txn.number]:
                one = sight(look, row, bench.field.partition.get(row))
                if one is None or row[0] != look.table or row in given_up:
                    continue
                key = (txn.number, row, one.value)
                if key in known:
                    continue
                known.add(key)
                if _is_without(bench, row, one, txn):
                    yield Wrong("half", _half(txn, look, shown, row), (txn.call, look.call))
                    return


def _writers(bench: Bench, look: Look) -> list[tuple[Txn, int]]:
    """The transactions whose values a look shows, each with a row that shows it."""
    found: dict[int, tuple[Txn, int]] = {}
    for identity, (_, value) in (look.rows or {}).items():
        txn = bench.field.writer.get((look.table, value))
        if txn is not None and txn.number not in found:
            found[txn.number] = (txn, identity)
    return list(found.values())


def _is_without(bench: Bench, row: Row, one: Sight, txn: Txn) -> bool:
    """Whether what was seen of a row tells that the transaction had not happened."""
    deeds = touches(bench.field.touched[row], bench.bounds, bench.ranks)
    forced = [
        deed._replace(must=True, high=-1) if deed.txn == txn.number else deed for deed in deeds
    ]
    try:
        return (
            first_unexplained(forced, [one]) is not None and first_unexplained(deeds, [one]) is None
        )
    except TooManyRuns:
        return False


def _half(txn: Txn, look: Look, shown: int, row: Row) -> str:
    return (
        f"{told(txn.call, capital=True)} is there by halves: {told(look.call)} shows its row "
        f"{shown} of {look.table}, but not what it did to row {row[1]}."
    )


def _unlike(found: Story, rows: Field, benches: list[Bench]) -> Iterator[Wrong]:
    """In the end a row that only transactions touched which must arrive is the same everywhere."""
    last = {(look.side, look.table): look for look in found.looks if _is_final(found, look)}
    for bench in benches:
        for row, deeds in rows.touched.items():
            here, there = last.get((bench.side, row[0])), last.get((MASTER, row[0]))
            if here is None or there is None:
                continue
            if any(bench.bounds[txn.number].fate is not Fate.MUST for txn, _, _ in deeds):
                continue
            partition = rows.partition.get(row)
            mine, masters = sight(here, row, partition), sight(there, row, partition)
            if mine is not None and masters is not None and mine.value != masters.value:
                sentence = (
                    f"Row {row[1]} of {row[0]} is {_spelled(masters)} on the master "
                    f"({told(there.call)}) and {_spelled(mine)} on {bench.side} "
                    f"({told(here.call)}), although all that touched it had to arrive."
                )
                yield Wrong("unlike", sentence, (there.call, here.call))
                break


def _is_final(found: Story, look: Look) -> bool:
    settled = NEVER if found.settled is None else found.settled
    return look.partition is None and look.begin > settled


def _spelled(one: Sight) -> str:
    return "gone" if one.value is None else f"there with the value {one.value}"


CONTENTS = Checker(
    name=NAME,
    question="Is everything on the slaves that must be, nothing that must not be, all in order?",
    promises=CHECKED,
    judge=judge,
)
