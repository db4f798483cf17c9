"""EVENTUALLY: once faults have ended, progress comes, by every fair course of events.

From every reachable state the model switches to a good phase (`GoodPhase`), whose graph is built in
full. Two questions, of which the second implies the first and the first has the plainer answer:

1. AG EF: can progress still be reached from everywhere? By reachability, back from progress.
2. AG AF under weak fairness: is there a dead end without progress, or a strongly connected
   component of states without progress in which every event instance is somewhere disabled, or
   taken? Whoever stays in such a component visits all of it, and nobody can complain of unfairness.

The largest components suffice: an event that is enabled in all of a component and never taken in
it is so in each of its parts. A good phase has wider bounds than the faulty one and its graph is
complete and concrete, so both answers are exact; from a soup, for nothing left in flight. With
symmetry the phase begins in one state of each orbit, which is as good as in all.
"""

from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import breadth_first_order, connected_components

from ..actor import Kind, Model
from .good_phase import Graph, Start
from .result import Eventually, Path, Stuck

I64 = npt.NDArray[np.int64]
B = npt.NDArray[np.bool_]

HOPELESS = "progress cannot be reached any more"
AVOIDED = "progress can be missed for ever, although nothing that stays possible is left undone"


def check_eventually(
    model: Model, starts: Sequence[Start], path: Callable[[int], Path], limit: int
) -> tuple[Eventually, ...]:
    """Decide every EVENTUALLY property in every good phase that decides it.

    `path(origin)` is the shortest path to a state of the exploration.
    """
    wanted = [p for p in model.properties if p.kind is Kind.EVENTUALLY]
    found = []
    for phase in model.good:
        asked = [p for p in wanted if p.name in phase.decides]
        if not asked:
            continue
        graph = Graph(model, phase)
        edges = Edges.of(graph) if graph.grow(starts, limit) else None
        for prop in asked:
            if edges is None:
                reason = f"the good phase has more than {limit:,} states"
                found.append(Eventually(prop.name, phase.name, reason))
                continue
            assert prop.holds is not None
            progress = progressing(graph, prop.holds)
            trap = find_trap(edges, progress)
            stuck = None if trap is None else _stuck(graph, edges, trap, path)
            found.append(Eventually(prop.name, phase.name, "", len(graph.nodes), stuck))
    undecided = {p.name for p in wanted} - {e.property for e in found}
    reason = "the model names no good phase for it here"
    found.extend(Eventually(name, "", reason) for name in sorted(undecided))
    return tuple(found)


def not_checked(model: Model, reason: str) -> tuple[Eventually, ...]:
    """Every EVENTUALLY property, undecided."""
    wanted = [p for p in model.properties if p.kind is Kind.EVENTUALLY]
    return tuple(Eventually(p.name, "", reason) for p in wanted)


def progressing(graph: Graph, holds: Callable[[tuple[Any, ...]], bool]) -> B:
    """For every node, whether the actors that are up show progress."""
    known: dict[tuple[int, ...], bool] = {}
    answers = np.empty(len(graph.nodes), np.bool_)
    for at, (lids, _) in enumerate(graph.nodes):
        answer = known.get(lids)
        if answer is None:
            answer = known[lids] = holds(tuple(graph.locals[lids[i]] for i in graph.phase.up))
        answers[at] = answer
    return answers


@dataclass(frozen=True)
class Edges:
    """A graph's edges as arrays, sorted by source: `first[n]` to `first[n + 1]` leave n."""

    nodes: int
    src: I64
    dst: I64
    label: I64
    first: I64

    @classmethod
    def of(cls, graph: Graph) -> "Edges":
        return cls.sorted(len(graph.nodes), graph.src, graph.dst, graph.label)

    @classmethod
    def sorted(
        cls, nodes: int, src: Iterable[int], dst: Iterable[int], label: Iterable[int]
    ) -> "Edges":
        s, d, e = (np.fromiter(items, np.int64) for items in (src, dst, label))
        order = np.argsort(s, kind="stable")
        first = np.searchsorted(s[order], np.arange(nodes + 1))
        return cls(nodes, s[order], d[order], e[order], first)

    def out(self, node: int) -> list[tuple[int, int]]:
        """(label, target) of each edge."""
        at = slice(int(self.first[node]), int(self.first[node + 1]))
        return list(zip(self.label[at].tolist(), self.dst[at].tolist(), strict=True))


@dataclass(frozen=True)
class Trap:
    """Where to go wrong: nodes are numbered by their distance, so the least are the nearest.

    `node`: the nearest state that is hopeless, or in a fair component. `members`: the component
    that is stayed in for ever, perhaps a few good moves further.
    """

    node: int
    hopeless: bool
    members: B


def find_trap(edges: Edges, progress: B) -> Trap | None:
    """The nearest way to miss progress for ever, hopeless ones first."""
    hopeless = ~_reaching(edges, progress)
    trapping, component = fair_components(edges, progress)
    if not trapping.any():
        assert not hopeless.any(), "a finite graph without progress ends in a fair component"
        return None
    if hopeless.any():
        node = int(np.flatnonzero(hopeless)[0])
        into = next(at for at in _breadth_first(edges, node) if trapping[at])
    else:
        node = into = int(np.flatnonzero(trapping)[0])
    return Trap(node, bool(hopeless.any()), component == component[into])


