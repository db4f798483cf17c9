"""First-in-first-out queues whose values tell which enqueue a dequeue took.

1. If one value's enqueue returned before another's began, its dequeue must not begin after the
   other's has returned. (A value that nobody dequeued is one whose dequeue never begins.)
2. A value is certainly there from the return of its enqueue to the beginning of its dequeue. A
   dequeue that found nothing must not lie within such intervals, joined where they overlap.

Pairs suffice: the two orders, of enqueues and of dequeues, are orders of intervals, and a longer
cycle of them contains one of two.

A dequeue that was never answered may have taken any one value that nobody else did, at any time
from its beginning on. Of such values, in order of acknowledgement, each must leave no later than
the next; so the first is given to the dequeue that began first, the second to the second, and if
any assignment is right this one is.

Ambiguous: a value that was enqueued twice and dequeued.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from ..operations import UNKNOWN, Ambiguous, Judgement, Operation
from .columns import Columns, Ints, columns, first_of_each, running_max
from .conclusion import Wrong, conclude
from .prose import began_text, operation_text, value_text

ANOMALIES = {
    "phantom": "A value was dequeued that nobody had enqueued, or whose enqueue certainly failed.",
    "duplicate": "A value that was enqueued once was dequeued twice.",
    "future-dequeue": "A value was dequeued before its enqueue began.",
    "reordered": "Of two values the one that was enqueued first was dequeued last.",
    "skipped": "A value was dequeued, and one that was there before it never was.",
    "false-empty": "A dequeue found nothing while a value was certainly there.",
}
COUNTING = frozenset({"skipped", "false-empty"})
"""Anomalies that say that no dequeue can have taken a value: no few operations alone show them."""

TWICE = "a value was enqueued twice and dequeued: which of its enqueues it was, nobody can tell"
NOBODY = -1


class Queues(msgspec.Struct):
    """The operations of all keys by what they do; numbers are places in the columns.

    `enqueues` and `dequeues` are of the same values, NOBODY where there was no dequeue.
    """

    enqueues: list[int]
    dequeues: list[int]
    open_dequeues: list[int]
    empties: list[int]
    wrong: dict[int, Wrong]
    ambiguous: dict[int, str]


class Values(msgspec.Struct, frozen=True):
    """Each value that was certainly enqueued, with the operations that put and took it.

    It had come when `enqueue` returned; it left after `left` and before `left_at_last`, where
    those began and ended that took it (`never`: it is still there).
    """

    enqueue: Ints
    dequeue: Ints
    key: Ints
    came: Ints
    left: Ints
    left_at_last: Ints


def judge(operations: Sequence[Operation]) -> Judgement | Ambiguous:
    """Decide whether all queues, one a key, are linearizable."""
    c = columns(operations)
    queues = _queues(c)
    values = _values(c, queues)
    wrong = queues.wrong
    for key, first, second in _overtaken(c, values):
        wrong.setdefault(key, _overtaking(c, values, first, second))
    for key, empty, value in _certainly_there(c, queues, values):
        wrong.setdefault(key, _false_empty(c, values, empty, value))
    ambiguous = {c.keys[key]: reason for key, reason in queues.ambiguous.items()}
    return conclude(operations, list(wrong.values()), ambiguous, keys=len(c.keys))


def _queues(c: Columns) -> Queues:
    """Join each value's enqueue to its dequeue, and say what cannot be joined."""
    found = Queues([], [], [], [], {}, {})
    enqueued: dict[tuple[int, Any], int] = {}
    twice: set[tuple[int, Any]] = set()
    taken: dict[tuple[int, Any], int] = {}
    others: list[int] = []
    for at, (operation, key) in enumerate(zip(c.operations, c.key.tolist(), strict=True)):
        if operation.f == "enqueue":
            name = (key, operation.argument)
            if enqueued.setdefault(name, at) != at:
                twice.add(name)
                others.append(at)
        elif operation.result is UNKNOWN:
            found.open_dequeues.append(at)
        elif operation.result is None:
            found.empties.append(at)
        elif (other := taken.setdefault((key, operation.result), at)) != at:
            found.wrong.setdefault(key, _duplicate(c, other, at))
    found.ambiguous |= {name[0]: TWICE for name in twice if name in taken}
    for name, at in taken.items():
        source = enqueued.get(name)
        if source is None:
            found.wrong[name[0]] = _phantom(c, at)
        elif c.ret[at] < c.inv[source]:
            found.wrong.setdefault(name[0], _future(c, source, at))
    found.enqueues = [*enqueued.values(), *others]
    found.dequeues = [taken.get(name, NOBODY) for name in enqueued] + [NOBODY] * len(others)
    return found


