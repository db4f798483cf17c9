"""A state as the page shows it: everything in it in words, what may follow, what holds."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from ...model.actor import Bag, Kind, Model, Property, Scope, Soup
from ...model.explore.show import event_text, named_fields, new_messages, text
from ...model.explore.world import Global, Successor
from .atlas import Atlas, Place, following
from .words import caption

TEXT_MAX = 2_000
"""Characters of one value."""


class Field(msgspec.Struct, frozen=True, omit_defaults=True):
    """`was`: what it said before the last step, where that was something else.

    `usual`: it says what it said at the start, so that a page may show it last.
    """

    name: str
    text: str
    was: str | None = None
    usual: bool = False


class Part(msgspec.Struct, frozen=True, omit_defaults=True):
    """An actor or an observer. `said`: its state in its own words, where it has any."""

    name: str
    fields: tuple[Field, ...]
    said: str = ""
    moved: bool = False


class Held(msgspec.Struct, frozen=True, omit_defaults=True):
    """A message in the network."""

    text: str
    source: str
    target: str
    is_new: bool = False


class Change(msgspec.Struct, frozen=True):
    """What a step changes: an actor's field, or an observer's, or a budget."""

    of: str
    field: str
    was: str
    now: str


class Choice(msgspec.Struct, frozen=True, omit_defaults=True):
    """A move that may be made now.

    `actor`: who, or none for a loss. `target`: the same number for moves that lead to the same
    state; `stays`: it leads nowhere else.
    """

    address: str
    actor: int | None
    who: str
    name: str
    caption: str
    detail: str
    target: int
    changes: tuple[Change, ...] = ()
    sends: tuple[str, ...] = ()
    cost: str = ""
    stays: bool = False
    visited: bool = False
    breaks: tuple[str, ...] = ()
    reaches: tuple[str, ...] = ()


class Said(msgspec.Struct, frozen=True):
    """What can be said of a property at a state: `status` in a word, and in a sentence."""

    name: str
    kind: str
    promises: tuple[str, ...]
    status: str
    sentence: str


class Step(msgspec.Struct, frozen=True, omit_defaults=True):
    """A step of the path that led here."""

    number: int
    address: str
    who: str
    caption: str
    breaks: tuple[str, ...] = ()


class Here(msgspec.Struct, frozen=True):
    """A whole page."""

    address: str
    link: str
    depth: int
    path: tuple[Step, ...]
    actors: tuple[Part, ...]
    observers: tuple[Part, ...]
    network: tuple[Held, ...]
    gone: tuple[Held, ...]
    budgets: tuple[Field, ...]
    properties: tuple[Said, ...]
    choices: tuple[Choice, ...]
    ends: str


def here(atlas: Atlas, place: Place) -> Here:
    """Everything about one place."""
    model, state = atlas.model, place.state
    before = state if place.parent is None else place.parent.state
    start = atlas.start.state
    path = place.path()
    return Here(
        address=place.address,
        link=atlas.link(place),
        depth=place.depth,
        path=tuple(_step(atlas, one) for one in path[1:]),
        actors=tuple(
            part(model.actor_name(node), *states, moved=node == _mover(place))
            for node, states in enumerate(
                zip(before.locals, state.locals, start.locals, strict=True)
            )
        ),
        observers=tuple(
            part(observer.name, *states)
            for observer, *states in zip(
                model.observers, before.observers, state.observers, start.observers, strict=True
            )
        ),
        network=_network(model, before, state),
        gone=_gone(model, before, state),
        budgets=tuple(
            Field(name, text(left), None if left == had else text(had))
            for (name, _), had, left in zip(model.budgets, before.budget, state.budget, strict=True)
        ),
        properties=tuple(_said(atlas, prop, path) for prop in model.properties),
        choices=_choices(atlas, place),
        ends=atlas.ends(place),
    )


def part(name: str, old: Any, new: Any, start: Any, *, moved: bool = False) -> Part:
    """One actor's or observer's state, field by field: before, now, and at the start."""
    was_of = {field: was for field, was, _ in _differences(old, new)}
    since = {field for field, _, _ in _differences(start, new)}
    said = text(new) if named_fields(new) and "__str__" in vars(type(new)) else ""
    fields = tuple(
        Field(field or "state", _worded(field, value), was_of.get(field), field not in since)
        for field, value in _flat(new)
    )
    return Part(name, fields, _short(said), moved)


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """The fields of a record, and of records in it that have no words of their own."""
    fields = named_fields(value)
    if not fields or (name and "__str__" in vars(type(value))):
        yield name, value
        return
    for field, item in fields:
        yield from _flat(item, f"{name}.{field}" if name else field)


def _differences(old: Any, new: Any) -> Iterator[tuple[str, str, str]]:
    """Which fields are others than before: what they said, and what they say."""
    if old == new:
        return
    before = dict(_flat(old))
    for field, now in _flat(new):
        was = before.get(field)
        if was != now:
            yield field, _worded(field, was), _worded(field, now)


def held(model: Model, message: Any, *, is_new: bool = False) -> Held:
    """One message, and between whom."""
    source, target = model.actor_name(message.src), model.actor_name(message.dst)
    return Held(_short(text(message)), source, target, is_new)


_PLAIN = {"True": "yes", "False": "no", "None": "none", "[]": "empty", "{}": "empty"}


def _worded(field: str, value: Any) -> str:
    """A field's value; what Python would call it is put in words."""
    said = text(value)
    is_nobody = said == "-1" and field.rpartition(".")[2] == "vote"
    return "nobody" if is_nobody else _short(_PLAIN.get(said, said))


