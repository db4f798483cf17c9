"""Session guarantees of replicas that collect elements: what must a process see of what it saw?

Each process is a session (Terry and others, 1994). A read is the set of elements that some replica
has; no order between sessions is asked for.

- monotonic reads: what a process read it reads again.
- read your writes: what was acknowledged to a process it reads.
- monotonic writes: whoever sees a process's write sees those acknowledged to it before.
- writes follow reads: whoever sees a process's write sees all that the process had read before.

Chains save work: what a read owes to the reads and writes before it, it owes through the last of
them, unless something is wrong already.

Ambiguous: an element that was written twice and read; a process that did two things at once.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from ..operations import UNKNOWN, Ambiguous, Judgement, Operation
from .conclusion import Wrong, conclude
from .prose import operation_text, value_text

ANOMALIES = {
    "monotonic-reads": "A process did not read again what it had read.",
    "read-your-writes": "A process did not read what had been acknowledged to it.",
    "monotonic-writes": "A write was seen without one that the same process had made before.",
    "writes-follow-reads": "A write was seen without what its process had read before it.",
}
WRITES = frozenset({"add", "append", "write"})
TWICE = "an element was written twice and read: which of its writes was seen, nobody can tell"
AT_ONCE = "a process did two things at once: what came before what, nobody can tell"


class Owed(msgspec.Struct, frozen=True):
    """What must be seen with a write: the last write and the last read of its session before."""

    write: Operation
    before: Operation | None
    read: Operation | None


class Session(msgspec.Struct):
    """What one process did so far, of what had been answered."""

    unread: list[Operation] = []
    write: Operation | None = None
    read: Operation | None = None
    elements: frozenset[Any] = frozenset()


def judge(operations: Sequence[Operation]) -> Judgement | Ambiguous:
    """Decide whether each process has the four guarantees; each that broke is told once a key."""
    mine: dict[Any, list[Operation]] = {}
    for operation in sorted(operations, key=lambda operation: operation.invoked):
        mine.setdefault(operation.key, []).append(operation)
    wrong: list[Wrong] = []
    ambiguous: dict[Any, str] = {}
    for key, own in mine.items():
        reason = _ambiguity(own)
        if reason is not None:
            ambiguous[key] = reason
            continue
        owed: dict[Any, Owed] = {}
        found = {w.anomaly: w for w in reversed([*_within(own, owed), *_across(own, owed)])}
        wrong += found.values()
    return conclude(
        operations, wrong, ambiguous, keys=len(mine), fits="keep all session guarantees"
    )


def _ambiguity(own: list[Operation]) -> str | None:
    """Why the operations of one key do not tell what they must, if they do not."""
    latest: dict[Any, int] = {}
    written: dict[Any, int] = {}
    for operation in own:
        if operation.invoked <= latest.get(operation.process, -1):
            return AT_ONCE
        if operation.returned is not None:
            latest[operation.process] = operation.returned
        if operation.f in WRITES:
            written[operation.argument] = written.get(operation.argument, 0) + 1
    twice = {element for element, times in written.items() if times > 1}
    if any(not twice.isdisjoint(o.result) for o in _reads(own)):
        return TWICE
    return None


def _reads(own: list[Operation]) -> list[Operation]:
    return [o for o in own if o.f not in WRITES and o.result is not UNKNOWN]


def _within(own: list[Operation], owed: dict[Any, Owed]) -> Iterator[Wrong]:
    """What processes did not see of their own; and what their writes owe to others is noted."""
    sessions: dict[Any, Session] = {}
    for operation in own:
        session = sessions.setdefault(operation.process, Session())
        if operation.f in WRITES:
            owed[operation.argument] = Owed(operation, session.write, session.read)
            if operation.returned is not None:
                session.unread.append(operation)
                session.write = operation
            continue
        if operation.result is UNKNOWN:
            continue
        elements = frozenset(operation.result)
        if session.read is not None and not session.elements <= elements:
            yield _read_again(session.read, operation, session.elements - elements)
        for write in session.unread:
            if write.argument not in elements:
                yield _unread(write, operation)
        session.unread = []
        session.read, session.elements = operation, elements


def _across(own: list[Operation], owed: dict[Any, Owed]) -> Iterator[Wrong]:
    """Reads that show a write without what it owes; what a smaller read showed is sound."""
    shown = {id(read): frozenset(read.result) for read in _reads(own)}
    sound: frozenset[Any] = frozenset()
    for read in sorted(_reads(own), key=lambda read: len(read.result)):
        elements = shown[id(read)]
        asked = set[int]()
        for element in elements - sound if sound <= elements else elements:
            due = owed.get(element)
            if due is None:
                continue
            if due.before is not None and due.before.argument not in elements:
                yield _alone(due.before, due.write, read)
                break
            if due.read is None or id(due.read) in asked:
                continue
            asked.add(id(due.read))
            if not shown[id(due.read)] <= elements:
                yield _unfollowed(due.read, due.write, read, shown[id(due.read)] - elements)
                break
        else:
            sound = elements


def _read_again(first: Operation, second: Operation, missing: frozenset[Any]) -> Wrong:
    element = next(e for e in first.result if e in missing)
    sentence = (
        f"{operation_text(second)} does not show {value_text(element)}, which the same process had "
        f"read in {operation_text(first)}."
    )
    return Wrong(first.key, "monotonic-reads", sentence, (first, second))


def _unread(write: Operation, read: Operation) -> Wrong:
    sentence = (
        f"{operation_text(read)} does not show {value_text(write.argument)}, although "
        f"{operation_text(write)} had been acknowledged to the same process."
    )
    return Wrong(read.key, "read-your-writes", sentence, (write, read))


def _alone(before: Operation, write: Operation, read: Operation) -> Wrong:
    sentence = (
        f"{operation_text(read)} shows {value_text(write.argument)} and not "
        f"{value_text(before.argument)}, although {operation_text(before)} had been acknowledged "
        f"when the same process began {operation_text(write)}."
    )
    return Wrong(read.key, "monotonic-writes", sentence, (before, write, read))


def _unfollowed(
    seen: Operation, write: Operation, read: Operation, missing: frozenset[Any]
) -> Wrong:
    element = next(e for e in seen.result if e in missing)
    sentence = (
        f"{operation_text(read)} shows {value_text(write.argument)} and not {value_text(element)}, "
        f"which the same process had read in {operation_text(seen)} before it began "
        f"{operation_text(write)}."
    )
    return Wrong(read.key, "writes-follow-reads", sentence, (seen, write, read))
