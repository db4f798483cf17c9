"""Logs that are read as a whole: every read is a prefix of the longest one.

So the longest read gives each element its place: the i-th one stands at 2i, a read that found n
elements at 2n + 1, an element that was acknowledged and that nobody ever saw behind all reads. What
was never answered and never seen may be left out. The rest is a sweep.

Ambiguous: an element that was appended twice and read.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from ..operations import UNKNOWN, Ambiguous, Judgement, Operation
from .columns import Columns, columns
from .conclusion import Wrong, conclude
from .log_prose import diverged, future_read, phantom, shrunk
from .prose import operation_text, value_text
from .sweep import Items, items, sweep

ANOMALIES = {
    "phantom": "An element was read that nobody had appended, or whose append certainly failed.",
    "duplicate": "An element was read twice that was appended once.",
    "diverged": "Of two reads neither is a prefix of the other.",
    "lost": "An element was acknowledged, a later read did not find it, and nobody ever saw it.",
    "stale-read": "A read did not find what had been acknowledged or read before it began.",
    "future-read": "An element was read before its append began.",
    "reordered": "An element stands behind one whose append began after its own had returned.",
}
TWICE = "an element was appended twice and read: which of its appends was seen, nobody can tell"


class Logs(msgspec.Struct, frozen=True):
    """The longest read of each key, which shows where its elements stand."""

    longest: dict[int, Operation]
    places: dict[int, dict[Any, int]]


def judge(operations: Sequence[Operation]) -> Judgement | Ambiguous:
    """Decide whether all logs, one a key, are linearizable."""
    c = columns(operations)
    wrong, ambiguous, logs = contents(c)
    broken = {w.key for w in wrong} | set(ambiguous)
    wrong += [
        disorder(c, logs, earlier, later)
        for earlier, later in sweep(c, placed(c, logs))
        if c.keys[c.key[later]] not in broken
    ]
    return conclude(operations, wrong, ambiguous, keys=len(c.keys))


def contents(c: Columns) -> tuple[list[Wrong], dict[Any, str], Logs]:
    """Whether the reads of each key agree on one log, and which it is."""
    reads: dict[int, list[Operation]] = {}
    appends: dict[int, dict[Any, int]] = {}
    for operation, key in zip(c.operations, c.key.tolist(), strict=True):
        if operation.f == "append":
            times = appends.setdefault(key, {})
            times[operation.argument] = times.get(operation.argument, 0) + 1
        elif operation.result is not UNKNOWN:
            reads.setdefault(key, []).append(operation)
    wrong: list[Wrong] = []
    ambiguous: dict[Any, str] = {}
    logs = Logs({}, {})
    for key, mine in reads.items():
        longest = max(mine, key=lambda read: len(read.result))
        elements = longest.result
        times = appends.get(key, {})
        places = {element: place for place, element in enumerate(elements, start=1)}
        logs.longest[key], logs.places[key] = longest, places
        seen = set().union(
            *(read.result for read in mine if not _is_prefix(read, elements)), places
        )
        if any(times.get(element, 0) > 1 for element in seen):
            ambiguous[c.keys[key]] = TWICE
            continue
        fault = _phantom(mine, seen - times.keys()) or _diverged(mine, longest)
        if fault is None and len(places) < len(elements):
            fault = _duplicate(longest)
        wrong += [] if fault is None else [fault]
    return wrong, ambiguous, logs


def placed(c: Columns, logs: Logs) -> Items:
    """Where each operation stands; open appends that nobody saw are left out."""
    at: list[int] = []
    place: list[int] = []
    nothing: dict[Any, int] = {}
    for which, (operation, key) in enumerate(zip(c.operations, c.key.tolist(), strict=True)):
        if operation.f != "append":
            if operation.result is not UNKNOWN:
                at.append(which)
                place.append(2 * len(operation.result) + 1)
            continue
        places = logs.places.get(key, nothing)
        found = places.get(operation.argument)
        if found is not None or operation.returned is not None:
            at.append(which)
            place.append(2 * (len(places) + 1 if found is None else found))
    return items(at, place, place)


def _is_prefix(read: Operation, elements: Any) -> bool:
    prefix: bool = elements[: len(read.result)] == read.result
    return prefix


def _phantom(reads: list[Operation], unknown: set[Any]) -> Wrong | None:
    if not unknown:
        return None
    read = next(read for read in reads if not unknown.isdisjoint(read.result))
    return phantom(read, next(element for element in read.result if element in unknown))


def _diverged(reads: list[Operation], longest: Operation) -> Wrong | None:
    read = next((read for read in reads if not _is_prefix(read, longest.result)), None)
    return None if read is None else diverged(read, longest, "element")


def _duplicate(read: Operation) -> Wrong:
    element, _ = Counter(read.result).most_common(1)[0]
    sentence = (
        f"{operation_text(read)} returned {value_text(element)} twice, which was appended once."
    )
    return Wrong(read.key, "duplicate", sentence, (read,))


def disorder(c: Columns, logs: Logs, first: int, second: int) -> Wrong:
    """Two operations of which the later stands before the earlier."""
    earlier, later = c.operations[first], c.operations[second]
    key = int(c.key[second])
    places = logs.places.get(key, {})
    if later.f != "append":
        if earlier.f != "append":
            return shrunk(earlier, later, "element")
        kind = "stale-read" if earlier.argument in places else "lost"
        ever = "" if kind == "stale-read" else ", and nobody ever did"
        sentence = (
            f"{operation_text(later)} did not find {value_text(earlier.argument)}{ever}, although "
            f"{operation_text(earlier)} had been acknowledged before it began."
        )
        return Wrong(later.key, kind, sentence, (earlier, later))
    if earlier.f != "append":
        return future_read(earlier, later)
    longest = logs.longest[key]
    behind = "behind it" if earlier.argument in places else "not at all"
    sentence = (
        f"{operation_text(longest)} found {value_text(later.argument)}, and "
        f"{value_text(earlier.argument)} {behind}, although {operation_text(earlier)} had been "
        f"acknowledged before {operation_text(later)} began."
    )
    return Wrong(later.key, "reordered", sentence, (earlier, later, longest))
