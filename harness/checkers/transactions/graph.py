"""What depends on what, as a graph, and the shortest ways around in it.

Real time is a chain of moments: a transaction leads to the moment at which it returned, and the
last moment before it began leads to it. So its edges are as many as there are transactions. Reads
that missed many writes lead to nodes, too, and links lead from these to the writers (`missed`).
What is found has edges between transactions only: whatever lies between two of them is one edge.
"""

import heapq
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec
import numpy as np

from ..operations import Operation

WW: Final = 1
WR: Final = 2
RW: Final = 4
PROCESS: Final = 8
TIME: Final = 16
LINK: Final = 32
"""Goes on with the read that missed a write from which it was reached, and is none by itself."""
DEPENDENCIES: Final = WW | WR | RW
ORDERS: Final = {"": 0, "-process": PROCESS, "-realtime": PROCESS | TIME}
"""What is counted beside dependencies, by the suffix of an anomaly that needs it."""

STARTS_MAX = 5_000
"""Ways around are looked for from so many edges of a kind."""

SHORTEST_OF = 100
"""The shortest of so many is good enough."""


class Edge(msgspec.Struct, frozen=True):
    """`source` comes before `target`; `shown_by` is who saw the order of two writes."""

    source: int
    target: int
    kind: int
    key: Any = None
    first: Any = None
    second: Any = None
    shown_by: int | None = None
    is_guess: bool = False
    """Whether it is so in every serial order, but not by what was read alone."""
    stands_for: int = 1
    """So many dependencies; where links follow, of one reader on as many writers."""


class Graph:
    """Transactions by number; after theirs come moments, and then nodes before links."""

    def __init__(self, operations: Sequence[Operation], edges: Sequence[Edge]) -> None:
        self._count = len(operations)
        self._edges = [*edges, *_in_process(operations), *_in_time(operations)]
        self._of: dict[int, list[Edge]] = {}
        self._nodes = _nodes(operations, edges)
        parts = self._parts(DEPENDENCIES | PROCESS | TIME)
        inside = [edge for edge in self._edges if parts[edge.source] == parts[edge.target]]
        self._edges = inside
        for edge in inside:
            self._of.setdefault(edge.source, []).append(edge)

    def _parts(self, kinds: int) -> "np.ndarray[Any, Any]":
        """For each node its strongly connected component."""
        kinds |= LINK
        chosen = [(edge.source, edge.target) for edge in self._edges if edge.kind & kinds]
        return _components(chosen, self._nodes)

    def cycle(self, first: int, rest: int) -> list[Edge]:
        """A short cycle of one edge of kind `first` and then edges of kinds `rest`, or nothing."""
        best: list[Edge] = []
        if not self._edges:
            return best
        parts = self._parts(first | rest)
        inside = [edge for edge in self._edges if parts[edge.source] == parts[edge.target]]
        last = rest | LINK if rest & RW else rest
        met = {edge.target for edge in inside if edge.kind & last}
        tried = 0
        for edge in inside:
            if edge.kind != first or edge.source not in met:
                continue
            tried += 1
            way = self._way(edge, rest)
            if way is not None and (not best or len(way) < len(best)):
                best = way
            if len(best) == 2 or tried >= (SHORTEST_OF if best else STARTS_MAX):
                break
        return best

    def apart(self, order: int) -> list[Edge]:
        """A short cycle in which no two reads that missed a write are neighbours, or nothing.

        It may meet a transaction twice, which changes nothing: snapshot isolation forbids it.
        """
        inside = self._apart(WW | WR | order)
        best: list[Edge] = []
        for edge in inside[:SHORTEST_OF]:
            way = self._way_apart(edge, WW | WR | order)
            if way is not None and (not best or len(way) < len(best)):
                best = way
        return best

    def tangled(self, groups: Iterable[Sequence[int]], order: int) -> bool:
        """Whether two transactions of one group lie on one cycle, of whatever edges."""
        parts = self._parts(DEPENDENCIES | order)
        return any(len({parts[at] for at in group}) < len(group) for group in groups)

    def _apart(self, kinds: int) -> list[Edge]:
        """Reads that missed a write and lie on such cycles.

        A node twice: with what came before it a read that missed a write, or anything else.
        """
        if not self._edges:
            return []
        steps: list[tuple[int, int]] = []
        reads: list[tuple[int, int, Edge]] = []
        for edge in self._edges:
            source, target = edge.source, edge.target
            if edge.kind == RW:
                reads.append((source, target + self._nodes, edge))
            elif edge.kind == LINK:
                steps.append((source + self._nodes, target + self._nodes))
            elif edge.kind & kinds:
                steps += ((source, target), (source + self._nodes, target))
        parts = _components([*steps, *((a, b) for a, b, _ in reads)], 2 * self._nodes)
        return [edge for a, b, edge in reads if parts[a] == parts[b]]

    def _way_apart(self, first: Edge, kinds: int) -> list[Edge] | None:
        """The shortest way around from a read, with the last step another than a read."""
        start, goal = (first.target, True), (first.source, False)
        came: dict[tuple[int, bool], tuple[tuple[int, bool], Edge] | None] = {start: None}
        ahead = deque([start])
        while ahead and goal not in came:
            place = node, is_after_read = ahead.popleft()
            for edge in self._of.get(node, ()):
                following = edge.target, bool(edge.kind & (RW | LINK))
                allowed = not is_after_read if edge.kind == RW else edge.kind & (kinds | LINK)
                if allowed and following not in came:
                    came[following] = place, edge
                    if edge.target >= self._count:
                        ahead.appendleft(following)
                    else:
                        ahead.append(following)
        if goal not in came:
            return None
        backwards = []
        step = came[goal]
        while step is not None:
            backwards.append(step[1])
            step = came[step[0]]
        return _joined([*backwards, first], self._count)

    def _way(self, first: Edge, kinds: int) -> list[Edge] | None:
        """The shortest way around; whatever lies between two transactions counts as one edge."""
        start, goal = first.target, first.source
        came: dict[int, Edge | None] = {start: None}
        ahead = deque([start])
        while ahead:
            node = ahead.popleft()
            if node == goal:
                return _joined([*_back(came, goal), first], self._count)
            for edge in self._of.get(node, ()):
                if edge.kind & (kinds | LINK) and edge.target not in came:
                    came[edge.target] = edge
                    if edge.target >= self._count:
                        ahead.appendleft(edge.target)
                    else:
                        ahead.append(edge.target)
        return None


