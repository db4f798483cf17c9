"""The search by transition tables: the same as the plain one, in compiled loops."""

from bisect import bisect_left
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ...evidence import Budget
from ..operations import Operation
from ..specs.spec import Spec
from . import kernel
from .ahead import look_ahead
from .order import replayed
from .outcome import Outcome
from .problem import Problem, slots
from .spending import Spending
from .steps import ILLEGAL, Steps
from .tables import Tables

SLICE = 1 << 14
"""Configurations between two looks at the clock: some milliseconds."""

ROWS_AT_FIRST = 1 << 12

Words = npt.NDArray[np.uint64]
Numbers = npt.NDArray[np.int64]
Ranks = npt.NDArray[np.int32]


class CompiledSearch:
    """A depth-first search for one object whose tables are known, from any of some states."""

    def __init__(
        self,
        problem: Problem,
        steps: Steps,
        tables: Tables,
        spending: Spending,
        begin: Sequence[int] = (0,),
    ) -> None:
        self._problem = problem
        self._spending = spending
        self._layout = _Layout(problem, steps, tables)
        self._steps = steps
        self._stat = np.zeros(kernel.COUNTERS, dtype=np.int64)
        depth = len(problem.known) + len(problem.open) + 2
        words = self._layout.words
        self._path = kernel.Path(
            np.zeros(depth, dtype=np.int32),
            np.zeros(depth, dtype=np.int32),
            np.zeros(words, dtype=np.uint64),
        )
        self._memory = _memory(ROWS_AT_FIRST, words)
        self._begin = list(begin)
        self._found = kernel.REFUTED
        self._bytes = 0
        self._charge(sum(map(_size, (self._memory, self._path, self._layout.puzzle[:-1]))))

    def run(self, at_most: int | None = None) -> Outcome:
        """Search until an order is found, none is left, or the budget is spent.

        With `at_most`, it stops after so many configurations or some more, and may be run on.
        """
        stat = self._stat
        stop = None if at_most is None else int(stat[kernel.CONFIGURATIONS]) + at_most
        while True:
            before = int(stat[kernel.CONFIGURATIONS])
            is_over = self._advance()
            self._spending.configurations += int(stat[kernel.CONFIGURATIONS]) - before
            best = int(stat[kernel.BEST])
            if self._found == kernel.FOUND:
                return Outcome(best, order=self._order)
            if is_over:
                return Outcome(self.dead_end)
            limit = self._spending.limit() or self._make_room()
            if not limit and stop is not None and stat[kernel.CONFIGURATIONS] >= stop:
                limit = f"{at_most:,} configurations"
            if limit:
                return Outcome(best, limit)

    @property
    def dead_end(self) -> int:
        """The rank of the operation that is in the way of the attempts until now."""
        best, doom = int(self._stat[kernel.BEST]), int(self._stat[kernel.DOOM])
        return max(best, bisect_left(self._problem.returns, doom))

    def _advance(self) -> bool:
        """Search on for a slice; say whether that was the end."""
        puzzle, stat = self._layout.puzzle, self._stat
        if self._found == kernel.REFUTED:
            kernel.begin(puzzle, self._memory, self._path, stat, self._begin.pop())
        steps = min(SLICE, self._spending.left().configurations + 1)
        self._found = kernel.run(puzzle, self._memory, self._path, stat, steps)
        return bool(
            self._found == kernel.FOUND or (self._found == kernel.REFUTED and not self._begin)
        )

    def release(self) -> None:
        """Tell that the memory is wanted no more."""
        self._spending.memory_bytes -= self._bytes
        self._bytes = 0

    def _make_room(self) -> str | None:
        """Double the room for rows if it is full; or name the limit that forbids it."""
        old, count = self._memory, int(self._stat[kernel.ROWS])
        if count < len(old.rows):
            return None
        before = _size(old)
        # While rows are moved, both rooms are there.
        self._charge(2 * before)
        limit = self._spending.limit()
        if limit:
            return limit
        self._memory = _memory(2 * len(old.rows), self._layout.words)
        for name in ("rows", "parent", "via"):
            getattr(self._memory, name)[:count] = getattr(old, name)[:count]
        kernel.rehash(self._layout.puzzle, self._memory, count)
        self._charge(-before)
        return None

    def _charge(self, size: int) -> None:
        self._spending.memory_bytes += size
        self._bytes += size

    def _order(self) -> tuple[Operation, ...]:
        """The order in which the operations were placed."""
        at = int(self._stat[kernel.ROWS]) - 1
        moves = []
        while at >= 0:
            moves.append(int(self._memory.via[at]))
            at = int(self._memory.parent[at])
        # What led to the first row is nothing.
        named = self._layout.named(moves[-2::-1], self._problem)
        return replayed(self._problem, named, self._layout.is_read.tolist(), self._steps)


