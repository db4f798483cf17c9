"""The slow explorer: breadth-first search in obvious Python, the oracle of the fast one."""

from collections import Counter
from itertools import permutations
from typing import Any

from ..actor import Kind, Model, Property, Scope
from .canonical import encode
from .result import Finding, Path, Result
from .world import Global, Successor, World


def explore_naively(
    model: Model, *, symmetry: bool = False, max_states: int | None = None
) -> Result:
    """Explore `model` level by level; what broke is reported when its level is finished."""
    search = _Search(model, symmetry)
    return search.run(max_states)


class _Search:
    def __init__(self, model: Model, symmetry: bool) -> None:
        self.world = World(model)
        self.model = model
        self.result = Result(model.name)
        self.parents: dict[Any, tuple[Any, Any, Global]] = {}
        self.broken: list[tuple[str, str, Any, Any]] = []
        self.symmetry = symmetry

    def key(self, state: Global) -> Any:
        if not self.symmetry:
            return state
        return min(encode(self.world.renamed(state, p)) for p in group(self.model))

    def run(self, max_states: int | None) -> Result:
        result = self.result
        initial = self.world.initial()
        self.parents[self.key(initial)] = (None, None, initial)
        result.states = 1
        self.check_state(initial, 0)
        level = [initial]
        coverage: Counter[str] = Counter()
        depth = 0
        while level and not self.broken:
            if max_states is not None and result.states > max_states:
                result.stopped_by = f"more than {max_states} states"
                break
            following: list[Global] = []
            for state in level:
                for successor in self.world.successors(state):
                    result.transitions += 1
                    coverage[self.move_name(successor)] += 1
                    self.check_transition(state, successor, depth + 1)
                    if successor.broken is None:
                        self.admit(state, successor, following, depth + 1)
            level = following
            depth += bool(level)
        result.depth = depth
        self.finish(coverage)
        return result

    def admit(
        self, state: Global, successor: Successor, following: list[Global], depth: int
    ) -> None:
        after = successor.after
        key = self.key(after)
        if key in self.parents:
            return
        self.parents[key] = (self.key(state), successor.move, after)
        self.check_state(after, depth)
        node = successor.move.actor
        within = self.model.within
        if node is not None and within is not None and not within(after.locals[node]):
            self.result.cut += 1
            return
        self.result.states += 1
        following.append(after)

    def move_name(self, successor: Successor) -> str:
        move = successor.move
        if move.actor is None:
            return type(move.event).__name__.lower()
        return self.model.name_of(move.event)

    def check_transition(self, state: Global, successor: Successor, depth: int) -> None:
        move, step = successor.move, successor.step
        if successor.broken is not None:
            self.found(successor.broken.property, successor.broken.reason, state, move)
        if step is None or move.actor is None:
            return
        before = state.locals[move.actor]
        for prop in self.model.properties:
            for holds in verdicts_on_step(prop, before, move.event, step):
                self.note(prop, holds, state, move, depth)

    def check_state(self, state: Global, depth: int) -> None:
        for prop in self.model.properties:
            for holds in verdicts_on_state(prop, state.locals):
                self.note(prop, holds, state, None, depth)

    def note(self, prop: Property, holds: bool, state: Global, move: Any, depth: int) -> None:
        if prop.kind is Kind.ALWAYS and not holds:
            self.found(prop.name, "", state, move)
        elif prop.kind is Kind.SOMETIMES and holds:
            self.result.reached.setdefault(prop.name, depth)

    def found(self, name: str, reason: str, state: Global, move: Any) -> None:
        self.broken.append((name, reason, state, move))

    def finish(self, coverage: Counter[str]) -> None:
        result, model = self.result, self.model
        result.coverage = dict(sorted(coverage.items()))
        result.complete = not self.broken and not result.stopped_by
        if self.broken:
            name, reason, state, move = min(self.broken, key=lambda b: (b[0], b[1]))
            result.violation = Finding(name, reason, self.path(state, move))
        result.unreached = tuple(
            p.name
            for p in model.properties
            if p.kind is Kind.SOMETIMES and p.name not in result.reached
        )
        result.never_fired = never_fired(model, coverage)

    def path(self, state: Global, move: Any) -> Path:
        states, moves = [state], []
        key = self.key(state)
        while True:
            parent, how, _ = self.parents[key]
            if parent is None:
                break
            key = parent
            states.append(self.parents[key][2])
            moves.append(how)
        states.reverse()
        moves.reverse()
        if move is not None:
            moves.append(move)
        return Path(tuple(states), tuple(moves))


def verdicts_on_step(prop: Property, before: Any, event: Any, step: Any) -> list[bool]:
    """What a step or message property says of one step; empty where it looks at something else."""
    if prop.holds is None or prop.kind is Kind.EVENTUALLY:
        return []
    if prop.scope is Scope.STEP:
        return [prop.holds(before, event, step)]
    if prop.scope is Scope.MESSAGE:
        return [prop.holds(message, before, step.state) for message in step.sends]
    return []


def verdicts_on_state(prop: Property, locals_: tuple[Any, ...]) -> list[bool]:
    """What a pair or tuple property says of all local states together."""
    if prop.holds is None or prop.kind is Kind.EVENTUALLY:
        return []
    if prop.scope is Scope.TUPLE:
        return [prop.holds(locals_)]
    if prop.scope is Scope.PAIR:
        return [
            prop.holds(a, b) for i, a in enumerate(locals_) for j, b in enumerate(locals_) if i != j
        ]
    return []


def never_fired(model: Model, coverage: Counter[str] | dict[str, int]) -> tuple[str, ...]:
    """Expected events that no reachable state enabled, and that were not declared unreachable."""
    return tuple(
        name
        for name in model.expected_events
        if not coverage.get(name) and name not in model.unreachable
    )


def group(model: Model) -> list[tuple[int, ...]]:
    """All renamings of interchangeable actors, the identity first."""
    found = []
    for images in permutations(model.symmetric):
        mapping = list(range(len(model.actors)))
        for source, image in zip(model.symmetric, images, strict=True):
            mapping[source] = image
        found.append(tuple(mapping))
    return found or [tuple(range(len(model.actors)))]
