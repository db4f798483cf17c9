"""What an exploration found, as plain data."""

from dataclasses import dataclass, field
from typing import Any

from .bitstate import Bits
from .world import Global, Move


@dataclass(frozen=True)
class Path:
    """States from an initial one on, with the move that led to each but the first."""

    states: tuple[Global, ...]
    moves: tuple[Move, ...]

    def __len__(self) -> int:
        """Steps, not states."""
        return len(self.moves)


@dataclass(frozen=True)
class Finding:
    """A property with the path that shows it: broken (always), reached (sometimes), or stuck."""

    property: str
    reason: str
    path: Path


@dataclass(frozen=True)
class Stuck:
    """How progress is missed for ever: faults along `prefix`, then `stem`, then `cycle` again.

    An empty cycle is a dead end. States after the prefix have no observers and no budgets, and a
    network that holds what is in flight one by one.
    """

    reason: str
    prefix: Path
    stem: Path
    cycle: Path


@dataclass(frozen=True)
class Eventually:
    """An EVENTUALLY property in one good phase: decided, or `skipped` with the reason."""

    property: str
    phase: str
    skipped: str = ""
    states: int = 0
    stuck: Stuck | None = None


@dataclass
class Result:
    """Counts follow one convention in all explorers, so that they can be compared.

    `states`: distinct states inside the bounds (orbits, with symmetry). `transitions`: enabled
    moves out of them, self-loops included. `depth`: moves on the longest shortest path; the initial
    state has depth 0. `cut`: distinct states outside the bounds, checked and not expanded.
    """

    model: str
    states: int = 0
    transitions: int = 0
    depth: int = 0
    cut: int = 0
    complete: bool = False
    stopped_by: str = ""
    violation: Finding | None = None
    reached: dict[str, int] = field(default_factory=dict)
    witnesses: dict[str, Path] = field(default_factory=dict)
    unreached: tuple[str, ...] = ()
    coverage: dict[str, int] = field(default_factory=dict)
    never_fired: tuple[str, ...] = ()
    eventually: tuple[Eventually, ...] = ()
    bits: Bits | None = None
    statistics: dict[str, Any] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Explored to the end, nothing broken or stuck, everything that should be reached was."""
        sound = self.complete and self.violation is None and self.stuck is None
        return sound and not self.unreached and not self.never_fired

    @property
    def stuck(self) -> Eventually | None:
        """The first EVENTUALLY property that fails."""
        return next((e for e in self.eventually if e.stuck is not None), None)

    def collision_probability(self) -> float:
        """TLC's optimistic estimate: distinct x (generated - distinct) / 2^64.

        With symmetry an orbit has the least of k hashes, one a permutation. Least ones lie close
        together: two of them are equal k^2 / (2k - 1) times as often.
        """
        k: int = self.statistics.get("permutations", 1)
        pairs = self.states * max(0, self.transitions - self.states)
        return pairs * k * k / (2 * k - 1) / 2**64
