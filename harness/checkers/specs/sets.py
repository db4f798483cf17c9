"""Sets: one that only grows and is read as a whole, and one whose elements come and go."""

from typing import Any

from ..monitors import grow_set
from ..operations import UNKNOWN
from .spec import Shape, Spec

State = frozenset[Any]


def initial() -> State:
    return frozenset()


def step(state: State, f: str, argument: Any, result: Any) -> State | None:
    """The state after an add or a read of the whole set, or None if it is answered wrongly."""
    match f:
        case "add":
            return state | {argument}
        case "read":
            if result is UNKNOWN or (len(result) == len(state) and frozenset(result) == state):
                return state
    return None


SET = Spec(
    name="set",
    about="A set that only grows and is read as a whole.",
    operations=(
        Shape("add", "the element", "nothing, or anything"),
        Shape("read", "nothing", "all elements, in any order, each once"),
    ),
    initial=initial,
    step=step,
    monitor=grow_set.judge,
    anomalies=grow_set.ANOMALIES,
    reads=frozenset({"read"}),
)
