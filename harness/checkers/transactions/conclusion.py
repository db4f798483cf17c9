"""From what is wrong with transactions to the answer, and cycles in words."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import msgspec

from ...prose import plural
from ...verdict import Validity
from ..monitors.prose import value_text
from ..operations import Finding, Judgement, Operation
from .graph import LINK, ORDERS, PROCESS, RW, WR, WW, Edge, Graph
from .models import STRICTEST, forbidden_by, ruled_out
from .observed import name

_CLASSES = (("G0", WW, WW), ("G1c", WR, WW | WR), ("G-single", RW, WW | WR))
_APART = ("G-nonadjacent", RW, WW | WR | RW)
_SKEW = ("G2-item", RW, WW | WR | RW)
_COVERED = {"G-nonadjacent": ("G-single",), "G2-item": ("G-single", "G-nonadjacent")}


class Words(msgspec.Struct, frozen=True):
    """What writing is called: who wrote, and what was written."""

    wrote: str
    written: str


def against(findings: Sequence[Finding], model: str) -> list[Finding]:
    """Those that the model does not allow."""
    return [finding for finding in findings if finding.anomaly in forbidden_by(model)]


def concluded(
    operations: Sequence[Operation],
    keys: int,
    edges: Sequence[Edge],
    findings: Sequence[Finding],
    model: str,
) -> Judgement:
    """The answer; right where nothing was found that the model does not allow."""
    dependencies = sum(edge.stands_for for edge in edges if edge.kind != LINK)
    statistics = {**_statistics(operations, keys, dependencies, findings), "model": model}
    wrong = against(findings, model)
    if not wrong:
        return _right(statistics, model)
    models = ", ".join(statistics["not"])
    sentence = f"{wrong[0].sentence} So it is not {models}."
    ordered = (*wrong, *(finding for finding in findings if finding not in wrong))
    return Judgement(Validity.FAIL, sentence, ordered, method="cycles", statistics=statistics)


def _right(statistics: dict[str, Any], model: str) -> Judgement:
    answered = statistics["answered"]
    if not answered:
        sentence = "No operation was answered: there is nothing to order."
        return Judgement(Validity.INCONCLUSIVE, sentence, method="cycles", statistics=statistics)
    noun = plural(answered, "answered transaction")
    if model == STRICTEST:
        sentence = f"{noun} fit one serial order that agrees with real time: strictly serializable."
    else:
        sentence = f"{noun} show nothing that {model} forbids."
    if statistics["not"]:
        sentence += f" (They do show what {', '.join(statistics['not'])} forbids.)"
    return Judgement(Validity.PASS, sentence, method="cycles", statistics=statistics)


def _statistics(
    operations: Sequence[Operation], keys: int, dependencies: int, findings: Sequence[Finding]
) -> dict[str, Any]:
    weakest, stronger = ruled_out(finding.anomaly for finding in findings)
    return {
        "operations": sum(not operation.failed for operation in operations),
        "answered": sum(operation.returned is not None for operation in operations),
        "keys": keys,
        "dependencies": dependencies,
        "anomalies": dict(Counter(finding.anomaly for finding in findings)),
        "not": weakest,
        "also_not": stronger,
    }


def cycles(
    operations: Sequence[Operation], graph_of: Callable[[int], Graph], words: Words
) -> Iterator[Finding]:
    """One cycle of each kind; a kind that needs no clock is not told again with one.

    Nor is one where a kind was told that rules out all the same.
    """
    told: set[str] = set()
    for suffix, order in ORDERS.items():
        graph = graph_of(order)
        for kind, first, rest in (*_CLASSES, _APART, _SKEW):
            if kind in told or told.intersection(_COVERED.get(kind, ())):
                continue
            cycle = graph.apart(order) if kind == _APART[0] else graph.cycle(first, rest | order)
            if cycle:
                kind = _kind(cycle, kind)
                if kind not in told:
                    told.add(kind)
                    yield _finding(operations, words, cycle, f"{kind}{suffix}")


def _kind(cycle: Sequence[Edge], kind: str) -> str:
    """What was looked for, or what it turned out to be.

    Where there were too many edges to try, a skew that was found may be a simple one. And what
    would be so in a serial order says nothing about models that ask for none.
    """
    if any(edge.is_guess for edge in cycle):
        return "no-order"
    reads = sum(edge.kind == RW for edge in cycle)
    if kind in (_APART[0], _SKEW[0]) and reads == 1:
        return "G-single"
    neighbours = any(one.kind == other.kind == RW for one, other in pairwise([*cycle, cycle[0]]))
    return _APART[0] if kind == _SKEW[0] and not neighbours else kind


def _finding(
    operations: Sequence[Operation], words: Words, cycle: list[Edge], anomaly: str
) -> Finding:
    named: set[int] = set()

    def called(at: int) -> str:
        operation = operations[at]
        short = f"#{operation.invoked}"
        long = short if at in named else name(operation)
        named.add(at)
        return long

    parts = []
    for edge in cycle:
        source, target = called(edge.source), called(edge.target)
        parts.append(f"{source} came before {target}, for {_why(edge, words)}")
    shown = {at for edge in cycle for at in (edge.source, edge.shown_by) if at is not None}
    witness = tuple(sorted(operations[at].invoked for at in shown))
    keys = list(dict.fromkeys(edge.key for edge in cycle if edge.key is not None))
    count = len(cycle)
    sentence = f"{anomaly}, a cycle of {count} transactions: {'; '.join(parts)}."
    return Finding(anomaly, sentence, witness, {"key": None, "keys": keys, "length": count})


def _why(edge: Edge, words: Words) -> str:
    first, second = value_text(edge.first), value_text(edge.second)
    if edge.kind == WW:
        return f"it {words.wrote} {first} to key {edge.key!r} before that {words.wrote} {second}"
    if edge.kind == WR:
        return f"that read key {edge.key!r} with {first}, which it had {words.written}"
    if edge.kind == RW:
        return f"it read key {edge.key!r} without {first}, which that {words.wrote}"
    if edge.kind == PROCESS:
        return "their process did it first"
    return "it had returned before that began"
