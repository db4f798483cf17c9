"""How long were clients without an acknowledged append, under faults and without?"""

from itertools import pairwise
from typing import Any

import msgspec

from ..evidence import Evidence
from ..history import History
from ..op import OpType
from ..verdict import Validity, Verdict
from .checker import Checker
from .timeline import Window, phase, windows

NAME = "availability"

WRITES = ("append", "bulk")
"""What workloads call the writes that they count."""


class Gap(msgspec.Struct, frozen=True):
    """A stretch of time without an acknowledgement."""

    start_ns: int
    end_ns: int

    @property
    def length_ns(self) -> int:
        return self.end_ns - self.start_ns

    def as_details(self) -> dict[str, float]:
        return {"from_s": round(self.start_ns / 1e9, 6), "seconds": round(self.length_ns / 1e9, 6)}


def judge(evidence: Evidence) -> Verdict:
    """Find the longest gaps; never a failure, for no promise says how long a gap may be."""
    history = evidence.history
    struck = history.derived(windows)
    gaps = _gaps(history)
    details: dict[str, Any] = {
        "fault_windows": [
            {
                "from_s": round(window.start_ns / 1e9, 6),
                "to_s": round(window.end_ns / 1e9, 6),
                "faults": list(window.faults),
            }
            for window in struck
        ]
    }
    if gaps is None:
        sentence = "No append was ever acknowledged."
        return Verdict(NAME, Validity.INCONCLUSIVE, sentence, details=details)
    inside = [gap for gap in gaps if _is_struck(gap, struck)]
    outside = [gap for gap in gaps if not _is_struck(gap, struck)]
    longest = _longest(gaps)
    assert longest is not None
    details["longest"] = longest.as_details()
    for name, found in (("longest_under_faults", inside), ("longest_without_faults", outside)):
        worst = _longest(found)
        details[name] = None if worst is None else worst.as_details()
    sentence = (
        f"The longest time without an acknowledged append was {_text(longest)}; "
        f"where no fault was in force it was {_text(_longest(outside))}."
    )
    return Verdict(NAME, Validity.PASS, sentence, details=details)


def _gaps(history: History) -> list[Gap] | None:
    """The gaps between acknowledgements, and those to both ends of the clients' time."""
    calls = history.calls()
    times = sorted(
        call.completion.time_ns
        for call in calls
        if call.invoke.f in WRITES
        and call.completion is not None
        and call.completion.type is OpType.OK
    )
    if not times:
        return None
    begin, end = phase(history, "main"), phase(history, "final")
    first = calls[0].invoke.time_ns if begin is None else begin.time_ns
    # The harness stops appending some time before the final phase: only faults end a run without
    # an acknowledgement, and then an append was still open.
    last_tried = max((c.completion or c.invoke).time_ns for c in calls if c.invoke.f in WRITES)
    last = last_tried if end is None else min(last_tried, end.time_ns)
    edges = [min(first, times[0]), *times, max(last, times[-1])]
    return [Gap(earlier, later) for earlier, later in pairwise(edges)]


def _is_struck(gap: Gap, struck: list[Window]) -> bool:
    return any(window.overlaps(gap.start_ns, gap.end_ns) for window in struck)


def _longest(gaps: list[Gap]) -> Gap | None:
    return max(gaps, key=lambda gap: gap.length_ns, default=None)


def _text(gap: Gap | None) -> str:
    if gap is None:
        return "not measurable"
    return f"{gap.length_ns / 1e9:.3f} s (from {gap.start_ns / 1e9:.3f} s)"


AVAILABILITY = Checker(
    name=NAME,
    question="How long were clients without an acknowledged append?",
    promises=(),
    judge=judge,
)
