"""The check `conform`: a core with the mistake in it, against its model, in every state."""

import time
from dataclasses import dataclass

from ..conform.binding import Conformance
from ..conform.cli import BINDINGS
from ..conform.raft.bind import BLIND
from ..conform.replication.bind import BLIND as BLIND_TO_REPLICATION
from .nouns import Budget, Bug, Caught, Family, Missed, Outcome, elsewhere


@dataclass(frozen=True, slots=True)
class Conform:
    """Puts cores into every state that exploring reaches; no member is started."""

    name: str = "conform"
    about: str = (
        "puts the core with the mistake in it into every state of its model within small bounds "
        "and compares steps; nothing is started; effort: pairs of state and event"
    )
    effort: str = "pairs"
    chance: bool = False

    def blind(self, bug: Bug) -> str | None:
        bound = any(bug.name in binding.bugs for binding in BINDINGS.values())
        if bug.family is Family.IMPLEMENTATION and not bound:
            why = {**BLIND, **BLIND_TO_REPLICATION}[bug.name]
            return f"{why[0].upper()}{why[1:]}."
        return elsewhere(bug, Family.NOTHING, Family.IMPLEMENTATION)

    def hunt(self, bug: Bug, budget: Budget) -> Outcome:
        began, pairs = time.process_time(), 0
        seeded = frozenset({bug.name} if bug.family is Family.IMPLEMENTATION else ())
        for binding in BINDINGS.values():
            if not seeded <= binding.bugs:
                continue
            for bounds in binding.small:
                found = binding.conform(bounds, bugs=seeded, first=True)
                pairs += found.pairs.total()
                cpu_s = time.process_time() - began
                if not found.conforms:
                    return _caught(found, pairs, cpu_s)
                if cpu_s > budget.seconds:
                    return Missed(f"{pairs:,} pairs did not show it.", cpu_s)
        cpu_s = time.process_time() - began
        return Missed(f"All {pairs:,} pairs within the small bounds are the model's.", cpu_s)


def _caught(found: Conformance, pairs: int, cpu_s: float) -> Caught:
    first = found.divergences[0]
    by = f"{found.binding}, {first.event}: {first.field}"
    sentence = (
        f"{first.field} differs after {first.event}, {len(first.path)} steps from the start: "
        f"{first.expected} in the model, {first.found} in the implementation."
    )
    return Caught(by, sentence, pairs, cpu_s)


CONFORM = Conform()
