"""The log as a member holds it in memory: entries by index, how far durable, how far committed."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from .messages import Entry


class Log:
    """Entries 1..last_index, cut only at the end and never at or below `commit`.

    # Invariant: 0 <= commit <= last_index and 0 <= durable <= last_index; commit never falls.
    # Invariant: the disk holds entries 1..durable as they are here, if it holds what was reported.
    # Invariant: terms never fall from one entry to the next.
    # Invariant: _starts and _terms hold, ascending, each term in the log and its first index.
    """

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        """What a disk holds."""
        self._entries: list[Entry] = []
        self._starts: list[int] = []
        self._terms: list[int] = []
        self._report_term_min = 0
        self.last_index = 0
        """The index of the last entry; 0 if there is none."""
        self.last_term = 0
        """The term of the last entry; 0 if there is none."""
        self.append(list(entries))
        self.durable = self.last_index
        self.commit = 0

    def term_at(self, index: int) -> int:
        """The term of an entry; 0 for index 0. The index must not lie beyond the end."""
        assert 0 <= index <= len(self._entries)
        return self._entries[index - 1].term if index else 0

    def entry(self, index: int) -> Entry:
        """The entry at `index`, which must be there."""
        assert 1 <= index <= len(self._entries)
        return self._entries[index - 1]

    def holds(self, index: int, term: int) -> bool:
        """Whether there is an entry of that term at that index; index 0 has term 0."""
        return index <= len(self._entries) and self.term_at(index) == term

    def count_held(self, first: int, entries: Sequence[Entry]) -> int:
        """How many of the entries, which belong here from `first` on, are here already."""
        for at, entry in enumerate(entries):
            if not self.holds(first + at, entry.term):
                return at
        return len(entries)

    def batch(self, first: int, *, count_max: int, bytes_max: int) -> tuple[Entry, ...]:
        """Entries from `first` on, without a gap, within both limits but never none for size."""
        assert first >= 1
        entries = self._entries[first - 1 : first - 1 + count_max]
        size = 0
        for count, entry in enumerate(entries):
            size += len(entry.payload)
            if size > bytes_max and count:
                return tuple(entries[:count])
        return tuple(entries)

    def append(self, entries: Sequence[Entry]) -> None:
        """Add to the end."""
        for index, entry in enumerate(entries, start=self.last_index + 1):
            if entry.term != self.last_term:
                assert entry.term > self.last_term, "terms never fall along a log"
                self.last_term = entry.term
                self._starts.append(index)
                self._terms.append(entry.term)
        self._entries.extend(entries)
        self.last_index = len(self._entries)

    def truncate_from(self, index: int, term: int) -> None:
        """Drop the entry at `index` and all after it, as the leader of `term` has others there."""
        assert self.commit < index <= len(self._entries), "a committed entry is not dropped"
        del self._entries[index - 1 :]
        while self._starts and self._starts[-1] >= index:
            self._starts.pop()
            self._terms.pop()
        self.last_index = index - 1
        self.last_term = self._terms[-1] if self._terms else 0
        self.durable = min(self.durable, index - 1)
        # A report that is under way may name an entry that comes back with the same index and
        # term. One that names an entry of `term` cannot be about what was here before.
        self._report_term_min = term

    def persisted(self, index: int, term: int) -> bool:
        """The disk reports entries up to `index`, whose term is `term`; true if that is news.

        The pair tells an entry from another that took its place while the disk was busy.
        """
        if index <= self.durable or term < self._report_term_min or not self.holds(index, term):
            return False
        self.durable = index
        return True

    def commit_to(self, index: int) -> None:
        """Entries up to `index` stay for ever."""
        assert self.commit <= index <= len(self._entries)
        self.commit = index

    def may_agree_until(self, prev_index: int, prev_term: int) -> int:
        """The last index where a leader's log may equal this one, if they differ at `prev_index`.

        Whole terms are skipped (§5.3): up to there the leader's terms are at most `prev_term`, so
        that newer entries cannot agree; and of the older term that was compared none need to.
        What is committed agrees.
        """
        assert prev_index > self.commit
        limit = min(prev_index, len(self._entries))
        newer = bisect_right(self._terms, prev_term)
        agreed = min(limit, self._starts[newer] - 1) if newer < len(self._starts) else limit
        if agreed == prev_index:
            agreed = self._starts[bisect_right(self._starts, agreed) - 1] - 1
        return max(agreed, self.commit)
