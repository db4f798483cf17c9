"""What each transaction did to lists, and what it saw of others."""

from collections.abc import Sequence
from typing import Any

import msgspec

from ..monitors.prose import operation_text, value_text
from ..operations import UNKNOWN, Finding, Operation

List = tuple[Any, ...]


class Transaction(msgspec.Struct, frozen=True):
    """`appends` by key, in order; `reads`: of each key that was read, what others had appended."""

    operation: Operation
    appends: dict[Any, List]
    reads: dict[Any, List]


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
    for key, seen in reads.items():
        early = set(seen).intersection(own.get(key, ()))
        if early and not wrong:
            wrong = f"found {value_text(tuple(early))} at key {key!r} before it appended that"
    if not wrong:
        return Transaction(operation, own, reads), []
    sentence = f"{name(operation)} {wrong}."
    found = Finding("internal", sentence, (operation.invoked,), {"key": None})
    return Transaction(operation, own, {}), [found]


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
