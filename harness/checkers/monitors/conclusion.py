"""From what a monitor found to its answer: the earliest finding speaks, the others are counted."""

from collections import Counter
from collections.abc import Mapping, Sequence
from operator import attrgetter, countOf
from typing import Any

import msgspec

from ...prose import plural
from ...verdict import Validity
from ..operations import Ambiguous, Finding, Judgement, Operation
from .prose import sentence_of, summary


class Wrong(msgspec.Struct, frozen=True):
    """Something wrong with the object of one key, and the operations that show it."""

    key: Any
    anomaly: str
    sentence: str
    operations: tuple[Operation, ...]

    @property
    def certain_at(self) -> tuple[int, int]:
        """After which position nothing more was needed to know it."""
        ends = [o.invoked if o.returned is None else o.returned for o in self.operations]
        return max(ends), min(o.invoked for o in self.operations)

    def as_finding(self) -> Finding:
        return Finding(
            self.anomaly,
            sentence_of(self.key, self.sentence),
            tuple(sorted({operation.invoked for operation in self.operations})),
            {
                "key": self.key,
                "operations": [summary(operation) for operation in self.operations],
            },
        )


def conclude(
    operations: Sequence[Operation],
    wrong: Sequence[Wrong],
    ambiguous: Mapping[Any, str],
    *,
    keys: int,
    fits: str = "fit one order that agrees with real time",
) -> Judgement | Ambiguous:
    """The answer to a history. What is wrong is wrong, whatever is ambiguous beside it."""
    answered = len(operations) - countOf(map(attrgetter("returned"), operations), None)
    statistics: dict[str, Any] = {
        "operations": len(operations),
        "answered": answered,
        "keys": keys,
    }
    told = sorted((w for w in wrong if w.key not in ambiguous), key=lambda w: w.certain_at)
    if told:
        statistics["anomalies"] = dict(Counter(w.anomaly for w in told))
        statistics["wrong_keys"] = len({w.key for w in told})
        findings = tuple(w.as_finding() for w in told)
        return Judgement(Validity.FAIL, findings[0].sentence, findings, statistics=statistics)
    if ambiguous:
        return Ambiguous(next(iter(ambiguous.values())), tuple(ambiguous))
    if not answered:
        sentence = "No operation was answered: there is nothing to order."
        return Judgement(Validity.INCONCLUSIVE, sentence, statistics=statistics)
    noun = plural(answered, "answered operation")
    all_of = f"The {noun}" if answered == 1 else f"All {noun}"
    where = f" on {plural(keys, 'key')}" if keys > 1 else ""
    return Judgement(Validity.PASS, f"{all_of}{where} {fits}.", statistics=statistics)
