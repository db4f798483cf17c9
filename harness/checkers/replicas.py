"""Do all members hold the same rows once faults are undone and writes have stopped?"""

from itertools import pairwise
from typing import Any

import msgspec

from ..evidence import Evidence
from ..history import History
from ..op import HARNESS, Op
from ..prose import plural
from ..verdict import Validity, Verdict
from .checker import Checker, undecided

NAME = "replicas"
PROMISES = ("HS-4", "HS-20")


class Replica(msgspec.Struct, frozen=True):
    """One answer of one member: how many rows of which content, after how many log entries."""

    op: Op
    node: str
    rows: int
    digest: str
    applied: int

    @property
    def content(self) -> tuple[int, str]:
        return self.rows, self.digest


def replica_ops(history: History) -> list[Op]:
    """What the harness recorded about the members' replicas, answered or not."""
    return [op for op in history.of(HARNESS) if op.f == "replica"]


def answered(op: Op) -> Replica | None:
    """The member's answer, or None if it gave none."""
    value = op.value
    if op.error is not None or not isinstance(value, dict) or op.node is None:
        return None
    rows, digest, applied = (value.get(name) for name in ("rows", "digest", "applied"))
    if type(rows) is not int or not isinstance(digest, str) or type(applied) is not int:
        return None
    return Replica(op, op.node, rows, digest, applied)


def last_of_each(ops: list[Op]) -> dict[tuple[Any, str], Op]:
    """The last op about each (table, member)."""
    return {(op.key, op.node): op for op in ops if op.node is not None}


def judge(evidence: Evidence) -> Verdict:
    """Compare the members' last answers, and all answers given after the same log entry."""
    ops = replica_ops(evidence.history)
    if not ops:
        return undecided(NAME, "The run ended before the members' replicas were compared.")
    replicas = [replica for op in ops if (replica := answered(op)) is not None]
    diverged = _diverged(replicas)
    if diverged is not None:
        return diverged
    last = last_of_each(ops)
    tables = sorted({op.key for op in ops}, key=str)
    final = {place: answered(op) for place, op in last.items()}
    silent = sorted({m for m in evidence.members for key in tables if not final.get((key, m))})
    details = {
        "replicas": {
            f"{member}" if key is None else f"{key}@{member}": None
            if replica is None
            else {"rows": replica.rows, "digest": replica.digest, "applied": replica.applied}
            for (key, member), replica in sorted(final.items(), key=lambda item: str(item[0]))
        }
    }
    for key in tables:
        unequal = _unequal([r for r in final.values() if r is not None and r.op.key == key])
        if unequal is not None:
            return msgspec.structs.replace(unequal, details=details)
    if silent:
        sentence = (
            f"Member {silent[0]} did not tell the content of its replica"
            if len(silent) == 1
            else f"Members {', '.join(silent)} did not tell the content of their replicas"
        )
        return Verdict(NAME, Validity.UNKNOWN, f"{sentence}.", PROMISES, details=details)
    rows = max((replica.rows for replica in final.values() if replica is not None), default=0)
    sentence = f"All {plural(len(evidence.members), 'member')} hold the same {plural(rows, 'row')}."
    return Verdict(NAME, Validity.PASS, sentence, PROMISES, details=details)


def _diverged(replicas: list[Replica]) -> Verdict | None:
    """Two members that applied the same entries and hold different rows (HS-4)."""
    first: dict[tuple[Any, int], Replica] = {}
    for replica in replicas:
        other = first.setdefault((replica.op.key, replica.applied), replica)
        if other.content != replica.content:
            sentence = (
                f"Replicas diverge: after log entry {replica.applied}, {other.node} holds "
                f"{_content(other)} and {replica.node} {_content(replica)}."
            )
            witness = (other.op.index, replica.op.index)
            return Verdict(NAME, Validity.FAIL, sentence, PROMISES, witness)
    return None


def _unequal(replicas: list[Replica]) -> Verdict | None:
    """Two members whose last answers differ (HS-20)."""
    for other, replica in pairwise(replicas):
        if other.content != replica.content:
            sentence = (
                f"Replicas did not become equal: in the end {other.node} holds {_content(other)} "
                f"and {replica.node} {_content(replica)}."
            )
            witness = (other.op.index, replica.op.index)
            return Verdict(NAME, Validity.FAIL, sentence, ("HS-20",), witness)
    return None


def _content(replica: Replica) -> str:
    return f"{plural(replica.rows, 'row')} with digest {replica.digest}"


REPLICAS = Checker(
    name=NAME,
    question="Do all members hold the same rows in the end?",
    promises=PROMISES,
    judge=judge,
)
