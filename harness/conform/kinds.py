"""Kinds of the model's steps: all that there are, and which of them runs have made."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from itertools import groupby
from typing import Any

Kind = tuple[str, str]
"""What happened, and what it did: `("timeout", "follower to precandidate, answers at once")`."""

FILE = files("delphic").joinpath("harness/conform/raft/universe.json")


@dataclass(frozen=True, slots=True)
class Known:
    """What exploring the model within `bounds` reaches."""

    bounds: tuple[str, ...]
    kinds: frozenset[Kind]
    local_steps: int


@cache
def known() -> Known:
    """The kinds of steps that there are."""
    data = json.loads(FILE.read_text(encoding="utf-8"))
    kinds = frozenset((event, branch) for event, branch in data["kinds"])
    return Known(tuple(data["bounds"]), kinds, data["local_steps"])


@dataclass(slots=True)
class Exercised:
    """How often steps of each kind were made in the implementation."""

    counts: Counter[Kind] = field(default_factory=Counter)

    def add(self, details: Mapping[str, Any]) -> None:
        """What one run made, as the verdict of `conformance` has it under `coverage`."""
        for event, branch, count in details.get("branches", ()):
            self.counts[event, branch] += count

    @property
    def seen(self) -> frozenset[Kind]:
        """Kinds of the universe that were made."""
        return known().kinds & self.counts.keys()

    @property
    def never(self) -> list[Kind]:
        """Kinds of the universe that were not, in order."""
        return sorted(known().kinds - self.counts.keys())

    @property
    def beyond(self) -> list[Kind]:
        """Kinds that were made, and that no exploring reached, in order."""
        return sorted(self.counts.keys() - known().kinds)

    @property
    def sentence(self) -> str:
        """For people."""
        seen, whole = len(self.seen), len(known().kinds)
        beyond = f"; {len(self.beyond)} kinds that exploring did not reach" if self.beyond else ""
        return f"Of the model's {whole} kinds of steps, {seen} were made{beyond}."

    def lines(self) -> list[str]:
        """What was never made, a line for each event."""
        return [
            f"never {event}: {'; '.join(branch for _, branch in kinds)}"
            for event, kinds in groupby(self.never, key=lambda kind: kind[0])
        ]

    def to_dict(self) -> dict[str, Any]:
        """For JSON and reports."""
        return {
            "steps": self.counts.total(),
            "exercised": len(self.seen),
            "kinds": len(known().kinds),
            "never": [list(kind) for kind in self.never],
            "beyond": [list(kind) for kind in self.beyond],
        }


def together(found: Iterable[Mapping[str, Any]]) -> Exercised:
    """What several runs made."""
    union = Exercised()
    for details in found:
        union.add(details)
    return union
