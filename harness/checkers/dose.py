"""Did the run have as much as its scenario asks for? Less shows too little to be a pass."""

from typing import Any

from ..evidence import Evidence
from ..language.doses import DOSES
from ..verdict import Validity, Verdict
from .checker import Checker

NAME = "dose"


def judge(evidence: Evidence) -> Verdict:
    """Count in the members' traces what the scenario's `minimum` asks for."""
    asked = evidence.minimum
    if not asked:
        return Verdict(NAME, Validity.PASS, "The scenario asks for no dose of anything.")
    found = {name: DOSES[name].count(evidence.traces) for name in asked}
    details: dict[str, Any] = {"minimum": dict(asked), "found": found}
    missed = [name for name in asked if found[name] < asked[name]]
    if missed:
        told = "; ".join(_missed(name, found[name], asked[name]) for name in missed)
        sentence = f"The run had too little to show what its scenario is about: {told}."
        return Verdict(NAME, Validity.INCONCLUSIVE, sentence, details=details)
    told = ", ".join(f"{name} {found[name]:,} (at least {asked[name]:,})" for name in asked)
    return Verdict(NAME, Validity.PASS, f"The run had its dose: {told}.", details=details)


def _missed(name: str, found: int, asked: int) -> str:
    return f"{name} {found:,} of at least {asked:,}, {asked - found:,} too few ({DOSES[name].of})"


DOSE = Checker(
    name=NAME,
    question="Did the run have as much of everything as its scenario asks for?",
    promises=(),
    judge=judge,
)