class _Layout:
    """Where in a row what is, and all that the kernel wants to know of the problem."""

    def __init__(self, problem: Problem, steps: Steps, tables: Tables) -> None:
        known = problem.known
        classes = np.array([steps.class_of(operation) for operation in known], dtype=np.int32)
        kinds = tables.kind_of[classes] if len(known) else classes
        invoked = np.array([operation.invoked for operation in known], dtype=np.int64)
        returned = np.array(problem.returns, dtype=np.int64)
        is_read = tables.is_read[kinds] if len(known) else np.zeros(0, dtype=np.bool_)
        doubtful = np.array([problem.is_doubtful(rank) for rank in range(len(known))], np.bool_)
        order = np.argsort(invoked, kind="stable")
        move_start, moves = _windows(invoked, order, returned, ~is_read)
        read_start, reads = _windows(invoked, order, returned, is_read)
        self.is_read = is_read
        slot = np.zeros(len(known), dtype=np.int64)
        counts = []
        for chosen in (~is_read, is_read):
            ranks = np.flatnonzero(chosen)
            given = slots(list(zip(invoked[ranks].tolist(), returned[ranks].tolist(), strict=True)))
            slot[ranks] = given
            counts.append(_words(max(given, default=-1) + 1))
        read_from = 1 + counts[0]
        open_from = read_from + counts[1]
        self.spare = self._classes_of_unknown_outcome(problem, steps, tables)
        lanes = Lanes([len(spare) for spare in self.spare.values()], open_from)
        self.words = lanes.end
        self.puzzle = kernel.Puzzle(
            after=tables.after,
            kind=kinds,
            doubtful=doubtful,
            invoked=invoked,
            returned=returned,
            word=(np.where(is_read, read_from, 1) + (slot >> 6)).astype(np.int32),
            bit=np.uint64(1) << (slot & 63).astype(np.uint64),
            previous=previous_of_kind(2 * kinds + doubtful),
            move_start=move_start,
            moves=moves,
            read_start=read_start,
            reads=reads,
            open_after=self._open_after(tables),
            open_start=np.cumsum([0, *map(len, self.spare.values())], dtype=np.int64),
            open_invoked=np.array(
                [problem.open[at].invoked for spare in self.spare.values() for at in spare],
                dtype=np.int64,
            ),
            lane_word=lanes.word,
            lane_shift=lanes.shift,
            lane_mask=lanes.mask,
            guards=lanes.guards,
            moved_from=1,
            read_from=read_from,
            open_from=open_from,
            ahead=look_ahead(
                tables.after, kinds, doubtful, invoked, returned, self._open_after(tables)
            ),
        )

    @staticmethod
    def _classes_of_unknown_outcome(
        problem: Problem, steps: Steps, tables: Tables
    ) -> dict[bytes, list[int]]:
        """Places in `problem.open` by what they do where they do anything; the idle left out."""
        own = np.arange(tables.after.shape[0], dtype=np.int32)
        found: dict[bytes, list[int]] = {}
        effects: dict[int, bytes] = {}
        for at, operation in enumerate(problem.open):
            kind = int(tables.kind_of[steps.class_of(operation)])
            if kind not in effects:
                column = tables.after[:, kind]
                effects[kind] = np.where(column == own, np.int32(ILLEGAL), column).tobytes()
            found.setdefault(effects[kind], []).append(at)
        found.pop(np.full(len(own), ILLEGAL, dtype=np.int32).tobytes(), None)
        return found

    def _open_after(self, tables: Tables) -> Ranks:
        columns = [np.frombuffer(column, dtype=np.int32) for column in self.spare]
        return np.array(columns, dtype=np.int32).reshape(len(columns), tables.after.shape[0])

    def named(self, moves: Sequence[int], problem: Problem) -> list[int]:
        """Numbers of operations as `replayed` wants them, for what the kernel performed."""
        total = len(problem.known)
        waiting = [iter(spare) for spare in self.spare.values()]
        return [via if via < total else total + next(waiting[via - total]) for via in moves]


