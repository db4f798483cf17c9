"""Locks: acquired when free, released by who holds it.

With owners, each release belongs to the acquire before it of the same owner: the two are a block
that nothing may take apart, and blocks can be ordered or not (`zones.py`). One that is never
released is a block without an end.

Without owners any release may follow any acquire, and all of a kind are alike but for their
intervals: whenever one has to take effect, because it returns, those before it that must have are
taken in order of their returns, as late as can be. Those that were never answered come last.

Ambiguous: an owner who goes on after an operation that was never answered, or does two things at
once; a lock that has both owners and none.
"""

import heapq
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from ..operations import Ambiguous, Judgement, Operation
from .columns import Columns, columns
from .conclusion import Wrong, conclude
from .prose import operation_text
from .zones import Blocks, clashes

ANOMALIES = {
    "two-holders": "Two owners held the lock at once.",
    "double-acquire": "The lock was acquired while nobody can have released it.",
    "unheld-release": "The lock was released while nobody can have held it.",
}
COUNTING = frozenset(ANOMALIES)
"""All of them say that an operation is missing: no few others alone show them."""

AT_ONCE = "an owner did two things at once: in which order, nobody can tell"
WENT_ON = "an owner went on after an operation that was never answered: it may happen any time"
MIXED = "some operations name an owner and some none"


class Hold(msgspec.Struct, frozen=True):
    """An acquire with its release, if there is one; places in the columns."""

    acquire: int
    release: int | None


def judge(operations: Sequence[Operation]) -> Judgement | Ambiguous:
    """Decide whether all locks, one a key, are linearizable."""
    c = columns(operations)
    mine: list[list[int]] = [[] for _ in c.keys]
    for at in np.argsort(c.inv, kind="stable").tolist():
        mine[c.key[at]].append(at)
    wrong: list[Wrong] = []
    ambiguous: dict[Any, str] = {}
    holds: list[Hold] = []
    for key, places in zip(c.keys, mine, strict=True):
        named = {c.operations[at].argument is not None for at in places}
        if len(named) > 1:
            ambiguous[key] = MIXED
            continue
        found = _owned(c, places) if True in named else _anonymous(c, places)
        if isinstance(found, str):
            ambiguous[key] = found
        elif isinstance(found, Wrong):
            wrong.append(found)
        else:
            holds += found
    wrong += _together(c, holds)
    return conclude(operations, wrong, ambiguous, keys=len(c.keys))


def _owned(c: Columns, places: list[int]) -> list[Hold] | Wrong | str:
    """The holds of one lock, owner by owner."""
    by_owner: dict[Any, list[int]] = {}
    for at in places:
        by_owner.setdefault(c.operations[at].argument, []).append(at)
    holds: list[Hold] = []
    for own in by_owner.values():
        acquired: int | None = None
        for at, following in zip(own, [*own[1:], None], strict=True):
            operation = c.operations[at]
            if following is not None:
                if operation.returned is None:
                    return WENT_ON
                if c.ret[at] >= c.inv[following]:
                    return AT_ONCE
            if operation.f == "acquire":
                if acquired is not None and operation.returned is not None:
                    return _double(c.operations[acquired], operation)
                if operation.returned is not None:
                    acquired = at
            elif acquired is not None:
                holds.append(Hold(acquired, at))
                acquired = None
            elif operation.returned is not None:
                return _unheld(operation)
        if acquired is not None:
            holds.append(Hold(acquired, None))
    return holds


def _together(c: Columns, holds: list[Hold]) -> list[Wrong]:
    """For each lock two holds that overlap, if any do."""
    acquires = np.array([hold.acquire for hold in holds], np.int64)
    last = [c.never if hold.release is None else int(c.inv[hold.release]) for hold in holds]
    blocks = Blocks(c.key[acquires], c.ret[acquires], np.array(last, np.int64))
    return [_two_holders(c, holds[one], holds[other]) for one, other in clashes(c, blocks)]


def _anonymous(c: Columns, places: list[int]) -> list[Hold] | Wrong:
    """Let each operation take effect when it has to; what cannot is the answer."""
    ends = [(int(c.inv[at]), 0, at) for at in places]
    ends += [(int(c.ret[at]), 1, at) for at in places if c.ret[at] < c.never]
    pending: dict[str, list[tuple[int, int]]] = {"acquire": [], "release": []}
    done: set[int] = set()
    next_f, other_f = "acquire", "release"
    last: Operation | None = None
    for _, is_return, at in sorted(ends):
        operation = c.operations[at]
        if not is_return:
            heapq.heappush(pending[operation.f], (int(c.ret[at]), at))
            continue
        while at not in done:
            if not pending[next_f]:
                return _double(last, operation) if next_f == "release" else _unheld(operation)
            _, chosen = heapq.heappop(pending[next_f])
            done.add(chosen)
            last = c.operations[chosen]
            next_f, other_f = other_f, next_f
    return []


def _double(first: Operation | None, second: Operation) -> Wrong:
    assert first is not None
    sentence = (
        f"{operation_text(second)} succeeded, although {operation_text(first)} had, and nobody can "
        "have released the lock in between."
    )
    return Wrong(second.key, "double-acquire", sentence, (first, second))


def _unheld(operation: Operation) -> Wrong:
    sentence = f"{operation_text(operation)} succeeded, although nobody can have held the lock."
    return Wrong(operation.key, "unheld-release", sentence, (operation,))


def _two_holders(c: Columns, one: Hold, other: Hold) -> Wrong:
    """Each acquire had returned before the other's release began."""
    first, second = c.operations[one.acquire], c.operations[other.acquire]
    told, shown = [], [first, second]
    for hold in (one, other):
        acquire = c.operations[hold.acquire]
        until = "and was never released"
        if hold.release is not None:
            release = c.operations[hold.release]
            shown.append(release)
            until = f"until {operation_text(release)}"
        told.append(f"from {operation_text(acquire)} {until}")
    sentence = f"the lock was held {told[0]}, and at the same time {told[1]}."
    return Wrong(first.key, "two-holders", sentence, tuple(shown))
