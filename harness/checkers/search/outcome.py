"""What a search of one object found."""

from collections.abc import Callable
from dataclasses import dataclass

from ..operations import Operation


@dataclass(frozen=True, slots=True)
class Outcome:
    """With `order`, a linearization was found; without, `limit` names the bound hit, if any.

    Some order explains all operations of known outcome of rank below `placed`. Of a refuted history
    it is another rank: those up to it, it included, fit nowhere, and `reason` are a few of them
    that alone do not, if the search came across some.
    """

    placed: int
    limit: str | None = None
    reason: tuple[Operation, ...] | None = None
    order: Callable[[], tuple[Operation, ...]] | None = None

    @property
    def is_refuted(self) -> bool:
        """Whether there is certainly no linearization."""
        return self.order is None and self.limit is None
