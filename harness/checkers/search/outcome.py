"""What a search of one object found."""

from collections.abc import Callable
from dataclasses import dataclass

from ..operations import Operation


@dataclass(frozen=True, slots=True)
class Outcome:
    """With `order`, a linearization was found; without, `limit` names the bound hit, if any.

    Some order explains all operations of known outcome of rank below `placed`, and no attempt got
    further: that of rank `placed` is the first to return of those that the best could not place.
    """

    placed: int
    limit: str | None = None
    order: Callable[[], tuple[Operation, ...]] | None = None

    @property
    def is_refuted(self) -> bool:
        """Whether there is certainly no linearization."""
        return self.order is None and self.limit is None
