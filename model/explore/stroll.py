"""One state after another, as fast as Python goes: steps are worked out once and then looked up.

It means what `World` means, and a test holds it to that.
"""

from itertools import combinations
from typing import Any, NamedTuple

from ..actor import Bag, Broken, Fifo, Kind, Model, Property, Receive, Scope, Soup, Step
from .laws import require_one_class
from .naive import verdicts_on_state, verdicts_on_step
from .world import Drop, Move, Reset


class Known(NamedTuple):
    """A step of one actor: its event and kind, where it leads, what it sends, tells and costs."""

    node: int
    event: Any
    kind: str
    target: int
    sends: tuple[int, ...]
    notes: tuple[Any, ...]
    cost: int
    broken: tuple[str, ...]
    reached: tuple[str, ...]


class Choice(NamedTuple):
    """A move that is possible now: a step, or a loss; `message` is what it takes away, or -1."""

    known: Known | None
    message: int
    link: tuple[int, int] | None = None


Broke = tuple[str, str]
"""A property's name, and why."""

Verdicts = tuple[tuple[str, ...], tuple[str, ...]]
"""Names of properties that broke, and of those that were reached."""


class Stroll:
    """A walker: `begin`, then `moves` and `make` in turn."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.network = model.network
        self.reached: set[str] = set()
        self.idle: set[str] = set()
        self._locals: list[Any] = []
        self._messages: list[Any] = []
        self._notes: list[Any] = []
        self._ghosts: list[Any] = []
        self._ids: dict[tuple[str, Any], int] = {}
        self._own: dict[tuple[int, int], list[Known]] = {}
        self._arrivals: dict[tuple[int, int], Known | None] = {}
        self._observed: dict[tuple[int, Any, Any], Any] = {}
        self._pairs: dict[tuple[int, int], Verdicts] = {}
        self._judged: dict[tuple[int, ...], Verdicts] = {}
        self._on_pairs = tuple(p for p in model.properties if p.scope is Scope.PAIR)
        self._on_tuples = tuple(p for p in model.properties if p.scope is Scope.TUPLE)
        self._costs = {name: at for at, (name, _) in enumerate(model.budgets)}
        self._begin_again()

    @property
    def tuples(self) -> int:
        return len(self._judged)

    @property
    def local_states(self) -> int:
        return len(self._locals)

    def message(self, mid: int) -> Any:
        """The message with this id; `held` holds ids of what is in flight."""
        return self._messages[mid]

    def begin(self) -> Broke | None:
        """Go back to the initial state; what it breaks, if anything."""
        self._begin_again()
        return self._judge()

    def _begin_again(self) -> None:
        model = self.model
        initial = (actor.initial(i) for i, actor in enumerate(model.actors))
        self.lids = [self._id("local", s, self._locals) for s in initial]
        self.observers = [observer.initial() for observer in model.observers]
        self.budget = [amount for _, amount in model.budgets]
        self.outside = False
        self.held: dict[Any, list[int]] = {}

    # What is possible.

    def moves(self) -> dict[str, list[Choice]]:
        """Everything that may happen and changes or breaks something, by kind.

        What changes nothing is not worth a step; that it could happen is noted (`idle`, `reached`).
        """
        found: dict[str, list[Choice]] = {}
        if self.outside:
            return found
        for node, lid in enumerate(self.lids):
            for known in self._own_steps(node, lid):
                self._offer(found, Choice(known, -1))
        if isinstance(self.network, Soup):
            for node, mids in self.held.items():
                for mid in mids:
                    self._offer(found, Choice(self._arrival(self.lids[node], mid), mid))
        elif isinstance(self.network, Bag):
            for mid in dict.fromkeys(self.held.get("bag", ())):
                dst = self._messages[mid].dst
                self._offer(found, Choice(self._arrival(self.lids[dst], mid), mid))
                found.setdefault("drop", []).append(Choice(None, mid))
        else:
            for link, mids in self.held.items():
                if mids:
                    arrival = self._arrival(self.lids[link[1]], mids[0])
                    self._offer(found, Choice(arrival, mids[0], link))
                    found.setdefault("reset", []).append(Choice(None, -1, link))
        return found

    def _offer(self, found: dict[str, list[Choice]], choice: Choice) -> None:
        known = choice.known
        if known is None or not self._possible(known, choice):
            return
        if known.broken or self._changes(known, choice):
            found.setdefault(known.kind, []).append(choice)
        else:
            self.idle.add(known.kind)
            self.reached.update(known.reached)

    def _possible(self, known: Known, choice: Choice) -> bool:
        if known.cost >= 0 and self.budget[known.cost] == 0:
            return False
        if isinstance(self.network, Bag):
            held = len(self.held.get("bag", ())) - (choice.message >= 0)
            return held + len(known.sends) <= self.network.size
        if isinstance(self.network, Fifo):
            links = [self._link(mid) for mid in known.sends]
            size = self.network.size
            return all(
                len(self.held.get(link, ())) - (link == choice.link) + links.count(link) <= size
                for link in set(links)
            )
        return True

    def _changes(self, known: Known, choice: Choice) -> bool:
        if not isinstance(self.network, Soup) and (choice.message >= 0 or known.sends):
            return True
        if known.target != self.lids[known.node] or known.cost >= 0 or known.notes:
            return True
        return any(mid not in self.held.get(self._messages[mid].dst, ()) for mid in known.sends)

    def _link(self, mid: int) -> tuple[int, int]:
        message = self._messages[mid]
        return message.src, message.dst

    # What happens.

    def make(self, choice: Choice) -> Broke | None:
        """Make a move that is possible; what it breaks, if anything."""
        known = choice.known
        self._take(choice)
        if known is None:
            return None
        self.lids[known.node] = known.target
        if known.cost >= 0:
            self.budget[known.cost] -= 1
        for mid in known.sends:
            self._put(mid)
        within = self.model.within
        self.outside = within is not None and not within(self._locals[known.target])
        self.reached.update(known.reached)
        refused = self._observe(known.notes)
        if known.broken:
            return (known.broken[0], "")
        return refused or self._judge()

    def _take(self, choice: Choice) -> None:
        if isinstance(self.network, Bag) and choice.message >= 0:
            self.held["bag"].remove(choice.message)
        elif choice.link is not None and choice.message >= 0:
            del self.held[choice.link][0]
        elif choice.link is not None:
            self.held[choice.link].clear()

    def _put(self, mid: int) -> None:
        if isinstance(self.network, Soup):
            held = self.held.setdefault(self._messages[mid].dst, [])
            if mid not in held:
                held.append(mid)
        elif isinstance(self.network, Bag):
            self.held.setdefault("bag", []).append(mid)
        else:
            self.held.setdefault(self._link(mid), []).append(mid)

    def _observe(self, notes: tuple[Any, ...]) -> Broke | None:
        for note in notes:
            for k, observer in enumerate(self.model.observers):
                key = (k, self.observers[k], note)
                after = self._observed.get(key)
                if after is None:
                    after = self._observed[key] = observer.observe(self.observers[k], note)
                    self._id("observer", (k, after), self._ghosts)
                if isinstance(after, Broken):
                    return (after.property, after.reason)
                self.observers[k] = after
        return None

    def _judge(self) -> Broke | None:
        """Pair and tuple properties, once for each pair and tuple of local states."""
        key = tuple(self.lids)
        verdict = self._judged.get(key)
        if verdict is None:
            locals_ = tuple(self._locals[lid] for lid in key)
            found = [(p, h) for p in self._on_tuples for h in verdicts_on_state(p, locals_)]
            broken, reached = _sorted_out(found)
            for a, b in combinations(key, 2):
                pair = self._pairs.get((a, b))
                if pair is None:
                    two = (self._locals[a], self._locals[b])
                    found = [(p, h) for p in self._on_pairs for h in verdicts_on_state(p, two)]
                    pair = self._pairs[a, b] = _sorted_out(found)
                broken, reached = broken + pair[0], reached + pair[1]
            verdict = self._judged[key] = (broken, reached)
        broken, reached = verdict
        self.reached.update(reached)
        return (broken[0], "") if broken else None

    # Following a path.

    def as_move(self, choice: Choice) -> Move:
        if choice.known is not None:
            return Move(choice.known.node, choice.known.event)
        if choice.link is not None:
            return Move(None, Reset(*choice.link))
        return Move(None, Drop(self._messages[choice.message]))

    def follow(self, moves: list[Move], name: str) -> tuple[list[Move], str] | None:
        """Make those of `moves` that are possible; where `name` breaks, the moves made, and why."""
        made: list[Move] = []
        broken = self.begin()
        for move in moves:
            if broken is not None:
                break
            wanted = [c for each in self.moves().values() for c in each if self.as_move(c) == move]
            if wanted:
                made.append(move)
                broken = self.make(wanted[0])
        self.idle.clear()
        self.reached.clear()
        return (made, broken[1]) if broken is not None and broken[0] == name else None

    # Working out steps.

    def _id(self, kind: str, value: Any, known: list[Any]) -> int:
        at = self._ids.setdefault((kind, value), len(known))
        if at == len(known):
            known.append(value)
        require_one_class(known[at], value)
        return at

    def _own_steps(self, node: int, lid: int) -> list[Known]:
        steps = self._own.get((node, lid))
        if steps is None:
            state = self._locals[lid]
            steps = []
            for event in self.model.events(node, state):
                step = self.model.step(node, state, event)
                if step is not None:
                    steps.append(self._known(node, state, event, step))
            self._own[node, lid] = steps
        return steps

    def _arrival(self, lid: int, mid: int) -> Known | None:
        if (lid, mid) not in self._arrivals:
            message, state = self._messages[mid], self._locals[lid]
            event = Receive(message)
            step = self.model.step(message.dst, state, event)
            if step is None and isinstance(self.network, Fifo):
                step = Step(state)
            self._arrivals[lid, mid] = (
                None if step is None else self._known(message.dst, state, event, step)
            )
        return self._arrivals[lid, mid]

    def _known(self, node: int, state: Any, event: Any, step: Step) -> Known:
        verdicts = [
            (p, h) for p in self.model.properties for h in verdicts_on_step(p, state, event, step)
        ]
        broken, reached = _sorted_out(verdicts)
        self._id("notes", step.notes, self._notes)
        return Known(
            node,
            event,
            self.model.name_of(event),
            self._id("local", step.state, self._locals),
            tuple(self._id("message", m, self._messages) for m in step.sends),
            step.notes,
            -1 if step.cost is None else self._costs[step.cost],
            broken,
            reached,
        )


def _sorted_out(verdicts: list[tuple[Property, bool]]) -> Verdicts:
    broken = dict.fromkeys(p.name for p, holds in verdicts if p.kind is Kind.ALWAYS and not holds)
    reached = dict.fromkeys(p.name for p, holds in verdicts if p.kind is Kind.SOMETIMES and holds)
    return tuple(broken), tuple(reached)
