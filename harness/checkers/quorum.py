"""Was an append acknowledged while a majority of the members was certainly down?

Certainly down is a member from the receipt that saw its process dead or stopped until the harness
asked for its return. An append counts only if it was asked for and acknowledged in between: what
the missing members hold of it, they would have had to write while they were down.
"""

from typing import Any

import msgspec

from ..evidence import Evidence
from ..history import Call, History
from ..op import Op, OpType
from ..prose import plural
from ..verdict import Validity, Verdict
from .checker import Checker
from .timeline import UNDOES, acts

NAME = "quorum"
PROMISES = ("HS-23",)
DOWN = UNDOES["restart"] | UNDOES["resume"]


class Outage(msgspec.Struct, frozen=True):
    """A stretch of op indices in which fewer than a majority could have been up."""

    began: Op
    end: int
    down: tuple[str, ...]


def judge(evidence: Evidence) -> Verdict:
    """Look for acknowledged appends that began within an outage."""
    outages = _outages(evidence.history, evidence.members)
    appends = [call for call in evidence.history.calls() if _is_acknowledged(call)]
    for outage in outages:
        for call in appends:
            assert call.completion is not None
            if outage.began.index < call.invoke.index and call.completion.index < outage.end:
                return _failure(outage, call, evidence)
    details: dict[str, Any] = {"outages": len(outages)}
    if not outages:
        # Nothing happened that the promise speaks of, so that the verdict does not name it.
        sentence = "A majority of the members was never down."
        return Verdict(NAME, Validity.PASS, sentence, details=details)
    sentence = (
        f"No append was acknowledged without a majority, in {plural(len(outages), 'outage')}."
    )
    return Verdict(NAME, Validity.PASS, sentence, PROMISES, details=details)


def _failure(outage: Outage, call: Call, evidence: Evidence) -> Verdict:
    completion = call.completion
    assert completion is not None
    node = completion.node or call.invoke.node or "an unknown node"
    sentence = (
        f"Append #{completion.index} was acknowledged by {node} at {completion.time_ns / 1e9:.3f} s"
        f" without a majority: it began at {call.invoke.time_ns / 1e9:.3f} s, and since "
        f"{outage.began.time_ns / 1e9:.3f} s {', '.join(outage.down)} were down, "
        f"{len(outage.down)} of {plural(len(evidence.members), 'member')}."
    )
    witness = (outage.began.index, completion.index)
    details = {"down": list(outage.down), "invoke": call.invoke.index}
    return Verdict(NAME, Validity.FAIL, sentence, PROMISES, witness, details)


def _outages(history: History, members: tuple[str, ...]) -> list[Outage]:
    found: list[Outage] = []
    # Members certainly down, each with the faults that keep it so.
    down: dict[str, frozenset[str]] = {}
    began: Op | None = None
    held: tuple[str, ...] = ()
    for op, fault, nodes, is_down in _changes(history, members):
        for node in nodes:
            others = down.get(node, frozenset()) - {fault}
            down[node] = others | {fault} if is_down else others
        now = tuple(sorted(node for node in down if down[node]))
        # The same majority must be down all the time: one after another could have stored a row.
        if began is not None and not set(held) <= set(now):
            found.append(Outage(began, op.index, held))
            began = None
        if began is None and 2 * len(now) >= len(members) and now:
            began, held = op, now
    if began is not None:
        found.append(Outage(began, history.ops[-1].index + 1, held))
    return found


def _changes(
    history: History, members: tuple[str, ...]
) -> list[tuple[Op, str, tuple[str, ...], bool]]:
    """When which members went down for certain, and when they may have come back, by index."""
    changes: list[tuple[Op, str, tuple[str, ...], bool]] = []
    for act in acts(history):
        if act.f in DOWN and act.bit and act.receipt is not None:
            known = tuple(node for node in act.nodes if node in members)
            changes.append((act.receipt, act.f, known, True))
        for fault in UNDOES.get(act.f, frozenset()) & DOWN:
            changes.append((act.asked, fault, tuple(act.nodes) or members, False))
    changes.sort(key=lambda change: change[0].index)
    return changes


def _is_acknowledged(call: Call) -> bool:
    return call.invoke.f == "append" and call.outcome is OpType.OK


QUORUM = Checker(
    name=NAME,
    question="Was no append acknowledged while a majority of the members was down?",
    promises=PROMISES,
    judge=judge,
)
