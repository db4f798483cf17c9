"""Counters whose amounts are distinct powers of two: a value tells what was added, as a set.

Ambiguous: an amount that is no power of two, or that was added twice; two twos look like a four.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from ..operations import UNKNOWN, Ambiguous, Judgement, Operation
from . import grow_set
from .columns import columns
from .conclusion import Wrong, conclude
from .counter import whole
from .grow_set import Read, Sets
from .prose import operation_text, value_text

ANOMALIES = {
    name: meaning
    for name, meaning in {
        **grow_set.ANOMALIES,
        "phantom": "A value holds an amount that nobody had added, or whose add certainly failed.",
    }.items()
    if name != "duplicate"
}
NO_SET = "an amount is no power of two, or was added twice: a value does not tell what was added"


def judge(operations: Sequence[Operation]) -> Judgement | Ambiguous:
    """Decide whether all counters, one a key, are linearizable."""
    c = columns(operations)
    sets = Sets([], [])
    amounts: dict[Any, set[int]] = {}
    ambiguous: dict[Any, str] = {}
    wrong: list[Wrong] = []
    for at, operation in enumerate(operations):
        if operation.f == "add":
            amount, mine = operation.argument, amounts.setdefault(operation.key, set())
            if not _is_bit(amount) or amount in mine:
                ambiguous[operation.key] = NO_SET
            mine.add(amount)
            sets.adds.append((at, amount))
        elif operation.result is not UNKNOWN:
            value = whole(operation.result)
            if value is None:
                wrong.append(_no_sum(operation))
            sets.reads.append(Read(at, tuple(bits(value or 0))))
    told = {w.key for w in wrong}
    wrong += [w for w in grow_set.wrong_of(c, sets) if w.key not in told]
    return conclude(operations, wrong, ambiguous, keys=len(c.keys))


def bits(value: int) -> Iterator[int]:
    """The powers of two of which a number is the sum, least first."""
    while value:
        least = value & -value
        yield least
        value ^= least


def _is_bit(amount: Any) -> bool:
    return isinstance(amount, int) and amount > 0 and amount & (amount - 1) == 0


def _no_sum(operation: Operation) -> Wrong:
    sentence = (
        f"{operation_text(operation)} returned {value_text(operation.result)}, which is no sum of "
        "amounts."
    )
    return Wrong(operation.key, "phantom", sentence, (operation,))
