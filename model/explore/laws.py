"""What the explorers rely on a model for, as far as it can be asked: see the laws in actor.py."""

from collections.abc import Iterable
from typing import Any

from ..actor import Broken, Fifo, Model, Observer, Receive, Step


class Impure(AssertionError):
    """A handler answered differently when asked twice, or is not the same under renaming.

    Or two of its values are equal, and not of one class.
    """


class TooManyMoves(Exception):
    """More may happen in one state of a model than the explorer has room for."""


def require_one_class(known: Any, value: Any) -> None:
    """Of two equal values: raises Impure unless their classes, and those of all in them, are one.

    The explorers take equal values for one. Looked into are tuples, dataclasses and frozen sets.
    """
    if not _are_alike(known, value):
        raise Impure(f"{value!r} equals {known!r}, which is of another class")


def _are_alike(known: Any, value: Any) -> bool:
    if known is value:
        return True
    if type(known) is not type(value):
        return False
    if isinstance(value, tuple):
        return all(map(_are_alike, known, value))
    if isinstance(value, frozenset):
        theirs = {item: item for item in known}
        return all(_are_alike(theirs[item], item) for item in value)
    parts = getattr(value, "__dataclass_fields__", {})
    names = (name for name, part in parts.items() if part.compare)
    return all(_are_alike(getattr(known, name), getattr(value, name)) for name in names)


def renamed(model: Model, value: Any, permutation: tuple[int, ...]) -> Any:
    """A value with actors' names exchanged; itself where the permutation is the identity."""
    if permutation == tuple(range(len(permutation))):
        return value
    assert model.rename is not None, f"{model.name} names symmetric actors but no rename"
    return model.rename(value, permutation)


def check_step(
    model: Model,
    permutations: list[tuple[int, ...]],
    node: int,
    state: Any,
    event: Any,
    step: Step | None,
) -> None:
    """Raises Impure where `step` is not the answer again, or not the same under renaming."""
    if model.step(node, state, event) != step:
        raise Impure(f"step({state!r}, {event!r}) answered differently the second time")
    for p in permutations[1:]:
        again = model.step(p[node], renamed(model, state, p), _renamed_event(model, event, p))
        if not _is_renamed(model, step, again, p):
            raise Impure(f"step({state!r}, {event!r}) is not the same under renaming {p}")


def check_events(
    model: Model,
    permutations: list[tuple[int, ...]],
    node: int,
    state: Any,
    events: Iterable[Any],
) -> None:
    """Raises Impure where `events`, an actor's own in a state, are others under renaming."""
    for p in permutations[1:]:
        again = model.events(p[node], renamed(model, state, p))
        if not _same((_renamed_event(model, event, p) for event in events), again):
            raise Impure(f"events({state!r}) are not the same under renaming {p}")


def _is_renamed(model: Model, step: Step | None, again: Step | None, p: tuple[int, ...]) -> bool:
    """Whether `again` is `step` with actors' names exchanged, as far as anybody can tell."""
    if step is None or again is None:
        return step is again
    sends = [renamed(model, message, p) for message in step.sends]
    if isinstance(model.network, Fifo):
        # Each link keeps the order of its own messages.
        by_link = (sorted(some, key=lambda m: m.dst) for some in (sends, again.sends))
        are_sent = next(by_link) == next(by_link)
    else:
        are_sent = _same(sends, again.sends)
    return (
        are_sent
        and again.state == renamed(model, step.state, p)
        and again.cost == step.cost
        and _notes_alike(model, step, again, p)
    )


def _notes_alike(model: Model, step: Step, again: Step, p: tuple[int, ...]) -> bool:
    """Notes have no names that could be exchanged: what observers make of them from the start."""
    if len(step.notes) != len(again.notes):
        return False
    for observer in model.observers if step.notes else ():
        begin = observer.initial()
        one = _made(observer, begin, step.notes)
        expected = None if one is None else renamed(model, one, p)
        if _made(observer, renamed(model, begin, p), again.notes) != expected:
            return False
    return True


def _made(observer: Observer, state: Any, notes: Iterable[Any]) -> Any:
    """What an observer makes of notes; None if they contradict, or cannot come in this state."""
    for note in notes:
        try:
            state = observer.observe(state, note)
        except Exception:
            # Such as an answer before anybody has asked.
            return None
        if isinstance(state, Broken):
            return None
    return state


def _same(some: Iterable[Any], others: Iterable[Any]) -> bool:
    """Whether they are equal in whatever order; what need not be hashable."""
    left = list(others)
    for one in some:
        if one not in left:
            return False
        left.remove(one)
    return not left


def _renamed_event(model: Model, event: Any, permutation: tuple[int, ...]) -> Any:
    if isinstance(event, Receive):
        return Receive(renamed(model, event.message, permutation))
    return renamed(model, event, permutation)