def _short(said: str) -> str:
    return said if len(said) <= TEXT_MAX else f"{said[:TEXT_MAX]}…"


def _mover(place: Place) -> int | None:
    return None if place.made is None else place.made.move.actor


def _step(atlas: Atlas, place: Place) -> Step:
    who, said = atlas.caption(place)
    broken = tuple(name for name, _ in place.verdicts.broken)
    return Step(place.depth, place.address, who, said, broken)


# The network.


def _messages(model: Model, state: Global) -> list[Any]:
    """In an order in which people find them: by sender and receiver, then as queued or spelled."""
    if isinstance(model.network, Soup | Bag):
        return sorted(state.net, key=lambda m: (m.src, m.dst, text(m)))
    return [message for _, queue in state.net for message in queue]


def _network(model: Model, before: Global, after: Global) -> tuple[Held, ...]:
    fresh = list(new_messages(model, before, after))
    found = []
    for message in _messages(model, after)[::-1]:
        # Of equal messages in a queue the last ones are the new ones.
        is_new = message in fresh
        if is_new:
            fresh.remove(message)
        found.append(held(model, message, is_new=is_new))
    return tuple(found[::-1])


def _gone(model: Model, before: Global, after: Global) -> tuple[Held, ...]:
    """What the last step took out of the network."""
    return tuple(held(model, message) for message in new_messages(model, after, before))


# What may follow.


def _choices(atlas: Atlas, place: Place) -> tuple[Choice, ...]:
    targets: dict[Global, int] = {place.state: -1}
    return tuple(
        _choice(atlas, place, index, made, targets) for index, made in enumerate(atlas.moves(place))
    )


def _choice(
    atlas: Atlas,
    place: Place,
    index: int,
    made: Successor,
    targets: dict[Global, int],
) -> Choice:
    model, move, after = atlas.model, made.move, made.after
    verdicts = atlas.behind(place, index, made).verdicts
    said = caption(model, move)
    detail = event_text(model, move)
    return Choice(
        address=following(place.address, index),
        actor=move.actor,
        who="network" if move.actor is None else model.actor_name(move.actor),
        name=type(move.event).__name__.lower() if move.actor is None else model.name_of(move.event),
        caption=said,
        detail="" if said == detail else detail,
        target=targets.setdefault(after, len(targets) - 1),
        changes=tuple(_changes(model, place.state, after)),
        sends=tuple(
            f"{_short(text(m))} to {model.actor_name(m.dst)}"
            for m in new_messages(model, place.state, after)
        ),
        cost="" if made.step is None else made.step.cost or "",
        stays=after == place.state and made.broken is None,
        visited=after in atlas.seen,
        breaks=tuple(name for name, _ in verdicts.broken),
        reaches=verdicts.reached,
    )


def _changes(model: Model, before: Global, after: Global) -> Iterator[Change]:
    for node, states in enumerate(zip(before.locals, after.locals, strict=True)):
        yield from (Change(model.actor_name(node), *one) for one in _differences(*states))
    for (name, _), had, left in zip(model.budgets, before.budget, after.budget, strict=True):
        if had != left:
            yield Change("budget", name, str(had), str(left))
    for observer, *seen in zip(model.observers, before.observers, after.observers, strict=True):
        yield from (Change(observer.name, *one) for one in _differences(*seen))


# What holds.


def _said(atlas: Atlas, prop: Property, path: Sequence[Place]) -> Said:
    of = {
        Kind.ALWAYS: _always,
        Kind.SOMETIMES: _sometimes,
        Kind.EVENTUALLY: _eventually,
    }[prop.kind]
    status, sentence = of(atlas, prop, path)
    return Said(prop.name, prop.kind.value, prop.promises, status, sentence)


def _always(atlas: Atlas, prop: Property, path: Sequence[Place]) -> tuple[str, str]:
    for place in path:
        for name, reason in place.verdicts.broken:
            if name == prop.name:
                because = f": {reason}" if reason else ""
                if place is path[-1]:
                    return "broken", f"Broken here{because}."
                return "broken", f"Broken on the way, at step {place.depth}{because}."
    match prop.scope:
        case Scope.PAIR | Scope.TUPLE:
            return "holds", "Holds in this state, and in all on the way."
        case Scope.STEP:
            return "holds", "No step on the way broke it: it looks at steps."
        case Scope.MESSAGE:
            return "holds", "No message on the way broke it: it looks at what is sent."
    return "holds", "The observer has seen nothing on the way that breaks it."


def _sometimes(atlas: Atlas, prop: Property, path: Sequence[Place]) -> tuple[str, str]:
    if prop.name in path[-1].verdicts.reached:
        return "reached", "Reached here."
    for place in path:
        if prop.name in place.verdicts.reached:
            return "reached", f"Reached on the way, at step {place.depth}."
    return "not yet", "Not reached on this path: some path must reach it."


def _eventually(atlas: Atlas, prop: Property, path: Sequence[Place]) -> tuple[str, str]:
    assert prop.holds is not None
    locals_ = path[-1].state.locals
    phases = [phase for phase in atlas.model.good if prop.name in phase.decides]
    if not phases:
        return "open", "Not decided with this network."
    made = [p.name for p in phases if prop.holds(tuple(locals_[node] for node in p.up))]
    if len(made) == len(phases):
        return "progress", "What it asks for is the case here."
    if made:
        return "progress", f"What it asks for is the case here, while {' or '.join(made)}."
    return "not yet", "Not the case here. That it comes once faults end, only exploring can show."
