"""The graph of a good phase: every state that its moves reach from where faults left off.

The states that an exploration reached differ in their network, observers and budgets; of these the
good phase keeps what is in flight in a bag or queue, and nothing else. From a soup it keeps
nothing: any part of a soup may be lost. That is one of the ways in which faults may end; what a
late message does afterwards is not asked then, and results say so.
"""

from array import array
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from ..actor import Bag, Fifo, GoodPhase, Kind, Model, Receive, Soup
from .frontier import Rows
from .tables import Tables
from .world import Global, Move


class Start(NamedTuple):
    """Where the good phase may begin; `origin` is the state of the exploration that shows it."""

    depth: int
    locals: tuple[Any, ...]
    net: tuple[Any, ...]
    origin: int


class Starts:
    """Collects, while a model is explored, the different states in which a good phase may begin.

    For a soup these are the tuples of local states, for other networks they are all states. Ids
    are those of the exploration's tables. More than `limit` are not kept: `full`.
    """

    def __init__(self, model: Model, limit: int) -> None:
        eventually = any(p.kind is Kind.EVENTUALLY for p in model.properties)
        wanted = eventually and bool(model.good)
        self.model = model
        self.limit = limit
        self.of_tuples = wanted and isinstance(model.network, Soup)
        self.of_states = wanted and not self.of_tuples
        self.found: list[tuple[int, list[int], list[int], int]] = []

    @property
    def full(self) -> bool:
        return len(self.found) > self.limit

    def go_on(self, found: list[tuple[int, list[int], list[int], int]], limit: int) -> None:
        """Take up what another search found within its limit: once full is full for good."""
        self.found = found
        if len(found) > limit:
            self.limit = min(limit, self.limit)

    def take_tuple(self, depth: int, lids: tuple[int, ...], origin: int) -> None:
        if self.of_tuples and not self.full:
            self.found.append((depth, list(lids), [], origin))

    def take_rows(self, depth: int, rows: Rows, count: int) -> None:
        if not self.of_states:
            return
        actors = len(self.model.actors)
        queues = actors + len(self.model.observers) + 1
        for row in range(count):
            if self.full:
                return
            loc = rows.loc[row].tolist()
            net = rows.net[row].tolist() if isinstance(self.model.network, Bag) else loc[queues:]
            self.found.append((depth, loc[:actors], net, int(rows.ids[row])))

    def starts(self, tables: Tables) -> list[Start]:
        """In the order of their depth."""
        network = self.model.network
        found = []
        for depth, lids, net, origin in sorted(self.found, key=lambda each: (each[0], each[3])):
            if isinstance(network, Bag):
                mids = [word - 1 for word in net if word]
            else:
                mids = [mid for queue in net for mid in tables.queues[queue][1]]
            locals_ = tuple(tables.locals[lid][1] for lid in lids)
            found.append(Start(depth, locals_, tuple(tables.messages[m] for m in mids), origin))
        return found


Key = tuple[tuple[int, ...], tuple[int, ...]]


