"""Did every fault take hold? One that did not proves nothing about the system."""

from collections import Counter
from typing import Any

from ..evidence import Evidence
from ..prose import plural
from ..verdict import Validity, Verdict
from .checker import Checker
from .timeline import STAGE, UNDOES, Act, acts

NAME = "faults"


def judge(evidence: Evidence) -> Verdict:
    """Hold the nemesis's receipts against what it asked for and what the plan announced."""
    done = acts(evidence.history)
    hollow = [act for act in done if not act.bit]
    planned = Counter(str(fault.get("kind")) for fault in evidence.planned_faults)
    missing = planned - Counter(act.kind for act in done if act.receipt is not None)
    details: dict[str, Any] = {
        "acts": dict(Counter(act.f for act in done)),
        "planned": dict(planned),
        "hollow": [{"f": act.f, "invoke": act.asked.index, "why": _why(act)} for act in hollow],
    }
    if hollow:
        first = hollow[0]
        more = len(hollow) - 1
        others = f" So it is with {plural(more, 'more act')}." if more else ""
        sentence = (
            f"The {first.f} at {first.asked.time_ns / 1e9:.3f} s {_why(first)}: what the run shows "
            f"about it is worth nothing.{others}"
        )
        witness = tuple((act.receipt or act.asked).index for act in hollow[:3])
        return Verdict(NAME, Validity.INCONCLUSIVE, sentence, (), witness, details)
    if missing:
        names = ", ".join(f"{kind} ({count} of {planned[kind]})" for kind, count in missing.items())
        sentence = f"Faults of the plan never happened: {names}."
        return Verdict(NAME, Validity.INCONCLUSIVE, sentence, details=details)
    struck = sum(act.f not in UNDOES and act.f != STAGE for act in done)
    sentence = (
        f"{plural(struck, 'fault')} took hold, each with its receipt."
        if struck
        else "No fault was planned, and none happened."
    )
    return Verdict(NAME, Validity.PASS, sentence, details=details)


def _why(act: Act) -> str:
    if act.receipt is None:
        return "left no receipt"
    if "bit" not in act.details:
        return "left a receipt that does not say whether it took hold"
    error = f" ({act.receipt.error})" if act.receipt.error else ""
    return f"did not take hold{error}"


FAULTS = Checker(
    name=NAME,
    question="Did every planned fault happen, and did each take hold?",
    promises=(),
    judge=judge,
)