def _values(c: Columns, queues: Queues) -> Values:
    """When each value had certainly come, and when it may have left or certainly had."""
    enqueue = np.array(queues.enqueues, np.int64)
    dequeue = np.array(queues.dequeues, np.int64)
    is_there = (dequeue != NOBODY) | (c.ret[enqueue] < c.never)
    enqueue, dequeue = enqueue[is_there], dequeue[is_there]
    dequeue = _given(c, enqueue, dequeue, np.array(queues.open_dequeues, np.int64))
    came, left = c.ret[enqueue], np.full(len(enqueue), c.never, np.int64)
    left_at_last = left.copy()
    is_taken = dequeue != NOBODY
    taker = dequeue[is_taken]
    left[is_taken], left_at_last[is_taken] = c.inv[taker], c.ret[taker]
    return Values(enqueue, dequeue, c.key[enqueue], came, left, left_at_last)


def _given(c: Columns, enqueue: Ints, dequeue: Ints, takers: Ints) -> Ints:
    """Give the values that nobody took, in order, to the dequeues that were never answered."""
    free = np.flatnonzero(dequeue == NOBODY)
    free = free[np.argsort(c.within(c.key[enqueue[free]], c.ret[enqueue[free]]), kind="stable")]
    takers = takers[np.argsort(c.within(c.key[takers], c.inv[takers]), kind="stable")]
    keys, owners = c.key[enqueue[free]], c.key[takers]
    # The i-th of its key among the values, and whether its key has so many takers.
    place = np.arange(len(free)) - np.searchsorted(keys, keys, side="left")
    taker = np.searchsorted(owners, keys, side="left") + place
    has_one = taker < np.searchsorted(owners, keys, side="right")
    given = dequeue.copy()
    given[free[has_one]] = takers[taker[has_one]]
    return given


def _overtaken(c: Columns, values: Values) -> list[tuple[int, int, int]]:
    """For each key two values of which the first came first and left last."""
    order = np.argsort(c.within(values.key, values.came), kind="stable")
    key = values.key[order]
    came = c.within(key, values.came[order])
    latest = running_max(key, values.left[order])
    begun = c.within(values.key, c.inv[values.enqueue])
    before = np.searchsorted(came, begun, side="left") - 1
    if not len(order):
        return []
    is_late = (before >= 0) & (key[before] == values.key)
    is_late &= latest[before] > values.left_at_last
    late = np.flatnonzero(is_late)
    late = late[np.argsort(c.within(values.key[late], values.left_at_last[late]), kind="stable")]
    found = []
    for at in first_of_each(values.key[late], np.arange(len(late))).tolist():
        second = int(late[at])
        end = int(before[second]) + 1
        start = int(np.searchsorted(key, values.key[second], side="left"))
        first = int(order[start + int(np.argmax(values.left[order[start:end]]))])
        found.append((int(values.key[second]), first, second))
    return found


