"""What the explorers rely on a model for, as far as it can be asked: see the laws in actor.py."""

from typing import Any

from ..actor import Model, Receive, Step


class Impure(AssertionError):
    """A handler answered differently when asked twice, or is not the same under renaming.

    Or two of its values are equal, and not of one class.
    """


class TooManyMoves(Exception):
    """More may happen in one state of a model than the explorer has room for."""


def require_one_class(known: Any, value: Any) -> None:
    """Of two equal values: raises Impure unless their classes, and those of their items, are one.

    The explorers take equal values for one. Items are those of a plain tuple.
    """
    same = type(known) is type(value)
    if same and type(value) is tuple:
        same = all(type(a) is type(b) for a, b in zip(known, value, strict=True))
    if not same:
        raise Impure(f"{value!r} equals {known!r}, which is of another class")


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
        if _shape(again) != _shape(step) or (
            step is not None and again is not None and again.state != renamed(model, step.state, p)
        ):
            raise Impure(f"step({state!r}, {event!r}) is not the same under renaming {p}")


def _renamed_event(model: Model, event: Any, permutation: tuple[int, ...]) -> Any:
    if isinstance(event, Receive):
        return Receive(renamed(model, event.message, permutation))
    return renamed(model, event, permutation)


def _shape(step: Step | None) -> tuple[int, int, str | None] | None:
    return None if step is None else (len(step.sends), len(step.notes), step.cost)
