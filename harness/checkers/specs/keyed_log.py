"""A log of rows with keys, of which the first of each key is kept and later ones are left out."""

from typing import Any

from ..monitors import keyed_log
from ..operations import UNKNOWN
from .spec import Shape, Spec, is_pair, is_sequence

State = tuple[tuple[Any, Any], ...]
"""Pairs of a row's key and its value, oldest first."""


def initial() -> State:
    return ()


def step(state: State, f: str, argument: Any, result: Any) -> State | None:
    """The state after an append or a read of the whole log, or None if it is answered wrongly."""
    match f:
        case "append":
            is_new = all(name != argument[0] for name, _ in state)
            if isinstance(result, bool) and result is not is_new:
                return None
            return (*state, argument) if is_new else state
        case "read":
            return state if result is UNKNOWN or tuple(result) == state else None
    return None


def are_pairs(result: Any) -> bool:
    return is_sequence(result) and all(map(is_pair, result))


KEYED_LOG = Spec(
    name="keyed-log",
    about="A log of rows with keys: the first row of a key wins, later ones are left out.",
    operations=(
        Shape(
            "append",
            "[key, value]",
            "true: it was new; false: left out; else: not told",
            asks=is_pair,
        ),
        Shape("read", "nothing", "all [key, value], oldest first", answers=are_pairs),
    ),
    initial=initial,
    step=step,
    monitor=keyed_log.judge,
    anomalies=keyed_log.ANOMALIES,
    reads=frozenset({"read"}),
)
