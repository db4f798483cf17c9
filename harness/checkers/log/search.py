"""Bounded search for a linearization, after Wing, Gong and Lowe: the second opinion.

It performs operations on the sequential specification one by one, in an order that real time
allows, and goes back where an answer differs. What it finds is a certificate: an order in which
every answer is right. What makes it fast, and why nothing is missed:

* An enabled read is performed at once: it changes nothing, so waiting can only hurt.
* A read that the log has outgrown is enabled never again: the branch is given up.
* An append whose offset a client learned can stand there only, and nothing else can.
* Appends of open outcome that nobody saw are tried only where something must come before the next
  known offset; they differ in size only, so that of each size one is tried.
* It ends as soon as all operations are placed whose outcome is known.

A configuration is what the log holds and what was placed. Reads are placed as soon as they can be,
so the lowest operation not placed, the log's fingerprint and the set of unseen appends used decide
all the rest; that triple is what the memo remembers.
"""

from bisect import bisect_right
from collections.abc import Sequence

import msgspec

from ....model.specs import Log
from ...evidence import Budget
from ..search.spending import Spending
from .view import FOREVER, Append, LogView, Read

MEMO_BYTES = 250
"""What a remembered configuration costs beyond its bitmap: tuple, integers, a slot of the set."""

UNSEEN = -(1 << 62)
"""Stands for each row of an append that no client ever saw: no answer depends on which it was."""


class Found(msgspec.Struct, frozen=True):
    """`order` is a linearization; without one, `limit` names the bound that was hit, if any.

    Some order explains all that returned before op index `verified`, and `stuck` is the first
    operation to return of those that the best attempt could not place.
    """

    order: list[Append | Read] | None
    limit: str | None
    verified: int
    stuck: Append | Read | None
    configurations: int


class Frame(msgspec.Struct, gc=False):
    """A configuration that has something left to try, and how to come back to it."""

    untried: list[Append]
    placed: int
    low: int
    opened: int
    waiting: tuple[Read, ...]
    used: int


