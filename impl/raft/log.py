"""The log as a member holds it in memory: entries by index, how far durable, how far committed."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from .messages import Entry
from .terms import Runs, Terms, end_of


class Log:
    """Entries base_index + 1..last_index: those before live on in a snapshot of the tables.

    It is cut at the end only, and never at or below `commit`; at its beginning no further than
    what is committed and durable.

    # Invariant: base_index <= commit <= last_index; 0 <= durable <= last_index; neither `commit`
    # nor `base_index` ever falls.
    # Invariant: the disk holds entries 1..durable as they are here, if it holds what was reported.
    # Invariant: terms never fall from one entry to the next; _terms knows those of all, also of
    # the ones before the base.
    """

    def __init__(self, entries: Iterable[Entry] = (), base: Runs = ()) -> None:
        """What a disk holds: the entries behind those that `base` stands for."""
        self._entries: list[Entry] = []
        self._terms = Terms(base)
        self._report_term_min = 0
        self.base_index, self.last_term = end_of(base)
        """The last entry that is gone, in `base_index`; and of the last of all, the term."""
        self.last_index = self.base_index
        """The index of the last entry; 0 if there is none."""
        self.append(list(entries))
        self.durable = self.last_index
        self.commit = self.base_index

    @property
    def base(self) -> Runs:
        """What the log begins behind."""
        return self.terms_until(self.base_index)

    def terms(self) -> Runs:
        """Those of all entries there ever were."""
        return self.terms_until(self.last_index)

    def terms_until(self, index: int) -> Runs:
        """Those of the entries up to one that is, or was, there."""
        assert index <= self.last_index
        return self._terms.until(index) if index else ()

    def term_at(self, index: int) -> int:
        """The term of an entry; 0 for index 0. The index must not lie beyond the end."""
        at = index - self.base_index
        assert 0 <= index <= self.last_index
        return self._entries[at - 1].term if at > 0 else self._terms.at(index)

    def entry(self, index: int) -> Entry:
        """The entry at `index`, which must be there."""
        assert self.base_index < index <= self.last_index
        return self._entries[index - self.base_index - 1]

    def holds(self, index: int, term: int) -> bool:
        """Whether there is, or was, an entry of that term at that index; index 0 has term 0."""
        return index <= self.last_index and self.term_at(index) == term

    def count_held(self, first: int, entries: Sequence[Entry]) -> int:
        """How many of the entries, which belong here from `first` on, are here already."""
        for at, entry in enumerate(entries):
            if not self.holds(first + at, entry.term):
                return at
        return len(entries)

    def batch(self, first: int, *, count_max: int, bytes_max: int) -> tuple[Entry, ...]:
        """Entries from `first` on, without a gap, within both limits but never none for size."""
        at = first - self.base_index - 1
        assert at >= 0
        entries = self._entries[at : at + count_max]
        size = 0
        for count, entry in enumerate(entries):
            size += len(entry.payload)
            if size > bytes_max and count:
                return tuple(entries[:count])
        return tuple(entries)

    def batch_with_gaps(self, first: int, *, count_max: int, bytes_max: int) -> tuple[Entry, ...]:
        """A seeded bug: what does not fit any more is left out, and the next entry tried."""
        at = first - self.base_index - 1
        batch: list[Entry] = []
        size = 0
        for entry in self._entries[at : at + count_max]:
            if not batch or size + len(entry.payload) <= bytes_max:
                batch.append(entry)
                size += len(entry.payload)
        return tuple(batch)

    def append(self, entries: Sequence[Entry]) -> None:
        """Add to the end."""
        for index, entry in enumerate(entries, start=self.last_index + 1):
            if entry.term != self.last_term:
                self._terms.begin(index, entry.term)
                self.last_term = entry.term
        self._entries.extend(entries)
        self.last_index += len(entries)

    def truncate_from(self, index: int, term: int) -> None:
        """Drop the entry at `index` and all after it, as the leader of `term` has others there."""
        assert self.commit < index <= self.last_index, "a committed entry is not dropped"
        del self._entries[index - self.base_index - 1 :]
        self.last_term = self._terms.cut(index)
        self.last_index = index - 1
        self.durable = min(self.durable, index - 1)
        # A report that is under way may name an entry that comes back with the same index and
        # term. One that names an entry of `term` cannot be about what was here before.
        self._report_term_min = term

    def compact(self, index: int) -> None:
        """Drop the entries up to `index`: what they did is durable in the tables (HS-10)."""
        assert self.base_index <= index <= min(self.commit, self.durable)
        del self._entries[: index - self.base_index]
        self.base_index = index

    def install(self, base: Runs, term: int) -> None:
        """Begin behind these entries, of which the leader of `term` has a snapshot, with none."""
        index, last_term = end_of(base)
        assert index > self.commit, "what is committed is not undone by a snapshot"
        self._entries.clear()
        self._terms = Terms(base)
        self.durable = min(self.durable, self.commit)
        self.base_index = self.last_index = self.commit = index
        self.last_term = last_term
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
        assert self.commit <= index <= self.last_index
        self.commit = index

    def may_agree_until(self, prev_index: int, prev_term: int) -> int:
        """The last index where a leader's log may equal this one, if they differ at `prev_index`.

        Whole terms are skipped (§5.3): up to there the leader's terms are at most `prev_term`, so
        that newer entries cannot agree; and of the older term that was compared none need to.
        What is committed agrees.
        """
        assert prev_index > self.commit
        limit = min(prev_index, self.last_index)
        starts = self._terms.starts
        newer = bisect_right(self._terms.values, prev_term)
        agreed = min(limit, starts[newer] - 1) if newer < len(starts) else limit
        if agreed == prev_index:
            agreed = starts[bisect_right(starts, agreed) - 1] - 1
        return max(agreed, self.commit)
