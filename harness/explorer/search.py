"""Visited states by the words in them."""

import msgspec

from ...model.explore.show import text
from .atlas import Atlas, Place

QUERY_MAX = 200
HITS_MAX = 50

AROUND = 40
"""Characters shown on either side of what was found."""


class Hit(msgspec.Struct, frozen=True):
    """A state in which every word occurs; `excerpt` is about the first."""

    address: str
    depth: int
    title: str
    excerpt: str


class Hits(msgspec.Struct, frozen=True):
    """`total`: how many there are, of which the first are told; `visited`: among how many."""

    hits: tuple[Hit, ...]
    total: int
    visited: int


def search(atlas: Atlas, query: str) -> Hits:
    """Visited states that hold every word of a query, whatever the case."""
    words = query.casefold().split()
    hits: list[Hit] = []
    total = visited = 0
    for place in sorted(atlas.opened(), key=lambda one: one.depth):
        visited += 1
        said = _said(atlas, place)
        lower = said.casefold()
        if words and all(word in lower for word in words):
            total += 1
            if len(hits) < HITS_MAX:
                hits.append(_hit(atlas, place, said, lower.index(words[0])))
    return Hits(tuple(hits), total, visited)


def _hit(atlas: Atlas, place: Place, said: str, at: int) -> Hit:
    title = "the start" if place.made is None else " ".join(atlas.caption(place))
    return Hit(place.address, place.depth, title, excerpt(said, at))


def excerpt(said: str, at: int) -> str:
    """What is said around a place in a text."""
    begin, end = max(0, at - AROUND), at + 2 * AROUND
    return f"{'…' if begin else ''}{said[begin:end]}{'…' if end < len(said) else ''}"


def _said(atlas: Atlas, place: Place) -> str:
    """Everything that a page about the place says, but for what may follow."""
    model, state = atlas.model, place.state
    parts = [] if place.made is None else [" ".join(atlas.caption(place))]
    parts += [f"{model.actor_name(node)}: {text(s)}" for node, s in enumerate(state.locals)]
    parts += [f"in flight: {text(state.net)}"]
    parts += [text(o) for o in state.observers]
    parts += [f"breaks {name}" for name, _ in place.verdicts.broken]
    parts += [f"reaches {name}" for name in place.verdicts.reached]
    return "; ".join(parts)
