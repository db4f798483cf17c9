"""The zoo's nouns: a mistake made on purpose, a check that hunts it, and what came of the hunt."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Family(StrEnum):
    """Where a mistake is made."""

    NOTHING = "nothing"
    IMPLEMENTATION = "implementation"
    MODEL = "model"
    HARNESS = "harness"


@dataclass(frozen=True, slots=True)
class Bug:
    """A mistake made on purpose. `place`: the model in which it is made, if it is in one."""

    family: Family
    name: str
    mistake: str
    source: str
    promises: tuple[str, ...] = ()
    place: str = ""


NOTHING = Bug(
    Family.NOTHING, "nothing", "No mistake at all: whoever catches it raises a false alarm.", ""
)


@dataclass(frozen=True, slots=True)
class Budget:
    """What one hunt may cost: seconds of one core. `start` tells hunts by chance apart.

    Where nothing is wrong, a hunt that ends early proves little: it gets all the time it needs.
    """

    seconds: float
    start: int = 0


@dataclass(frozen=True, slots=True)
class Caught:
    """The check saw the mistake. `by`: what exactly did, as in `linearizable HS-4`.

    `effort` is how much of what the check counts in it took, `cpu_s` the time of one core.
    """

    by: str
    sentence: str
    effort: int
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Missed:
    """The check could have seen the mistake, and did not."""

    reason: str
    cpu_s: float


Outcome = Caught | Missed


class Check(Protocol):
    """Something that finds mistakes. To add one: its file, then its name in checks.py.

    `about` completes "This check …"; `effort` is what it counts, in the plural. A check that tries
    its luck, `chance`, is worth more than one start. What it can see of no mistake at all, it
    hunts like any other: then a catch is a false alarm.
    """

    @property
    def name(self) -> str: ...
    @property
    def about(self) -> str: ...
    @property
    def effort(self) -> str: ...
    @property
    def chance(self) -> bool: ...
    def blind(self, bug: Bug) -> str | None:
        """Why it cannot see this mistake, as a sentence; None if it can."""

    def hunt(self, bug: Bug, budget: Budget) -> Outcome:
        """Look for a mistake that it can see."""


_ELSEWHERE = {
    Family.NOTHING: "There is nothing that it could look at.",
    Family.IMPLEMENTATION: "It looks at the harness, not at the implementation.",
    Family.MODEL: "The mistake is in a model only: no member makes it.",
    Family.HARNESS: "The mistake is in the harness: no member and no model makes it.",
}


def elsewhere(bug: Bug, *families: Family) -> str | None:
    """Why a check that sees these families cannot see the mistake; None if it is in one of them."""
    return None if bug.family in families else _ELSEWHERE[bug.family]
