"""Random walks, for spaces that do not fit: every property of every class is checked on the way.

A walk picks among the kinds of events that are possible, then among the events of that kind, so
that rare kinds are not drowned by deliveries; a loss that is picked happens one time in five. Moves
that change nothing are not taken. A walk proves nothing; what it breaks is real, is shortened by
leaving moves out, and is replayed.
"""

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from ..actor import Kind, Model
from .naive import never_fired
from .replay import replay
from .result import Finding
from .shorten import shorten
from .stroll import Stroll
from .world import Move, World

LOSSES = ("drop", "reset")
TAKEN = 0.2
"""The share of losses that are not picked in vain: otherwise little would ever arrive."""


@dataclass(frozen=True)
class Plan:
    """How many walks, how long each may be, from which seed, and for how many seconds at most."""

    walks: int
    depth: int
    seed: int = 0
    seconds: float | None = None


@dataclass
class Walked:
    """What the walks saw.

    `tuples`: different tuples of local states. `found_at`, `found_after`: the number of the walk
    that broke something, and its steps before they were made fewer.
    """

    plan: Plan
    walks: int = 0
    steps: int = 0
    longest: int = 0
    tuples: int = 0
    local_states: int = 0
    seconds: float = 0.0
    reached: dict[str, int] = field(default_factory=dict)
    unreached: tuple[str, ...] = ()
    coverage: dict[str, int] = field(default_factory=dict)
    never_fired: tuple[str, ...] = ()
    violation: Finding | None = None
    found_at: int = 0
    found_after: int = 0
    over: bool = False

    @property
    def rate(self) -> float:
        """Steps a second."""
        return self.steps / max(self.seconds, 1e-9)


def walk(model: Model, plan: Plan, watch: Callable[[Walked], None] | None = None) -> Walked:
    """Walk until something breaks, the plan is done, or its time is over."""
    started = time.perf_counter()
    stroll = Stroll(model)
    seen = Walked(plan)
    coverage: Counter[str] = Counter()
    for number in range(plan.walks):
        taken, broken = _one(stroll, plan, number, seen, coverage)
        seen.walks = number + 1
        seen.steps += len(taken)
        seen.longest = max(seen.longest, len(taken))
        seen.seconds = time.perf_counter() - started
        late = plan.seconds is not None and seen.seconds > plan.seconds
        seen.over = late or broken is not None or seen.walks == plan.walks
        if watch is not None:
            watch(seen)
        if broken is not None:
            seen.found_at, seen.found_after = number, len(taken)
            seen.violation = _found(model, stroll, broken, taken)
        if seen.over:
            break
    seen.seconds = time.perf_counter() - started
    seen.tuples, seen.local_states = stroll.tuples, stroll.local_states
    seen.coverage = dict(sorted(coverage.items()))
    seen.never_fired = never_fired(model, coverage)
    wanted = (p.name for p in model.properties if p.kind is Kind.SOMETIMES)
    seen.unreached = tuple(name for name in wanted if name not in seen.reached)
    return seen


def _one(
    stroll: Stroll, plan: Plan, number: int, seen: Walked, coverage: Counter[str]
) -> tuple[list[Move], str | None]:
    """One walk, a function of the seed and its number alone: its moves, and what broke."""
    chance = random.Random(f"{plan.seed}/{number}")
    taken: list[Move] = []
    broken = stroll.begin()
    while broken is None and len(taken) < plan.depth:
        choices = stroll.moves()
        _note(stroll, seen, coverage, len(taken) + 1)
        if not choices:
            break
        kind = chance.choice(sorted(choices))
        if kind in LOSSES and chance.random() > TAKEN:
            continue
        move = chance.choice(choices[kind])
        broken = stroll.make(move)
        taken.append(stroll.as_move(move))
        coverage[kind] += 1
        _note(stroll, seen, coverage, len(taken))
    return taken, None if broken is None else broken[0]


def _note(stroll: Stroll, seen: Walked, coverage: Counter[str], steps: int) -> None:
    """What the stroll came by, so many steps from the beginning."""
    for kind in stroll.idle:
        coverage[kind] = max(1, coverage[kind])
    for name in stroll.reached:
        seen.reached[name] = min(steps, seen.reached.get(name, steps))
    stroll.idle.clear()
    stroll.reached.clear()


def _found(model: Model, stroll: Stroll, name: str, taken: list[Move]) -> Finding:
    def breaks(moves: list[Move]) -> list[Move] | None:
        followed = stroll.follow(moves, name)
        return None if followed is None else followed[0]

    least = shorten(taken, breaks)
    followed = stroll.follow(least, name)
    assert followed is not None, "a shortened path still breaks what the walk broke"
    return Finding(name, followed[1], replay(World(model), least))
