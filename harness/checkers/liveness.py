"""After the final heal: a leader, an acknowledgement, equal replicas, each within its limit?

All three are measured from the moment when the harness began to undo the last faults.
"""

from typing import Any

import msgspec

from ..evidence import Evidence
from ..history import Call, History
from ..op import OBSERVER, Op, OpType
from ..verdict import Validity, Verdict, worst
from .checker import Checker, undecided
from .refusals import named_site
from .replicas import Replica, answered, last_of_each, replica_ops
from .timeline import BY_LINK, UNDOES, Act, acts, phase

NAME = "liveness"
PROMISES = ("HS-22", "HS-23", "HS-25", "HS-26")
HEALS = frozenset(UNDOES) - {"restart", "resume", "release"}
"""Acts that undo what is wrong with a member's world. A release without effect had nothing held."""


class Finding(msgspec.Struct, frozen=True):
    """One of the three answers; `seconds` is what was measured, None if it never happened."""

    name: str
    seconds: float | None
    limit_s: float
    validity: Validity
    sentence: str
    promises: tuple[str, ...]
    witness: tuple[int, ...] = ()

    def as_details(self) -> dict[str, Any]:
        return {"seconds": self.seconds, "limit_s": self.limit_s, "validity": str(self.validity)}


def judge(evidence: Evidence) -> Verdict:
    """Measure recovery from phase `heal` on."""
    heal = phase(evidence.history, "heal")
    if heal is None:
        return undecided(NAME, "The run ended before its faults were undone: recovery is unknown.")
    acknowledged = _first_acknowledgement(evidence.history, heal)
    findings = [
        _leader(evidence, heal, acknowledged),
        _acknowledgement(evidence, heal, acknowledged),
        _replicas(evidence, heal),
    ]
    validity = worst(finding.validity for finding in findings)
    told = [finding for finding in findings if finding.validity is validity]
    promises: tuple[str, ...] = PROMISES
    if validity is Validity.PASS:
        sentence = f"After the heal, {'; '.join(finding.sentence for finding in findings)}."
    else:
        sentence = " ".join(f"{f.sentence[0].upper()}{f.sentence[1:]}." for f in told)
        unhealed = _unhealed(evidence.history)
        if validity is Validity.FAIL and unhealed is not None:
            return _unknown(unhealed, sentence)
        promises = tuple(sorted({promise for f in told for promise in f.promises}))
    return Verdict(
        checker=NAME,
        validity=validity,
        sentence=sentence,
        promises=promises,
        witness=tuple(sorted({index for f in told for index in f.witness})),
        details={finding.name: finding.as_details() for finding in findings},
    )


def _unhealed(history: History) -> Act | None:
    """The last act on something that should have undone its faults, if it did not take hold.

    A process that was started again and does not answer is another matter: that is the system's.
    """
    last = {what: act for act in acts(history) if act.f in HEALS for what in _undone(act)}
    return next((act for act in last.values() if not act.bit), None)


def _undone(act: Act) -> list[tuple[str, ...]]:
    """What the act made sound: one layer of all links, or one layer of each of its members."""
    observed = act.details.get("observed")
    layer = (act.f, *(observed if isinstance(observed, dict) else ()))
    return [layer] if act.f in BY_LINK or not act.nodes else [(*layer, a) for a in act.nodes]


def _unknown(unhealed: Act, sentence: str) -> Verdict:
    """No member can be blamed for what a fault does that is still in force."""
    why = (
        f"The {unhealed.f} at {unhealed.asked.time_ns / 1e9:.3f} s did not take hold, so that a "
        f"fault may have been in force for ever: recovery is unknown. {sentence}"
    )
    witness = ((unhealed.receipt or unhealed.asked).index,)
    return Verdict(NAME, Validity.UNKNOWN, why, PROMISES, witness)


