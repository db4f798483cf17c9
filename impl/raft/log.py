"""The log as a member holds it in memory: entries by index, cut only at the end."""

from collections.abc import Sequence

from .messages import Entry


class Log:
    """Entries 1..last_index.

    # Invariant: terms never fall from one entry to the next.
    """

    def __init__(self, entries: Sequence[Entry] = ()) -> None:
        self._entries = list(entries)

    @property
    def last_index(self) -> int:
        return len(self._entries)

    @property
    def last_term(self) -> int:
        return self._entries[-1].term if self._entries else 0

    def term_at(self, index: int) -> int:
        """The term of an entry; 0 for index 0. The index must not lie beyond the end."""
        assert 0 <= index <= len(self._entries)
        return self._entries[index - 1].term if index else 0

    def entry(self, index: int) -> Entry:
        assert 1 <= index <= len(self._entries)
        return self._entries[index - 1]

    def append(self, entries: Sequence[Entry]) -> None:
        assert not entries or entries[0].term >= self.last_term
        self._entries.extend(entries)

    def truncate_from(self, index: int) -> None:
        """Drop the entry at `index` and all after it."""
        assert 1 <= index <= len(self._entries)
        del self._entries[index - 1 :]

    def batch(self, first: int, *, count_max: int, bytes_max: int) -> tuple[Entry, ...]:
        """Entries from `first` on, within both limits but at least one if there is one."""
        chosen: list[Entry] = []
        size = 0
        for entry in self._entries[first - 1 : first - 1 + count_max]:
            size += len(entry.payload)
            if chosen and size > bytes_max:
                break
            chosen.append(entry)
        return tuple(chosen)

    def first_of_term(self, index: int, *, above: int) -> int:
        """The first index of the run of equal terms around `index`, not going below `above` + 1."""
        term = self.term_at(index)
        while index > above + 1 and self.term_at(index - 1) == term:
            index -= 1
        return index
