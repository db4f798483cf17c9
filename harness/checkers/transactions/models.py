"""Anomalies of transactions by their names in the literature, and what each rules out.

Names and meanings: A. Adya, Weak Consistency (1999); K. Kingsbury, P. Alvaro, Elle (2020). Which
model forbids what, and which model is stronger than which, is as in Elle's table
(src/elle/consistency_model.clj), which cites Adya, Bailis et al. (2013), Cerone et al. (2015) and
Daudjee, Salem (2004, 2006); that snapshot isolation forbids exactly the cycles without two
neighbouring reads that missed a write: Cerone, Gotsman, Analysing Snapshot Isolation (2016).
"""

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import networkx as nx

_SUFFIXES = {
    "": ".",
    "-process": ", counting each process's own order.",
    "-realtime": ", counting real time.",
}
_CYCLES = {
    "G0": "Write cycle: transactions whose writes follow each other in a circle",
    "G1c": "Circular information flow: a cycle of writes, and reads of them",
    "G-single": "Read skew: a cycle in which one read missed a write",
    "G-nonadjacent": "A cycle in which reads missed writes, but no two one after the other",
    "G2-item": "Write skew: a cycle in which two or more reads missed a write",
    "no-order": "What would have to be so in any serial order goes in a circle",
}
ANOMALIES = {
    "G1a": "Aborted read: no transaction that may have committed wrote what was read.",
    "G1b": "Intermediate read: a transaction was seen half done.",
    "dirty-update": "A committed transaction wrote on top of what one had written that failed.",
    "internal": "A transaction contradicts itself: its reads, and what it did before.",
    "duplicate-elements": "A list held an element twice that was appended once.",
    "incompatible-order": "Two reads of a list of which neither is the beginning of the other.",
    "lost-update": "Two transactions read the same version and both wrote the next.",
    **{name + s: told + end for s, end in _SUFFIXES.items() for name, told in _CYCLES.items()},
}

_RULES_OUT = {
    "G0": ("read-uncommitted",),
    "duplicate-elements": ("read-uncommitted",),
    "G1a": ("read-committed",),
    "G1b": ("read-committed",),
    "G1c": ("read-committed",),
    "dirty-update": ("read-committed",),
    "incompatible-order": ("read-committed",),
    "internal": ("read-atomic",),
    "G-single": ("consistent-view", "repeatable-read"),
    "G-nonadjacent": ("snapshot-isolation", "repeatable-read"),
    "lost-update": ("cursor-stability", "update-atomic"),
    "G2-item": ("repeatable-read",),
    "no-order": ("serializable",),
    "G0-process": ("strong-session-read-uncommitted",),
    "G1c-process": ("strong-session-read-committed",),
    "G-single-process": ("strong-session-consistent-view",),
    "G-nonadjacent-process": ("strong-session-snapshot-isolation",),
    "G2-item-process": ("strong-session-serializable",),
    "no-order-process": ("strong-session-serializable",),
    "G0-realtime": ("strong-read-uncommitted",),
    "G1c-realtime": ("strong-read-committed",),
    "G-single-realtime": ("strong-consistent-view",),
    "G-nonadjacent-realtime": ("strong-snapshot-isolation",),
    "G2-item-realtime": ("strong-serializable",),
    "no-order-realtime": ("strong-serializable",),
}
_CHAIN = (
    "read-uncommitted",
    "read-committed",
    "consistent-view",
    "snapshot-isolation",
    "serializable",
)
_PREFIXES = ("", "strong-session-", "strong-")

STRICTEST = "strong-serializable"
"""All of it, in real time: strict serializability."""

TARGETS = (
    *(prefix + name for prefix in _PREFIXES for name in _CHAIN),
    "repeatable-read",
)
"""Models of which our anomalies are all that they forbid, so that a history can be said to keep to
them; of the others they are only a part."""


@cache
def _stronger() -> "nx.DiGraph[str]":
    """Edges lead from a model to one that allows less."""
    import networkx as nx  # Takes long: only who judges transactions should wait for it.

    graph: nx.DiGraph[str] = nx.DiGraph()
    for prefix in _PREFIXES:
        nx.add_path(graph, [prefix + name for name in _CHAIN])
    for name in _CHAIN:
        nx.add_path(graph, [name, f"strong-session-{name}", f"strong-{name}"])
    view, skew = "monotonic-atomic-view", "cursor-stability"
    nx.add_path(graph, ["read-committed", view, "read-atomic", "update-atomic"])
    nx.add_path(graph, ["update-atomic", "parallel-snapshot-isolation", "snapshot-isolation"])
    nx.add_path(graph, ["read-committed", skew, "consistent-view"])
    nx.add_path(graph, [skew, "repeatable-read", "serializable"])
    nx.add_path(graph, [view, "repeatable-read"])
    return graph


@cache
def forbidden_by(model: str) -> frozenset[str]:
    """The anomalies that a model does not allow."""
    from networkx import ancestors

    weaker = {model, *ancestors(_stronger(), model)}
    return frozenset(name for name, models in _RULES_OUT.items() if weaker.intersection(models))


def ruled_out(anomalies: Iterable[str]) -> tuple[list[str], list[str]]:
    """The weakest models that do not allow all this, and all that are stronger than those."""
    from networkx import descendants

    direct = {model for anomaly in anomalies for model in _RULES_OUT[anomaly]}
    above = {model for one in direct for model in descendants(_stronger(), one)}
    return sorted(direct - above), sorted(above)


def level(model: str) -> str:
    """Which order beside dependencies a model counts: the suffix of the anomalies' names."""
    if model.startswith("strong-session-"):
        return "-process"
    return "-realtime" if model.startswith("strong-") else ""
