"""What a checker is: a name, the promises it checks, and a pure function of the evidence."""

from collections.abc import Callable
from dataclasses import dataclass

from ..evidence import Evidence
from ..verdict import Validity, Verdict


@dataclass(frozen=True, slots=True)
class Checker:
    """A judge of one run.

    `judge` reads nothing but the evidence and answers the same whenever it is asked again; only a
    bounded search may, out of time, know less. `question` is what it decides, for documents.
    """

    name: str
    question: str
    promises: tuple[str, ...]
    judge: Callable[[Evidence], Verdict]


def undecided(name: str, sentence: str, validity: Validity = Validity.UNKNOWN) -> Verdict:
    """A verdict that says why there is none."""
    return Verdict(checker=name, validity=validity, sentence=sentence)
