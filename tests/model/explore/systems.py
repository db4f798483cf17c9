"""Random small actor systems, drawn by hypothesis, for comparing explorers."""

import functools
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from delphic.model.actor import (
    Bag,
    Broken,
    Fifo,
    Kind,
    Model,
    Network,
    Property,
    Receive,
    Scope,
    Soup,
    Step,
)
from hypothesis import strategies as st


class Letter(NamedTuple):
    src: int
    dst: int
    kind: int


class Local(NamedTuple):
    """`peer` makes renaming matter: it names another actor."""

    me: int
    value: int
    peer: int


class Poke(NamedTuple):
    peer: int


@functools.cache
def _drawn(
    seed: int, value: int, key: str, seen: tuple[bool, ...], values: int, kinds: int
) -> tuple[list[tuple[int, int]], int, int, int | None, str | None] | None:
    """What a state does with an event: drawn once, without naming anybody."""
    draw = random.Random(repr((seed, value, key, seen)))
    if draw.random() < 0.4:
        return None
    targets = [(draw.randrange(3), draw.randrange(kinds)) for _ in range(draw.choice([0, 0, 1, 2]))]
    note = draw.randrange(3) if draw.random() < 0.3 else None
    cost = "fault" if draw.random() < 0.2 else None
    return targets, draw.randrange(values), draw.randrange(3), note, cost


@dataclass(frozen=True)
class TableActor:
    """Behaviour drawn from a seed; the same for every actor up to renaming."""

    seed: int
    actors: int
    values: int
    kinds: int

    def initial(self, node: int) -> Local:
        return Local(node, 0, node)

    def events(self, state: Local) -> Sequence[Any]:
        return ("a", "b", *(Poke(p) for p in range(self.actors) if p != state.me))

    def step(self, state: Local, event: Any) -> Step | None:
        other, key = state.me, str(event)
        if isinstance(event, Receive):
            other, key = event.message.src, f"receive {event.message.kind}"
        elif isinstance(event, Poke):
            other, key = event.peer, "poke"
        seen = (other == state.me, other == state.peer, state.peer == state.me)
        drawn = _drawn(self.seed, state.value, key, seen, self.values, self.kinds)
        if drawn is None:
            return None
        targets, value, peer, note, cost = drawn
        names = (other, state.peer, state.me)
        sends = tuple(Letter(state.me, names[to], kind) for to, kind in targets)
        notes = () if note is None else ((note, state.me),)
        return Step(Local(state.me, value, names[peer]), sends, notes, cost)

    def durable(self, state: Local) -> int:
        return state.value // 2

    def recover(self, node: int, durable: int) -> Local:
        return Local(node, durable * 2, node)


@dataclass(frozen=True)
class Sum:
    """A ghost that counts, remembers who spoke last, and refuses to pass its limit."""

    limit: int
    name: str = "sum"

    def initial(self) -> tuple[int, int]:
        return (0, -1)

    def observe(self, state: Any, note: Any) -> Any:
        if state[0] >= self.limit and note[0] == 2:
            return Broken("sum", f"beyond {self.limit}")
        return (min(state[0] + note[0], 4), note[1])


def rename(value: Any, permutation: Sequence[int]) -> Any:
    p = permutation
    match value:
        case Local(me, content, peer):
            return Local(p[me], content, p[peer])
        case Letter(src, dst, kind):
            return Letter(p[src], p[dst], kind)
        case Poke(peer):
            return Poke(p[peer])
        case (int(count), int(last)):
            return (count, p[last] if last >= 0 else last)
    return value


def system(seed: int, network: Network) -> Model:
    draw = random.Random(seed)
    n = draw.choice([2, 2, 3])
    limit = draw.choice([2, 3, 5, 100])
    actor = TableActor(seed, n, draw.choice([2, 3]), 2)
    return Model(
        name=f"random {seed}",
        actors=(actor,) * n,
        network=network,
        observers=(Sum(draw.choice([2, 4, 9])),),
        budgets=(("fault", draw.choice([0, 1])), ("crash", draw.choice([0, 1]))),
        properties=(
            Property(
                "small", Kind.ALWAYS, Scope.TUPLE, lambda ls: sum(s.value for s in ls) < limit
            ),
            Property(
                "odd",
                Kind.SOMETIMES,
                Scope.STEP,
                lambda s, e, t: s.value == 1 and t.state.value == 0,
            ),
            Property("met", Kind.SOMETIMES, Scope.PAIR, lambda a, b: a.value == b.value == 1),
            Property(
                "told", Kind.SOMETIMES, Scope.MESSAGE, lambda m, s, t: m.kind == 1 and t.value == 0
            ),
        ),
        within=(lambda s: s.value < 2) if draw.random() < 0.3 else None,
        symmetric=tuple(range(n)),
        rename=rename,
        expected_events=("a", "b", "poke"),
        event_names=_event_name,
    )


def _event_name(event: Any) -> str:
    if isinstance(event, Poke):
        return "poke"
    if isinstance(event, Receive):
        return f"receive {event.message.kind}"
    return str(getattr(event, "value", event))


def systems() -> st.SearchStrategy[Model]:
    networks: list[Network] = [Soup(), Bag(1), Bag(2), Fifo(1), Fifo(2)]
    return st.builds(system, st.integers(0, 10**9), st.sampled_from(networks))
