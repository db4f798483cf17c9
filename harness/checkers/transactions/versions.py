"""Of each list the order of its elements, as reads show it, and what follows from that."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from ..monitors.prose import value_text
from ..operations import Finding
from .graph import RW, WR, WW, Edge
from .missed import missed
from .observed import List, Transaction, name


class Versions:
    """One key: who appended what, and who read what."""

    def __init__(self, key: Any, transactions: Sequence[Transaction]) -> None:
        self.key = key
        self._of = transactions
        self._aborted: dict[Any, int] = {}
        self.reads: list[tuple[int, List]] = []
        self.appenders: list[int] = []
        self.writer: dict[Any, int] = {}
        self._twice: set[Any] = set()
        self.longest: List = ()
        self._reader: int | None = None

    def wrote(self, at: int) -> None:
        if self._of[at].operation.failed:
            self._aborted.update(dict.fromkeys(self._of[at].appends[self.key], at))
            return
        self.appenders.append(at)
        for element in self._of[at].appends[self.key]:
            if element in self.writer:
                self._twice.add(element)
            self.writer[element] = at

    def read(self, at: int, found: List) -> None:
        self.reads.append((at, found))
        if self._reader is None or len(found) > len(self.longest):
            self.longest, self._reader = found, at

    def is_of_one(self, element: Any) -> bool:
        """Whether it was appended no more than once by those who may have committed."""
        return element not in self._twice

    @property
    def is_ambiguous(self) -> bool:
        """Whether somebody read an element that was appended twice."""
        return bool(self._twice) and any(self._twice.intersection(found) for _, found in self.reads)

    def malformed(self) -> Iterator[Finding]:
        """Reads that show no one order of elements."""
        for at, found in self.reads:
            if len(set(found)) < len(found):
                twice = next(element for element in found if found.count(element) > 1)
                told = f"found {value_text(twice)} at key {self.key!r} twice, which was appended"
                yield self._finding("duplicate-elements", f"{self._name(at)} {told} once.", at)
            if self.longest[: len(found)] != found:
                assert self._reader is not None
                told = (
                    f"{self._name(at)} read {value_text(found)} at key {self.key!r}, and "
                    f"{self._name(self._reader)} read {value_text(self.longest)}: neither is the "
                    "beginning of the other."
                )
                yield self._finding("incompatible-order", told, at, self._reader)

    def unfit(self) -> Iterator[Finding]:
        """Elements that cannot have been there, and transactions seen half done."""
        for at, found in self.reads:
            unwritten = next((element for element in found if element not in self.writer), None)
            if unwritten is not None:
                yield self._aborted_read(at, unwritten)
            writer = self.writer.get(found[-1]) if found else None
            if writer is None or writer == at:
                continue
            last = self._of[writer].appends[self.key][-1]
            if last != found[-1]:
                told = (
                    f"{self._name(at)} found {value_text(found[-1])} last at key {self.key!r}, but "
                    f"{self._name(writer)} appended {value_text(last)} behind that."
                )
                yield self._finding("G1b", told, at, writer)
        yield from self._scrambled()
        yield from self._dirty_update()

    def _aborted_read(self, at: int, element: Any) -> Finding:
        told = f"{self._name(at)} found {value_text(element)} at key {self.key!r}, which "
        failed = self._aborted.get(element)
        if failed is None:
            sentence = f"{told}no transaction appended that may have committed."
            return self._finding("G1a", sentence, at)
        return self._finding("G1a", f"{told}{self._name(failed)} had appended.", at, failed)

    def _dirty_update(self) -> Iterator[Finding]:
        """A transaction that committed behind an element of one that failed."""
        failed: tuple[int, Any] | None = None
        for element in self.longest:
            writer = self.writer.get(element)
            if writer is None and failed is None and element in self._aborted:
                failed = self._aborted[element], element
            if writer is None or failed is None or self._of[writer].operation.is_open:
                continue
            assert self._reader is not None
            told = (
                f"{self._name(writer)} appended {value_text(element)} to key {self.key!r} behind "
                f"{value_text(failed[1])}, which {self._name(failed[0])} had appended: so "
                f"{self._name(self._reader)} found them."
            )
            yield self._finding("dirty-update", told, writer, failed[0], self._reader)
            return

    def _scrambled(self) -> Iterator[Finding]:
        """Transactions of whose own elements a later one came first."""
        seen: dict[int, int] = {}
        for element in self.longest:
            writer = self.writer.get(element)
            if writer is None:
                continue
            expected = self._of[writer].appends[self.key][seen.get(writer, 0)]
            seen[writer] = seen.get(writer, 0) + 1
            if expected != element:
                assert self._reader is not None
                told = (
                    f"{self._name(self._reader)} found {value_text(element)} at key {self.key!r} "
                    f"without {value_text(expected)} before it, but {self._name(writer)} had "
                    "appended that first."
                )
                yield self._finding("internal", told, self._reader, writer)
                return

    def lost_updates(self) -> Iterator[Finding]:
        """Two that read the same version and both appended to it."""
        first: dict[int, int] = {}
        for at, found in self.reads:
            if self.key not in self._of[at].appends:
                continue
            other = first.setdefault(len(found), at)
            if other != at:
                told = (
                    f"{self._name(other)} and {self._name(at)} both read {value_text(found)} at "
                    f"key {self.key!r}, and both appended to it."
                )
                yield self._finding("lost-update", told, other, at)

    def seen(self) -> Iterator[int]:
        """Who must have committed, for somebody saw it."""
        return (self.writer[element] for element in self.longest if element in self.writer)

    def unread(self, happened: frozenset[int]) -> list[tuple[int, Any]]:
        """Who appended what nobody read; in which order, nobody knows."""
        shown = set(self.longest)
        found: list[tuple[int, Any]] = []
        for at in self.appenders:
            left = [e for e in self._of[at].appends[self.key] if e not in shown]
            if left and at in happened:
                found.append((at, left[0]))
        return found

    def edges(self, happened: frozenset[int], fresh: Iterator[int]) -> Iterator[Edge]:
        """Write after write, read of a write, and write after a read that missed it.

        `fresh` numbers nodes of `missed`.
        """
        known = [(self.writer[e], e) for e in self.longest if e in self.writer]
        for (one, x), (other, y) in pairwise(known):
            if one != other:
                yield Edge(one, other, WW, self.key, x, y, self._reader)
        unread = self.unread(happened)
        for at, element in unread:
            if known and known[-1][0] != at:
                yield Edge(known[-1][0], at, WW, self.key, known[-1][1], element, self._reader)
        following = self._following()
        ended = [at for at, found in self.reads if following[len(found)] is None]
        yield from self._of_reads(following)
        yield from missed(ended, unread, self.key, self._reader, fresh)

    def _following(self) -> list[tuple[int, Any] | None]:
        """For each length of a list who appended what to it next, of those who are known."""
        following: list[tuple[int, Any] | None] = [None] * (len(self.longest) + 1)
        for place in range(len(self.longest) - 1, -1, -1):
            writer = self.writer.get(self.longest[place])
            known = None if writer is None else (writer, self.longest[place])
            following[place] = known or following[place + 1]
        return following

    def _of_reads(self, following: list[tuple[int, Any] | None]) -> Iterator[Edge]:
        for at, found in self.reads:
            writer = self.writer.get(found[-1]) if found else None
            if writer is not None and writer != at:
                yield Edge(writer, at, WR, self.key, found[-1])
            after = following[len(found)]
            if after is not None and after[0] != at:
                yield Edge(at, after[0], RW, self.key, after[1], shown_by=self._reader)

    def _name(self, at: int) -> str:
        return name(self._of[at].operation)

    def _finding(self, anomaly: str, sentence: str, *of: int) -> Finding:
        witness = tuple(sorted({self._of[at].operation.invoked for at in of}))
        return Finding(anomaly, sentence, witness, {"key": self.key})
