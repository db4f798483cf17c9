"""Registers whose values tell who wrote them: reads, writes and chains of compare-and-set.

What was read tells which write it saw, so each value with its reads is a block that nothing may
take apart: between a write and a read of its value no other write can stand. A compare-and-set
that succeeded stands right behind the block of the value that it found; such blocks form a chain,
which nothing may take apart either, and whose order is known. It remains whether real time lets
each chain have its own order, and all chains one (`zones.py`).

A write of open outcome that nobody saw may be left out; a compare-and-set of open outcome happened
iff somebody saw its value. Ambiguous, and left to the search: a value that was observed and has two
writers; a compare-and-set that failed (it says only what the value was not).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..operations import Ambiguous, Judgement, Operation
from .columns import BEFORE, Columns, Flags, Ints, before, columns, first_of_each, running_max
from .conclusion import Wrong, conclude
from .register_prose import Witnesses
from .register_values import INITIAL, NOBODY, PLAIN, Values, values
from .zones import Blocks, clashes

ANOMALIES = {
    "phantom": "A value was read, or found by a compare-and-set, that nobody had written.",
    "future-read": "A value was read, or replaced, before its write began.",
    "lost-update": "Two compare-and-sets replaced one and the same value.",
    "circular-update": "Compare-and-sets found each other's values: none can have been first.",
    "stale-read": "A value was read that had been overwritten before the read began.",
    "stale-update": "A compare-and-set found a value that had been overwritten before it began.",
    "two-orders": "Of two values each must have been written before the other.",
}


def judge(operations: Sequence[Operation], initial: Any = None) -> Judgement | Ambiguous:
    """Decide whether all registers, one a key, are linearizable."""
    c = columns(operations)
    found = values(c, initial)
    tell = Witnesses(c, found)
    ambiguous = {c.keys[key]: reason for key, reason in found.ambiguous.items()}
    wrong, is_sound = _contradictions(c, found, tell)
    if is_sound.any():
        wrong += _disorders(c, found, tell, is_sound)
    return conclude(operations, wrong, ambiguous, keys=len(c.keys))


def _contradictions(c: Columns, found: Values, tell: Witnesses) -> tuple[list[Wrong], Flags]:
    """What is wrong before any order is asked for; and the keys with which nothing is, so far."""
    is_sound = np.ones(len(c.keys), np.bool_)
    is_sound[list(found.ambiguous)] = False
    wrong: list[Wrong] = []

    def note(values: Ints, at: Ints, say: Any) -> None:
        keys = found.key[values]
        order = np.argsort(keys, kind="stable")
        for which in order[first_of_each(keys[order], np.arange(len(order)))].tolist():
            if is_sound[keys[which]]:
                is_sound[keys[which]] = False
                wrong.append(say(int(at[which])))

    reads, read_value = found.at[: found.reads], found.value[: found.reads]
    writer = found.writer[read_value]
    lost = writer == NOBODY
    note(read_value[lost], reads[lost], tell.phantom)
    # Nobody's place is none, and in a history of one operation it is not even one from the end.
    early = (writer >= 0) & (c.ret[reads] < c.inv[np.maximum(writer, 0)])
    note(read_value[early], np.flatnonzero(early), tell.future)
    swapped = np.flatnonzero(found.source != PLAIN)
    source = found.source[swapped]
    lost = found.writer[source] == NOBODY
    note(swapped[lost], found.writer[swapped[lost]], tell.phantom)
    order = np.argsort(source, kind="stable")
    again = np.flatnonzero(source[order][1:] == source[order][:-1])
    note(swapped[order[again]], source[order[again]], tell.fork)
    return wrong, is_sound


def _chains(found: Values) -> tuple[Ints, Ints, Ints]:
    """For each value the first of its chain and its place in it; and values of circles."""
    chain = np.arange(len(found.key))
    place = np.zeros(len(found.key), np.int64)
    swapped = np.flatnonzero(found.source != PLAIN)
    next_of = dict(zip(found.source[swapped].tolist(), swapped.tolist(), strict=True))
    chain[swapped] = -1
    for head in next_of:
        if found.source[head] != PLAIN:
            continue
        at, depth = head, 0
        while (following := next_of.get(at)) is not None:
            at, depth = following, depth + 1
            chain[at], place[at] = head, depth
    circling = np.flatnonzero(chain == -1)
    return chain, place, circling


def _disorders(c: Columns, found: Values, tell: Witnesses, is_sound: Flags) -> list[Wrong]:
    """Where real time forbids the only order that the values allow."""
    chain, place, circling = _chains(found)
    wrong = []
    for value in circling.tolist():
        key = found.key[value]
        if is_sound[key]:
            is_sound[key] = False
            wrong.append(tell.circle(value))
    first, last = _zones(c, found)
    order = np.lexsort((place, chain))
    reach = before(chain[order], _running(chain[order], last[order]), BEFORE)
    late = np.flatnonzero(first[order] < reach)
    for at in late.tolist():
        value = int(order[at])
        if is_sound[found.key[value]]:
            is_sound[found.key[value]] = False
            wrong.append(tell.chain(value, chain, place, int(first[value]), int(reach[at])))
    whole_first, whole_last = first.copy(), last.copy()
    linked = np.flatnonzero(found.source != PLAIN)
    linked = linked[chain[linked] >= 0]
    np.minimum.at(whole_first, chain[linked], first[linked])
    np.maximum.at(whole_last, chain[linked], last[linked])
    heads = np.flatnonzero((chain == np.arange(len(chain))) & is_sound[found.key])
    heads = heads[whole_last[heads] > BEFORE]
    blocks = Blocks(found.key[heads], whole_first[heads], whole_last[heads])
    for a, b in clashes(c, blocks):
        wrong.append(tell.clash(chain, int(heads[a]), int(heads[b])))
    return wrong


def _running(chain: Ints, last: Ints) -> Ints:
    """The greatest invocation so far along each chain."""
    rank = np.cumsum(np.concatenate(([0], chain[1:] != chain[:-1]))) if len(chain) else chain
    return running_max(rank, last)


def _zones(c: Columns, found: Values) -> tuple[Ints, Ints]:
    """For each value where the first of its operations returned, and the last of them began."""
    first = np.full(len(found.key), c.never, np.int64)
    last = np.full(len(found.key), BEFORE, np.int64)
    np.minimum.at(first, found.value, c.ret[found.at])
    np.maximum.at(last, found.value, c.inv[found.at])
    first[found.writer == INITIAL] = BEFORE
    return first, last