def _components(steps: Sequence[tuple[int, int]], nodes: int) -> "np.ndarray[Any, Any]":
    """For each node its strongly connected component."""
    # Take long: only who judges transactions should wait for them.
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ends = np.array(steps, np.int64).reshape(-1, 2)
    matrix = coo_array((np.ones(len(ends), np.int8), (ends[:, 0], ends[:, 1])), (nodes, nodes))
    found: np.ndarray[Any, Any]
    _, found = connected_components(matrix, directed=True, connection="strong")
    return found


def _back(came: dict[int, Edge | None], goal: int) -> Iterator[Edge]:
    edge = came[goal]
    while edge is not None:
        yield edge
        edge = came[edge.source]


def _joined(backwards: list[Edge], count: int) -> list[Edge]:
    """The way from its end to its beginning, from transaction to transaction."""
    found: list[Edge] = []
    began: int | None = None
    for edge in reversed(backwards):
        if edge.source < count <= edge.target:
            began = edge.source
        elif edge.target < count <= edge.source:
            assert began is not None
            kind = RW if edge.kind == LINK else TIME
            found.append(msgspec.structs.replace(edge, source=began, kind=kind))
        elif edge.source < count:
            found.append(edge)
    return found


def _in_process(operations: Sequence[Operation]) -> Iterator[Edge]:
    """One that was never answered may happen later than what its process did next."""
    last: dict[Any, int] = {}
    for at, operation in enumerate(operations):
        before = last.get(operation.process)
        if before is not None and operations[before].end < operation.invoked:
            yield Edge(before, at, PROCESS)
        if operation.returned is not None:
            last[operation.process] = at


def _in_time(operations: Sequence[Operation]) -> Iterator[Edge]:
    returned = sorted({o.returned for o in operations if o.returned is not None})
    count = len(operations)
    place = {position: count + at for at, position in enumerate(returned)}
    for moment in range(count, count + len(returned) - 1):
        yield Edge(moment, moment + 1, TIME)
    for at, operation in enumerate(operations):
        if operation.returned is not None:
            yield Edge(at, place[operation.returned], TIME)
        before = bisect_left(returned, operation.invoked)
        if before:
            yield Edge(count + before - 1, at, TIME)


def _nodes(operations: Sequence[Operation], edges: Iterable[Edge]) -> int:
    """How many there are: something leads away from each that is no transaction and no moment."""
    return max(2 * len(operations), 1 + max((edge.source for edge in edges), default=0))


def in_order(
    operations: Sequence[Operation], edges: Sequence[Edge], kinds: int
) -> list[int] | None:
    """All nodes in an order that agrees with the edges of these kinds; None where there is none.

    Of the transactions that could be next the one that returned first.
    """
    following: dict[int, list[int]] = {}
    missing = [0] * _nodes(operations, edges)
    for edge in (*edges, *_in_process(operations), *_in_time(operations)):
        if edge.kind & (kinds | LINK):
            following.setdefault(edge.source, []).append(edge.target)
            missing[edge.target] += 1
    ends = [operation.end for operation in operations]
    ends += [-1] * (len(missing) - len(ends))
    ready = [(ends[node], node) for node, count in enumerate(missing) if count == 0]
    heapq.heapify(ready)
    found = []
    while ready:
        _, node = heapq.heappop(ready)
        found.append(node)
        for target in following.get(node, ()):
            missing[target] -= 1
            if missing[target] == 0:
                heapq.heappush(ready, (ends[target], target))
    return found if len(found) == len(missing) else None


def reached(operations: Sequence[Operation], edges: Sequence[Edge], kinds: int) -> list[int] | None:
    """For each node, as bits, the transactions that come after it; None where there is a cycle."""
    order = in_order(operations, edges, kinds)
    if order is None:
        return None
    after = [0] * len(order)
    following: dict[int, list[int]] = {}
    for edge in (*edges, *_in_process(operations), *_in_time(operations)):
        if edge.kind & (kinds | LINK):
            following.setdefault(edge.source, []).append(edge.target)
    for node in reversed(order):
        for target in following.get(node, ()):
            after[node] |= after[target]
            if target < len(operations):
                after[node] |= 1 << target
    return after