def _reaching(edges: Edges, progress: B) -> B:
    """Nodes from which progress can be reached: backwards from a node that stands for it."""
    goal = edges.nodes
    ends = np.flatnonzero(progress)
    src = np.concatenate([edges.dst, np.full(len(ends), goal)])
    dst = np.concatenate([edges.src, ends])
    matrix = coo_matrix((np.ones(len(src), np.int32), (src, dst)), (goal + 1, goal + 1)).tocsr()
    order = breadth_first_order(matrix, goal, return_predecessors=False)
    reached = np.zeros(goal + 1, np.bool_)
    reached[order] = True
    return reached[:goal]


def fair_components(edges: Edges, progress: B) -> tuple[B, I64]:
    """Nodes in components, free of progress, that a fair course may stay in; and all components.

    Dead ends are such components: nothing is enabled, so nothing is left undone.
    """
    idle = ~progress
    inner = idle[edges.src] & idle[edges.dst]
    n = edges.nodes
    pairs = (edges.src[inner], edges.dst[inner])
    matrix = coo_matrix((np.ones(int(inner.sum()), np.int32), pairs), (n, n)).tocsr()
    count, found = connected_components(matrix, directed=True, connection="strong")
    component = found.astype(np.int64)
    size = np.bincount(component, minlength=count)
    from_idle = idle[edges.src]
    labels = int(edges.label.max()) + 1 if len(edges.label) else 1
    key = component[edges.src] * labels + edges.label
    enabled, times = np.unique(key[from_idle], return_counts=True)
    stays = from_idle & idle[edges.dst] & (component[edges.src] == component[edges.dst])
    taken = np.unique(key[stays])
    owed = (times == size[enabled // labels]) & ~np.isin(enabled, taken)
    fair = np.ones(count, np.bool_)
    fair[enabled[owed] // labels] = False
    return fair[component] & idle, component


def _breadth_first(edges: Edges, node: int) -> list[int]:
    ones = np.ones(len(edges.src), np.int32)
    matrix = coo_matrix((ones, (edges.src, edges.dst)), (edges.nodes, edges.nodes)).tocsr()
    order: list[int] = breadth_first_order(matrix, node, return_predecessors=False).tolist()
    return order


Route = list[tuple[int, int]]
"""Edges as (label, target)."""


def route(edges: Edges, source: int, members: B, goal: Container[int]) -> Route | None:
    """The shortest way inside `members` from `source` into `goal`; empty where it is there."""
    came: dict[int, tuple[int, int]] = {source: (-1, -1)}
    level = [source]
    while level:
        for at in level:
            if at in goal:
                way: Route = []
                while at != source:
                    before, label = came[at]
                    way.append((label, at))
                    at = before
                return way[::-1]
        following = []
        for at in level:
            for label, to in edges.out(at):
                if to not in came and members[to]:
                    came[to] = (at, label)
                    following.append(to)
        level = following
    return None


def fair_cycle(edges: Edges, entry: int, members: B) -> Route:
    """A way round inside a fair component that gives every event its due.

    Each event instance is taken on it, or disabled in one of its states. Empty for a dead end.
    """
    inside = np.flatnonzero(members).tolist()
    enabled = {at: dict(edges.out(at)) for at in inside}
    everywhere = set.intersection(*(set(labels) for labels in enabled.values()))
    owed = set().union(*enabled.values()) - everywhere
    cycle: Route = []
    here = entry
    for label in sorted(everywhere):
        taking = {at for at in inside if members[enabled[at][label]]}
        if label not in {taken for taken, _ in cycle}:
            cycle += _to(edges, here, members, taking)
            here = cycle[-1][1] if cycle else entry
            cycle.append((label, enabled[here][label]))
            here = cycle[-1][1]
    for label in sorted(owed):
        seen = {entry, *(to for _, to in cycle)}
        if label not in {taken for taken, _ in cycle} and all(label in enabled[n] for n in seen):
            cycle += _to(edges, here, members, {at for at in inside if label not in enabled[at]})
            here = cycle[-1][1]
    return cycle + _to(edges, here, members, {entry})


def _to(edges: Edges, here: int, members: B, goal: set[int]) -> Route:
    way = route(edges, here, members, goal)
    assert way is not None, "a component is strongly connected"
    return way


def _stuck(graph: Graph, edges: Edges, trap: Trap, path: Callable[[int], Path]) -> Stuck:
    way: Route = []
    at = trap.node
    while graph.parent[at] >= 0:
        way.append((graph.via[at], at))
        at = graph.parent[at]
    way.reverse()
    goal = set(np.flatnonzero(trap.members).tolist())
    further = _to(edges, trap.node, np.ones(edges.nodes, np.bool_), goal)
    entry = further[-1][1] if further else trap.node
    return Stuck(
        HOPELESS if trap.hopeless else AVOIDED,
        path(graph.starts[at].origin),
        _path(graph, at, way + further),
        _path(graph, entry, fair_cycle(edges, entry, trap.members)),
    )


def _path(graph: Graph, source: int, way: Route) -> Path:
    states = (graph.state(source), *(graph.state(to) for _, to in way))
    return Path(states, tuple(graph.labels[label] for label, _ in way))
