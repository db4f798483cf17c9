"""What a disk has been told and no completed sync has covered yet, in its order."""

from collections.abc import Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class Pending(Generic[T]):
    """A queue whose members keep their number, so that syncs may overlap."""

    # Invariant: `items` are the last of `count` things told.

    __slots__ = ("_covered", "items")

    def __init__(self) -> None:
        self.items: list[T] = []
        self._covered = 0

    @property
    def count(self) -> int:
        """How many there have been, covered or not."""
        return self._covered + len(self.items)

    def take(self, count: int) -> list[T]:
        """Of the first `count` that there have been, those still waiting; they wait no more."""
        taken = self.items[: max(0, count - self._covered)]
        del self.items[: len(taken)]
        self._covered += len(taken)
        return taken

    def put_back(self, items: Sequence[T]) -> None:
        """Let some of what was taken last wait again, before everything else."""
        self.items[:0] = items
        self._covered -= len(items)
