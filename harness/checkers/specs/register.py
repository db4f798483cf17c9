"""A register: what was written last is read; compare-and-set writes only over what it expects."""

from dataclasses import replace
from functools import partial
from typing import Any

from ..monitors import register
from ..operations import UNKNOWN
from .spec import Shape, Spec, is_pair

State = tuple[Any]
"""The value, in a tuple because None is a value."""

WRITE = Shape("write", "the value", "nothing, or anything")
READ = Shape("read", "nothing", "the value; None before the first write")
CAS = Shape(
    "cas",
    "[expected, new]",
    "False where another value was found, anything else if set",
    asks=is_pair,
)


def initial() -> State:
    return (None,)


def step(state: State, f: str, argument: Any, result: Any) -> State | None:
    """The state after one operation, or None if it cannot be answered so."""
    match f:
        case "read":
            return state if result is UNKNOWN or state[0] == result else None
        case "write":
            return (argument,)
        case "cas":
            expected, new = argument
            if result is UNKNOWN:
                return (new,) if state[0] == expected else state
            is_found = state[0] == expected
            if result is False:
                return None if is_found else state
            return (new,) if is_found else None
    return None


REGISTER = Spec(
    name="register",
    about="One value a key: a read returns what was written last.",
    operations=(WRITE, READ),
    initial=initial,
    step=step,
    monitor=register.judge,
    anomalies={
        name: meaning
        for name, meaning in register.ANOMALIES.items()
        if not name.endswith("-update")
    },
    reads=frozenset({"read"}),
)

CAS_REGISTER = replace(
    REGISTER,
    name="cas-register",
    about="A register with compare-and-set.",
    operations=(WRITE, READ, CAS),
    anomalies=register.ANOMALIES,
)


def starting_with(spec: Spec, value: Any) -> Spec:
    """The same register where a key holds `value` at first, and not None."""
    return replace(spec, initial=lambda: (value,), monitor=partial(register.judge, initial=value))
