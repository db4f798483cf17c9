"""Did every fault take hold? One that did not proves nothing about the system."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from ..evidence import Evidence
from ..history import History
from ..op import OBSERVER, Op
from ..prose import plural
from ..verdict import Validity, Verdict
from .checker import Checker
from .timeline import STAGE, UNDOES, Act, acts

NAME = "faults"

_NAMED = 3
"""How many ends of processes a sentence names."""


def judge(evidence: Evidence) -> Verdict:
    """Hold the nemesis's receipts against what it asked for and what the plan announced."""
    done = acts(evidence.history)
    hollow = [act for act in done if not act.bit]
    planned = Counter(str(fault.get("kind")) for fault in evidence.planned_faults)
    missing = planned - Counter(act.kind for act in done if act.receipt is not None)
    deaths = [op for op in evidence.history.of(OBSERVER) if op.f == "died" and op.node]
    lives = _lives(evidence.history, done) if hollow else []
    down = [_down(deaths, lives, act.asked) for act in hollow]
    details: dict[str, Any] = {
        "acts": dict(Counter(act.f for act in done)),
        "planned": dict(planned),
        "hollow": [
            {
                "f": act.f,
                "invoke": act.asked.index,
                "why": _why(act, ended),
                "down": [op.node for op in ended],
            }
            for act, ended in zip(hollow, down, strict=True)
        ],
        "deaths": [{"node": op.node, "time_s": op.time_ns / 1e9, "how": op.error} for op in deaths],
    }
    if hollow:
        first = hollow[0]
        more = len(hollow) - 1
        others = f" So it is with {plural(more, 'more act')}." if more else ""
        sentence = (
            f"The {first.f} at {first.asked.time_ns / 1e9:.3f} s {_why(first, down[0])}: what the "
            f"run shows about it is worth nothing.{others}"
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
    return Verdict(NAME, Validity.PASS, sentence + _meanwhile(deaths), details=details)


def _why(act: Act, down: Sequence[Op]) -> str:
    if act.receipt is None:
        return "left no receipt"
    if "bit" not in act.details:
        return "left a receipt that does not say whether it took hold"
    told = [act.receipt.error] if act.receipt.error else []
    told += [f"{op.node} had ended at {op.time_ns / 1e9:.3f} s: {op.error}" for op in down]
    return f"did not take hold ({'; '.join(told)})" if told else "did not take hold"


def _lives(history: History, done: Sequence[Act]) -> list[tuple[int, str]]:
    """Where in the history members answered, or were started again: index and member."""
    answers = [(op.index, op.node) for op in history.of(OBSERVER) if op.f == "role" and op.node]
    starts = [(act.asked.index, node) for act in done if act.f == "restart" for node in act.nodes]
    return [*answers, *starts]


def _down(deaths: Sequence[Op], lives: Sequence[tuple[int, str]], asked: Op) -> list[Op]:
    """The last deaths of those members that had ended, and that nothing had shown alive since."""
    last = {op.node: op for op in deaths if op.index < asked.index}
    for index, node in lives:
        if node in last and last[node].index < index < asked.index:
            del last[node]
    return sorted(last.values(), key=lambda op: str(op.node))


def _meanwhile(deaths: Sequence[Op]) -> str:
    """A sentence on the processes that ended; whether they had to, other verdicts tell."""
    if not deaths:
        return ""
    told = [
        f"{node} ({how})" if count == 1 else f"{node} ({how}, {count} times)"
        for (node, how), count in Counter((op.node, op.error) for op in deaths).items()
    ]
    more = f" and {len(told) - _NAMED} more" if len(told) > _NAMED else ""
    return f" Processes that ended meanwhile: {', '.join(told[:_NAMED])}{more}."


FAULTS = Checker(
    name=NAME,
    question="Did every planned fault happen, and did each take hold?",
    promises=(),
    judge=judge,
)
