"""One step of a gate, ready to be done: what to do, and what its doer is told."""

from dataclasses import dataclass, field
from typing import Literal

import msgspec

Expected = Literal["pass", "fail"]


class Explore(msgspec.Struct, frozen=True, tag="explore"):
    """Explore every reachable state of a model; options as of `delphic explore`."""

    model: str
    bounds: tuple[str, ...] = ()
    network: str | None = None
    symmetry: bool = False
    properties: tuple[str, ...] = ()
    mutant: str | None = None
    expect: Expected = "pass"


class Conform(msgspec.Struct, frozen=True, tag="conform"):
    """Hold the implementation against a model, state by state."""

    binding: str
    documented: bool = False
    bugs: tuple[str, ...] = ()
    expect: Expected = "pass"


class Simulate(msgspec.Struct, frozen=True, tag="simulate"):
    """Simulated worlds of one scenario, one a seed. `name`: how `delphic run` finds it."""

    name: str
    file: str
    text: str
    first: int
    last: int
    lockstep: bool = False
    crash_points: bool = False


class Run(msgspec.Struct, frozen=True, tag="run"):
    """One run of a scenario, at a target."""

    name: str
    file: str
    text: str
    target: str
    seed: int | None
    duration_s: float


class Check(msgspec.Struct, frozen=True, tag="check"):
    """Judge a history of anybody's, or a run directory."""

    path: str
    spec: str | None = None
    format: str | None = None
    partition: str | None = None
    expect: Expected = "pass"


Work = Explore | Conform | Simulate | Run | Check

KINDS: tuple[str, ...] = tuple(one.__struct_config__.tag for one in Work.__args__)
"""What a step may do: explore, conform, simulate, run, check."""


def kind_of(work: Work) -> str:
    """Its key in gate.yaml."""
    return str(work.__struct_config__.tag)


class Order(msgspec.Struct, frozen=True):
    """What a process that does one step is told: the work, how long it may take, where files go.

    `keep_going`: all of it, whatever breaks on the way.
    """

    work: Work
    seconds: float
    jobs: int
    out: str
    keep_going: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """A step as gate.yaml has it, on `line`. `watch`: files besides its own that it depends on."""

    name: str
    line: int
    work: Work
    budget_s: float | None = None
    watch: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def kind(self) -> str:
        return kind_of(self.work)

    @property
    def can_flake(self) -> bool:
        """Whether chance has a say: what a seed decides comes out the same every time."""
        return isinstance(self.work, Run) and self.work.target != "sim"
