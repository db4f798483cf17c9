"""Was everything refused that a slave, or the wrong node, must refuse?"""

from typing import Any

from ...evidence import Evidence
from ...history import Call
from ...op import OpType
from ...prose import plural
from ...verdict import Validity, Verdict
from ..checker import Checker, undecided
from ..wrong import Wrong, failure
from .story import told

NAME = "replication-access"
PROMISES: dict[str, tuple[str, ...]] = {"intruded": ("PR-22",), "misused": ("PR-23",)}
"""Kind → promises."""

CHECKED = ("PR-22", "PR-23")


def judge(evidence: Evidence) -> Verdict:
    """No client's write into a slave's tables, no function where it does not belong."""
    calls = [c for c in evidence.history.calls() if c.invoke.f in ("intrude", "misuse")]
    wrong = [one for call in calls if call.outcome is OpType.OK for one in (_wrong(call),)]
    details: dict[str, Any] = {"tried": len(calls)}
    if wrong:
        return failure(NAME, wrong, PROMISES, CHECKED, details)
    if not calls:
        return undecided(NAME, "Nobody tried what must be refused.", Validity.INCONCLUSIVE)
    refused = sum(call.outcome is OpType.FAIL for call in calls)
    sentence = (
        f"{plural(len(calls), 'attempt')} to write into a slave, or to steer from the wrong place: "
        f"{refused:,} refused, none accepted."
    )
    return Verdict(NAME, Validity.PASS, sentence, CHECKED, details=details)


def _wrong(call: Call) -> Wrong:
    if call.invoke.f == "intrude":
        sentence = (
            f"{told(call, capital=True)} wrote into {call.invoke.key}, which is replicated there."
        )
        return Wrong("intruded", sentence, (call,))
    asked = call.invoke.value
    sentence = f"{told(call, capital=True)} may not do {asked}, and was not refused."
    return Wrong("misused", sentence, (call,))


ACCESS = Checker(
    name=NAME,
    question="Were writes into slaves, and functions in the wrong place, refused?",
    promises=CHECKED,
    judge=judge,
)
