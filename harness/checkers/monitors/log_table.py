"""Which element stands at which offset, from what appends and polls answered."""

from collections.abc import Iterator
from typing import Any

import msgspec

from ..operations import UNKNOWN, Operation
from .columns import Columns
from .conclusion import Wrong
from .prose import answer_text, operation_text, value_text

TWICE = "an element was appended twice: which of its appends stands where, nobody can tell"


class Hole:
    """The type of HOLE."""

    def __repr__(self) -> str:
        return "HOLE"


HOLE = Hole()
"""An offset below others of which nobody told what stands there."""


class Table(msgspec.Struct):
    """What is known of the log of one key. `appends` and `polls` are places in the columns."""

    appends: dict[Any, int]
    polls: list[int]
    rows: list[Any]
    offsets: dict[Any, int]
    fault: Wrong | None = None
    is_ambiguous: bool = False

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
    found = [Table({}, [], [], {}) for _ in c.keys]
    for at, (operation, key) in enumerate(zip(c.operations, c.key.tolist(), strict=True)):
        table = found[key]
        if operation.f == "append":
            if table.appends.setdefault(operation.argument, at) != at:
                table.is_ambiguous = True
        elif operation.result is not UNKNOWN:
            table.polls.append(at)
    for table in found:
        if not table.is_ambiguous:
            table.fault = _filled(c, table)
    return found


def _filled(c: Columns, table: Table) -> Wrong | None:
    """Fill the table; what contradicts it, or itself, is the answer."""
    operations = c.operations
    polls = [operations[at] for at in table.polls]
    told = [
        operation
        for at in table.appends.values()
        if is_offset((operation := operations[at]).result)
    ]
    end, is_overlong = 0, False
    for poll in polls:
        start, most = poll.argument
        count = len(poll.result)
        if count and start + count > end:
            end = start + count
        if most is not None and count > most:
            is_overlong = True
    offsets = [operation.result for operation in told]
    if is_overlong:
        return _overlong(polls)
    end = max(end, max(offsets, default=-1) + 1)
    if end > len(table.appends) or min(offsets, default=0) < 0:
        return _impossible(told, polls, len(table.appends))
    rows = table.rows
    rows += [HOLE] * end
    for operation in told:
        if rows[operation.result] is not HOLE:
            return _contradiction(c, table, operation, operation.result, operation.argument)
        rows[operation.result] = operation.argument
    for poll in polls:
        start, page = poll.argument[0], poll.result
        if tuple(rows[start : start + len(page)]) == page:
            continue
        for offset, element in enumerate(page, start=start):
            if rows[offset] is HOLE:
                rows[offset] = element
            elif rows[offset] != element:
                return _contradiction(c, table, poll, offset, element)
    table.offsets = {element: offset for offset, element in enumerate(rows)}
    known = len(table.offsets)
    table.offsets.pop(HOLE, None)
    if table.offsets.keys() - table.appends.keys():
        return _phantom(c, table)
    if known < len(rows) and len(table.offsets) + rows.count(HOLE) < len(rows):
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


def _overlong(polls: list[Operation]) -> Wrong | None:
    for poll in polls:
        most = poll.argument[1]
        if most is not None and len(poll.result) > most:
            sentence = (
                f"{operation_text(poll)} asked for {most:,} elements at most and was given "
                f"{len(poll.result):,}."
            )
            return Wrong(poll.key, "overlong", sentence, (poll,))
    return None


def _impossible(told: list[Operation], polls: list[Operation], count: int) -> Wrong | None:
    """Offsets that no log of so few appends has; they would also be a table of any size."""
    for append in told:
        if not 0 <= append.result < count:
            sentence = (
                f"{answer_text(append)}, but there were only {count:,} appends that can have "
                f"happened."
            )
            return Wrong(append.key, "impossible-offset", sentence, (append,))
    for poll in polls:
        end = poll.argument[0] + len(poll.result)
        if poll.result and end > count:
            sentence = (
                f"{operation_text(poll)} found an element at offset {end - 1:,}, but there were "
                f"only {count:,} appends that can have happened."
            )
            return Wrong(poll.key, "impossible-offset", sentence, (poll,))
    return None


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
