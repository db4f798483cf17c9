"""One kind of fault: how YAML writes it, and what it aims at. Pure; the conductor acts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter

from ..fault import Fault
from ..language.selector import Selector, View
from ..targets.faults import Clocks, Crashes, Disks, Messages, Packets, Shares, Spares
from ..targets.links import HEALED, Links, Pair
from ..targets.rules import Rules
from ..targets.target import Capability, ProcessState

HEALS = frozenset({"heal", "mend", "set-clock"})
"""What the history calls the undoing of faults that the YAML key `heal` undoes."""


ENDS = frozenset({"kill", "power-cut"})
"""Kinds that end processes."""


@dataclass(frozen=True, slots=True)
class Aim:
    """What one fault comes to when its moment has come.

    `nodes` are the members that it hits. `links`, `packets`, `messages`, `rules`, `disks` and
    `clocks` are what it adds to their state while it lasts; of a process fault, `process` is what
    the nodes are to become, `loses` says whether they may lose what was not synced, and
    `keeps_nothing` that they do. `read_only` are those that may not write their files, each with
    the folder, or None for all. `shares` is what they get of a processor, `spares`
    of memory; `crashes` how often they are killed and started anew. `resets`, `flips`,
    `cuts_tail` (by `tail_bytes`, if it is said) and `forgets` are over at once; `of` is the folder
    in which a bit turns or a file is cut.
    """

    nodes: tuple[str, ...]
    links: Links = field(default_factory=lambda: HEALED)
    process: ProcessState | None = None
    loses: bool = False
    keeps_nothing: bool = False
    packets: Packets = field(default_factory=dict)
    messages: Messages = field(default_factory=dict)
    rules: Rules = field(default_factory=dict)
    disks: Disks = field(default_factory=dict)
    clocks: Clocks = field(default_factory=dict)
    read_only: Mapping[str, str | None] = field(default_factory=dict)
    shares: Shares = field(default_factory=dict)
    spares: Spares = field(default_factory=dict)
    crashes: Crashes = field(default_factory=dict)
    resets: frozenset[Pair] = frozenset()
    flips: bool = False
    cuts_tail: bool = False
    tail_bytes: int | None = None
    of: str | None = None
    forgets: bool = False


Planned = dict[str, Any]
"""Fields of a Fault: `target`, and what else the kind needs (`by_s`, `rate_bytes_s`)."""


@dataclass(frozen=True, slots=True)
class Nemesis:
    """One kind of fault. To add one: write its file, then one line in the registry."""

    kind: str
    """The key in YAML."""
    f: str
    """What the history calls it."""
    about: str
    """One sentence for the JSON Schema."""
    value: Any
    """The type that YAML's value must have, as pydantic reads it."""
    plan: Callable[[Any], Planned]
    selectors: Callable[[Any], list[Selector]]
    """Every selector in a planned target, so that its words can be checked before the run."""
    aim: Callable[[Fault, View, Mapping[str, ProcessState]], Aim]
    requires: Capability | None
    """What a target must be able to do; None: nothing but what all can."""
    undo: str | None = None
    """What the history calls its undoing; None for a kind that undoes others, or is momentary."""
    drawn: tuple[Any, ...] = ()
    """Values that `random` may choose among when only the kind is named."""
    shapes: tuple[str, ...] = ()
    """Words that a target may be besides selectors."""
    momentary: bool = False
    """Whether it is over as soon as it is done."""
    of: str | None = None
    """The folder of a member that it is always about."""
    check: Callable[[Any, Sequence[str]], str | None] = lambda target, members: None
    """What is wrong with a planned target in a group of these members."""

    def planned(self, raw: Any) -> Planned:
        """The fields of a Fault for a value as YAML has it. Raises pydantic's ValidationError."""
        return self.plan(TypeAdapter(self.value).validate_python(raw))


def has(states: Mapping[str, ProcessState], *wanted: ProcessState) -> list[str]:
    """The members whose process is in one of these states."""
    return [alias for alias, state in states.items() if state in wanted]