class Lanes:
    """Counters of operations of unknown outcome, packed into words."""

    def __init__(self, counts: Sequence[int], first_word: int) -> None:
        self.word = np.zeros(len(counts), dtype=np.int32)
        self.shift = np.zeros(len(counts), dtype=np.uint64)
        self.mask = np.zeros(len(counts), dtype=np.uint64)
        guards = [0] * first_word
        room = 0
        for lane, count in enumerate(counts):
            width = count.bit_length()
            if room < width + 1:
                guards.append(0)
                room = 64
            self.word[lane] = len(guards) - 1
            self.shift[lane] = 64 - room
            self.mask[lane] = (1 << width) - 1
            guards[-1] |= 1 << (64 - room + width)
            room -= width + 1
        self.guards: Words = np.array(guards, dtype=np.uint64)
        self.end = len(guards)


def _size(arrays: Any) -> int:
    return sum(array.nbytes for array in arrays if isinstance(array, np.ndarray))


def _memory(rows: int, words: int) -> Any:
    return kernel.Memory(
        np.zeros((rows, words), dtype=np.uint64),
        np.zeros(rows, dtype=np.int32),
        np.zeros(rows, dtype=np.int32),
        np.zeros(rows, dtype=np.int32),
        np.zeros(2 * rows, dtype=np.int32),
    )


def _windows(
    invoked: Numbers, order: Numbers, returned: Numbers, wanted: Any
) -> tuple[Numbers, Ranks]:
    """The kernel's windows of the wanted operations, in room that is just enough."""
    start = np.zeros(len(returned) + 1, dtype=np.int64)
    current = np.zeros(len(returned) + 1, dtype=np.int32)
    kernel.windows(invoked, order, returned, wanted, start, np.zeros(0, np.int32), current)
    ranks = np.zeros(int(start[-1]), dtype=np.int32)
    if len(ranks):
        kernel.windows(invoked, order, returned, wanted, start, ranks, current)
    return start, ranks


def previous_of_kind(kinds: Ranks) -> Ranks:
    """For each operation the one of its kind that returned last before it, or -1."""
    order = np.argsort(kinds, kind="stable")
    found = np.full(len(kinds), -1, dtype=np.int32)
    same = kinds[order[1:]] == kinds[order[:-1]]
    found[order[1:][same]] = order[:-1][same]
    return found


def _words(bits: int) -> int:
    return (bits + 63) // 64


@cache
def load() -> None:
    """Have the kernels compiled, or loaded, by a search that needs nothing else."""
    tables = Tables(
        np.zeros((1, 1), dtype=np.int32), np.zeros(1, dtype=np.int32), np.zeros(1, dtype=np.bool_)
    )
    steps = Steps(_TICK, Spending(Budget()))
    once = Problem.of([Operation(0, "tick", None, None, None, 0, 1)], _TICK)
    CompiledSearch(once, steps, tables, Spending(Budget())).run()


_TICK = Spec(
    name="tick",
    about="Something that has no states.",
    operations=(),
    initial=lambda: 0,
    step=lambda state, f, argument, result: 0,
)
