"""Counters that are incremented by one: a read tells how many increments came before it.

Reads of equal value form a group; slot j lies between group j - 1 and group j and holds exactly as
many increments as their values differ by. Real time gives each increment an interval of slots; the
last slot, behind all reads, takes any number. Slots are filled in order, each with those increments
first that must be placed first (earliest deadline first: exact for jobs of unit length).

Ambiguous: an amount other than one. Sums of arbitrary amounts are as hard as subset sum.
"""

import heapq
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from ...prose import plural
from ..operations import UNKNOWN, Ambiguous, Judgement, Operation
from .columns import Columns, columns
from .conclusion import Wrong, conclude
from .jobs import Job, jobs
from .prose import operation_text, value_text
from .sweep import items, sweep

ANOMALIES = {
    "impossible-value": "A value was read that no number of increments is.",
    "went-back": "A read returned less than one that had returned before it began.",
    "lost-increment": "An increment between two reads of one value does not show.",
    "overcount": "A read returned more than all increments that can have happened by then.",
    "undercount": "A read returned less than the increments that were certainly there.",
}
COUNTING = frozenset({"overcount", "undercount"})
"""Anomalies that say how many increments there were: no few operations alone show them."""

NOT_ONE = "an amount is not one: which increments a sum holds, nobody can tell"


class Counter(msgspec.Struct):
    """The operations of one key, by their places in the columns."""

    adds: list[int]
    reads: list[int]


def judge(operations: Sequence[Operation]) -> Judgement | Ambiguous:
    """Decide whether all counters, one a key, are linearizable."""
    c = columns(operations)
    counters = [Counter([], []) for _ in c.keys]
    ambiguous: dict[Any, str] = {}
    wrong: dict[int, Wrong] = {}
    for at, (operation, key) in enumerate(zip(operations, c.key.tolist(), strict=True)):
        if operation.f == "add":
            if operation.argument not in (None, 1):
                ambiguous[operation.key] = NOT_ONE
            counters[key].adds.append(at)
        elif operation.result is not UNKNOWN:
            if whole(operation.result) is None:
                wrong.setdefault(key, _impossible(operation))
            else:
                counters[key].reads.append(at)
    groups = [sorted({int(operations[at].result) for at in one.reads}) for one in counters]
    slots = _slots(c, counters, groups, wrong)
    for key, counter in enumerate(counters):
        if key not in wrong and c.keys[key] not in ambiguous:
            found = _filled(c, counter, groups[key], slots.get(key, []))
            if found is not None:
                wrong[key] = found
    return conclude(operations, list(wrong.values()), ambiguous, keys=len(c.keys))


def whole(value: Any) -> int | None:
    """The number, 0 or more, that was read, 1.0 as 1; None where it is no such."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and value >= 0 else None


def _slots(
    c: Columns, counters: list[Counter], groups: list[list[int]], wrong: dict[int, Wrong]
) -> dict[int, list[Job]]:
    """The increments of each key, each between two groups; what reads contradict is noted."""
    at: list[int] = []
    place: list[int] = []
    for counter, values in zip(counters, groups, strict=True):
        group = {value: number for number, value in enumerate(values, start=1)}
        at += counter.reads
        place += [group[c.operations[read].result] for read in counter.reads]
    reads = items(at, place, place)
    for first, second in sweep(c, reads):
        key = int(c.key[second])
        wrong.setdefault(key, _went_back(c.operations[first], c.operations[second]))
    adds = np.array([add for counter in counters for add in counter.adds], np.int64)
    return jobs(c, c, reads, adds)


def _filled(c: Columns, counter: Counter, values: list[int], mine: list[Job]) -> Wrong | None:
    """Fill the slots of one counter in order; what cannot be done is the answer."""
    for job in mine:
        if job.lo >= job.hi:
            return _lost(c, counter, job)
    waiting = sorted(mine, key=lambda job: job.lo, reverse=True)
    ready: list[Job] = []
    before = 0
    for slot, value in enumerate(values, start=1):
        while waiting and waiting[-1].lo < slot:
            heapq.heappush(ready, waiting.pop())
        if len(ready) < value - before:
            return _overcount(c, counter, value, before + len(ready))
        for _ in range(value - before):
            heapq.heappop(ready)
        if ready and ready[0].hi <= slot:
            return _undercount(c, counter, value, ready[0])
        before = value
    return None


def _impossible(read: Operation) -> Wrong:
    sentence = (
        f"{operation_text(read)} returned {value_text(read.result)}, which no number of "
        "increments is."
    )
    return Wrong(read.key, "impossible-value", sentence, (read,))


def _went_back(earlier: Operation, later: Operation) -> Wrong:
    sentence = (
        f"{operation_text(later)} returned {later.result:,}, although {operation_text(earlier)} "
        f"had returned {earlier.result:,} before it began."
    )
    return Wrong(later.key, "went-back", sentence, (earlier, later))


def _lost(c: Columns, counter: Counter, job: Job) -> Wrong:
    add = c.operations[job.at]
    reads = [c.operations[at] for at in counter.reads]
    before = max((r for r in reads if r.end < add.invoked), key=lambda read: read.result)
    after = min((r for r in reads if r.invoked > add.end), key=lambda read: read.result)
    sentence = (
        f"{operation_text(before)} and {operation_text(after)} both returned {after.result:,}, "
        f"although {operation_text(add)} began and was acknowledged in between."
    )
    return Wrong(add.key, "lost-increment", sentence, (before, add, after))


def _overcount(c: Columns, counter: Counter, value: int, most: int) -> Wrong:
    read = next(c.operations[at] for at in counter.reads if c.operations[at].result == value)
    sentence = (
        f"{operation_text(read)} returned {value:,}, but only {plural(most, 'increment')} can have "
        "happened by then."
    )
    return Wrong(read.key, "overcount", sentence, (read,))


def _undercount(c: Columns, counter: Counter, value: int, job: Job) -> Wrong:
    add = c.operations[job.at]
    read = next(
        o for at in counter.reads if (o := c.operations[at]).result <= value and o.invoked > add.end
    )
    sentence = (
        f"{operation_text(read)} returned {read.result:,}, which leaves no room for "
        f"{operation_text(add)}, acknowledged before it began, beside the others that were."
    )
    return Wrong(read.key, "undercount", sentence, (add, read))