def _leader(evidence: Evidence, heal: Op, acknowledged: Call | None) -> Finding:
    """A leader is one that the observer saw, or one that answered an append."""
    limit_s = evidence.limits.leader_s
    signs = [
        op
        for op in evidence.history.of(OBSERVER)
        if op.index > heal.index and is_leading(op.value) and op.f == "role"
    ][:1]
    if acknowledged is not None and acknowledged.completion is not None:
        signs.append(acknowledged.completion)
    first = min(signs, key=lambda op: op.index, default=None)
    is_late = first is None or _since(heal, first) > limit_s
    if is_late and _has_standing_leader(evidence.history, heal, limit_s):
        # Roles are recorded when they change: a leader that just stays leaves no further sign.
        first = heal
    name, promises = "leader", ("HS-22",)
    if first is None:
        sentence = "after the heal no leader was ever seen"
        return Finding(name, None, limit_s, Validity.FAIL, sentence, promises, (heal.index,))
    taken = _since(heal, first)
    if taken <= limit_s:
        sentence = f"a leader was seen within {taken:.3f} s"
        return Finding(name, taken, limit_s, Validity.PASS, sentence, promises)
    sentence = f"after the heal the first leader was seen after {taken:.3f} s only, {limit_s:g} s"
    witness = (heal.index, first.index)
    return Finding(
        name, taken, limit_s, Validity.FAIL, f"{sentence} are allowed", promises, witness
    )


def _acknowledgement(evidence: Evidence, heal: Op, acknowledged: Call | None) -> Finding:
    limit_s = evidence.limits.first_ack_s
    name, promises = "first_ack", ("HS-23", "HS-26")
    tried = _first_attempt(evidence.history, heal)
    if tried is None:
        sentence = "after the heal no append was tried by a client that goes where refusals point"
        return Finding(name, None, limit_s, Validity.UNKNOWN, sentence, promises)
    if acknowledged is None or acknowledged.completion is None:
        sentence = "after the heal no append was acknowledged any more"
        return Finding(name, None, limit_s, Validity.FAIL, sentence, promises, (heal.index,))
    completion = acknowledged.completion
    taken = _since(heal, completion)
    if taken <= limit_s:
        sentence = f"the first append was acknowledged within {taken:.3f} s"
        return Finding(name, taken, limit_s, Validity.PASS, sentence, promises)
    if _since(tried.invoke, completion) <= limit_s:
        sentence = (
            f"after the heal the first append was tried after {_since(heal, tried.invoke):.3f} s "
            f"only, {limit_s:g} s are allowed for its acknowledgement"
        )
        return Finding(name, None, limit_s, Validity.UNKNOWN, sentence, promises)
    sentence = (
        f"after the heal the first append was acknowledged after {taken:.3f} s only, "
        f"{limit_s:g} s are allowed"
    )
    witness = (heal.index, completion.index)
    return Finding(name, taken, limit_s, Validity.FAIL, sentence, promises, witness)


def _replicas(evidence: Evidence, heal: Op) -> Finding:
    """Replicas may be compared late; only a difference that was seen after the limit counts."""
    limit_s = evidence.limits.replicas_s
    name, promises = "replicas", ("HS-25",)
    ops = [op for op in replica_ops(evidence.history) if op.index > heal.index]
    if not ops:
        sentence = "the members' replicas were not compared after the heal"
        return Finding(name, None, limit_s, Validity.UNKNOWN, sentence, promises)
    last = last_of_each(ops)
    compared = max(last.values(), key=lambda op: op.index)
    taken = _since(heal, compared)
    problem = _lagging(evidence, last)
    if problem is None:
        sentence = f"all replicas were equal within {taken:.3f} s"
        return Finding(name, taken, limit_s, Validity.PASS, sentence, promises)
    told, witness = problem
    if taken < limit_s:
        sentence = (
            f"replicas were not equal yet, but the harness looked for {taken:.3f} s of "
            f"{limit_s:g} s only: {told}"
        )
        return Finding(name, None, limit_s, Validity.UNKNOWN, sentence, promises, witness)
    sentence = (
        f"replicas were not equal {taken:.3f} s after the heal, {limit_s:g} s are allowed: {told}"
    )
    return Finding(name, None, limit_s, Validity.FAIL, sentence, promises, witness)


