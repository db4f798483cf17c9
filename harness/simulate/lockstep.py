"""The model beside the members of a simulated world: it stops at the first step that is not one."""

from collections.abc import Callable, Sequence

from ..conform.trace.cuts import Cut
from ..conform.trace.finding import Rejected
from ..conform.trace.validator import Validator
from ..traces import decode, is_raft


class Lockstep:
    """Hears every line of every trace as it is made, before what it tells can be seen."""

    def __init__(self, members: Sequence[str], stop: Callable[[], None], *, cuts: int = 0) -> None:
        """`stop` is called once: where the model does something else.

        So many `cuts` may take the end of anybody's log away.
        """
        self._validator = Validator(members, dict.fromkeys(members, (Cut(),) * cuts))
        self._stop = stop
        self.rejected: Rejected | None = None

    @property
    def is_broken(self) -> bool:
        """Whether a step was not the model's."""
        return self.rejected is not None

    def hear(self, line: bytes) -> None:
        """The next line of the world."""
        if self.rejected is None and is_raft(line):
            self.rejected = self._validator.feed(decode(line))
            if self.rejected is not None:
                self._stop()
