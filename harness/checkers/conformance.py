"""Did every member do at every step what the model does?"""

from collections.abc import Sequence
from typing import Any

from ..clocks import Clocks, Course
from ..conform.trace.cuts import Cut
from ..conform.trace.details import at_s, details
from ..conform.trace.finding import Place
from ..conform.trace.validator import Validated, validate
from ..evidence import Evidence
from ..history import History
from ..language.sides import MASTER, sides
from ..prose import plural
from ..verdict import Validity, Verdict
from .checker import Checker, undecided
from .timeline import Act, acts

NAME = "conformance"
PROMISES = ("HS-1", "HS-2", "HS-4", "HS-5")

CUT_TAIL = "cut-tail"
CLOCK = "clock"
SEGMENT = ".wal"
"""How the names of files of a Raft log end."""

WITNESSES_MAX = 3
"""Operations that were under way at the moment of a divergence."""


def judge(evidence: Evidence) -> Verdict:
    """Replay members' traces in the model, step by step."""
    traces = evidence.traces
    if not traces:
        # Nobody was asked for a trace, so that the verdict names no promise.
        return Verdict(NAME, Validity.PASS, "Members wrote no traces, as they were told.")
    members = raft_members(evidence.members)
    missing = [member for member in members if not traces[member].records]
    if missing:
        sentence = f"No trace of {', '.join(missing)}: what was done there is not known."
        return undecided(NAME, sentence, Validity.INCONCLUSIVE)
    traces = {member: traces[member] for member in members}
    validated = validate(
        members, traces, cut_logs(evidence.history, evidence.clocks), evidence.clocks
    )
    found = details(validated, traces, evidence.clocks)
    if validated.rejected:
        return _failure(validated, found, evidence)
    if validated.undecided:
        first = validated.undecided[0]
        sentence = f"All steps that are known are the model's, but {first.reason}."
        return Verdict(NAME, Validity.UNKNOWN, sentence, details=found)
    lives = validated.incarnations
    sentence = (
        f"Every step of {plural(len(members), 'member')} is one of the model: "
        f"{plural(validated.steps, 'step')} in {lives} {'life' if lives == 1 else 'lives'}."
    )
    if validated.losses:
        sentence += (
            f" {plural(validated.losses, 'start')} found a log whose end a fault had cut off."
        )
    return Verdict(NAME, Validity.PASS, sentence, PROMISES, details=found)


def cut_logs(history: History, clocks: Clocks) -> dict[str, list[Cut]]:
    """When the end of each member's log was cut off: the model's disks keep what they hold."""
    found: dict[str, list[Cut]] = {}
    done = acts(history)
    wrong = {node for act in done if act.f == CLOCK for node in act.nodes}
    for act in done:
        if act.f == CUT_TAIL:
            for alias, cut in act.details.get("observed", {}).get("cut", {}).items():
                if cut and cut["path"].endswith(SEGMENT):
                    course = None if alias in wrong else clocks.of(alias)
                    found.setdefault(alias, []).append(_cut(act, course))
    return found


def _cut(act: Act, course: Course | None) -> Cut:
    """When that was, by a clock that goes so and was never set."""
    if course is None or act.receipt is None:
        return Cut()
    within_ns = course.within_ns
    return Cut(
        course.told_ns(act.asked.time_ns - within_ns),
        course.told_ns(act.receipt.time_ns + within_ns),
    )


def raft_members(members: Sequence[str]) -> tuple[str, ...]:
    """Those who have a Raft log: of several clusters their controllers."""
    clusters = sides(members)
    if MASTER not in clusters:
        return tuple(members)
    return tuple(alias for side in clusters.values() for alias in side.controllers)


def _failure(validated: Validated, found: dict[str, Any], evidence: Evidence) -> Verdict:
    first = validated.rejected[0]
    moment = at_s(first.place, evidence.clocks)
    when = "" if moment is None else f" ({moment:.3f} s)"
    sentence = f"At {first.place}{when} the model says otherwise: {first.reason}."
    broken = next((one for one in validated.rejected if one.promises), None)
    if broken is not None and broken is not first:
        sentence += f" So {', '.join(broken.promises)} broke: {broken.reason}."
    witness = _under_way(evidence.history, first.place, evidence.clocks)
    return Verdict(NAME, Validity.FAIL, sentence, validated.promises, witness, found)


def _under_way(history: History, place: Place, clocks: Clocks) -> tuple[int, ...]:
    """Clients' operations at that moment; those of the member itself first."""
    time_ns = clocks.at_ns(place.node, place.t_ns)
    if time_ns is None:
        return ()
    open_ = [
        call.invoke
        for call in history.calls()
        if call.invoke.time_ns <= time_ns
        and (call.completion is None or call.completion.time_ns >= time_ns)
    ]
    nearest = sorted(open_, key=lambda op: (op.node != place.node, time_ns - op.time_ns))
    return tuple(sorted(op.index for op in nearest[:WITNESSES_MAX]))


CONFORMANCE = Checker(
    name=NAME,
    question="Did every member do at every step what the model does?",
    promises=PROMISES,
    judge=judge,
)
