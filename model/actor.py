"""The language of models: actors are a few pure functions over immutable values.

A *model* is a set of actors that exchange messages over a network. Everything that can happen is
either an actor's own event (a timeout, an fsync that completes, a client's request, a crash) or the
delivery of a message, and each is one call of `step`. Because `step` depends on one actor's state
alone, the explorer calls it once per distinct (state, event), however many global states there are.

Laws that the explorer relies on, and checks on a sample:
1. `step`, `events`, `durable` and `recover` are pure: equal arguments, equal answers.
2. States, events, messages and notes are hashable values made of ints, strings, bytes, None, enums,
   tuples, NamedTuples, frozen dataclasses and frozensets. What is equal is of one class, observers'
   states as well (NamedTuples of different classes can be equal, and would be taken for one).
3. A crash is always `recover(node, durable(state))`: what is not in `durable` is gone.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any, NamedTuple, Protocol

NodeId = int
State = Hashable
Event = Hashable
Note = Hashable


class Addressed(Protocol):
    """A message: any hashable value that knows its sender and its receiver."""

    @property
    def src(self) -> NodeId: ...
    @property
    def dst(self) -> NodeId: ...


class Receive(NamedTuple):
    """The event of a message's arrival."""

    message: Any


class Fault(Enum):
    """Events that the explorer itself adds to an actor that has a durable projection."""

    CRASH = "crash"


@dataclass(frozen=True, slots=True)
class Step:
    """What one event does: the next local state, messages sent, and what observers are told.

    `cost` names the fault budget that the step draws on; without anything left there the step is
    not enabled. `notes` feed the observers, in order.
    """

    state: State
    sends: tuple[Any, ...] = ()
    notes: tuple[Note, ...] = ()
    cost: str | None = None


class Actor(Protocol):
    """One kind of process."""

    def initial(self, node: NodeId) -> State: ...

    def events(self, state: Any) -> Iterable[Event]:
        """What may happen by itself; `step` decides whether it is enabled."""

    def step(self, state: Any, event: Any) -> Step | None:
        """None: not enabled, or a message that this state ignores."""

    def durable(self, state: Any) -> Any:
        """All that survives a crash."""

    def recover(self, node: NodeId, durable: Any) -> State: ...


@dataclass(frozen=True, slots=True)
class Broken:
    """An observer's answer when a note contradicts what it has seen: the property, and why."""

    property: str
    reason: str


class Observer(Protocol):
    """A ghost automaton fed by notes: it remembers what no single state shows."""

    name: str

    def initial(self) -> State: ...

    def observe(self, state: Any, note: Any) -> "State | Broken": ...


class Kind(StrEnum):
    """ALWAYS must hold everywhere; SOMETIMES must be reached; EVENTUALLY after faults end."""

    ALWAYS = "always"
    SOMETIMES = "sometimes"
    EVENTUALLY = "eventually"


class Scope(StrEnum):
    """What a property looks at, and therefore how often it is evaluated (once per distinct value).

    STEP: holds(before, event, step). PAIR: holds(a, b) for every two actors' states. TUPLE:
    holds(locals). OBSERVER: broken by an observer. MESSAGE: holds(message, before, after) when it
    is sent.
    """

    STEP = "step"
    PAIR = "pair"
    TUPLE = "tuple"
    OBSERVER = "observer"
    MESSAGE = "message"


@dataclass(frozen=True, slots=True)
class Property:
    """A named promise about a model.

    For SOMETIMES, `holds` being true once is what is asked for. For EVENTUALLY (of scope TUPLE, the
    actors that are up) it is the progress that a good phase must make, whenever it begins.
    `promises` are ids of the semantics document.
    """

    name: str
    kind: Kind
    scope: Scope
    holds: Callable[..., bool] | None = None
    promises: tuple[str, ...] = ()
    source: str = ""


@dataclass(frozen=True, slots=True)
class Soup:
    """Every message ever sent stays deliverable: loss, duplication, reordering without limit."""


@dataclass(frozen=True, slots=True)
class Bag:
    """At most `size` messages in flight, in any order; each may be lost. Full: senders wait."""

    size: int


@dataclass(frozen=True, slots=True)
class Fifo:
    """One queue of at most `size` messages per ordered pair; a reset empties one."""

    size: int


Network = Soup | Bag | Fifo


@dataclass(frozen=True)
class GoodPhase:
    """What may still happen once faults have ended: the assumption of EVENTUALLY properties.

    `actors` go on from the local states of the faulty phase, perhaps within wider bounds; those not
    in `up` stay down: they do and receive nothing, and properties do not see them. The network
    loses and repeats nothing, and has room. `allows(locals, net, node, event)` is the rest of the
    assumption, such as timing; `net` is what is in flight. What it allows is weakly fair: it
    happens, or it stops being possible. A step with a cost is a fault, and faults have ended.
    `decides` names the properties that this phase decides.
    """

    name: str
    actors: tuple[Actor, ...]
    up: tuple[NodeId, ...]
    allows: Callable[[tuple[Any, ...], tuple[Any, ...], NodeId, Any], bool]
    decides: tuple[str, ...]


@dataclass(frozen=True)
class Model:
    """Actors, a network, fault budgets, observers and the properties that they promise.

    `within(state)` bounds the space as a TLC state constraint does: a state outside is checked but
    not expanded. `symmetric` lists interchangeable actors; `rename(value, permutation)` exchanges
    their names in any local state, message or observer state. `unreachable` names events that need
    not fire. EVENTUALLY properties are decided in each of the phases of `good`. `names`: what the
    actors are called where a path is told; by default "member 0" and so on.
    """

    name: str
    actors: tuple[Actor, ...]
    network: Network
    observers: tuple[Observer, ...] = ()
    budgets: tuple[tuple[str, int], ...] = ()
    properties: tuple[Property, ...] = ()
    within: Callable[[Any], bool] | None = None
    symmetric: tuple[NodeId, ...] = ()
    rename: Callable[[Any, Sequence[NodeId]], Any] | None = None
    event_names: Callable[[Any], str] = field(default=lambda event: default_event_name(event))
    expected_events: tuple[str, ...] = ()
    unreachable: frozenset[str] = frozenset()
    good: tuple[GoodPhase, ...] = ()
    parameters: tuple[tuple[str, Any], ...] = ()
    names: tuple[str, ...] = ()

    def actor_name(self, node: NodeId) -> str:
        return self.names[node] if self.names else f"member {node}"

    def events(self, node: NodeId, state: State) -> Iterable[Event]:
        """The actor's own events, and its crash where the model has a budget for crashes."""
        yield from self.actors[node].events(state)
        if any(name == "crash" for name, _ in self.budgets):
            yield Fault.CRASH

    def step(self, node: NodeId, state: State, event: Event) -> Step | None:
        actor = self.actors[node]
        if event is Fault.CRASH:
            back = actor.recover(node, actor.durable(state))
            return None if back == state else Step(back, cost="crash")
        return actor.step(state, event)

    def name_of(self, event: Event) -> str:
        return self.event_names(event)


def default_event_name(event: Any) -> str:
    """The kind of an event, for coverage: its enum's name, its first item, or its class."""
    if isinstance(event, Receive):
        return f"receive {default_event_name(event.message)}"
    if isinstance(event, Enum):
        return str(event.value)
    if isinstance(event, str):
        return event
    if type(event) is tuple and event and isinstance(event[0], str):
        return event[0]
    kind = getattr(event, "kind", None)
    return str(kind) if isinstance(kind, str) else type(event).__name__
