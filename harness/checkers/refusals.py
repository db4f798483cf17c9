"""Do members that do not lead refuse writes, say who leads, and mean it?

What a member knows changes at any moment, so that one refusal proves little. A member that answers
the same for long, while the observer hears something else from it all that time, is wrong.
"""

from collections import Counter
from typing import Any

import msgspec

from ..evidence import Evidence
from ..history import Call, History
from ..op import OBSERVER, Op, OpType
from ..prose import plural
from ..verdict import Validity, Verdict
from .checker import Checker, undecided
from .log.prose import append_text, identity, node_of, read_text, seconds
from .log.view import logs, malformed
from .wrong import failure

NAME = "refusals"
PROMISES = {
    "nobody-named": ("HS-7",),
    "two-addresses": ("HS-7",),
    "wrong-leader": ("HS-7",),
    "follower-accepts": ("HS-6",),
    "refused-yet-written": ("HS-6",),
}
"""Kind → promises."""

CHECKED = ("HS-6", "HS-7")

GAP_NS = 500_000_000
"""Answers that are further apart do not belong to one streak: in between, the member may have
known something else."""

STREAK_NS = 2_000_000_000
"""So long an observer that asks every 30 ms cannot miss what a member knows."""

_TAG = "NotLeader: <NotLeader>"
_ACCEPTED = ""


class Told(msgspec.Struct, frozen=True):
    """One answer of a member: whom a refusal names; nobody where it accepted."""

    call: Call
    node: str
    named: str

    @property
    def end(self) -> Op:
        assert self.call.completion is not None
        return self.call.completion


class Wrong(msgspec.Struct, frozen=True):
    """What is wrong, and the ops that show it."""

    kind: str
    sentence: str
    witness: tuple[int, ...]


def judge(evidence: Evidence) -> Verdict:
    """Look at every refusal, then at what refused rows became."""
    history = evidence.history
    found = logs(history)
    if found.malformed:
        return malformed(NAME, found)
    refused = [call for call in history.calls() if _is_refusal(call)]
    if not refused:
        sentence = "No member refused anything: nobody asked one that did not lead."
        return undecided(NAME, sentence, Validity.INCONCLUSIVE)
    wrong = _badly_named(refused, evidence.members)
    if not wrong:
        wrong = [w for node in evidence.members for w in _streaks(history, node)]
    wrong += _written(history)
    details: dict[str, Any] = {
        "refused": len(refused),
        "by": dict(sorted(Counter(map(node_of, refused)).items())),
    }
    if not wrong:
        sentence = (
            f"{plural(len(refused), 'request')} were refused, each with the site of a member; "
            "nothing refused was written."
        )
        return Verdict(NAME, Validity.PASS, sentence, CHECKED, details=details)
    return failure(NAME, wrong, PROMISES, CHECKED, details)


def _is_refusal(call: Call) -> bool:
    end = call.completion
    return end is not None and end.type is OpType.FAIL and (end.error or "").startswith("NotLeader")


def named_site(refusal: Op) -> tuple[str, str]:
    """Address and alias that a refusal names; empty if it names none, or is none."""
    error = refusal.error or ""
    if not error.startswith(_TAG):
        return "", ""
    address, _, alias = error.removeprefix(_TAG).rpartition(":")
    host, _, port = address.rpartition(":")
    return (address, alias) if host and port.isdecimal() else ("", "")


def _badly_named(refused: list[Call], members: tuple[str, ...]) -> list[Wrong]:
    addresses: dict[str, tuple[str, Call]] = {}
    for call in refused:
        assert call.completion is not None
        address, alias = named_site(call.completion)
        if alias not in members:
            sentence = (
                f"A refusal without the site of a member: #{identity(call)} by {node_of(call)} at "
                f"{seconds(call.completion)} says {call.completion.error!r}."
            )
            return [Wrong("nobody-named", sentence, (identity(call),))]
        before, other = addresses.setdefault(alias, (address, call))
        if before != address:
            sentence = (
                f"Two addresses for {alias}: refusal #{identity(other)} by {node_of(other)} says "
                f"{before}, refusal #{identity(call)} by {node_of(call)} {address}."
            )
            return [Wrong("two-addresses", sentence, (identity(other), identity(call)))]
    return []


def _answers(history: History, node: str) -> list[Told]:
    """What a member answered to those who wanted to write or read, in order."""
    found = []
    for call in history.calls():
        if node_of(call) != node:
            continue
        if call.completion is not None and _is_refusal(call):
            found.append(Told(call, node, named_site(call.completion)[1]))
        elif call.invoke.f == "append" and call.outcome is OpType.OK:
            found.append(Told(call, node, _ACCEPTED))
    return sorted(found, key=lambda told: told.end.index)


def _streaks(history: History, node: str) -> list[Wrong]:
    """The first answer that a member gives for long against what it says of itself.

    Only what was asked since it says so counts.
    """
    seen = [op for op in history.of(OBSERVER) if op.f == "role" and op.node == node]
    began: Told | None = None
    since: Op | None = None
    at = 0
    last: Told | None = None
    for told in _answers(history, node):
        while at < len(seen) and seen[at].index < told.end.index:
            at += 1
        view = seen[at - 1] if at else None
        if view is not None and told.call.invoke.index < view.index:
            # It may have been settled by what the member was before, and be late: it shows nothing.
            last = last if last is not None and last.named == told.named else None
            continue
        goes_on = (
            last is not None
            and last.named == told.named
            and since is view
            and told.end.time_ns - last.end.time_ns < GAP_NS
        )
        if not goes_on:
            began, since = told, view
        last = told
        assert began is not None
        if view is None or told.end.time_ns - began.end.time_ns < STREAK_NS:
            continue
        wrong = _against(view, began, told)
        if wrong is not None:
            return [wrong]
    return []


def _against(view: Op, first: Told, last: Told) -> Wrong | None:
    """What is wrong with answering so while saying that of oneself."""
    node, knows = first.node, view.value
    span = f"from {seconds(first.end)} to {seconds(last.end)}"
    witness = (view.index, identity(first.call), identity(last.call))
    if last.named == _ACCEPTED:
        if knows["role"] == "leader":
            return None
        sentence = f"Member {node} accepted appends {span}, and said that it was a {knows['role']}."
        return Wrong("follower-accepts", sentence, witness)
    leader = knows["leader"]
    if last.named == (leader or node):
        return None
    knew = f"knew {leader} as leader" if leader else "knew no leader and should have named itself"
    sentence = (
        f"Member {node} sent clients to {last.named} {span}, but {knew} "
        f"(observed since {seconds(view)})."
    )
    return Wrong("wrong-leader", sentence, witness)


def _written(history: History) -> list[Wrong]:
    """A row that was refused and read."""
    found = []
    for view in logs(history).views:
        refused = {row: a for a in view.failed if _is_refusal(a.call) for row in a.rows}
        for read in view.reads:
            row = next((row for row in read.rows if row in refused), None)
            if row is not None:
                told, append = read_text(read), append_text(refused[row])
                witness = sorted((identity(refused[row].call), identity(read.call)))
                sentence = f"{told[0].upper()}{told[1:]} found row {row} of {append}."
                found.append(Wrong("refused-yet-written", sentence, tuple(witness)))
                break
    return found


REFUSALS = Checker(
    name=NAME,
    question="Do members that do not lead refuse writes, and say who leads?",
    promises=CHECKED,
    judge=judge,
)
