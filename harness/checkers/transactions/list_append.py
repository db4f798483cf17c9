"""Transactions that append to lists and read them: is there a serial order, in real time?

A read of a list shows the order of all that was appended before. So it is known which transaction
came before which: it appended earlier to one list (ww), it appended what the other read (wr), or
it read before the other appended (rw). What nobody read comes after all that was read. These and
real time have no cycle iff a serial order explains all reads: any order that agrees with them does.
A transaction that was never answered happened iff somebody saw one of its elements, or may be left
out.

Ambiguous: an element that was appended to a list twice, and read.
"""

from collections.abc import Sequence
from itertools import count
from typing import Any

import msgspec

from ..operations import Ambiguous, Finding, Judgement, Operation
from .conclusion import Words, against, concluded, cycles
from .graph import ORDERS, Graph
from .models import STRICTEST, level
from .observed import Transaction, too_early, unfolded
from .versions import Versions

UNREAD = "nobody read in which order two transactions appended to one list that lie on one cycle"
DISORDER = "the reads of one list show no one order of its elements"
TWICE = "an element was appended to one list twice, and read: nobody can tell whose it was"


def judge(operations: Sequence[Operation], model: str = STRICTEST) -> Judgement | Ambiguous:
    """Decide whether the transactions keep to a model, and name what they are not."""
    transactions: list[Transaction] = []
    findings: list[Finding] = []
    for operation in operations:
        transaction, wrong = unfolded(operation)
        transactions.append(transaction)
        findings += wrong
    keys = _keys(transactions)
    early = _too_early(transactions, keys)
    if early:
        findings += early.values()
        transactions = [
            msgspec.structs.replace(one, reads={}) if at in early else one
            for at, one in enumerate(transactions)
        ]
        keys = _keys(transactions)
    clear = [one for one in keys.values() if not one.is_ambiguous]
    usable: list[Versions] = []
    for versions in clear:
        malformed = list(versions.malformed())
        findings += malformed
        if not malformed:
            usable.append(versions)
            findings += versions.unfit()
            findings += versions.lost_updates()
    seen = {at for versions in usable for at in versions.seen()}
    seen |= {at for at, one in enumerate(operations) if one.returned is not None}
    happened = frozenset(seen)
    fresh = count(2 * len(operations))
    edges = [edge for versions in usable for edge in versions.edges(happened, fresh)]
    graph = Graph(operations, edges)
    findings += cycles(operations, lambda _: graph, Words("appended", "appended"))
    if not against(findings, model):
        unread = [[at for at, _ in versions.unread(happened)] for versions in usable]
        reason = TWICE if len(clear) < len(keys) else DISORDER if len(usable) < len(keys) else ""
        if findings and not reason and graph.tangled(unread, ORDERS[level(model)]):
            reason = UNREAD
        if reason:
            return Ambiguous(reason, tuple(dict.fromkeys(one.key for one in operations)))
    return concluded(operations, len(keys), edges, findings, model)


def _keys(transactions: Sequence[Transaction]) -> dict[Any, Versions]:
    found: dict[Any, Versions] = {}
    for at, transaction in enumerate(transactions):
        for key in transaction.appends:
            if key not in found:
                found[key] = Versions(key, transactions)
            found[key].wrote(at)
        for key, seen in transaction.reads.items():
            if key not in found:
                found[key] = Versions(key, transactions)
            found[key].read(at, seen)
    return found


def _too_early(
    transactions: Sequence[Transaction], keys: dict[Any, Versions]
) -> dict[int, Finding]:
    """Of each transaction that read what it alone appended, and only later, that."""
    found: dict[int, Finding] = {}
    for at, transaction in enumerate(transactions):
        for key, elements in transaction.early.items():
            own = tuple(element for element in elements if keys[key].is_of_one(element))
            if own and at not in found:
                found[at] = too_early(transaction, key, own)
    return found
