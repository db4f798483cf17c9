"""A queue: what was enqueued first is dequeued first; an empty one answers None."""

from typing import Any

from ..monitors import queue
from ..operations import UNKNOWN
from .spec import Shape, Spec

State = tuple[Any, ...]


def initial() -> State:
    return ()


def step(state: State, f: str, argument: Any, result: Any) -> State | None:
    """The state after an enqueue or a dequeue, or None if it is answered wrongly."""
    match f:
        case "enqueue":
            return (*state, argument)
        case "dequeue":
            if result is UNKNOWN:
                return state[1:]
            if result is None:
                return state if not state else None
            return state[1:] if state and state[0] == result else None
    return None


def is_value(argument: Any) -> bool:
    """None as an answer says that the queue was empty: no dequeue could tell one in it."""
    return argument is not None


QUEUE = Spec(
    name="queue",
    about="A first-in-first-out queue.",
    operations=(
        Shape("enqueue", "the value, not null", "nothing, or anything", is_value),
        Shape("dequeue", "nothing", "the value; null where the queue was empty"),
    ),
    initial=initial,
    step=step,
    monitor=queue.judge,
    anomalies=queue.ANOMALIES,
)
