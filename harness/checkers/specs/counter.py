"""Counters: what was added is summed up; the value at first is 0."""

from dataclasses import replace
from typing import Any

from ..monitors import bitmask, counter
from ..operations import UNKNOWN
from .spec import Shape, Spec


def initial() -> int:
    return 0


def step(state: int, f: str, argument: Any, result: Any) -> int | None:
    """The state after an add or a read, or None if it is answered wrongly."""
    match f:
        case "add":
            return state + (1 if argument is None else int(argument))
        case "read":
            return state if result is UNKNOWN or result == state else None
    return None


def is_amount(argument: Any) -> bool:
    return argument is None or (isinstance(argument, int) and not isinstance(argument, bool))


COUNTER = Spec(
    name="counter",
    about="A counter that is incremented by one.",
    operations=(
        Shape("add", "1, or nothing", "nothing, or anything", asks=is_amount),
        Shape("read", "nothing", "the sum"),
    ),
    initial=initial,
    step=step,
    monitor=counter.judge,
    anomalies=counter.ANOMALIES,
    reads=frozenset({"read"}),
)

BITMASK_COUNTER = replace(
    COUNTER,
    name="bitmask-counter",
    about="A counter whose amounts are distinct powers of two, so that a value tells which.",
    operations=(
        Shape("add", "the amount", "nothing, or anything", asks=is_amount),
        *COUNTER.operations[1:],
    ),
    monitor=bitmask.judge,
    anomalies=bitmask.ANOMALIES,
)
