"""Where one subscriber is in a table: what it asks for, took, handled and recorded. No I/O.

Rule 1: the leader's first answer settles where a subscription begins. From then on what is asked
for after a break is the row behind the last one taken, never again what was asked at first: -1
means another row each time.
Rule 2: with stored offsets the row before the first is recorded as soon as the subscription is
live, so that -2 always has something to go on from.
Rule 3: a row is recorded once it and all rows before it are handled. What a handler failed with
stays first in line, so that nothing passes it.
"""

from dataclasses import dataclass

from ..bugs import RESUME_AS_ASKED
from ..wire import Rows
from .errors import NO_STORED_OFFSET, RequestError

LATEST, STORED, EARLIEST = -1, -2, -3
"""Only rows to come; behind the row recorded last (V18); from the first row that there is (B10)."""


class GapError(Exception):
    """A leader sent other rows than the next ones: this connection is not to be trusted."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Rows that wait for the handler, and who sent them."""

    rows: Rows
    leader: str

    @property
    def end(self) -> int:
        return self.rows.offset + self.rows.count


class Cursor:
    """One life of a subscriber. Ask, be told the start, take rows, handle them in order."""

    # Invariant: recorded < the first row that waits, and rows that wait end where `next` is.

    def __init__(
        self,
        offset: int,
        *,
        stored: int | None,
        missing: int | None,
        bugs: frozenset[str] = frozenset(),
    ) -> None:
        """`stored`: the row recorded last; `missing`: what -2 means where there is none.

        Raises RequestError where there is none and nothing is to take its place (V9): the documents
        have -1 there, which loses the rows written since an earlier life.
        """
        if offset == STORED:
            offset = stored + 1 if stored is not None else self._instead(missing)
        self._asked = offset
        self._bugs = bugs
        self._next: int | None = None
        self.recorded = stored
        self._waiting: list[Taken] = []

    @staticmethod
    def _instead(missing: int | None) -> int:
        if missing is None:
            raise RequestError(NO_STORED_OFFSET, True, "no offset is stored for this topic")
        return missing

    @property
    def wanted(self) -> int:
        """What to ask a leader for."""
        if self._next is None or RESUME_AS_ASKED in self._bugs:
            return self._asked
        return self._next

    @property
    def waiting(self) -> list[Taken]:
        """Rows that were taken and not handled, oldest first; not to be changed."""
        return self._waiting

    @property
    def waiting_rows(self) -> int:
        return sum(taken.rows.count for taken in self._waiting)

    def live(self, start: int) -> int | None:
        """The leader will send rows from `start` on; gives the row to record now, if any."""
        if self._next is not None and RESUME_AS_ASKED in self._bugs:
            self._next = start
        if self._next is not None:
            if start != self._next:
                raise GapError(f"asked for row {self._next}, will be sent row {start}")
            return None
        self._next = start
        return start - 1 if self.recorded != start - 1 else None

    def take(self, rows: Rows, leader: str) -> None:
        """Rows came; raises GapError if they are not the next ones."""
        if rows.offset != self._next:
            raise GapError(f"waits for row {self._next}, was sent row {rows.offset}")
        if rows.count:
            self._waiting.append(Taken(rows, leader))
            self._next += rows.count

    def together(self, most: int) -> int:
        """How many of what waits, at most so many, one leader sent in one term."""
        assert 0 < most <= len(self._waiting)
        first = self._waiting[0]
        for count, taken in enumerate(self._waiting[:most]):
            if (taken.leader, taken.rows.term) != (first.leader, first.rows.term):
                return count
        return most

    def handled(self, count: int) -> int:
        """The first so many of what waits are handled; gives the row to record."""
        assert 0 < count <= len(self._waiting)
        last = self._waiting[count - 1].end - 1
        del self._waiting[:count]
        return last