class Graph:
    """Nodes by number, in the order of the shortest paths to them; edges in three arrays.

    A label is one event instance: an actor and an event. A state has one edge for every label that
    is enabled there, loops included.
    """

    def __init__(self, model: Model, phase: GoodPhase) -> None:
        self.phase = phase
        self.ordered = isinstance(model.network, Fifo)
        self.nodes: list[Key] = []
        self.parent: list[int] = []
        self.via: list[int] = []
        self.starts: dict[int, Start] = {}
        self.src, self.dst, self.label = array("i"), array("i"), array("i")
        self.labels: list[Move] = []
        self.locals: list[Any] = []
        self.messages: list[Any] = []
        self._ids: dict[tuple[str, Any], int] = {}
        self._numbers: dict[Key, int] = {}
        self._own: dict[tuple[int, int], list[tuple[int, int, tuple[int, ...]]]] = {}
        self._arrivals: dict[tuple[int, int], tuple[int, int, tuple[int, ...]]] = {}

    def grow(self, starts: Iterable[Start], limit: int) -> bool:
        """Follow every move from `starts`, which come by depth; false where there is too much."""
        waiting = list(starts)
        waiting.reverse()
        level: list[int] = []
        depth = 0
        while level or waiting:
            depth = depth + 1 if level else waiting[-1].depth
            following: list[int] = []
            for source in level:
                for label, key in self._moves(self.nodes[source]):
                    target = self._number(key, source, label, following)
                    self.src.append(source)
                    self.dst.append(target)
                    self.label.append(label)
            while waiting and waiting[-1].depth <= depth:
                start = waiting.pop()
                key = self._key(
                    tuple(self._id("local", s, self.locals) for s in start.locals),
                    self._sent(start.net),
                )
                if key not in self._numbers:
                    self.starts[self._number(key, -1, -1, following)] = start
            level = following
            if len(self.nodes) > limit:
                return False
        return True

    def state(self, node: int) -> Global:
        """The node as a global state; what is in flight is a bag or, in their order, queues."""
        lids, mids = self.nodes[node]
        locals_ = tuple(self.locals[lid] for lid in lids)
        return Global(locals_, (), (), tuple(self.messages[mid] for mid in mids))

    def _number(self, key: Key, parent: int, via: int, fresh: list[int]) -> int:
        at = self._numbers.setdefault(key, len(self.nodes))
        if at == len(self.nodes):
            self.nodes.append(key)
            self.parent.append(parent)
            self.via.append(via)
            fresh.append(at)
        return at

    def _id(self, kind: str, value: Any, known: list[Any]) -> int:
        at = self._ids.setdefault((kind, value), len(known))
        if at == len(known):
            known.append(value)
        return at

    def _key(self, lids: tuple[int, ...], mids: tuple[int, ...]) -> Key:
        """The order of a bag means nothing; that of a queue, nothing across links."""
        if self.ordered:
            return lids, tuple(sorted(mids, key=self._link))
        return lids, tuple(sorted(mids))

    def _sent(self, messages: tuple[Any, ...]) -> tuple[int, ...]:
        """What is sent to an actor that is down is lost."""
        up = self.phase.up
        return tuple(self._id("message", m, self.messages) for m in messages if m.dst in up)

    def _link(self, mid: int) -> tuple[int, int]:
        message = self.messages[mid]
        return message.src, message.dst

    def _moves(self, key: Key) -> Iterator[tuple[int, Key]]:
        lids, mids = key
        allows = self.phase.allows
        locals_ = tuple(self.locals[lid] for lid in lids)
        net = tuple(self.messages[mid] for mid in mids)
        for node in self.phase.up:
            lid = lids[node]
            steps = self._own.get((node, lid))
            if steps is None:
                steps = self._own[node, lid] = self._own_steps(node, lid)
            for label, target, sends in steps:
                if allows(locals_, net, node, self.labels[label].event):
                    after = (*lids[:node], target, *lids[node + 1 :])
                    yield label, self._key(after, mids + sends)
        for mid in self._deliverable(mids):
            node = self.messages[mid].dst
            arrival = self._arrivals.get((lids[node], mid)) or self._arrival(lids[node], mid)
            label, target, sends = arrival
            if target >= 0 and allows(locals_, net, node, self.labels[label].event):
                after = (*lids[:node], target, *lids[node + 1 :])
                at = mids.index(mid)
                yield label, self._key(after, mids[:at] + mids[at + 1 :] + sends)

    def _deliverable(self, mids: tuple[int, ...]) -> list[int]:
        if not self.ordered:
            return list(dict.fromkeys(mids))
        heads: dict[tuple[int, int], int] = {}
        for mid in mids:
            heads.setdefault(self._link(mid), mid)
        return list(heads.values())

    def _own_steps(self, node: int, lid: int) -> list[tuple[int, int, tuple[int, ...]]]:
        actor, state = self.phase.actors[node], self.locals[lid]
        found = []
        for event in actor.events(state):
            step = actor.step(state, event)
            if step is not None and step.cost is None:
                label = self._id("label", Move(node, event), self.labels)
                target = self._id("local", step.state, self.locals)
                found.append((label, target, self._sent(step.sends)))
        return found

    def _arrival(self, lid: int, mid: int) -> tuple[int, int, tuple[int, ...]]:
        """The label, the local state after, or -1 where this would be a fault, and what is sent."""
        message, state = self.messages[mid], self.locals[lid]
        event = Receive(message)
        label = self._id("label", Move(message.dst, event), self.labels)
        step = self.phase.actors[message.dst].step(state, event)
        known: tuple[int, int, tuple[int, ...]] = (label, lid, ())
        if step is not None and step.cost is not None:
            known = (label, -1, ())
        elif step is not None:
            target = self._id("local", step.state, self.locals)
            known = (label, target, self._sent(step.sends))
        self._arrivals[lid, mid] = known
        return known
