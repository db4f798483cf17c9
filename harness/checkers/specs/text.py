"""A text under a key, as in key-value stores of courses: put, append to, got."""

from typing import Any

from ..operations import UNKNOWN
from .spec import Shape, Spec


def initial() -> str:
    return ""


def step(state: str, f: str, argument: Any, result: Any) -> str | None:
    """The state after a put, an append or a get, or None if it is answered wrongly."""
    match f:
        case "put":
            return str(argument)
        case "append":
            return state + str(argument)
        case "get":
            return state if result is UNKNOWN or (result or "") == state else None
    return None


def is_text(value: Any) -> bool:
    return isinstance(value, str)


def is_text_or_nothing(value: Any) -> bool:
    return value is None or is_text(value)


TEXT = Spec(
    name="text",
    about="A text under each key: put, appended to, got; empty at first (Porcupine's kv).",
    operations=(
        Shape("put", "the text", "nothing, or anything", asks=is_text),
        Shape("append", "what is added at its end", "nothing, or anything", asks=is_text),
        Shape("get", "nothing", "the text, or nothing", answers=is_text_or_nothing),
    ),
    initial=initial,
    step=step,
    reads=frozenset({"get"}),
)
