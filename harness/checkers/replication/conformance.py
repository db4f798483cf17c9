"""Did controllers take every step of replication that the model takes?"""

from typing import Any

from ...conform.cores.finding import Followed, Unlike
from ...conform.cores.queue import enqueued
from ...conform.cores.validator import follow
from ...evidence import Evidence
from ...language.sides import MASTER, sides
from ...prose import plural
from ...verdict import Validity, Verdict
from ..checker import Checker, undecided

NAME = "replication-conformance"
PROMISES = (
    "PR-1", "PR-2", "PR-3", "PR-4", "PR-6", "PR-7", "PR-8", "PR-9", "PR-10", "PR-11", "PR-12",
    "PR-13", "PR-14", "PR-15", "PR-16", "PR-17",
)  # fmt: skip
"""What holds in the model in every state, and here as far as every step was the model's."""


def judge(evidence: Evidence) -> Verdict:
    """Replay the traces of all controllers, cluster by cluster."""
    clusters = sides(evidence.members)
    if not evidence.traces or not clusters:
        # Nobody was asked for a trace, so that the verdict names no promise.
        return Verdict(NAME, Validity.PASS, "No controllers wrote traces, as they were told.")
    limits = evidence.facts.get("failure_limits", {})
    steps, lives = 0, 0
    unlike: list[Unlike] = []
    details: dict[str, Any] = {}
    gaps: list[str] = []
    queue = None
    for name, side in clusters.items():
        cores = {alias: evidence.traces[alias].cores for alias in side.controllers}
        silent = [alias for alias, records in cores.items() if not records]
        if silent:
            sentence = f"No trace of {', '.join(silent)}: what was done there is not known."
            return undecided(NAME, sentence, Validity.INCONCLUSIVE)
        if name == MASTER:
            queue = enqueued(cores)
        found = follow(cores, limits.get(name), side.data, queue)
        gaps += _gaps(name, found)
        details[name] = found.steps
        steps, lives = steps + sum(found.steps.values()), lives + found.lives
        unlike += found.unlike
    if unlike:
        first = min(unlike, key=lambda one: one.record.t_ns)
        sentence = f"At {first.place} the model says otherwise: {first}."
        told = {"steps": details, "divergence": first.to_dict()}
        return Verdict(NAME, Validity.FAIL, sentence, details=told)
    if gaps:
        return undecided(NAME, gaps[0], Validity.INCONCLUSIVE)
    sentence = (
        f"Every step of replication on {plural(len(clusters), 'side')} is one of the model: "
        f"{plural(steps, 'step')} in {lives} {'life' if lives == 1 else 'lives'} of controllers."
    )
    return Verdict(NAME, Validity.PASS, sentence, PROMISES, details={"steps": details})


def _gaps(name: str, found: Followed) -> list[str]:
    """What the traces of one cluster leave out, in sentences."""
    gaps = []
    if found.is_headless:
        gaps.append(f"Tasks were committed on {name}, and no trace tells who dispatched them.")
    if found.unknown:
        gaps.append(f"{name} took task {min(found.unknown)}, which no trace of the master has.")
    return gaps


CONFORMANCE = Checker(
    name=NAME,
    question="Did controllers take every step of replication that the model takes?",
    promises=PROMISES,
    judge=judge,
)
