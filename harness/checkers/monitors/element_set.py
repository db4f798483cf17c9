"""Sets whose elements come and go, and are asked for one at a time: each element is a bit.

The operations of one element are run through in order of time, as late as can be (Lowe's just in
time): whenever one returns it must take effect, after as many of the others that are open as one
likes. Two adds differ in their intervals only, and so do two removes; of each kind the one that
must return first goes first. What asks is answered as soon as the bit is as it says. So few cases
are left that they can all be followed: which bit, how many open adds and removes took effect, and
of those with equal counts the one in which the fewest still wait for an answer.

Ambiguous: more than CASES_MAX cases at once, as of hundreds of unanswered adds and removes.
"""

import heapq
from collections.abc import Sequence
from typing import Any

import msgspec

from ..operations import UNKNOWN, Ambiguous, Judgement, Operation
from .columns import Columns, columns
from .conclusion import Wrong, conclude
from .prose import operation_text, value_text

ANOMALIES = {
    "false-present": "An element was found at a moment when it cannot have been there.",
    "false-absent": "An element was not found at a moment when it must have been there.",
}
CASES_MAX = 20_000
CROWDED = "too many adds and removes of one element were never answered"

Pending = tuple[tuple[int, int], ...]
"""Writes of one kind that have not taken effect: (returns at, operation), in that order."""


class Case(msgspec.Struct, frozen=True):
    """The bit, and what has begun and not yet taken effect: removes and adds."""

    is_there: bool
    removes: Pending
    adds: Pending

    def after(self, *, add: bool) -> "Case | None":
        """The case when the next add, or remove, took effect; None if there is none."""
        if add:
            return Case(True, self.removes, self.adds[1:]) if self.adds else None
        return Case(False, self.removes[1:], self.adds) if self.removes else None


Cases = dict[Case, frozenset[int]]
"""Every possible case with the questions that wait until the bit is the other one."""


def judge(operations: Sequence[Operation]) -> Judgement | Ambiguous:
    """Decide whether all sets, one a key, are linearizable."""
    c = columns(operations)
    mine: dict[tuple[Any, Any], list[int]] = {}
    for at, operation in enumerate(operations):
        if operation.f != "contains" or operation.result is not UNKNOWN:
            mine.setdefault((operation.key, operation.argument), []).append(at)
    wrong: dict[Any, Wrong] = {}
    ambiguous: dict[Any, str] = {}
    for (key, _), places in mine.items():
        if key in wrong:
            continue
        stuck = followed(c, places)
        if stuck is None:
            continue
        if stuck < 0:
            ambiguous[key] = CROWDED
        else:
            wrong[key] = _stuck(c, places, stuck)
    ambiguous = {key: reason for key, reason in ambiguous.items() if key not in wrong}
    return conclude(operations, list(wrong.values()), ambiguous, keys=len(c.keys))


def followed(c: Columns, places: list[int]) -> int | None:
    """Follow one element: None if all is explained, else the question that cannot be answered.

    -1 where there were too many cases.
    """
    ends = [(int(c.inv[at]), 0, at) for at in places]
    ends += [(int(c.ret[at]), 1, at) for at in places if c.ret[at] < c.never]
    cases: Cases = {Case(False, (), ()): frozenset()}
    for _, is_return, at in sorted(ends):
        operation = c.operations[at]
        if is_return:
            cases = _best(_returned(cases, at, operation), c.never)
            if not cases:
                return at
        else:
            cases = _begun(cases, at, operation, int(c.ret[at]))
        if len(cases) > CASES_MAX:
            return -1
    return None


def _begun(cases: Cases, at: int, operation: Operation, ret: int) -> Cases:
    """An operation begins: a write is pending, a question may be answered at once."""
    if operation.f == "contains":
        return {
            case: waiting if case.is_there is operation.result else waiting | {at}
            for case, waiting in cases.items()
        }
    found: Cases = {}
    entry = (ret, at)
    for case, waiting in cases.items():
        if operation.f == "add":
            adds = tuple(sorted((*case.adds, entry)))
            found[Case(case.is_there, case.removes, adds)] = waiting
        else:
            removes = tuple(sorted((*case.removes, entry)))
            found[Case(case.is_there, removes, case.adds)] = waiting
    return found


def _returned(cases: Cases, at: int, operation: Operation) -> Cases:
    """An operation returns: only cases remain in which it took effect."""
    found: Cases = {}
    met: Cases = {}
    todo = [(len(waiting), number, case) for number, (case, waiting) in enumerate(cases.items())]
    heapq.heapify(todo)
    best = dict(cases)
    count = len(todo)
    while todo:
        _, _, case = heapq.heappop(todo)
        waiting = best[case]
        if case in met and len(met[case]) <= len(waiting):
            continue
        met[case] = waiting
        if _has_happened(case, waiting, at, operation):
            if case not in found or len(waiting) < len(found[case]):
                found[case] = waiting
            continue
        for add in (False, True):
            following = case.after(add=add)
            if following is not None:
                left = waiting if following.is_there is case.is_there else frozenset[int]()
                if following not in best or len(left) < len(best[following]):
                    best[following] = left
                    count += 1
                    heapq.heappush(todo, (len(left), count, following))
    return found


def _best(cases: Cases, never: int) -> Cases:
    """Without cases that another one is as good as in every respect.

    That has the same bit and the same writes that must still take effect, no fewer of those that
    may, and no more questions waiting.
    """
    alike: dict[Case, list[tuple[int, int, Case]]] = {}
    for case in cases:
        removes = tuple(entry for entry in case.removes if entry[0] < never)
        adds = tuple(entry for entry in case.adds if entry[0] < never)
        spare = (len(case.removes), len(case.adds), case)
        alike.setdefault(Case(case.is_there, removes, adds), []).append(spare)
    found: Cases = {}
    for group in alike.values():
        group.sort(key=lambda spare: (-spare[0], -spare[1], len(cases[spare[2]])))
        kept: list[tuple[int, int]] = []
        for _, add_count, case in group:
            waiting_count = len(cases[case])
            if not any(more >= add_count and fewer <= waiting_count for more, fewer in kept):
                kept.append((add_count, waiting_count))
                found[case] = cases[case]
    return found


def _has_happened(case: Case, waiting: frozenset[int], at: int, operation: Operation) -> bool:
    if operation.f == "contains":
        return at not in waiting
    pending = case.adds if operation.f == "add" else case.removes
    return all(entry[1] != at for entry in pending)


def _stuck(c: Columns, places: list[int], at: int) -> Wrong:
    """The question that no case answers so, and what was known before it began."""
    question = c.operations[at]
    against = "remove" if question.result else "add"
    before = [
        other
        for other in places
        if c.ret[other] < c.inv[at]
        and (c.operations[other].f == against or c.operations[other].result is not question.result)
        and c.operations[other].f in (against, "contains")
    ]
    element = value_text(question.argument)
    kind = "false-present" if question.result else "false-absent"
    found = "found" if question.result else "did not find"
    if not before:
        sentence = f"{operation_text(question)} {found} {element}, but nothing can have added it."
        return Wrong(question.key, kind, sentence, (question,))
    last = c.operations[max(before, key=lambda other: int(c.ret[other]))]
    sentence = (
        f"{operation_text(question)} {found} {element}, although {operation_text(last)} had "
        f"{_told(last)} before it began, and nothing can have changed that."
    )
    return Wrong(question.key, kind, sentence, (last, question))


def _told(operation: Operation) -> str:
    match operation.f:
        case "add":
            return "added it"
        case "remove":
            return "removed it"
    return "found it" if operation.result else "not found it"
