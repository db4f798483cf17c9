"""What holds a part of the implementation and its model together, and what comes of comparing them.

To add one: write its translation in a folder here, and add a `Binding` to `BINDINGS` in cli.py.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Divergence:
    """A step that the implementation makes otherwise than the model.

    `state` and `event` are the model's; `expected` and `found` say what `field` of the outcome is
    in the model and in the implementation; `path` is a shortest sequence of local events that
    leads to the state; `guess` is what was assumed of what the model does not know; `cause` is the
    event in full.
    """

    state: Any
    event: str
    field: str
    expected: Any
    found: Any
    path: tuple[Any, ...] = ()
    guess: str = ""
    cause: Any = None


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far a model is explored for comparing.

    `options` of the model by name. `depth`: so many steps from the start, not all of the space.
    `walk`: no exploring, but so many steps of random walks.
    """

    title: str
    options: tuple[tuple[str, int], ...]
    depth: int | None = None
    walk: int | None = None

    @classmethod
    def of(
        cls, title: str, *, depth: int | None = None, walk: int | None = None, **options: int
    ) -> "Bounds":
        """With the options by name."""
        return cls(title, tuple(options.items()), depth, walk)

    def __str__(self) -> str:
        how = " ".join(f"{name}={value}" for name, value in self.options)
        if self.walk is not None:
            return f"{how}, {self.walk:,} random steps"
        return how if self.depth is None else f"{how}, {self.depth} steps deep"


@dataclass
class Conformance:
    """What was compared, and what differs: the result of one binding at one set of bounds.

    `explored`: global states. `states`: local ones. `pairs`: how many (state, event) pairs were
    checked, by event. `cores`: how many steps of the implementation that took, since one state of
    the model may be several of the implementation. `replayed`: states that the implementation also
    reached by its own steps. `divergences` has the first of each kind; `diverged` counts all.
    """

    binding: str
    bounds: Bounds
    explored: int = 0
    states: int = 0
    pairs: Counter[str] = field(default_factory=Counter)
    cores: int = 0
    replayed: int = 0
    divergences: list[Divergence] = field(default_factory=list)
    diverged: Counter[tuple[str, str]] = field(default_factory=Counter)
    seconds: float = 0.0

    def diverge(self, divergence: Divergence) -> None:
        """Count it; keep it if it is the first with this event and field."""
        kind = (divergence.event, divergence.field)
        if not self.diverged[kind]:
            self.divergences.append(divergence)
        self.diverged[kind] += 1

    @property
    def conforms(self) -> bool:
        """Whether every step was the model's."""
        return not self.diverged


@dataclass(frozen=True, slots=True)
class Difference:
    """Where the implementation is meant to differ from the plain model, and why it may."""

    name: str
    reason: str


class Binding(Protocol):
    """One part of the implementation and its model.

    `small` bounds are for every test run, `documented` ones are what docs/conformance.md speaks of.
    """

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def differences(self) -> Sequence[Difference]: ...
    @property
    def small(self) -> Sequence[Bounds]: ...
    @property
    def documented(self) -> Sequence[Bounds]: ...
    @property
    def bugs(self) -> frozenset[str]:
        """Seeded bugs of the implementation that are in this part of it."""

    def conform(
        self,
        bounds: Bounds,
        *,
        bugs: frozenset[str] = frozenset(),
        first: bool = False,
        workers: int = 1,
    ) -> Conformance:
        """Compare every pair within the bounds; `first` ends at the first divergence;
        `workers` explore."""
