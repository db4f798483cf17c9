"""Anomalies of transactions by their names in the literature, and what each rules out.

Names and meanings: A. Adya, Weak Consistency (1999), and K. Kingsbury, P. Alvaro, Elle (2020).
"""

from collections.abc import Iterable

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
    "G2-item": "Write skew: a cycle in which two or more reads missed a write",
}
ANOMALIES = {
    "G1a": "Aborted read: no transaction that may have committed wrote what was read.",
    "G1b": "Intermediate read: a transaction was seen half done.",
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
    "incompatible-order": ("read-committed",),
    "internal": ("read-atomic",),
    "G-single": ("consistent-view", "repeatable-read"),
    "lost-update": ("consistent-view", "repeatable-read"),
    "G2-item": ("repeatable-read",),
    "G0-process": ("strong-session-read-uncommitted",),
    "G1c-process": ("strong-session-read-committed",),
    "G-single-process": ("strong-session-consistent-view",),
    "G2-item-process": ("strong-session-serializable",),
    "G0-realtime": ("strong-read-uncommitted",),
    "G1c-realtime": ("strong-read-committed",),
    "G-single-realtime": ("strong-consistent-view",),
    "G2-item-realtime": ("strong-serializable",),
}
_CHAIN = (
    "read-uncommitted",
    "read-committed",
    "consistent-view",
    "snapshot-isolation",
    "serializable",
)


def _stronger() -> "nx.DiGraph[str]":
    """Edges lead from a model to one that allows less."""
    graph: nx.DiGraph[str] = nx.DiGraph()
    for prefix in ("", "strong-session-", "strong-"):
        nx.add_path(graph, [prefix + name for name in _CHAIN])
    for name in _CHAIN:
        nx.add_path(graph, [name, f"strong-session-{name}", f"strong-{name}"])
    nx.add_path(graph, ["read-committed", "read-atomic", "snapshot-isolation"])
    nx.add_path(graph, ["read-committed", "repeatable-read", "serializable"])
    return graph


_STRONGER = _stronger()


def ruled_out(anomalies: Iterable[str]) -> tuple[list[str], list[str]]:
    """The weakest models that do not allow all this, and all that are stronger than those."""
    direct = {model for anomaly in anomalies for model in _RULES_OUT[anomaly]}
    above = {model for one in direct for model in nx.descendants(_STRONGER, one)}
    return sorted(direct - above), sorted(above)
