"""Transactions that append to lists and read them: is there a serial order, in real time?

A read of a list shows the order of all that was appended before. So it is known which transaction
came before which: it appended earlier to one list (ww), it appended what the other read (wr), or
it read before the other appended (rw). What nobody read comes after all that was read. These and
real time have no cycle iff a serial order explains all reads: any order that agrees with them does.
A transaction that was never answered happened iff somebody saw one of its elements, or may be left
out.

Ambiguous: an element that was appended to a list twice, and read.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from ...verdict import Validity
from ..checker import plural
from ..monitors.prose import value_text
from ..operations import Ambiguous, Finding, Judgement, Operation
from .graph import PROCESS, RW, TIME, WR, WW, Edge, Graph
from .models import ruled_out
from .observed import Transaction, name, unfolded
from .versions import Versions

TWICE = "an element was appended to one list twice, and read: nobody can tell whose it was"
_LEVELS = (("", 0), ("-process", PROCESS), ("-realtime", PROCESS | TIME))
_CLASSES = (("G0", WW, WW), ("G1c", WR, WW | WR), ("G-single", RW, WW | WR))
_SKEW = ("G2-item", RW, WW | WR | RW)


def judge(operations: Sequence[Operation]) -> Judgement | Ambiguous:
    """Decide whether the transactions are strictly serializable, and name what they are not."""
    transactions: list[Transaction] = []
    findings: list[Finding] = []
    for operation in operations:
        transaction, wrong = unfolded(operation)
        transactions.append(transaction)
        findings += wrong
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
    edges = [edge for versions in usable for edge in versions.edges(happened)]
    findings += _cycles(transactions, Graph(operations, edges))
    statistics = _statistics(operations, len(keys), edges, findings)
    if findings:
        models = ", ".join(statistics["not"])
        sentence = f"{findings[0].sentence} So it is not {models}."
        return Judgement(
            Validity.FAIL, sentence, tuple(findings), method="cycles", statistics=statistics
        )
    if len(clear) < len(keys):
        return Ambiguous(TWICE, tuple(dict.fromkeys(one.key for one in operations)))
    return _right(statistics)


def _right(statistics: dict[str, Any]) -> Judgement:
    answered = statistics["answered"]
    if not answered:
        sentence = "No operation was answered: there is nothing to order."
        return Judgement(Validity.INCONCLUSIVE, sentence, method="cycles", statistics=statistics)
    noun = plural(answered, "answered transaction")
    sentence = f"{noun} fit one serial order that agrees with real time: strictly serializable."
    return Judgement(Validity.PASS, sentence, method="cycles", statistics=statistics)


def _statistics(
    operations: Sequence[Operation], keys: int, edges: Sequence[Edge], findings: Sequence[Finding]
) -> dict[str, Any]:
    weakest, stronger = ruled_out(finding.anomaly for finding in findings)
    return {
        "operations": len(operations),
        "answered": sum(operation.returned is not None for operation in operations),
        "keys": keys,
        "dependencies": len(edges),
        "anomalies": dict(Counter(finding.anomaly for finding in findings)),
        "not": weakest,
        "also_not": stronger,
    }


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


def _cycles(transactions: Sequence[Transaction], graph: Graph) -> Iterator[Finding]:
    """One cycle of each kind; a kind that needs no clock is not told again with one."""
    told: set[str] = set()
    for suffix, order in _LEVELS:
        for kind, first, rest in (*_CLASSES, _SKEW):
            if kind in told or (kind == "G2-item" and "G-single" in told):
                continue
            cycle = graph.cycle(first, rest | order)
            if cycle:
                # Where there were too many edges to try, the skew found may be a simple one.
                reads = sum(edge.kind == RW for edge in cycle)
                kind = "G-single" if kind == "G2-item" and reads == 1 else kind
                told.add(kind)
                yield _finding(transactions, cycle, f"{kind}{suffix}")


def _finding(transactions: Sequence[Transaction], cycle: list[Edge], anomaly: str) -> Finding:
    named: set[int] = set()

    def called(at: int) -> str:
        operation = transactions[at].operation
        short = f"#{operation.invoked}"
        long = short if at in named else name(operation)
        named.add(at)
        return long

    parts = []
    for edge in cycle:
        source, target = called(edge.source), called(edge.target)
        parts.append(f"{source} came before {target}, for {_why(edge)}")
    shown = {at for edge in cycle for at in (edge.source, edge.shown_by) if at is not None}
    witness = tuple(sorted(transactions[at].operation.invoked for at in shown))
    keys = list(dict.fromkeys(edge.key for edge in cycle if edge.key is not None))
    count = len(cycle)
    sentence = f"{anomaly}, a cycle of {count} transactions: {'; '.join(parts)}."
    return Finding(anomaly, sentence, witness, {"key": None, "keys": keys, "length": count})


def _why(edge: Edge) -> str:
    first, second = value_text(edge.first), value_text(edge.second)
    if edge.kind == WW:
        return f"it appended {first} to key {edge.key!r} before that appended {second}"
    if edge.kind == WR:
        return f"that read key {edge.key!r} with {first}, which it had appended"
    if edge.kind == RW:
        return f"it read key {edge.key!r} without {first}, which that appended"
    if edge.kind == PROCESS:
        return "their process did it first"
    return "it had returned before that began"
