"""One verdict from two opinions: they must agree, and where one is silent the other decides."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from ..verdict import Validity, Verdict, worst
from .checker import Checker
from .log.monitor import LOG_MONITOR
from .log.second_opinion import LOG_SEARCH

DECIDED = (Validity.PASS, Validity.FAIL)


@dataclass(frozen=True, slots=True)
class Agreement:
    """A checker made of two that answer one question independently, the exact one first.

    `combine` gets their verdicts in that order; each was run on its own, so that a bug in one does
    not silence the other.
    """

    name: str
    question: str
    opinions: tuple[Checker, Checker]
    combine: Callable[[Verdict, Verdict], Verdict]

    @property
    def promises(self) -> tuple[str, ...]:
        return self.opinions[0].promises


def linearizable(exact: Verdict, bounded: Verdict) -> Verdict:
    """Return the exact opinion unless the bounded one contradicts it or is the only one.

    A bounded search that ran out of its bound takes nothing away from an exact answer. One that
    crashed does: what failed there may have failed elsewhere, too.
    """
    validity, sentence, told = _agreed(exact, bounded)
    return Verdict(
        checker="linearizable",
        validity=validity,
        sentence=sentence,
        promises=told.promises,
        witness=told.witness,
        details={**told.details, "opinions": [msgspec.to_builtins(v) for v in (exact, bounded)]},
        cost_s=exact.cost_s + bounded.cost_s,
    )


def _agreed(exact: Verdict, bounded: Verdict) -> tuple[Validity, str, Verdict]:
    """The common validity, its sentence, and the opinion whose witness counts."""
    crashed = [v for v in (exact, bounded) if v.validity is Validity.HARNESS_ERROR]
    if crashed:
        other = bounded if crashed[0] is exact else exact
        told = max((crashed[0], other), key=lambda verdict: verdict.validity.severity)
        return worst((exact.validity, bounded.validity)), told.sentence, told
    if exact.validity not in DECIDED:
        decided = bounded if bounded.validity in DECIDED else exact
        return decided.validity, decided.sentence, decided
    if bounded.validity not in DECIDED:
        sentence = f"{exact.sentence} (The second opinion was not in time: {bounded.sentence})"
        return exact.validity, sentence, exact
    if exact.validity is bounded.validity:
        return exact.validity, exact.sentence, exact
    sentence = (
        f"DELPHIC CONTRADICTS ITSELF, so nothing is known about this run: {exact.checker} says "
        f"{exact.validity} ({_quoted(exact)}), but {bounded.checker} says {bounded.validity} "
        f"({_quoted(bounded)}). Please report this with the run's directory."
    )
    return Validity.HARNESS_ERROR, sentence, _failing((exact, bounded))


def _quoted(verdict: Verdict) -> str:
    return verdict.sentence.rstrip(".")


def _failing(verdicts: Sequence[Verdict]) -> Verdict:
    return next(verdict for verdict in verdicts if verdict.validity is Validity.FAIL)


LINEARIZABLE = Agreement(
    name="linearizable",
    question="Are all appends and reads linearizable? (exact monitor and bounded search, agreeing)",
    opinions=(LOG_MONITOR, LOG_SEARCH),
    combine=linearizable,
)
