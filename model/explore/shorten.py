"""Make a failing sequence short: leave parts out while it still fails."""

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def shorten(items: list[T], failing: Callable[[list[T]], list[T] | None]) -> list[T]:
    """A part of `items` that fails, and of which no single item can be left out.

    `failing(part)` gives what of it was used and failed, or None. Parts of half the length are
    tried first, then of a quarter, down to single items, until nothing more can go.
    """
    least = failing(items)
    assert least is not None, "what is to be shortened fails"
    size = max(1, len(least) // 2)
    while True:
        at, removed = 0, False
        while at < len(least):
            shorter = failing(least[:at] + least[at + size :])
            if shorter is not None and len(shorter) < len(least):
                least, removed = shorter, True
            else:
                at += size
        if size == 1 and not removed:
            return least
        if not removed:
            size //= 2
