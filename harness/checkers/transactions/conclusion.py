"""From what is wrong with transactions to the answer, and cycles in words."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from ...verdict import Validity
from ..checker import plural
from ..monitors.prose import value_text
from ..operations import Finding, Judgement, Operation
from .graph import PROCESS, RW, TIME, WR, WW, Edge, Graph
from .models import ruled_out
from .observed import name

_LEVELS = (("", 0), ("-process", PROCESS), ("-realtime", PROCESS | TIME))
_CLASSES = (("G0", WW, WW), ("G1c", WR, WW | WR), ("G-single", RW, WW | WR))
_SKEW = ("G2-item", RW, WW | WR | RW)


class Words(msgspec.Struct, frozen=True):
    """What writing is called: who wrote, and what was written."""

    wrote: str
    written: str


def concluded(
    operations: Sequence[Operation], keys: int, edges: int, findings: Sequence[Finding]
) -> Judgement:
    """The answer; right where nothing was found."""
    statistics = _statistics(operations, keys, edges, findings)
    if not findings:
        return _right(statistics)
    models = ", ".join(statistics["not"])
    sentence = f"{findings[0].sentence} So it is not {models}."
    return Judgement(
        Validity.FAIL, sentence, tuple(findings), method="cycles", statistics=statistics
    )


def _right(statistics: dict[str, Any]) -> Judgement:
    answered = statistics["answered"]
    if not answered:
        sentence = "No operation was answered: there is nothing to order."
        return Judgement(Validity.INCONCLUSIVE, sentence, method="cycles", statistics=statistics)
    noun = plural(answered, "answered transaction")
    sentence = f"{noun} fit one serial order that agrees with real time: strictly serializable."
    return Judgement(Validity.PASS, sentence, method="cycles", statistics=statistics)


def _statistics(
    operations: Sequence[Operation], keys: int, edges: int, findings: Sequence[Finding]
) -> dict[str, Any]:
    weakest, stronger = ruled_out(finding.anomaly for finding in findings)
    return {
        "operations": len(operations),
        "answered": sum(operation.returned is not None for operation in operations),
        "keys": keys,
        "dependencies": edges,
        "anomalies": dict(Counter(finding.anomaly for finding in findings)),
        "not": weakest,
        "also_not": stronger,
    }


def cycles(
    operations: Sequence[Operation], graph_of: Callable[[int], Graph], words: Words
) -> Iterator[Finding]:
    """One cycle of each kind; a kind that needs no clock is not told again with one."""
    told: set[str] = set()
    for suffix, order in _LEVELS:
        graph = graph_of(order)
        for kind, first, rest in (*_CLASSES, _SKEW):
            if kind in told or (kind == "G2-item" and "G-single" in told):
                continue
            cycle = graph.cycle(first, rest | order)
            if cycle:
                # Where there were too many edges to try, the skew found may be a simple one.
                reads = sum(edge.kind == RW for edge in cycle)
                kind = "G-single" if kind == "G2-item" and reads == 1 else kind
                told.add(kind)
                yield _finding(operations, words, cycle, f"{kind}{suffix}")


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
