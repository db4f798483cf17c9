"""Invocations joined to what became of them, while a file is read."""

from collections.abc import Iterable
from sys import intern
from typing import Any

from ..checkers.operations import TRANSACTION, UNKNOWN, Operation, hashable
from ..op import HARNESS, INDEX_MAX, NEMESIS, OBSERVER, OpType
from .format import BadLine, Event, Recorded

NOT_CLIENTS = frozenset({NEMESIS, OBSERVER, HARNESS})


def joined(events: Iterable[Event]) -> Recorded:
    """The clients' operations in order of invocation; of those that failed transactions only.

    Positions are the file's own indices where it has them, and else count events from 0 on.
    Raises BadLine where events are not a history.
    """
    found: list[Operation | None] = []
    lines: list[int] = []
    open_ops: dict[int | str, tuple[int, int, Event]] = {}
    recorded = Recorded([], [])
    position = -1
    is_indexed: bool | None = None
    for event in events:
        if is_indexed is None:
            is_indexed = event.index is not None
        position = _next(event, position, is_indexed=is_indexed)
        process = event.process
        if process in NOT_CLIENTS:
            recorded.others += 1
            continue
        began = open_ops.pop(process, None)
        if event.type is OpType.INVOKE:
            if began is not None:
                raise BadLine(
                    event.line,
                    f"process {process} invokes {event.f} while its {began[2].f} of line "
                    f"{began[2].line} has not ended: one process does one thing at a time",
                )
            open_ops[process] = (len(found), position, event)
            found.append(None)
            lines.append(event.line)
            continue
        if began is None:
            raise BadLine(event.line, f"process {process} ends {event.f}, which it never invoked")
        place, invoked, invoke = began
        if invoke.f != event.f:
            raise BadLine(
                event.line,
                f"process {process} ends {event.f}, but on line {invoke.line} it invoked "
                f"{invoke.f}",
            )
        if event.type is OpType.FAIL:
            recorded.failed += 1
        if event.type is OpType.OK:
            found[place] = _operation(invoke, invoked, event, position)
        elif event.type is not OpType.FAIL or invoke.f == TRANSACTION:
            failed = event.type is OpType.FAIL
            found[place] = _operation(invoke, invoked, None, None, failed=failed)
    for place, invoked, invoke in open_ops.values():
        found[place] = _operation(invoke, invoked, None, None)
    for operation, line in zip(found, lines, strict=True):
        if operation is not None:
            recorded.operations.append(operation)
            recorded.lines.append(line)
    return recorded


def _next(event: Event, last: int, *, is_indexed: bool) -> int:
    """The event's position."""
    if (event.index is not None) is not is_indexed:
        raise BadLine(event.line, "some events have an index, others none")
    if event.index is None:
        return last + 1
    if event.index < 0:
        raise BadLine(event.line, f"index {event.index}: the first is 0 or more")
    if event.index <= last:
        raise BadLine(event.line, f"index {event.index} follows index {last}: they must increase")
    if event.index > INDEX_MAX:
        raise BadLine(event.line, f"index {event.index} is above {INDEX_MAX}, the highest there is")
    return event.index


def _operation(
    invoke: Event,
    invoked: int,
    completion: Event | None,
    returned: int | None,
    *,
    failed: bool = False,
) -> Operation:
    result: Any = UNKNOWN if completion is None else hashable(completion.value)
    node = (completion.node if completion is not None else None) or invoke.node
    # A file spells the few names there are out on each line: a million copies, kept, are 100 MiB.
    return Operation(
        invoke.process,
        intern(invoke.f),
        hashable(invoke.key),
        hashable(invoke.value),
        result,
        invoked,
        returned,
        invoke.time_ns,
        None if completion is None else completion.time_ns,
        None if node is None else intern(node),
        failed,
    )
