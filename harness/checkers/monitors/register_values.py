"""Who wrote the value that a read saw? Values of all registers, numbered, with their writers."""

from collections.abc import Hashable
from typing import Any

import msgspec
import numpy as np

from ..operations import UNKNOWN
from .columns import Columns, Ints

INITIAL = -1
"""The writer of what a register held when the history began."""

NOBODY = -2
"""The writer of a value that nobody wrote."""

PLAIN = -1
"""The source of a value that was simply written."""

TWICE = "a value was written twice and then observed: by which of its writes, nobody can tell"
REFUSED = "a compare-and-set failed: that tells what the value was not, but not what it was"


class Values(msgspec.Struct, frozen=True):
    """Each value that a register had, and the operations that show it.

    Operation `at[i]` wrote or saw value `value[i]`; reads come first, `reads` of them. `source` is
    the value that the writer of a value found, if it was a compare-and-set, else PLAIN.
    `ambiguous` says of keys why they are.
    """

    key: Ints
    texts: list[Any]
    writer: Ints
    source: Ints
    at: Ints
    value: Ints
    reads: int
    ambiguous: dict[int, str]


class _Reading(msgspec.Struct):
    """What one pass over the operations collects: who saw a value, who set it over which."""

    ids: dict[Hashable, int]
    seen: tuple[list[int], list[int]]
    sets: tuple[list[int], list[int], list[int]]
    maybe: list[tuple[int, int, int]]
    refused: set[int]


def values(c: Columns, initial: Any) -> Values:
    """Number the values of all registers, leaving out what need not have happened."""
    met = _read(c)
    at, value, source = met.sets
    reads_at, reads_value = met.seen
    observed = {*reads_value, *source} - {PLAIN}
    for entry in _happened(met.maybe, observed):
        at.append(entry[0])
        value.append(entry[1])
        source.append(entry[2])
    names: list[Any] = list(met.ids)
    at_start = [met.ids[k, initial] for k in range(len(c.keys)) if (k, initial) in met.ids]
    at_start = [v for v in at_start if v in observed]
    writes = np.bincount(np.array(value + at_start, np.int64), minlength=len(names))
    twice = set(np.flatnonzero(writes > 1).tolist())
    ambiguous = dict.fromkeys(sorted(met.refused), REFUSED)
    ambiguous |= {names[v][0]: TWICE for v in sorted(twice & observed)}
    for which, v in enumerate(value if twice else ()):
        # Nobody saw it, so the writes of one value are as good as writes of several.
        if v in twice and v not in observed:
            value[which] = len(names)
            names.append(names[v])
    writer = np.full(len(names), NOBODY, np.int64)
    sources = np.full(len(names), PLAIN, np.int64)
    writer[at_start] = INITIAL
    writer[value] = at
    sources[value] = source
    return Values(
        key=np.fromiter((k for k, _ in names), np.int64, len(names)),
        texts=[text for _, text in names],
        writer=writer,
        source=sources,
        at=np.array(reads_at + at, np.int64),
        value=np.array(reads_value + value, np.int64),
        reads=len(reads_at),
        ambiguous=ambiguous,
    )


def _read(c: Columns) -> _Reading:
    """Sort the operations by what they say about values."""
    met = _Reading({}, ([], []), ([], [], []), [], set())
    ids = met.ids
    reads_at, reads_value = met.seen
    sets_at, sets_value, sets_source = met.sets
    for at, (operation, key) in enumerate(zip(c.operations, c.key.tolist(), strict=True)):
        f, result = operation.f, operation.result
        if f == "read":
            if result is not UNKNOWN:
                reads_at.append(at)
                reads_value.append(ids.setdefault((key, result), len(ids)))
        elif f == "write":
            value = ids.setdefault((key, operation.argument), len(ids))
            if result is UNKNOWN:
                met.maybe.append((at, value, PLAIN))
            else:
                sets_at.append(at)
                sets_value.append(value)
                sets_source.append(PLAIN)
        elif result is False:
            met.refused.add(key)
        else:
            expected, new = operation.argument
            source = ids.setdefault((key, expected), len(ids))
            value = ids.setdefault((key, new), len(ids))
            if result is UNKNOWN:
                met.maybe.append((at, value, source))
            elif value == source:
                # It left what it found: a read.
                reads_at.append(at)
                reads_value.append(value)
            else:
                sets_at.append(at)
                sets_value.append(value)
                sets_source.append(source)
    return met


def _happened(maybe: list[tuple[int, int, int]], observed: set[int]) -> list[tuple[int, int, int]]:
    """Of the writes of open outcome those whose value was observed, by itself or in a chain."""
    waiting: dict[int, list[tuple[int, int, int]]] = {}
    found: list[tuple[int, int, int]] = []
    ready: list[tuple[int, int, int]] = []
    for entry in maybe:
        _, value, source = entry
        if value == source:
            continue
        if value in observed:
            ready.append(entry)
        else:
            waiting.setdefault(value, []).append(entry)
    while ready:
        entry = ready.pop()
        found.append(entry)
        source = entry[2]
        if source != PLAIN:
            observed.add(source)
            ready += waiting.pop(source, [])
    return found
