"""A few operations drawn in characters: a lane for each process, time from left to right."""

from collections.abc import Sequence

from ..characters import printable
from ..checkers.monitors.prose import value_text
from ..checkers.operations import UNKNOWN, Operation

LABEL_MAX = 40

ASKING = frozenset({"read", "get", "peek", "poll", "dequeue", "pop"})
"""Of these, that they were answered nothing says something."""


def picture(operations: Sequence[Operation]) -> list[str]:
    """Lines in which one operation stands left of another iff it ended before that began.

    An operation that was never answered has no right end.
    """
    places = layout(operations)
    processes = list(dict.fromkeys(operation.process for operation in operations))
    names = [printable(f"process {process}") for process in processes]
    margin = max(map(len, names), default=0) + 2
    lines = []
    for process, name in zip(processes, names, strict=True):
        lane = name.ljust(margin)
        for operation in operations:
            if operation.process == process:
                start, end = places[operation.invoked]
                lane = lane.ljust(margin + start) + _bar(operation, end - start)
        lines.append(lane)
    return lines


def layout(operations: Sequence[Operation]) -> dict[int, tuple[int, int]]:
    """From which column to which each operation reaches, by the position of its invocation."""
    columns = _columns(operations)
    ends = [
        *columns.values(),
        *(columns[o.invoked] + _room(o) for o in operations if o.returned is None),
    ]
    edge = max(ends, default=0) + 2
    return {
        o.invoked: (columns[o.invoked], edge if o.returned is None else columns[o.returned])
        for o in operations
    }


def label(operation: Operation) -> str:
    """`write 3`, `read → 3`, `read → nothing`, `cas [1, 2] → ?`."""
    words = [printable(operation.f)]
    if operation.argument is not None:
        words.append(value_text(operation.argument))
    if operation.result is UNKNOWN:
        words.append("→ failed" if operation.failed else "→ ?")
    elif operation.result is None and operation.f in ASKING:
        words.append("→ nothing")
    elif operation.result is not None and operation.result != operation.argument:
        words.append(f"→ {value_text(operation.result)}")
    text = " ".join(words)
    return text if len(text) <= LABEL_MAX else f"{text[: LABEL_MAX - 1]}…"


def _bar(operation: Operation, width: int) -> str:
    right = "…" if operation.is_open else "┤"
    return "├ " + f"{label(operation)} ".ljust(width - 2, "─") + right


def _columns(operations: Sequence[Operation]) -> dict[int, int]:
    """Where each position is drawn: in order, and so far apart that what is said has room."""
    moments = [(operation.invoked, operation) for operation in operations]
    moments += [(o.returned, o) for o in operations if o.returned is not None]
    found: dict[int, int] = {}
    at = -2
    for position, operation in sorted(moments, key=lambda moment: moment[0]):
        at += 2
        if position == operation.returned:
            at = max(at, found[operation.invoked] + _room(operation))
        found[position] = at
    return found


def _room(operation: Operation) -> int:
    """From the left end of its bar to the right one."""
    return len(label(operation)) + 4
