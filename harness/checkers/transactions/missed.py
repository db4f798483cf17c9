"""Many reads that missed many writes, in few edges.

Each of them came before each of the writes, but not before its own. Where one edge for each pair
would be more, readers lead to nodes that lead to writers: of the writers one by one, a node leads
to the first of them, the next one to the second and to the node before it, and so on; and as many
nodes the other way around. A reader that wrote leads to the nodes on either side of its own. One
node for all would not do: who reads and writes would come before itself.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from .graph import LINK, RW, Edge

Writes = Sequence[tuple[int, Any]]
"""(who wrote, what)"""


def missed(
    readers: Sequence[int], writes: Writes, key: Any, shown_by: int | None, fresh: Iterator[int]
) -> Iterator[Edge]:
    """That each reader came before each of these writes but its own; numbers of nodes are fresh.

    Nobody is twice among readers, nor among who wrote.
    """
    if not is_shorter(len(readers), len(writes)):
        for at in readers:
            for other, what in writes:
                if other != at:
                    yield Edge(at, other, RW, key, what, shown_by=shown_by)
        return
    place = {at: number for number, (at, _) in enumerate(writes)}
    since = [next(fresh) for _ in writes]
    yield from _linked(since[::-1], writes[::-1], key, shown_by)
    upto: list[int] = []
    if not place.keys().isdisjoint(readers):
        upto = [next(fresh) for _ in writes]
        yield from _linked(upto, writes, key, shown_by)
    for at in readers:
        own = place.get(at, -1)
        if own > 0:
            yield Edge(at, upto[own - 1], RW, key, stands_for=own)
        if own + 1 < len(writes):
            yield Edge(at, since[own + 1], RW, key, stands_for=len(writes) - own - 1)


def is_shorter(readers: int, writes: int) -> bool:
    """Whether nodes in between certainly save edges: there are at most four for a write."""
    return readers * (writes - 1) > 2 * readers + 4 * writes


def _linked(nodes: Sequence[int], writes: Writes, key: Any, shown_by: int | None) -> Iterator[Edge]:
    """Nodes each of which leads to a write, and to the node before it."""
    for number, (at, what) in enumerate(writes):
        yield Edge(nodes[number], at, LINK, key, what, shown_by=shown_by)
        if number:
            yield Edge(nodes[number], nodes[number - 1], LINK)
