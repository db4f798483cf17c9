"""The meaning of a model, in plain Python: global states and what may follow each.

This is the definition. The compiled explorer must agree with it, state for state; paths are
replayed through it before anybody is shown one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..actor import Bag, Broken, Model, Receive, Soup, Step
from .canonical import encode


class Move(NamedTuple):
    """One transition: an actor's event, or (actor None) a loss: a dropped message, a reset."""

    actor: int | None
    event: Any


class Drop(NamedTuple):
    """The network loses one message of a bag."""

    message: Any


class Reset(NamedTuple):
    """The connection from src to dst breaks: its queue is lost."""

    src: int
    dst: int


class Global(NamedTuple):
    """One state of the whole model. `net`: a frozenset (soup), a sorted tuple (bag), queues (fifo).

    A queue is ((src, dst), messages); empty queues are left out.
    """

    locals: tuple[Any, ...]
    observers: tuple[Any, ...]
    budget: tuple[int, ...]
    net: Any


@dataclass(frozen=True)
class Successor:
    """A transition: what moved, where it leads, and what an observer found broken on the way."""

    move: Move
    step: Step | None
    after: Global
    broken: Broken | None = None


class World:
    """Global steps of one model."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.budget_names = tuple(name for name, _ in model.budgets)

    def initial(self) -> Global:
        model = self.model
        empty: Any = frozenset() if isinstance(model.network, Soup) else ()
        return Global(
            tuple(actor.initial(i) for i, actor in enumerate(model.actors)),
            tuple(observer.initial() for observer in model.observers),
            tuple(amount for _, amount in model.budgets),
            empty,
        )

    def successors(self, state: Global) -> Iterator[Successor]:
        """Every transition out of `state`, in a fixed order."""
        for node, local in enumerate(state.locals):
            for event in self.model.events(node, local):
                step = self.model.step(node, local, event)
                if step is not None:
                    yield from self._apply(state, Move(node, event), step, state.net)
        network = self.model.network
        if isinstance(network, Soup):
            for message in sorted(state.net, key=encode):
                yield from self._deliver(state, message, state.net)
        elif isinstance(network, Bag):
            for at, message in enumerate(state.net):
                if at and state.net[at - 1] == message:
                    continue
                rest = state.net[:at] + state.net[at + 1 :]
                yield from self._deliver(state, message, rest)
                yield Successor(Move(None, Drop(message)), None, state._replace(net=rest))
        else:
            for at, ((src, dst), queue) in enumerate(state.net):
                rest = self._queues(state.net, at, queue[1:])
                yield from self._deliver(state, queue[0], rest, consume=True)
                emptied = state._replace(net=self._queues(state.net, at, ()))
                yield Successor(Move(None, Reset(src, dst)), None, emptied)

    def _deliver(
        self, state: Global, message: Any, rest: Any, *, consume: bool = False
    ) -> Iterator[Successor]:
        event = Receive(message)
        step = self.model.step(message.dst, state.locals[message.dst], event)
        if step is None and consume:
            # The head of a queue that its receiver ignores is gone, or it would block the queue.
            step = Step(state.locals[message.dst])
        if step is not None:
            yield from self._apply(state, Move(message.dst, event), step, rest)

    def _apply(self, state: Global, move: Move, step: Step, net: Any) -> Iterator[Successor]:
        assert move.actor is not None
        budget = state.budget
        if step.cost is not None:
            at = self.budget_names.index(step.cost)
            if budget[at] == 0:
                return
            budget = (*budget[:at], budget[at] - 1, *budget[at + 1 :])
        sent = self._send(net, step.sends)
        if sent is None:
            return
        at = move.actor
        locals_ = (*state.locals[:at], step.state, *state.locals[at + 1 :])
        observers, broken = self._observe(state.observers, step.notes)
        yield Successor(move, step, Global(locals_, observers, budget, sent), broken)

    def _observe(
        self, states: tuple[Any, ...], notes: tuple[Any, ...]
    ) -> tuple[tuple[Any, ...], Broken | None]:
        after = list(states)
        for note in notes:
            for k, observer in enumerate(self.model.observers):
                seen = observer.observe(after[k], note)
                if isinstance(seen, Broken):
                    return states, seen
                after[k] = seen
        return tuple(after), None

    def _send(self, net: Any, sends: tuple[Any, ...]) -> Any:
        network = self.model.network
        if isinstance(network, Soup):
            return net | frozenset(sends) if sends else net
        if isinstance(network, Bag):
            if len(net) + len(sends) > network.size:
                return None
            return tuple(sorted(net + tuple(sends), key=encode)) if sends else net
        queues = dict(net)
        for message in sends:
            link = (message.src, message.dst)
            queue = (*queues.get(link, ()), message)
            if len(queue) > network.size:
                return None
            queues[link] = queue
        return tuple(sorted(queues.items()))

    @staticmethod
    def _queues(net: Any, at: int, queue: tuple[Any, ...]) -> Any:
        link = net[at][0]
        return net[:at] + (((link, queue),) if queue else ()) + net[at + 1 :]

    def renamed(self, state: Global, permutation: tuple[int, ...]) -> Global:
        """The same state with actors' names exchanged: actor i becomes permutation[i]."""
        rename = self.model.rename
        assert rename is not None
        locals_: list[Any] = [None] * len(state.locals)
        for i, local in enumerate(state.locals):
            locals_[permutation[i]] = rename(local, permutation)
        if isinstance(self.model.network, Soup):
            net: Any = frozenset(rename(m, permutation) for m in state.net)
        elif isinstance(self.model.network, Bag):
            net = tuple(sorted((rename(m, permutation) for m in state.net), key=encode))
        else:
            net = tuple(
                sorted(
                    (
                        (permutation[src], permutation[dst]),
                        tuple(rename(m, permutation) for m in queue),
                    )
                    for (src, dst), queue in state.net
                )
            )
        observers = tuple(rename(o, permutation) for o in state.observers)
        return Global(tuple(locals_), observers, state.budget, net)
