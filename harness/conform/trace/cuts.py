"""Logs whose end something took away: the first process that began after that may find less."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ...traces import Record
from .wire import NEVER


class Cut(NamedTuple):
    """When it was, by the steady clock of the member: not before, not after. As it is: nobody
    knows when.
    """

    after_ns: int = 0
    before_ns: int = NEVER

    @property
    def is_known(self) -> bool:
        """Whether anybody knows when it was."""
        return self.before_ns != NEVER


class Cuts:
    """What was taken of each member's log, and what of it explains no start yet."""

    def __init__(self, cuts: Mapping[str, Sequence[Cut]]) -> None:
        self._left = {member: list(found) for member, found in cuts.items()}
        self._began: dict[str, tuple[int, int, int]] = {}
        """Of each member the last incarnation, when it began, and when the one before did."""

    def begins(self, boot: Record) -> None:
        """A process begins with one of its groups."""
        inc, began_ns, _ = self._began.get(boot.node, (0, -1, -1))
        if inc != boot.inc:
            self._began[boot.node] = (boot.inc, boot.t_ns, began_ns)

    def may_explain(self, boot: Record) -> bool:
        """Whether something was taken away between this start and the one before."""
        return self._explaining(boot) is not None

    def explain(self, boot: Record) -> Cut:
        """What was taken away: no other start lacks it any more."""
        at = self._explaining(boot)
        assert at is not None
        return self._left[boot.node].pop(at)

    def _explaining(self, boot: Record) -> int | None:
        _, began_ns, earlier_ns = self._began[boot.node]
        return next(
            (
                at
                for at, cut in enumerate(self._left.get(boot.node, ()))
                if cut.after_ns <= began_ns and earlier_ns < cut.before_ns
            ),
            None,
        )
