"""A lock: it is acquired when it is free, and released by who holds it."""

from typing import Any

from ..monitors import mutex
from .spec import Shape, Spec

FREE = ("free", None)


def initial() -> tuple[str, Any]:
    return FREE


def step(state: tuple[str, Any], f: str, argument: Any, result: Any) -> tuple[str, Any] | None:
    """The state after an acquire or a release, or None if it cannot succeed."""
    match f:
        case "acquire":
            return ("held", argument) if state == FREE else None
        case "release":
            return FREE if state == ("held", argument) else None
    return None


_OWNER = "who holds it; nothing: anybody may release"

MUTEX = Spec(
    name="mutex",
    about="A lock, with owners or without.",
    operations=(
        Shape("acquire", _OWNER, "nothing, or anything: it was acquired"),
        Shape("release", _OWNER, "nothing, or anything: it was released"),
    ),
    initial=initial,
    step=step,
    monitor=mutex.judge,
    anomalies=mutex.ANOMALIES,
)
