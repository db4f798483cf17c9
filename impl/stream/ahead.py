"""Rows that are in the data files before they are committed (W3, V2): nobody sees them there.

An entry is written ahead when it is in the own synced log, so that files are written while others
are still asked; should it be overruled, it is cut off again. Tables are made and dropped when that
is committed, for neither can be rolled back, and what lies behind in the log waits for it.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..bugs import APPLIED_APART, CACHE_SURVIVES_CUT, NO_ROLLBACK
from ..raft.messages import Entry, Kind
from ..raft.terms import Position
from .commands import AppendRows, decode_append
from .store import Stored


@dataclass(frozen=True, slots=True)
class Ahead:
    """An entry; `crc` is the checksum of its rows in the data files, None if it has none there."""

    index: int
    term: int
    command: AppendRows | None
    crc: int | None


class WrittenAhead:
    """What was written and is not applied, in the order of the log.

    # Invariant: the entries are consecutive, and all of them append rows or do nothing.
    """

    def __init__(self, bugs: frozenset[str] = frozenset()) -> None:
        self._entries: deque[Ahead] = deque()
        self._bugs = bugs

    @property
    def last(self) -> int:
        """The index of the last entry; 0 if there is none."""
        return self._entries[-1].index if self._entries else 0

    def named(self, applied: Position) -> Position:
        """What a checkpoint of all that is applied names: that, but for a seeded bug."""
        if APPLIED_APART not in self._bugs or not self._entries:
            return applied
        return Position(self.last, self._entries[-1].term)

    def write(self, index: int, entry: Entry, tables: Mapping[str, Stored]) -> AppendRows | None:
        """Write the next entry's rows; gives what they belong to. Raises CommandError."""
        assert may_be_ahead(entry)
        command, crc = None, None
        if entry.kind == Kind.APPEND:
            command = decode_append(entry.payload)
            stored = tables.get(command.table)
            if stored is not None and stored.id == command.id and command.rows:
                files = stored.files
                crc = files.write(index, entry.term, files.next_row, command.rows, command.body)
        self._entries.append(Ahead(index, entry.term, command, crc))
        return None if crc is None else command

    def take(self, index: int, term: int) -> Ahead | None:
        """The entry is applied: gives it if it was written ahead."""
        while self._entries and self._entries[0].index < index:
            self._entries.popleft()
        if not self._entries:
            return None
        ahead = self._entries.popleft()
        assert (ahead.index, ahead.term) == (index, term) or CACHE_SURVIVES_CUT in self._bugs
        return ahead

    def roll_back(self, holds: Callable[[int, int], bool], tables: Mapping[str, Stored]) -> None:
        """Cut off what is not in the log any more (HS-11). Raises OSError.

        `holds`: whether the log has an entry of this index and term; then it has all before it.
        """
        if not self._entries or CACHE_SURVIVES_CUT in self._bugs:
            return
        last = self._entries[-1]
        if holds(last.index, last.term):
            return
        lsn = 0
        names = set()
        while self._entries and not holds(self._entries[-1].index, self._entries[-1].term):
            overruled = self._entries.pop()
            lsn = overruled.index
            if overruled.command is not None:
                names.add(overruled.command.table)
        for name in sorted(names & tables.keys()):
            files = tables[name].files
            if NO_ROLLBACK in self._bugs:
                files.lsn = lsn - 1
            else:
                files.roll_back(lsn)

    def clear(self) -> None:
        """All files are others now."""
        self._entries.clear()


def may_be_ahead(entry: Entry) -> bool:
    """Whether it can be rolled back."""
    return entry.kind in (Kind.APPEND, Kind.NOOP)
