"""Evidence in, verdicts out: every checker by name, each guarded and timed."""

import time
import traceback
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from .checkers import CHECKERS
from .checkers.agreement import Agreement
from .checkers.checker import Checker
from .conform.kinds import together
from .errors import UsageError
from .evidence import Evidence
from .prose import plural
from .verdict import Validity, Verdict, worst

TRACEBACK_CHARACTERS_MAX = 8_000


def check(evidence: Evidence, names: Iterable[str]) -> list[Verdict]:
    """Run the named checkers, in this order.

    Raises UsageError where a name is unknown, before any checker runs.
    """
    chosen = [named(name) for name in names]
    return [_verdict(checker, evidence) for checker in chosen]


def named(name: str) -> Checker | Agreement:
    """Return a checker, or raise UsageError with the names that there are."""
    checker = CHECKERS.get(name)
    if checker is None:
        known = ", ".join(sorted(CHECKERS))
        raise UsageError(f"there is no checker {name!r}; there are {known}")
    return checker


def overall(verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict on the run: the worst validity, told by the first checker that came to it."""
    validity = worst(verdict.validity for verdict in verdicts)
    cost_s = sum(verdict.cost_s for verdict in verdicts)
    told = [verdict for verdict in verdicts if verdict.validity is validity]
    if not told:
        return Verdict("overall", validity, "Nothing was checked.", cost_s=cost_s)
    first = told[0]
    if validity is Validity.PASS:
        sentence = f"All {plural(len(told), 'check')} passed. {first.sentence}"
        return Verdict("overall", validity, sentence, _promises(told), cost_s=cost_s)
    others = ", ".join(verdict.checker for verdict in told[1:])
    tail = f" (The same verdict by: {others}.)" if others else ""
    return Verdict(
        checker="overall",
        validity=validity,
        sentence=f"{first.sentence}{tail}",
        promises=_promises(told),
        witness=first.witness,
        details={"checkers": [verdict.checker for verdict in told]},
        cost_s=cost_s,
    )


def statistics(verdicts: Iterable[Verdict]) -> dict[str, Any]:
    """What verdict.json says under `statistics`: what was measured, whatever was concluded."""
    measuring = ("statistics", "availability", "liveness")
    found = {verdict.checker: verdict.details for verdict in verdicts}
    merged = dict(found.get(measuring[0], {}))
    for name in measuring[1:]:
        if found.get(name):
            merged[name] = found[name]
    steps = found.get("conformance", {}).get("coverage")
    if steps:
        merged["coverage"] = together([steps]).to_dict()
    return merged


def _verdict(checker: Checker | Agreement, evidence: Evidence) -> Verdict:
    if isinstance(checker, Checker):
        return _guarded(checker, evidence)
    exact, bounded = checker.opinions
    return checker.combine(_guarded(exact, evidence), _guarded(bounded, evidence))


def _guarded(checker: Checker, evidence: Evidence) -> Verdict:
    """Run one checker; a bug in it costs its own verdict, never the run."""
    began = time.perf_counter()
    try:
        verdict = checker.judge(evidence)
    except Exception as error:
        sentence = (
            f"Checker {checker.name} crashed ({type(error).__name__}: {error}): a bug of Delphic, "
            "not of the system; please report it with the run's directory."
        )
        text = traceback.format_exc()[-TRACEBACK_CHARACTERS_MAX:]
        verdict = Verdict(
            checker=checker.name,
            validity=Validity.HARNESS_ERROR,
            sentence=sentence,
            promises=checker.promises,
            details={"traceback": text},
        )
    return msgspec.structs.replace(verdict, cost_s=time.perf_counter() - began)


def _promises(verdicts: Iterable[Verdict]) -> tuple[str, ...]:
    """All their promises, in order of family and number."""
    promises = {promise for verdict in verdicts for promise in verdict.promises}
    return tuple(sorted(promises, key=lambda promise: (promise[:3], int(promise[3:]))))