def _lagging(
    evidence: Evidence, last: dict[tuple[Any, str], Op]
) -> tuple[str, tuple[int, ...]] | None:
    """Why replicas are not known to be equal, with the ops that show it."""
    for key in sorted({key for key, _ in last}, key=str):
        ahead: Replica | None = None
        for member in evidence.members:
            op = last.get((key, member))
            replica = None if op is None else answered(op)
            if op is None or replica is None:
                why = "was not asked" if op is None else f"did not answer ({op.error})"
                return f"{member} {why} for its replica", () if op is None else (op.index,)
            if ahead is not None and replica.content != ahead.content:
                behind, leading = sorted((ahead, replica), key=lambda r: (r.applied, r.rows))
                sentence = (
                    f"{behind.node} still holds {behind.rows:,} rows up to log entry "
                    f"{behind.applied}, {leading.node} {leading.rows:,} up to {leading.applied}"
                )
                return sentence, (behind.op.index, leading.op.index)
            ahead = replica
    return None


def is_leading(value: Any) -> bool:
    """Whether an observation says that the member leads."""
    return isinstance(value, dict) and value.get("role") == "leader"


def _has_standing_leader(history: History, heal: Op, limit_s: float) -> bool:
    """Whether some member led before the heal, and until the limit was seen as nothing else.

    Who steps down within the limit may have been the leader of a minority. One that was killed led
    no more, whatever it is seen as later, or is not seen any more.
    """
    until_ns = heal.time_ns + limit_s * 1e9
    seen = [op for op in history.of(OBSERVER) if op.f in ("role", "died")]
    in_time = {op.node: op for op in seen if op.time_ns <= until_ns}
    return any(
        op.index < heal.index and is_leading(op.value) and not _was_killed(history, op)
        for op in in_time.values()
    )


def _was_killed(history: History, seen: Op) -> bool:
    """Whether a fault ended the member after it was seen so."""
    return any(
        act.f in ("kill", "power-cut")
        and act.bit
        and seen.node in act.nodes
        and (act.receipt or act.asked).index > seen.index
        for act in acts(history)
    )


def _first_acknowledgement(history: History, heal: Op) -> Call | None:
    answered_late = (
        call
        for call in history.calls()
        if call.invoke.f == "append"
        and call.completion is not None
        and call.completion.type is OpType.OK
        and call.completion.index > heal.index
    )
    return min(answered_late, key=_completion_index, default=None)


def _completion_index(call: Call) -> int:
    assert call.completion is not None
    return call.completion.index


def _first_attempt(history: History, heal: Op) -> Call | None:
    """The first append that was asked for after the heal, or was waited for then.

    One that a member refused and nobody carried to where the refusal points says nothing of the
    group: a client that stays at its member is refused by a sound one, too.
    """
    tried = (
        call
        for call in history.calls()
        if call.invoke.f == "append"
        and (call.completion or call.invoke).index > heal.index
        and not _was_sent_on(call)
    )
    return min(tried, key=lambda call: call.invoke.index, default=None)


def _was_sent_on(call: Call) -> bool:
    """Whether the member that was asked first named another one, and the client left it at that."""
    end = call.completion
    if end is None or end.type is not OpType.FAIL or end.node != call.invoke.node:
        return False
    named = named_site(end)[1]
    return named not in ("", end.node)


def _since(heal: Op, op: Op) -> float:
    return max(0.0, (op.time_ns - heal.time_ns) / 1e9)


LIVENESS = Checker(
    name=NAME,
    question="After the heal: a leader, an acknowledgement, equal replicas, within the limits?",
    promises=PROMISES,
    judge=judge,
)
