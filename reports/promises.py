"""What a promise says, as reports quote it."""

from ..harness.promise import PROMISES, order

__all__ = ["order", "text"]


def text(promise: str) -> str:
    """What the promise says, or nothing for one that this version does not know."""
    return PROMISES.get(promise, "")
