"""Which element stands at which offset, from what appends and polls answered."""

from array import array
from collections.abc import Iterator, MutableSequence
from functools import partial
from typing import Any

import msgspec

from ..operations import UNKNOWN, Operation
from .columns import Columns
from .conclusion import Wrong
from .prose import answer_text, operation_text, value_text
from .sweep import UNBOUNDED

TWICE = "an element was appended twice: which of its appends stands where, nobody can tell"


class Hole:
    """The type of HOLE."""

    def __repr__(self) -> str:
        return "HOLE"


HOLE = Hole()
"""An offset below others of which nobody told what stands there."""


_ints = partial(array, "q")


class Table(msgspec.Struct):
    """What is known of the log of one key. `appends` and `polls` are places in the columns.

    `told` are the offsets that appends answered, and `put` what stands there; `least` and `most`
    are twice the lengths of the log that each poll can have found.
    """

    appends: dict[Any, int] = {}
    told: list[int] = []
    put: list[Any] = []
    polls: MutableSequence[int] = msgspec.field(default_factory=_ints)
    least: MutableSequence[int] = msgspec.field(default_factory=_ints)
    most: MutableSequence[int] = msgspec.field(default_factory=_ints)
    rows: list[Any] = []
    offsets: dict[Any, int] = {}
    fault: Wrong | None = None
    is_ambiguous: bool = False

    @property
    def is_sound(self) -> bool:
        return self.fault is None and not self.is_ambiguous

    @property
    def holes(self) -> list[int]:
        if len(self.offsets) == len(self.rows):
            return []
        return [offset for offset, element in enumerate(self.rows) if element is HOLE]


def is_offset(result: Any) -> bool:
    """Whether an append answered an offset; anything else says nothing."""
    return isinstance(result, int) and not isinstance(result, bool)


def tables(c: Columns) -> list[Table]:
    """The table of each key, or the first thing that is wrong with it."""
    found = [Table() for _ in c.keys]
    for at, (operation, key) in enumerate(zip(c.operations, c.key.tolist(), strict=True)):
        table = found[key]
        result = operation.result
        if operation.f == "append":
            element = operation.argument
            if table.appends.setdefault(element, at) != at:
                table.is_ambiguous = True
            if is_offset(result):
                table.told.append(result)
                table.put.append(element)
        elif result is not UNKNOWN:
            table.polls.append(at)
    for table in found:
        if not table.is_ambiguous:
            table.fault = _told(c, table) or _polled(c, table) or _filled(c, table)
    return found


def _told(c: Columns, table: Table) -> Wrong | None:
    """Enter what appends were told."""
    if not table.told:
        return None
    end = max(table.told) + 1
    if min(table.told) < 0 or end > len(table.appends):
        return _impossible_append(c, table)
    rows = table.rows = [HOLE] * end
    for offset, element in zip(table.told, table.put, strict=True):
        if rows[offset] is not HOLE:
            append = c.operations[table.appends[element]]
            return _contradiction(c, table, append, offset, element)
        rows[offset] = element
    return None


def _polled(c: Columns, table: Table) -> Wrong | None:
    """Enter what polls were given, and how long it shows the log to have been."""
    operations = c.operations
    rows, least, most = table.rows, table.least, table.most
    longest = len(table.appends)
    for at in table.polls:
        poll = operations[at]
        start, asked = poll.argument
        page = poll.result
        end = start + len(page)
        if asked is not None and len(page) > asked:
            return _overlong(poll)
        if page and end > longest:
            return _impossible_poll(poll, longest)
        low, high = seen(start, asked, len(page), longest)
        least.append(low)
        most.append(high)
        if page and end > len(rows):
            rows += [HOLE] * (end - len(rows))
        if tuple(rows[start:end]) == page:
            continue
        for offset, element in enumerate(page, start=start):
            if rows[offset] is HOLE:
                rows[offset] = element
            elif rows[offset] != element:
                return _contradiction(c, table, poll, offset, element)
    return None


def seen(start: int, asked: int | None, count: int, longest: int) -> tuple[int, int]:
    """Twice the least and the greatest length of the log that a poll can have found.

    Nothing from beyond the `longest` that it can have been says nothing.
    """
    end = 2 * (start + count)
    if not count:
        return 0, UNBOUNDED if asked == 0 or start >= longest else end
    return end, UNBOUNDED if count == asked else end


