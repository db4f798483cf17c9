"""What clients did and how it went: counts, rates, latencies, errors."""

import re
from collections import Counter
from collections.abc import Iterable
from math import ceil
from typing import Any

from ..evidence import Evidence
from ..history import Call
from ..op import OpType
from ..prose import plural
from ..verdict import Validity, Verdict
from .checker import Checker

NAME = "statistics"
QUANTILES = {"p50": 0.50, "p90": 0.90, "p99": 0.99, "max": 1.0}


def judge(evidence: Evidence) -> Verdict:
    """Count; inconclusive where no operation succeeded, for then nothing was checked."""
    calls = evidence.history.calls()
    by_f: dict[str, list[Call]] = {}
    for call in calls:
        by_f.setdefault(call.invoke.f, []).append(call)
    duration_s = _duration_s(calls)
    operations = {f: _of_function(found, duration_s) for f, found in sorted(by_f.items())}
    succeeded = sum(counts["ok"] for counts in operations.values())
    details = {
        "operations": operations,
        "count": len(calls),
        "ok": succeeded,
        "duration_s": round(duration_s, 3),
        "ok_per_s": _rate(succeeded, duration_s),
    }
    if not succeeded:
        sentence = f"Nothing was checked: of {plural(len(calls), 'operation')} none succeeded."
        return Verdict(NAME, Validity.INCONCLUSIVE, sentence, details=details)
    sentence = (
        f"{plural(len(calls), 'operation')} in {duration_s:.1f} s, of which {succeeded:,} succeeded"
        f" ({details['ok_per_s']:,} per second)."
    )
    return Verdict(NAME, Validity.PASS, sentence, details=details)


def quantiles(values: Iterable[float]) -> dict[str, float]:
    """The nearest-rank quantiles, rounded to microseconds where values are milliseconds."""
    ordered = sorted(values)
    if not ordered:
        return {}
    last = len(ordered)
    return {
        name: round(ordered[max(1, ceil(share * last)) - 1], 3) for name, share in QUANTILES.items()
    }


def error_name(error: str) -> str:
    """The name of an error without its message: `NotLeader` of `<NotLeader>127.0.0.1:4001:n1`."""
    found = re.match(r"<?(\w+)", error)
    return found.group(1) if found else error


def _of_function(calls: list[Call], duration_s: float) -> dict[str, Any]:
    outcomes = Counter(call.outcome for call in calls)
    latencies_ms = (
        (call.completion.time_ns - call.invoke.time_ns) / 1e6
        for call in calls
        if call.completion is not None and call.completion.type is OpType.OK
    )
    errors = Counter(
        error_name(call.completion.error)
        for call in calls
        if call.completion is not None and call.completion.error
    )
    counts: dict[str, Any] = {
        "ok": outcomes[OpType.OK],
        "fail": outcomes[OpType.FAIL],
        "info": outcomes[OpType.INFO],
        "ok_per_s": _rate(outcomes[OpType.OK], duration_s),
        "latency_ms": quantiles(latencies_ms),
        "errors": dict(errors.most_common()),
    }
    if calls[0].invoke.f == "append":
        counts["rows_ok"] = sum(
            len(call.invoke.value)
            for call in calls
            if call.outcome is OpType.OK and isinstance(call.invoke.value, list)
        )
    elif calls[0].invoke.f in ("read", "poll"):
        counts["rows_ok"] = sum(
            len(call.completion.value)
            for call in calls
            if call.completion is not None
            and call.completion.type is OpType.OK
            and isinstance(call.completion.value, list)
        )
    return counts


def _duration_s(calls: list[Call]) -> float:
    """From the first invocation to the last op of a client."""
    if not calls:
        return 0.0
    last = max((call.completion or call.invoke).time_ns for call in calls)
    return (last - calls[0].invoke.time_ns) / 1e9


def _rate(count: int, duration_s: float) -> float:
    return round(count / duration_s, 1) if duration_s else 0.0


STATISTICS = Checker(
    name=NAME,
    question="How many operations of each kind succeeded, how fast, and what went wrong?",
    promises=(),
    judge=judge,
)
