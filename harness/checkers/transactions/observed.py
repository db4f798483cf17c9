"""What each transaction did to lists, and what it saw of others."""

from collections.abc import Sequence
from typing import Any

import msgspec

from ..monitors.prose import operation_text, value_text
from ..operations import UNKNOWN, Finding, Operation

List = tuple[Any, ...]


class Transaction(msgspec.Struct, frozen=True):
    """`appends` by key, in order; `reads`: of each key that was read, what others had appended.

    Of that `early` is what the transaction itself appended only later: others must have, too.
    """

    operation: Operation
    appends: dict[Any, List]
    reads: dict[Any, List]
    early: dict[Any, List] = {}


def name(operation: Operation) -> str:
    """The transaction without all that it did, which may be long."""
    return operation_text(msgspec.structs.replace(operation, argument=None))


def unfolded(operation: Operation) -> tuple[Transaction, list[Finding]]:
    """The transaction, and in what it contradicts itself; then its reads are not to be used."""
    own: dict[Any, List] = {}
    reads: dict[Any, List] = {}
    is_known = operation.result is not UNKNOWN
    answers: Sequence[Any] = operation.result if is_known else operation.argument
    wrong = ""
    for (kind, key, value), (_, _, answer) in zip(operation.argument, answers, strict=True):
        mine = own.get(key, ())
        if kind == "append":
            own[key] = (*mine, value)
        elif is_known and not wrong:
            wrong = _read(reads, key, mine, () if answer is None else answer)
    if wrong:
        return Transaction(operation, own, {}), [_internal(operation, wrong)]
    found = {key: tuple(e for e in seen if e in own.get(key, ())) for key, seen in reads.items()}
    early = {key: elements for key, elements in found.items() if elements}
    return Transaction(operation, own, reads, early), []


def too_early(transaction: Transaction, key: Any, elements: List) -> Finding:
    """It read what nobody had appended but itself, later."""
    told = f"found {value_text(elements)} at key {key!r} before it appended that"
    return _internal(transaction.operation, told)


def _internal(operation: Operation, told: str) -> Finding:
    sentence = f"{name(operation)} {told}."
    return Finding("internal", sentence, (operation.invoked,), {"key": None})


def _read(reads: dict[Any, List], key: Any, mine: List, found: Any) -> str:
    """Note what a read found, or say how it contradicts what the transaction did before."""
    if not isinstance(found, tuple):
        return f"read {value_text(found)} at key {key!r}, which is no list"
    others = len(found) - len(mine)
    if found[max(others, 0) :] != mine:
        return f"read {value_text(found)} at key {key!r}, but had appended {value_text(mine)}"
    if reads.setdefault(key, found[:others]) != found[:others]:
        return f"read {value_text(found)} at key {key!r}, but had read {value_text(reads[key])}"
    return ""