def _certainly_there(c: Columns, queues: Queues, values: Values) -> list[tuple[int, int, int]]:
    """For each key a dequeue that found nothing, and a value that was there when it began."""
    present = np.flatnonzero(values.came < values.left)
    present = present[np.argsort(c.within(values.key[present], values.came[present]))]
    key, came = values.key[present], values.came[present]
    reach = running_max(key, values.left[present])
    starts = np.flatnonzero(
        np.concatenate(([True], (key[1:] != key[:-1]) | (came[1:] >= reach[:-1])))
        if len(key)
        else np.empty(0, np.bool_)
    )
    if not len(starts):
        return []
    ends = reach[np.concatenate((starts[1:] - 1, [len(reach) - 1]))]
    empties = np.array(queues.empties, np.int64)
    begun = c.within(c.key[empties], c.inv[empties])
    which = np.searchsorted(c.within(key[starts], came[starts]), begun, side="left") - 1
    is_wrong = (which >= 0) & (key[starts[which]] == c.key[empties])
    is_wrong &= ends[which] > c.ret[empties]
    found = []
    for at in np.flatnonzero(is_wrong).tolist():
        empty = int(empties[at])
        first = int(starts[which[at]])
        stop = int(np.searchsorted(c.within(key, came), begun[at], side="left"))
        longest = first + int(np.argmax(values.left[present[first:stop]]))
        found.append((int(c.key[empty]), empty, int(present[longest])))
    return found


def _phantom(c: Columns, at: int) -> Wrong:
    taker = c.operations[at]
    sentence = (
        f"{operation_text(taker)} returned {value_text(taker.result)}, which nobody enqueued, or "
        "whose enqueue certainly failed."
    )
    return Wrong(taker.key, "phantom", sentence, (taker,))


def _duplicate(c: Columns, first: int, second: int) -> Wrong:
    one, other = c.operations[first], c.operations[second]
    sentence = (
        f"{operation_text(one)} and {operation_text(other)} both returned "
        f"{value_text(one.result)}, which was enqueued once."
    )
    return Wrong(one.key, "duplicate", sentence, (one, other))


def _future(c: Columns, source: int, at: int) -> Wrong:
    enqueue, taker = c.operations[source], c.operations[at]
    sentence = (
        f"{operation_text(taker)} returned {value_text(taker.result)}, which "
        f"{operation_text(enqueue)} only began to enqueue {began_text(enqueue)}."
    )
    return Wrong(taker.key, "future-dequeue", sentence, (enqueue, taker))


def _overtaking(c: Columns, values: Values, first: int, second: int) -> Wrong:
    one, other = (c.operations[values.enqueue[value]] for value in (first, second))
    taker = c.operations[values.dequeue[second]]
    order = (
        f"{operation_text(one)} had returned before {operation_text(other)} began, but "
        f"{operation_text(taker)} returned {value_text(other.argument)}"
    )
    late = values.dequeue[first]
    if late == NOBODY or c.operations[late].result is UNKNOWN:
        sentence = (
            f"{order}, and no dequeue that began before that had ended can have taken "
            f"{value_text(one.argument)}."
        )
        return Wrong(one.key, "skipped", sentence, (one, other, taker))
    last = c.operations[late]
    sentence = (
        f"{order} before {operation_text(last)} began, which returned {value_text(one.argument)}."
    )
    return Wrong(one.key, "reordered", sentence, (one, other, taker, last))


def _false_empty(c: Columns, values: Values, empty: int, value: int) -> Wrong:
    operation, enqueue = c.operations[empty], c.operations[values.enqueue[value]]
    taker = values.dequeue[value]
    shown: tuple[Operation, ...] = (enqueue, operation)
    until = "nobody can have taken it by then"
    if taker != NOBODY and c.operations[taker].result is not UNKNOWN:
        shown = (*shown, c.operations[taker])
        until = f"{operation_text(c.operations[taker])} took it"
        if values.left[value] <= c.ret[empty]:
            until += "; by then others were there without a break"
    sentence = (
        f"{operation_text(operation)} found nothing, although {operation_text(enqueue)} had "
        f"returned before it began, and {until}."
    )
    return Wrong(operation.key, "false-empty", sentence, shown)
