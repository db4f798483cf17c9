"""Checks on simulated worlds: one seed after another, until one shows the mistake."""

import gc
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

from ...impl.bugs_of_replication import REPLICATION_BUGS
from ..checkers.conformance import CONFORMANCE
from ..checkers.replication.conformance import CONFORMANCE as REPLICATION_CONFORMANCE
from ..plan import Plan
from ..prose import plural
from ..simulate.campaign import Case
from ..simulate.cli import job_of
from ..simulate.execute import simulate_plan
from ..verdict import Validity, Verdict
from .nouns import Budget, Bug, Caught, Family, Missed, Outcome, elsewhere

SEEDS_MAX = 200
"""A mistake that so many seeds do not show is missed from that start, whatever time is left."""

SOUND = (
    *("chaos", "quickstart"),
    *("replicate-metadata", "replicate-stops", "replicate-cure", "replicate-chaos"),
)
"""Scenarios in which nothing may be caught where no mistake is made: of each system some."""

SOUND_SEEDS = 3


@dataclass(frozen=True, slots=True)
class Worlds:
    """Judges of simulated runs of the scenario `bug-NAME`.

    `judges` says which checkers count. With `promised`, a promise that the scenario names has to
    break by the verdict of one of them; with `lockstep` the model runs beside every member.
    `unseen` are mistakes that they cannot see, each with the reason.
    """

    name: str
    about: str
    judges: Callable[[str], bool]
    promised: bool = True
    unseen: Mapping[str, str] = field(default_factory=dict)
    lockstep: bool = False
    effort: str = "worlds"
    chance: bool = True

    def blind(self, bug: Bug) -> str | None:
        if bug.family is Family.IMPLEMENTATION and bug.name in self.unseen:
            return self.unseen[bug.name]
        return elsewhere(bug, Family.NOTHING, Family.IMPLEMENTATION)

    def hunt(self, bug: Bug, budget: Budget) -> Outcome:
        began = time.process_time()
        tried = 0
        for tried, plan in enumerate(_plans(bug, budget.start), start=1):
            caught = self._judged(plan)
            gc.collect()
            cpu_s = time.process_time() - began
            if caught:
                first = caught[0]
                by = " ".join(filter(None, (first.checker, ", ".join(first.promises))))
                return Caught(by, first.sentence, tried, cpu_s)
            if cpu_s > budget.seconds:
                break
        saw = "raised no alarm" if bug.family is Family.NOTHING else "did not show it"
        return Missed(f"{plural(tried, 'world')} {saw}.", time.process_time() - began)

    def _judged(self, plan: Plan) -> list[Verdict]:
        """The verdicts that catch a mistake in one world."""
        gc.disable()  # a world is one heap of garbage at its end, and little before
        try:
            found = simulate_plan(msgspec.structs.replace(plan, lockstep=self.lockstep))
        finally:
            gc.enable()
        hoped = set(plan.expect.promises) if self.promised else set()
        return [
            one
            for one in found.verdict.verdicts
            if one.validity is Validity.FAIL
            and self.judges(one.checker)
            and (not hoped or hoped.intersection(one.promises))
        ]


def _plans(bug: Bug, start: int) -> Iterator[Plan]:
    first = 1 + start * SEEDS_MAX
    if bug.family is Family.NOTHING:
        for seed in range(first, first + SOUND_SEEDS):
            yield from (job_of(name).plan(Case(seed)) for name in SOUND)
        return
    job = job_of(f"bug-{bug.name}")
    yield from (job.plan(Case(seed)) for seed in range(first, first + SEEDS_MAX))


_CLIENTS = "What clients are told is in no trace."
_SUBSCRIBERS = "What subscribers are sent, and do with it, is in no trace."
_TABLES = "What the tables make of the log's entries is in no trace."

_UNSEEN = {
    "aborted-read": _CLIENTS,
    "names-itself": _CLIENTS,
    "poll-uncommitted": _CLIENTS,
    "batch-in-parts": _CLIENTS,
    "publish-written": _SUBSCRIBERS,
    "subscriptions-survive": _SUBSCRIBERS,
    "record-on-receipt": _SUBSCRIBERS,
    "resume-as-asked": _SUBSCRIBERS,
    "failure-passed": _SUBSCRIBERS,
    "retries-forgotten": _TABLES,
    "pending-keys-unknown": _TABLES,
    "drop-keeps-table": _TABLES,
    "snapshot-off-by-one": _TABLES,
    "cache-survives-cut": _TABLES,
    "applied-apart": _TABLES,
    "no-rollback": _TABLES,
    "redo-equal-lsn": _TABLES,
    "ages-forgotten": _TABLES,
    "checkpoint-before-sync": "When the tables' files were synced is in no trace.",
    "task-data-unchecked": "What is in files of task data is in no trace.",
    "incomplete-shown": "What data nodes show readers is in no trace.",
    "serves-uncommitted": "What a master gives its slaves is in no trace, but what they log of it.",
    "waits-for-slowest": "What a master gives its slaves is in no trace, but what they log of it.",
    "applied-unchecked": "Commits are in no trace, and a task recorded twice changes nothing.",
}

_BESIDE_NOBODY = (
    "The model that runs beside members is that of a Raft group; replication's steps are replayed "
    "from traces."
)

_OF_TRACES = (CONFORMANCE.name, REPLICATION_CONFORMANCE.name)
"""Checkers that look at traces, whatever clients saw."""

HISTORY = Worlds(
    "history",
    "runs the mistake's scenario in simulated worlds and lets the checkers of histories judge what "
    "clients saw; effort: worlds",
    judges=lambda checker: checker not in _OF_TRACES,
)

TRACE = Worlds(
    "trace",
    "runs the same worlds and replays what members traced in the model, step by step, whatever "
    "clients saw; effort: worlds",
    judges=lambda checker: checker in _OF_TRACES,
    promised=False,
    unseen=_UNSEEN,
)

LOCKSTEP = Worlds(
    "lockstep",
    "runs the same worlds with the model beside every member, and ends each at the first step that "
    "is not the model's; effort: worlds",
    judges=lambda checker: checker in _OF_TRACES,
    promised=False,
    unseen=_UNSEEN | dict.fromkeys(REPLICATION_BUGS, _BESIDE_NOBODY),
    lockstep=True,
)
