"""What holds a part of the implementation and its model together, and what comes of comparing them.

To add one: write its translation in a folder here, and add a `Binding` to `BINDINGS` in cli.py.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Divergence:
    """A step that the implementation makes otherwise than the model.

    `state` and `event` are the model's; `expected` and `found` say what `field` of the outcome is
    in the model and in the implementation; `path` is a shortest sequence of local events that
    leads to the state; `guess` is what was assumed of what the model does not know.
    """

    state: Any
    event: str
    field: str
    expected: Any
    found: Any
    path: tuple[str, ...] = ()
    guess: str = ""


@dataclass
class Conformance:
    """What was compared, and what differs: the result of one binding at one set of bounds.

    `pairs`: (state, event) pairs of the model that exploring reached, all of which were checked.
    `steps`: the implementation's steps that this took, by kind of event. `replayed`: states that
    were also reached in the implementation by its own steps. `divergences` has the first of each
    kind; `diverged` counts all of them by event and field.
    """

    binding: str
    bounds: str
    states: int = 0
    pairs: int = 0
    explored: int = 0
    complete: bool = True
    steps: Counter[str] = field(default_factory=Counter)
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


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far a model is explored for comparing: options by name."""

    name: str
    options: tuple[tuple[str, int], ...]

    def __str__(self) -> str:
        return " ".join(f"{name}={value}" for name, value in self.options)


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

    def conform(
        self,
        bounds: Bounds,
        *,
        bugs: frozenset[str] = frozenset(),
        first: bool = False,
        watch: Callable[[str], None] | None = None,
    ) -> Conformance:
        """Compare every pair within the bounds; `first` ends at the first divergence."""
