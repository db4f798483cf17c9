"""Two leaders in one term, as soon as the observer has seen both."""

from ...history import Call
from ...op import Op
from ..elections import NAME, PROMISES, Leadership, leadership, two_in_one_term
from .watch import Flaw


class ElectionWatch:
    """Who was seen to lead in which term."""

    name = NAME

    def __init__(self) -> None:
        self._first: dict[int, Leadership] = {}

    def hear(self, op: Op, call: Call | None) -> Flaw | None:
        seen = leadership(op) if call is None else None
        if seen is None:
            return None
        other = self._first.setdefault(seen.term, seen)
        if other.member == seen.member:
            return None
        assert other.index is not None
        return Flaw(two_in_one_term(other, seen), PROMISES, (other.index, op.index))
