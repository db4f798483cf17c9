"""The check `explore`: a mistake as a rule of a model, every state of which is explored."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from ...model.actor import Model
from ...model.explore.explorer import explore
from ...model.explore.limits import Limits
from ...model.explore.result import Result
from ...model.models import MODELS
from .nouns import Budget, Bug, Caught, Family, Missed, Outcome, elsewhere

COUNTERPARTS: Mapping[str, str] = {
    "stale-read": "read-unconfirmed",
    "ack-before-quorum": "commit-without-majority",
    "follower-ack-before-fsync": "ack-before-fsync",
    "trims-unread": "trims-for-the-fastest",
}
"""Mistakes of the implementation that a model makes under another name."""

UNKNOWN_TO_MODELS: Mapping[str, str] = {
    "aborted-read": "What a leader that steps down tells its clients is in no model.",
    "folder-not-synced": "The disk of a model has no folders.",
    "truncate-off-by-one": "No model has a log's file beside the log in memory.",
    "damage-is-torn": "No model has a log that is damaged: what is durable stays as it is.",
    "starts-empty": "No model has a log that is damaged: what is durable stays as it is.",
    "cache-survives-cut": "No model has a cache beside the log.",
    "batch-leaves-gap": "In the models, entries have no size.",
    "applied-apart": "In the models, a checkpoint is one step.",
    "ages-forgotten": "In the models, retention removes rows at any time, whatever their age.",
    "pre-vote-counted": "In the model, an answer to a pre-vote and a vote are of different types.",
    "snapshot-off-by-one": "In the models, a log and its tables are one.",
    "drop-keeps-table": "No table is dropped in any model.",
    "batch-in-parts": "In the models, a batch is one record.",
    "poll-uncommitted": "Members of the Raft models answer nobody but through their leader.",
    "names-itself": "In the models, nobody is told who leads.",
    "recorded-at-begin": "In the model, what a slave's transaction does is one step.",
    "serves-uncommitted": "A master of the model has no log: what it has, it has for ever.",
    "task-data-unchecked": "In the model, task data is there or lost, and never damaged.",
    "incomplete-shown": "In the models, nobody reads tables of several data nodes.",
}
"""Mistakes of the implementation that no model can make."""


@dataclass(frozen=True, slots=True)
class Explore:
    """A model is small enough to be searched to the end, and a mistake is one rule of it."""

    name: str = "explore"
    about: str = (
        "explores every state of a model with the mistake in its rules; effort: steps of the "
        "shortest path to where a promise breaks"
    )
    effort: str = "steps"
    chance: bool = False

    def blind(self, bug: Bug) -> str | None:
        if bug.family is Family.IMPLEMENTATION and _of(bug) is None:
            return UNKNOWN_TO_MODELS[bug.name]
        return elsewhere(bug, Family.NOTHING, Family.MODEL, Family.IMPLEMENTATION)

    def hunt(self, bug: Bug, budget: Budget) -> Outcome:
        began = time.process_time()
        for model in _models(bug):
            left = budget.seconds - (time.process_time() - began)
            limits = Limits(cpu_seconds=left)
            found = explore(model, symmetry=bool(model.symmetric), limits=limits)
            cpu_s = time.process_time() - began
            caught = _caught(model, found, cpu_s)
            if caught is not None:
                return caught
            if found.stopped_by:
                told = f"{found.states:,} states broke nothing in {budget.seconds:g} seconds"
                return Missed(f"{told} of one core.", cpu_s)
        return Missed("No state within its bounds breaks a promise.", time.process_time() - began)


def _of(bug: Bug) -> tuple[str, str] | None:
    """The model and the mutant of it that make the mistake."""
    name = COUNTERPARTS.get(bug.name, bug.name)
    places = [bug.place] if bug.place else list(MODELS)
    return next(((place, name) for place in places if name in MODELS[place].mutants), None)


def _models(bug: Bug) -> list[Model]:
    if bug.family is Family.NOTHING:
        return [entry.build(entry.bounds, None) for entry in MODELS.values()]
    made = _of(bug)
    assert made is not None
    place, name = made
    return [MODELS[place].mutants[name].model()]


def _caught(model: Model, found: Result, cpu_s: float) -> Caught | None:
    if found.violation is not None:
        name, steps = found.violation.property, len(found.violation.path)
        reason = found.violation.reason
    elif found.stuck is not None and found.stuck.stuck is not None:
        stuck = found.stuck.stuck
        name, steps, reason = (
            found.stuck.property,
            len(stuck.prefix) + len(stuck.stem),
            stuck.reason,
        )
    else:
        return None
    ids = next((p.promises for p in model.properties if p.name == name), ())
    by = " ".join(filter(None, (name, ", ".join(ids))))
    sentence = f"{name} breaks after {steps} steps. {reason}".rstrip()
    return Caught(by, sentence, steps, cpu_s)


EXPLORE = Explore()
