"""Sets: read as a whole, by elements that come and go, or by replicas that lag behind."""

from typing import Any

from ..monitors import element_set, grow_set, session
from ..operations import UNKNOWN, Operation
from .spec import Shape, Spec, is_list

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
        Shape("read", "nothing", "all elements, in any order, each once", answers=is_list),
    ),
    initial=initial,
    step=step,
    monitor=grow_set.judge,
    anomalies=grow_set.ANOMALIES,
    reads=frozenset({"read"}),
)


def step_by_element(state: State, f: str, argument: Any, result: Any) -> State | None:
    """The same, where elements are removed, too, and asked for one at a time."""
    match f:
        case "add":
            return state | {argument}
        case "remove":
            return state - {argument}
        case "contains":
            return state if result is UNKNOWN or result == (argument in state) else None
    return None


def is_bool(result: Any) -> bool:
    return isinstance(result, bool)


def by_element(operation: Operation) -> tuple[Any, Any]:
    return operation.key, operation.argument


ELEMENT_SET = Spec(
    name="element-set",
    about="A set to which elements are added, from which they are removed, one asked at a time.",
    operations=(
        Shape("add", "the element", "nothing, or anything"),
        Shape("remove", "the element", "nothing, or anything"),
        Shape("contains", "the element", "true or false", answers=is_bool),
    ),
    initial=initial,
    step=step_by_element,
    monitor=element_set.judge,
    anomalies=element_set.ANOMALIES,
    partition=by_element,
    reads=frozenset({"contains"}),
)

SESSION = Spec(
    name="session",
    about="Replicas that collect elements: monotonic reads and writes, own writes, causes.",
    operations=(
        Shape("add", "the element", "nothing, or anything"),
        Shape("append", "the element", "nothing, or anything"),
        Shape("write", "the element", "nothing, or anything"),
        Shape("read", "nothing", "the elements that a replica has, in any order", answers=is_list),
    ),
    initial=initial,
    step=lambda state, f, argument, result: step(
        state, "read" if f == "read" else "add", argument, result
    ),
    monitor=session.judge,
    anomalies=session.ANOMALIES,
    reads=frozenset({"read"}),
    order="session",
)