class Search:
    """A depth-first search for one log.

    Operations of known outcome are ranked by return; `low` is the lowest rank not yet placed, and
    real time allows whatever was invoked before that one returned.

    Invariant: `waiting` are the opened reads not placed, and the log is too short for each.
    """

    def __init__(self, view: LogView, spending: Spending) -> None:
        self._spending = spending
        offsets = _known_offsets(view)
        operations: list[Append | Read] = sorted([*view.appends, *view.reads], key=_invocation)
        self._operations = operations
        self._ranked = sorted((op for op in operations if op.ret != FOREVER), key=_return)
        self._rank = {op.inv: rank for rank, op in enumerate(self._ranked)}
        self._pinned: dict[int, list[Append]] = {}
        for append in view.appends:
            if append.inv in offsets:
                self._pinned.setdefault(offsets[append.inv], []).append(append)
        self._pinned_offsets = sorted(self._pinned)
        unseen = [append for append in view.appends if append.inv not in offsets]
        self._bit = {append.inv: 1 << at for at, append in enumerate(unseen)}
        self._unseen_of_size: dict[int, list[Append]] = {}
        for append in unseen:
            self._unseen_of_size.setdefault(len(append.rows), []).append(append)
        self._log = Log()
        self._path: list[Append | Read] = []
        self._is_placed = bytearray(len(self._ranked) + 1)
        self._low = 0
        self._opened = 0
        self._waiting: list[Read] = []
        self._used = 0

    def run(self) -> Found:
        """Search until an order is found, none is left, or the budget is spent."""
        best = 0
        stack: list[Frame] = []
        memo: set[tuple[int, int, int]] = set()
        alive = self._settle()
        while True:
            best = max(best, self._low)
            if self._low == len(self._ranked):
                return self._found(best, order=list(self._path))
            limit = self._spending.hit()
            if limit:
                return self._found(best, limit=limit)
            untried = self._candidates() if alive else []
            # Without an alternative on the stack no configuration can be met a second time.
            if untried and stack and self._is_known(memo):
                untried = []
            if untried:
                chosen = untried.pop()
                if untried:
                    stack.append(self._frame(untried))
            elif stack:
                self._return_to(stack[-1])
                chosen = stack[-1].untried.pop()
                if not stack[-1].untried:
                    stack.pop()
            else:
                return self._found(best)
            alive = self._perform(chosen)

    def _candidates(self) -> list[Append]:
        """The appends that may come next, the most promising last."""
        length = len(self._log)
        pinned = self._pinned.get(length)
        horizon = self._horizon()
        if pinned is not None:
            return [append for append in pinned if append.inv < horizon]
        following = bisect_right(self._pinned_offsets, length)
        if following == len(self._pinned_offsets):
            return []
        room = self._pinned_offsets[following] - length
        fitting = sorted(size for size in self._unseen_of_size if size <= room)
        firsts = [self._first_unused(size) for size in fitting]
        return [append for append in firsts if append is not None and append.inv < horizon]

    def _first_unused(self, size: int) -> Append | None:
        """Of the unseen appends of a size the earliest: it may come wherever a later one may."""
        for append in self._unseen_of_size[size]:
            if not self._used & self._bit[append.inv]:
                return append
        return None

    def _perform(self, append: Append) -> bool:
        """Append and settle; False where some read can never be placed any more."""
        bit = self._bit.get(append.inv, 0)
        self._log.append([UNSEEN] * len(append.rows) if bit else append.rows)
        self._used |= bit
        self._path.append(append)
        rank = self._rank.get(append.inv)
        if rank is not None:
            self._is_placed[rank] = 1
        waiting, self._waiting = self._waiting, []
        return all(self._meet(read) for read in waiting) and self._settle()

    def _settle(self) -> bool:
        """Place every read that real time and the log allow; False as in `_perform`."""
        operations = self._operations
        while True:
            while self._is_placed[self._low]:
                self._low += 1
            horizon = self._horizon()
            first = self._opened
            while self._opened < len(operations) and operations[self._opened].inv < horizon:
                operation = operations[self._opened]
                self._opened += 1
                if isinstance(operation, Read) and not self._meet(operation):
                    return False
            if self._opened == first:
                return True

    def _meet(self, read: Read) -> bool:
        """Place a read, or let it wait for the log to grow; False if that cannot help it."""
        if read.rows and len(self._log) < read.end:
            self._waiting.append(read)
            return True
        if self._log.read(read.start, read.limit) != read.rows:
            return False
        self._is_placed[self._rank[read.inv]] = 1
        self._path.append(read)
        return True

    def _horizon(self) -> int:
        """Whatever was invoked before this index may come next."""
        return self._ranked[self._low].ret if self._low < len(self._ranked) else FOREVER

    def _is_known(self, memo: set[tuple[int, int, int]]) -> bool:
        """Whether the configuration was met before; it is remembered now."""
        configuration = (self._low, self._log.fingerprint, self._used)
        if configuration in memo:
            return True
        memo.add(configuration)
        self._spending.memory_bytes += MEMO_BYTES + (self._used.bit_length() >> 3)
        return False

    def _frame(self, untried: list[Append]) -> Frame:
        waiting = tuple(self._waiting)
        return Frame(untried, len(self._path), self._low, self._opened, waiting, self._used)

    def _return_to(self, frame: Frame) -> None:
        """Take back whatever was placed since the frame's configuration."""
        while len(self._path) > frame.placed:
            operation = self._path.pop()
            rank = self._rank.get(operation.inv)
            if rank is not None:
                self._is_placed[rank] = 0
            if isinstance(operation, Append):
                self._log.undo()
        self._low = frame.low
        self._opened = frame.opened
        self._waiting = list(frame.waiting)
        self._used = frame.used

    def _found(
        self, best: int, *, order: list[Append | Read] | None = None, limit: str | None = None
    ) -> Found:
        stuck = self._ranked[best] if best < len(self._ranked) else None
        verified = FOREVER if stuck is None else stuck.ret
        return Found(order, limit, verified, stuck, self._spending.configurations)


def search(views: Sequence[LogView], budget: Budget) -> list[Found]:
    """Search each log in turn, all with one budget."""
    spending = Spending(budget)
    return [Search(view, spending).run() for view in views]


def _known_offsets(view: LogView) -> dict[int, int]:
    """Where appends stand by what clients were told or saw, by the index of their invocation.

    Where answers contradict one another, any one will do: no order satisfies the others then.
    """
    offsets = {a.inv: a.offset for a in view.appends if a.offset is not None}
    open_rows = {row: a for a in view.appends if a.offset is None for row in a.rows}
    for read in view.reads if open_rows else ():
        if open_rows.keys().isdisjoint(read.rows):
            continue
        for at, row in enumerate(read.rows, start=read.start):
            append = open_rows.get(row)
            if append is not None:
                offsets[append.inv] = at - append.rows.index(row)
                for sibling in append.rows:
                    del open_rows[sibling]
    return offsets


def _invocation(operation: Append | Read) -> int:
    return operation.inv


def _return(operation: Append | Read) -> int:
    return operation.ret
