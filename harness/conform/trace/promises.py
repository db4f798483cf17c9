"""What must hold over all members and all times, whoever's records are read first.

Tables that are checked whenever something is entered: who led a term, for whom a member voted in
it, which entry stands at an index and a term, which entry is committed at an index. They need no
global clock and no global state: whatever is entered twice must be the same both times.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from itertools import islice

from ....model.raft_types import Log
from ...traces import Entry, Record
from .finding import Place, Rejected

LEADER = ("HS-1",)
VOTE = ("HS-1",)
ENTRY = ("HS-4",)
COMMITTED = ("HS-4", "HS-5")
KEPT = ("HS-2",)

Source = Record
"""The record that said so."""


class Promises:
    """The tables of one group."""

    # Invariant: _since never falls along the index, and is as long as _committed.

    def __init__(self) -> None:
        self.leaders: dict[int, tuple[str, Log, Source]] = {}
        self._votes: dict[tuple[str, int], tuple[str, Source]] = {}
        self._entries: dict[tuple[int, int], tuple[str, int, Source]] = {}
        self._committed: list[int] = []
        self._committed_by: list[Source] = []
        self._since: list[int] = []
        """The least term in which anybody knew the entry to be committed."""

    @property
    def committed(self) -> int:
        """How many entries anybody knew to be committed."""
        return len(self._committed)

    def led(self, record: Record, log: Log) -> None:
        """The member leads the term of its `post`, and began with this log. Raises Rejected."""
        term = record.post.term
        node, _, before = self.leaders.setdefault(term, (record.node, log, record))
        if node != record.node:
            raise _broken(
                record,
                LEADER,
                f"{record.node} leads term {term}, which {node} led ({_at(before)})",
                "leader",
            )
        owed = bisect_left(self._since, term)
        for index, own in enumerate(islice(self._committed, owed), start=1):
            if index > len(log) or log[index - 1] != own:
                raise self._lacks(record, record, index)

    def voted(self, record: Record, voter: str, term: int, candidate: str) -> None:
        """It is public that a member votes so. Raises Rejected."""
        first, before = self._votes.setdefault((voter, term), (candidate, record))
        if first != candidate:
            reason = (
                f"{voter} votes for {candidate} in term {term}, and voted for {first} in it "
                f"({_at(before)})"
            )
            raise _broken(record, VOTE, reason, "vote")

    def seen(self, record: Record, entries: Iterable[Entry], prev_term: int) -> None:
        """These entries follow one of `prev_term`. Raises Rejected."""
        known = self._entries
        for index, term, digest in entries:
            found = known.get((index, term))
            if found is None:
                known[index, term] = (digest, prev_term, record)
            elif found[0] != digest or found[1] != prev_term:
                what = "other content" if found[0] != digest else "another predecessor"
                reason = f"entry {index} of term {term} has {what} than elsewhere"
                raise _broken(record, ENTRY, f"{reason} ({_at(found[2])})", f"entry {index}")
            prev_term = term

    def commits(self, record: Record, log: Log, before: int) -> None:
        """The member knows its log to be committed up to `post.commit`. Raises Rejected."""
        post = record.post
        told = min(post.commit, len(log))
        # Where an entry was refused before, what follows it is unknown.
        before = min(before, len(self._committed))
        known = min(told, len(self._committed))
        for index, term in enumerate(log[before:known], start=before + 1):
            if self._committed[index - 1] != term:
                raise self._other(record, index, term)
        # Those that were known are lowered before any follows them: the terms never fall.
        first = bisect_right(self._since, post.term, 0, known)
        for at in range(first, known):
            self._must_be_led_with(record, at + 1, self._committed[at], post.term, self._since[at])
            self._since[at] = post.term
        for index, term in enumerate(log[known:told], start=known + 1):
            self._committed.append(term)
            self._committed_by.append(record)
            self._since.append(post.term)
            self._must_be_led_with(record, index, term, post.term, None)

    def _must_be_led_with(
        self, record: Record, index: int, term: int, since: int, until: int | None
    ) -> None:
        """Leaders of terms after `since`, up to `until`, hold the entry."""
        for led, (_, log, source) in self.leaders.items():
            is_owed = led > since and (until is None or led <= until)
            if is_owed and (index > len(log) or log[index - 1] != term):
                raise self._lacks(record, source, index)

    def _lacks(self, record: Record, leader: Record, index: int) -> Rejected:
        by = self._committed_by[index - 1]
        reason = (
            f"{leader.node} leads term {leader.post.term} ({_at(leader)}) without entry {index} of "
            f"term {self._committed[index - 1]}, which {by.node} knew to be committed ({_at(by)})"
        )
        return _broken(record, KEPT, reason, f"entry {index}")

    def _other(self, record: Record, index: int, term: int) -> Rejected:
        by = self._committed_by[index - 1]
        reason = (
            f"{record.node} holds entry {index} of term {term} to be committed, {by.node} one of "
            f"term {self._committed[index - 1]} ({_at(by)})"
        )
        return _broken(record, COMMITTED, reason, f"entry {index}")


def _broken(record: Record, promises: tuple[str, ...], reason: str, field: str) -> Rejected:
    return Rejected(Place.of(record), "promise", reason, promises, field, record=record)


def _at(record: Record) -> str:
    return f"step {record.seq} of incarnation {record.inc} of {record.node}"
