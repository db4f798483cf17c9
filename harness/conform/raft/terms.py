"""A log of terms as the model reads it, kept as runs: a million entries cost what a few do."""

from collections.abc import Iterable, Iterator, Sequence
from typing import cast, overload

from ....model.raft_types import Log

SHOWN_MAX = 12
"""Entries of a log that are shown one by one."""


class Terms(Sequence[int]):
    """Immutable, equal to any sequence of the same terms; terms never fall along it.

    Every operation but iteration takes a time that grows with the number of terms, not of entries.
    """

    # Invariant: _ends ascends strictly, the last one is _size; _values ascends strictly.
    __slots__ = ("_ends", "_size", "_values")

    def __init__(self, terms: Iterable[int] = ()) -> None:
        ends: list[int] = []
        values: list[int] = []
        for at, term in enumerate(terms, start=1):
            if values and values[-1] == term:
                ends[-1] = at
            else:
                values.append(term)
                ends.append(at)
        self._ends = tuple(ends)
        self._values = tuple(values)
        self._size = ends[-1] if ends else 0

    @classmethod
    def of_runs(cls, runs: Iterable[tuple[int, int]]) -> "Terms":
        """From terms, ascending, each with the index of its last entry."""
        ends = tuple(end for _, end in runs)
        return cls._of(ends, tuple(term for term, _ in runs))

    @property
    def runs(self) -> tuple[tuple[int, int], ...]:
        """As `of_runs` takes them."""
        return tuple(zip(self._values, self._ends, strict=True))

    @classmethod
    def _of(cls, ends: tuple[int, ...], values: tuple[int, ...]) -> "Terms":
        made = cls.__new__(cls)
        made._ends = ends
        made._values = values
        made._size = ends[-1] if ends else 0
        return made

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, at: int) -> int: ...
    @overload
    def __getitem__(self, at: slice) -> "Terms": ...
    def __getitem__(self, at: int | slice) -> "int | Terms":
        if at == -1 and self._values:
            return self._values[-1]
        if isinstance(at, slice):
            start, stop, step = at.indices(self._size)
            assert step == 1
            return self._slice(start, stop)
        size = self._size
        if at < 0:
            at += size
        if not 0 <= at < size:
            raise IndexError(at)
        if len(self._ends) == 1 or at >= self._ends[-2]:
            return self._values[-1]
        return next(v for v, end in zip(self._values, self._ends, strict=True) if at < end)

    def _slice(self, start: int, stop: int) -> "Terms":
        if stop <= start:
            return _EMPTY
        if start == 0 and stop == self._size:
            return self
        if len(self._ends) == 1 or start >= self._ends[-2]:
            return self._of((stop - start,), self._values[-1:])
        ends: list[int] = []
        values: list[int] = []
        for value, end in zip(self._values, self._ends, strict=True):
            if end <= start:
                continue
            values.append(value)
            ends.append(min(end, stop) - start)
            if end >= stop:
                break
        return self._of(tuple(ends), tuple(values))

    def __add__(self, other: Sequence[int]) -> "Terms":
        more = other if isinstance(other, Terms) else Terms(other)
        if not more._ends:
            return self
        if not self._ends:
            return more
        size = self._size
        shifted = tuple([end + size for end in more._ends])
        if self._values[-1] == more._values[0]:
            return self._of(self._ends[:-1] + shifted, self._values + more._values[1:])
        return self._of(self._ends + shifted, self._values + more._values)

    def __radd__(self, other: Sequence[int]) -> "Terms":
        return Terms(other) + self

    def __iter__(self) -> Iterator[int]:
        before = 0
        for value, end in zip(self._values, self._ends, strict=True):
            for _ in range(end - before):
                yield value
            before = end

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Terms):
            return self._ends == other._ends and self._values == other._values
        if isinstance(other, tuple | list):
            return len(self) == len(other) and self == Terms(other)
        return NotImplemented

    def __hash__(self) -> int:
        return hash((self._ends, self._values))

    def __str__(self) -> str:
        if len(self) <= SHOWN_MAX:
            return f"[{', '.join(map(str, self))}]"
        return f"[{', '.join(_runs(self._values, self._ends))}]"

    def __repr__(self) -> str:
        return f"Terms({', '.join(_runs(self._values, self._ends))})"


def _runs(values: Sequence[int], ends: Sequence[int]) -> Iterator[str]:
    before = 0
    for value, end in zip(values, ends, strict=True):
        yield f"{value}x{end - before}"
        before = end


_EMPTY = Terms()


def log_of_runs(runs: Sequence[tuple[int, int]]) -> Log:
    """A log from terms, ascending, each with the index of its last entry."""
    return cast(Log, Terms.of_runs(runs))


def runs_of(log: Log) -> tuple[tuple[int, int], ...]:
    """The other way round."""
    return (log if isinstance(log, Terms) else Terms(log)).runs


def log_of(terms: Iterable[int]) -> Log:
    """A log as the model takes it: it asks of a tuple nothing but what `Terms` can do."""
    return cast(Log, terms if isinstance(terms, Terms) else Terms(terms))