def _filled(c: Columns, table: Table) -> Wrong | None:
    """Find the place of each element, of which each was appended once."""
    rows = table.rows
    offsets = table.offsets = {element: offset for offset, element in enumerate(rows)}
    known = len(offsets)
    offsets.pop(HOLE, None)
    if not offsets.keys() <= table.appends.keys():
        return _phantom(c, table)
    if known < len(rows) and len(offsets) + rows.count(HOLE) < len(rows):
        return _duplicate(c, table)
    return None


def source(c: Columns, table: Table, offset: int) -> Operation:
    """The first operation that told what stands at an offset: its append, if that was answered."""
    return next(_sources(c, table, offset))


def _sources(c: Columns, table: Table, offset: int) -> Iterator[Operation]:
    for at in table.appends.values():
        operation = c.operations[at]
        if is_offset(operation.result) and operation.result == offset:
            yield operation
    yield from polls_of(c, table, offset)


def polls_of(c: Columns, table: Table, offset: int) -> Iterator[Operation]:
    """The polls that found something at an offset."""
    for at in table.polls:
        poll = c.operations[at]
        if poll.argument[0] <= offset < poll.argument[0] + len(poll.result):
            yield poll


def _overlong(poll: Operation) -> Wrong:
    sentence = (
        f"{operation_text(poll)} asked for {poll.argument[1]:,} elements at most and was given "
        f"{len(poll.result):,}."
    )
    return Wrong(poll.key, "overlong", sentence, (poll,))


def _impossible_append(c: Columns, table: Table) -> Wrong:
    """An offset that no log of so few appends has; it would also be a table of any size."""
    count = len(table.appends)
    told = zip(table.told, table.put, strict=True)
    element = next(element for offset, element in told if not 0 <= offset < count)
    append = c.operations[table.appends[element]]
    sentence = (
        f"{answer_text(append)}, but there were only {count:,} appends that can have happened."
    )
    return Wrong(append.key, "impossible-offset", sentence, (append,))


def _impossible_poll(poll: Operation, count: int) -> Wrong:
    end = poll.argument[0] + len(poll.result)
    sentence = (
        f"{operation_text(poll)} found an element at offset {end - 1:,}, but there were "
        f"only {count:,} appends that can have happened."
    )
    return Wrong(poll.key, "impossible-offset", sentence, (poll,))


def _contradiction(
    c: Columns, table: Table, operation: Operation, offset: int, element: Any
) -> Wrong:
    other = next(
        o for o in _sources(c, table, offset) if o is not operation and _tells(o, offset) != element
    )
    sentence = (
        f"{operation_text(operation)} tells that {value_text(element)} stands at offset "
        f"{offset:,}, {operation_text(other)} that {value_text(_tells(other, offset))} does."
    )
    return Wrong(operation.key, "two-at-one-offset", sentence, (operation, other))


def _tells(operation: Operation, offset: int) -> Any:
    if operation.f == "append":
        return operation.argument
    return operation.result[offset - operation.argument[0]]


def _phantom(c: Columns, table: Table) -> Wrong:
    offset = next(o for o, e in enumerate(table.rows) if e is not HOLE and e not in table.appends)
    poll = source(c, table, offset)
    sentence = (
        f"{operation_text(poll)} returned {value_text(table.rows[offset])} at offset {offset:,}, "
        f"which nobody appended, or whose append certainly failed."
    )
    return Wrong(poll.key, "phantom", sentence, (poll,))


def _duplicate(c: Columns, table: Table) -> Wrong:
    rows, offsets = table.rows, table.offsets
    one = next(o for o, e in enumerate(rows) if e is not HOLE and offsets[e] != o)
    other = offsets[rows[one]]
    shown = [source(c, table, one), source(c, table, other)]
    sentence = (
        f"{value_text(rows[one])} was appended once, but stands at offset {one:,}, as "
        f"{operation_text(shown[0])} tells, and at offset {other:,}, as {operation_text(shown[1])} "
        f"does."
    )
    return Wrong(shown[0].key, "duplicate", sentence, tuple(dict.fromkeys(shown)))
