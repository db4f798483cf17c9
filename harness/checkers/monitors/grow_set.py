"""Sets that only grow, read as a whole: of two reads one holds the other.

Sorted by size the reads show, level by level, which elements came together. An element that first
appears in the j-th distinct set stands at 2j - 1, a read of that set at 2j, an element that was
acknowledged and that nobody ever saw behind all reads. The rest is a sweep. Adding an element again
changes nothing: of several adds of one element the one that began first is the one that can have
been early enough, if any can, and the others only stand no earlier.

Nothing is ambiguous. A counter whose amounts are distinct powers of two is such a set: its value
tells which amounts are in it.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from ..operations import UNKNOWN, Ambiguous, Judgement, Operation
from .columns import Columns, columns
from .conclusion import Wrong, conclude
from .prose import began_text, operation_text, value_text
from .sweep import UNBOUNDED, Items, items, sweep

ANOMALIES = {
    "phantom": "An element was read that nobody had added, or whose add certainly failed.",
    "duplicate": "A read shows an element twice.",
    "diverged": "Of two reads each shows an element that the other lacks.",
    "lost": "An element was acknowledged, a later read did not find it, and nobody ever saw it.",
    "stale-read": "A read did not find what had been acknowledged or read before it began.",
    "future-read": "An element was read before its add began.",
    "reordered": "Of two elements the second was seen without the first, which was there before.",
}


class Read(msgspec.Struct, frozen=True):
    """An answered read by its place in the columns, with what it showed."""

    at: int
    elements: Sequence[Any]


class Levels(msgspec.Struct):
    """Of one key: at which level each element first appears, and which read shows that level."""

    level_of: dict[Any, int]
    reads: list[tuple[Read, int]]


class Sets(msgspec.Struct, frozen=True):
    """The operations of all keys: (place in the columns, element), and answered reads."""

    adds: list[tuple[int, Any]]
    reads: list[Read]


def judge(operations: Sequence[Operation]) -> Judgement | Ambiguous:
    """Decide whether all sets, one a key, are linearizable."""
    c = columns(operations)
    sets = Sets([], [])
    for at, operation in enumerate(operations):
        if operation.f == "add":
            sets.adds.append((at, operation.argument))
        elif operation.result is not UNKNOWN:
            sets.reads.append(Read(at, operation.result))
    return conclude(operations, wrong_of(c, sets), {}, keys=len(c.keys))


def wrong_of(c: Columns, sets: Sets) -> list[Wrong]:
    """What is wrong with the sets of all keys."""
    reads: dict[int, list[Read]] = {}
    for read in sets.reads:
        reads.setdefault(int(c.key[read.at]), []).append(read)
    added = _added(c, sets)
    levels: dict[int, Levels] = {}
    wrong: list[Wrong] = []
    broken: set[int] = set()
    for key, mine in reads.items():
        found = _levels(c, mine, added.get(key, {}))
        if isinstance(found, Wrong):
            wrong.append(found)
            broken.add(key)
        else:
            levels[key] = found
    pairs = sweep(c, _placed(c, sets, levels, added))
    shown = {read.at: read for read in sets.reads}
    elements = dict(sets.adds) if pairs else {}
    for first, second in pairs:
        key = int(c.key[second])
        if key not in broken:
            wrong.append(_Telling(c, levels.get(key), shown, elements).disorder(first, second))
    return wrong


def _levels(c: Columns, reads: list[Read], added: dict[Any, int]) -> Levels | Wrong:
    """Sort the reads of one key into levels; or what shows that there are none."""
    found = Levels({}, [])
    before: frozenset[Any] = frozenset()
    last: Read | None = None
    level = 0
    for read in sorted(reads, key=lambda read: len(read.elements)):
        elements = frozenset(read.elements)
        if len(elements) < len(read.elements):
            return _duplicate(c, read)
        if len(elements) > len(before):
            level += 1
            new = elements - before
            if not new <= added.keys():
                return _phantom(c, read, next(e for e in read.elements if e not in added))
            for element in new:
                found.level_of.setdefault(element, level)
        if not before <= elements:
            assert last is not None
            return _diverged(c, last, read, before - elements, elements - before)
        before, last = elements, read
        found.reads.append((read, level))
    return found


def _added(c: Columns, sets: Sets) -> dict[int, dict[Any, int]]:
    """For each key its elements, each with the one of its adds that began first."""
    keys, inv = c.key.tolist(), c.inv.tolist()
    found: dict[int, dict[Any, int]] = {}
    for which, element in sets.adds:
        mine = found.setdefault(keys[which], {})
        other = mine.setdefault(element, which)
        if inv[which] < inv[other]:
            mine[element] = which
    return found


def _placed(
    c: Columns, sets: Sets, levels: dict[int, Levels], added: dict[int, dict[Any, int]]
) -> Items:
    at: list[int] = []
    lo: list[int] = []
    hi: list[int] = []
    keys = c.key.tolist()
    nothing = Levels({}, [])
    for which, element in sets.adds:
        key = keys[which]
        mine = levels.get(key, nothing)
        level = mine.level_of.get(element)
        if level is not None:
            at.append(which)
            lo.append(2 * level - 1)
            hi.append(2 * level - 1 if added[key][element] == which else UNBOUNDED)
        elif c.operations[which].returned is not None:
            at.append(which)
            lo.append(2 * (mine.reads[-1][1] if mine.reads else 0) + 1)
            hi.append(UNBOUNDED)
    for mine in levels.values():
        for read, level in mine.reads:
            at.append(read.at)
            lo.append(2 * level)
            hi.append(2 * level)
    return items(at, lo, hi)


def _duplicate(c: Columns, read: Read) -> Wrong:
    operation = c.operations[read.at]
    met: set[Any] = set()
    again = []
    for element in read.elements:
        if element in met:
            again.append(element)
        met.add(element)
    sentence = f"{operation_text(operation)} shows {value_text(again[0])} more than once."
    return Wrong(operation.key, "duplicate", sentence, (operation,))


def _phantom(c: Columns, read: Read, element: Any) -> Wrong:
    operation = c.operations[read.at]
    sentence = (
        f"{operation_text(operation)} shows {value_text(element)}, which nobody added, or whose "
        "add certainly failed."
    )
    return Wrong(operation.key, "phantom", sentence, (operation,))


def _diverged(
    c: Columns, one: Read, other: Read, only_one: frozenset[Any], only_other: frozenset[Any]
) -> Wrong:
    first, second = c.operations[one.at], c.operations[other.at]
    mine = next(element for element in one.elements if element in only_one)
    theirs = next(element for element in other.elements if element in only_other)
    sentence = (
        f"{operation_text(first)} shows {value_text(mine)} and not {value_text(theirs)}, "
        f"{operation_text(second)} shows {value_text(theirs)} and not {value_text(mine)}."
    )
    return Wrong(first.key, "diverged", sentence, (first, second))


class _Telling(msgspec.Struct, frozen=True):
    """What is needed to tell of two operations of one key that are out of order."""

    c: Columns
    levels: Levels | None
    shown: dict[int, Read]
    elements: dict[int, Any]

    def disorder(self, first: int, second: int) -> Wrong:
        earlier, later = self.c.operations[first], self.c.operations[second]
        level_of = {} if self.levels is None else self.levels.level_of
        if second in self.shown:
            return self._missed(first, second, level_of)
        element = self.elements[second]
        if first in self.shown:
            sentence = (
                f"{operation_text(earlier)} shows {value_text(element)}, which "
                f"{operation_text(later)} only began to add {began_text(later)}."
            )
            return Wrong(later.key, "future-read", sentence, (earlier, later))
        assert self.levels is not None
        read = next(read for read, level in self.levels.reads if level == level_of[element])
        before = self.elements[first]
        sentence = (
            f"{operation_text(self.c.operations[read.at])} shows {value_text(element)} and not "
            f"{value_text(before)}, although {operation_text(earlier)} had been acknowledged "
            f"before {operation_text(later)} began."
        )
        return Wrong(later.key, "reordered", sentence, (earlier, later, self.c.operations[read.at]))

    def _missed(self, first: int, second: int, level_of: dict[Any, int]) -> Wrong:
        earlier, later = self.c.operations[first], self.c.operations[second]
        if first in self.shown:
            missing = set(self.shown[first].elements) - set(self.shown[second].elements)
            element = next(e for e in self.shown[first].elements if e in missing)
            sentence = (
                f"{operation_text(later)} does not show {value_text(element)}, which "
                f"{operation_text(earlier)} had shown before it began."
            )
            return Wrong(later.key, "stale-read", sentence, (earlier, later))
        element = self.elements[first]
        kind = "stale-read" if element in level_of else "lost"
        ever = "" if kind == "stale-read" else ", and no read ever did"
        sentence = (
            f"{operation_text(later)} does not show {value_text(element)}{ever}, although "
            f"{operation_text(earlier)} had been acknowledged before it began."
        )
        return Wrong(later.key, kind, sentence, (earlier, later))
