"""All (local state, event) pairs that an exploration reached, and how each state is come by.

An exploration within bounds reaches every pair there is; far beyond them, walks reach some.
"""

import random
from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from ..actor import Model, NodeId, Receive, Soup, Step
from .arrays import UNKNOWN
from .explorer import Explorer
from .limits import Limits

WALK_STEPS = 100
"""Of one walk, before another begins."""

START_CHANCE = 0.05
"""How often a walk begins at the beginning; else where something new was once seen."""

MAIL_CHANCE = 0.6
NEWEST = 5
"""How often a message arrives where one can, and how much rather a new one than an old one: evenly
chosen, most of what arrives is long out of date."""


class Pair(NamedTuple):
    """An actor's state and what happened to it somewhere: the step, or None if it was ignored."""

    node: NodeId
    state: Any
    event: Any
    step: Step | None


@dataclass
class Pairs:
    """What was reached. Own events that were not enabled are no pairs, ignored messages are.

    `explored`: global states seen. `stopped_by`: the limit that ended it, or nothing.
    """

    model: Model
    found: list[Pair] = field(default_factory=list)
    explored: int = 0
    stopped_by: str = ""

    @cached_property
    def states(self) -> list[tuple[NodeId, Any]]:
        """Every local state with its actor, the initial ones first."""
        known = dict.fromkeys(_initial(self.model))
        for pair in self.found:
            known[pair.node, pair.state] = None
            if pair.step is not None:
                known[pair.node, pair.step.state] = None
        return list(known)

    def path(self, node: NodeId, state: Any) -> list[Any]:
        """A shortest sequence of local events that leads the actor to this state.

        Each of its steps was reached somewhere; together they may not have been.
        """
        events = []
        at = (node, state)
        while (came := self._came[at]) is not None:
            before, event = came
            events.append(event)
            at = (node, before)
        return events[::-1]

    def tree(self) -> Iterator[tuple[NodeId, Any, Any, Any]]:
        """Actor, state, event, next state of every step on a shortest path, parents first."""
        for (node, state), came in self._came.items():
            if came is not None:
                before, event = came
                yield node, before, event, state

    @cached_property
    def _came(self) -> dict[tuple[NodeId, Any], tuple[Any, Any] | None]:
        following = defaultdict(list)
        for node, state, event, step in self.found:
            if step is not None:
                following[node, state].append((event, step.state))
        came: dict[tuple[NodeId, Any], tuple[Any, Any] | None] = dict.fromkeys(_initial(self.model))
        queue = deque(came)
        while queue:
            node, state = queue.popleft()
            for event, after in following[node, state]:
                if (node, after) not in came:
                    came[node, after] = (state, event)
                    queue.append((node, after))
        return came


def _initial(model: Model) -> list[tuple[NodeId, Any]]:
    return [(node, actor.initial(node)) for node, actor in enumerate(model.actors)]


def explore_pairs(
    model: Model, *, workers: int = 1, symmetry: bool = False, limits: Limits | None = None
) -> Pairs:
    """Explore, and give every pair. With symmetry, one of each class of states is there."""
    explorer = Explorer(model, symmetry=symmetry, workers=workers, limits=limits)
    result = explorer.run()
    assert result.violation is None, f"{model.name} itself breaks {result.violation.property}"
    tables, arrays = explorer.tables, explorer.tables.arrays
    pairs = Pairs(model, explored=result.states, stopped_by=result.stopped_by)
    for lid, event, step in tables.results[1:]:
        if not isinstance(event, Receive):
            pairs.found.append(Pair(*tables.locals[lid], event, step))
    receivers = defaultdict(list)
    for lid, (node, _) in enumerate(tables.locals):
        receivers[node].append(lid)
    for mid, message in enumerate(tables.messages):
        column = arrays.message_column[mid]
        for lid in receivers[message.dst]:
            at = int(arrays.delivery[lid, column])
            if at != UNKNOWN:
                step = tables.results[at][2]
                pairs.found.append(Pair(*tables.locals[lid], Receive(message), step))
    return pairs


def walk_pairs(model: Model, *, steps: int, seed: int = 0) -> Pairs:
    """Walk at random through a space that is too large to explore, and give the pairs seen.

    A walk goes on from where something new was seen, more often than not. No property is checked.
    """
    return _Walker(model, random.Random(seed)).walk(steps)


class _Place(NamedTuple):
    """A global state: the actors', all messages by receiver, what is left of the budgets."""

    locals: tuple[Any, ...]
    mail: tuple[tuple[Any, ...], ...]
    budget: tuple[int, ...]


class _Walker:
    def __init__(self, model: Model, chance: random.Random) -> None:
        assert isinstance(model.network, Soup), "walks keep every message"
        self.model = model
        self.chance = chance
        self.names = [name for name, _ in model.budgets]
        self.known: dict[tuple[NodeId, Any, Any], Step | None] = {}
        self.events: dict[tuple[NodeId, Any], list[Any]] = {}
        n = len(model.actors)
        budget = tuple(amount for _, amount in model.budgets)
        self.start = _Place(tuple(s for _, s in _initial(model)), ((),) * n, budget)
        self.fresh: list[_Place] = []

    def walk(self, steps: int) -> Pairs:
        place = self.start
        for at in range(steps):
            if at % WALK_STEPS == 0:
                place = self._begin()
            place = self._step(place)
        pairs = Pairs(self.model, explored=steps, stopped_by=f"the limit of {steps:,} steps")
        for (node, state, event), step in self.known.items():
            if step is not None or isinstance(event, Receive):
                pairs.found.append(Pair(node, state, event, step))
        return pairs

    def _begin(self) -> _Place:
        if not self.fresh or self.chance.random() < START_CHANCE:
            return self.start
        return self.chance.choice(self.fresh)

    def _step(self, place: _Place) -> _Place:
        node = self.chance.randrange(len(place.locals))
        state = place.locals[node]
        event = self._event(node, state, place.mail[node])
        key = (node, state, event)
        is_new = key not in self.known
        if is_new:
            self.known[key] = self.model.step(node, state, event)
        step = self.known[key]
        if step is None:
            return place
        budget = place.budget
        if step.cost is not None:
            of = self.names.index(step.cost)
            if not budget[of]:
                return place
            budget = (*budget[:of], budget[of] - 1, *budget[of + 1 :])
        boxes = list(place.mail)
        for message in step.sends:
            if message not in boxes[message.dst]:
                boxes[message.dst] = (*boxes[message.dst], message)
        locals_ = (*place.locals[:node], step.state, *place.locals[node + 1 :])
        after = _Place(locals_, tuple(boxes), budget)
        if is_new:
            self.fresh.append(after)
        return after

    def _event(self, node: NodeId, state: Any, mail: tuple[Any, ...]) -> Any:
        chance, own = self.chance, self._own(node, state)
        if mail and (not own or chance.random() < MAIL_CHANCE):
            return Receive(mail[-1 - int(chance.random() ** NEWEST * len(mail))])
        return chance.choice(own)

    def _own(self, node: NodeId, state: Any) -> list[Any]:
        found = self.events.get((node, state))
        if found is None:
            found = self.events[node, state] = list(self.model.events(node, state))
        return found
