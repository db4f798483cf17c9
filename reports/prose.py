"""Values of a history in a few words for people."""

from collections.abc import Sequence
from typing import Any

import msgspec

from ..harness.history import Call
from ..harness.op import Op, OpType
from ..harness.prose import plural
from ..harness.verdict import Validity

LIST_MAX = 5
CHARACTERS_MAX = 90

ICONS: dict[Validity | None, tuple[str, str]] = {
    Validity.PASS: ("✓", "Pass"),
    Validity.FAIL: ("✕", "Fail"),
    Validity.INCONCLUSIVE: ("?", "Inconclusive"),
    Validity.UNKNOWN: ("?", "Unknown"),
    Validity.HARNESS_ERROR: ("!", "Harness error"),
    None: ("…", "Not judged"),
}
"""Sign and word: a verdict is never told by its colour alone."""

_encode = msgspec.json.Encoder().encode


def shortened(text: str, limit: int = CHARACTERS_MAX) -> str:
    """The text, or its beginning with an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def value_text(value: Any) -> str:
    """Any JSON value; long lists by their ends and their length."""
    if isinstance(value, str):
        return shortened(value)
    if isinstance(value, list) and len(value) > LIST_MAX:
        return rows_text(value)
    return shortened(_encode(value).decode("utf-8", errors="replace"))


def rows_text(rows: Sequence[Any]) -> str:
    """`3, 9, 15` or `3, 9 … 33 (6)`."""
    if len(rows) > LIST_MAX:
        return shortened(f"{_item(rows[0])}, {_item(rows[1])} … {_item(rows[-1])} ({len(rows):,})")
    return shortened(", ".join(map(_item, rows)))


def call_text(call: Call) -> str:
    """What was asked and what came of it."""
    invoke, completion = call.invoke, call.completion
    asked = asked_text(invoke)
    if completion is None:
        return f"{asked} → no answer"
    if completion.type is not OpType.OK:
        return f"{asked} → {shortened(completion.error) if completion.error else completion.type}"
    return f"{asked} → {result_text(completion)}"


def asked_text(invoke: Op) -> str:
    """What an invocation asks for, in the words of its workload if it is known."""
    value = invoke.value
    if value is None:
        return ""
    if invoke.f == "append" and isinstance(value, list):
        return f"rows {rows_text(value)}" if len(value) != 1 else f"row {_item(value[0])}"
    if invoke.f == "read" and isinstance(value, list) and len(value) == 2:
        start, limit = value
        most = "to the end" if limit is None else f"at most {_item(limit)}"
        return f"from {_item(start)}, {most}"
    return value_text(value)


def result_text(completion: Op) -> str:
    """What a successful operation returned."""
    value = completion.value
    if completion.f in _TABLES and isinstance(value, list):
        return _TABLES[completion.f](value) or value_text(value)
    if completion.f == "append" and type(value) is int:
        return f"offset {value}"
    if completion.f == "read" and isinstance(value, list):
        return rows_text(value) if value else "no rows"
    return value_text(value)


def op_text(op: Op) -> str:
    """An op that stands alone: of the nemesis, the observer or the harness."""
    value = "" if op.value is None else value_text(op.value)
    return f"{value} {shortened(op.error)}".strip() if op.error else value


def seconds_text(time_us: int | None) -> str:
    """`12.345 s`, or a dash where the time is unknown."""
    return "–" if time_us is None else f"{time_us / 1e6:,.3f} s"


def duration_text(duration_us: int | None) -> str:
    """A length of time in the unit that suits it."""
    if duration_us is None:
        return "–"
    if duration_us >= 1_000_000:
        return f"{duration_us / 1e6:,.2f} s"
    return f"{duration_us / 1e3:,.1f} ms"


def _item(value: Any) -> str:
    return str(value) if type(value) is int else value_text(value)


def _tasks_text(rows: Sequence[Any]) -> str | None:
    """Tasks by their states; those that are done need no numbers."""
    states: dict[str, list[int]] = {}
    for row in rows:
        match row:
            case [int(task), _, _, _, _, _, str(state), *_]:
                states.setdefault(state, []).append(task)
            case _:
                return None
    told = [
        f"{len(tasks):,} {state}" + ("" if state == "FINISH" else f" ({rows_text(tasks)})")
        for state, tasks in states.items()
    ]
    return f"{plural(len(rows), 'task')}: {', '.join(told)}" if rows else "no tasks"


def _queue_text(rows: Sequence[Any]) -> str | None:
    """How long the queue is, and where it ends."""
    truncated, end = 0, ""
    for row in rows:
        match row:
            case [int(task), _, int(group), _, _, _, bool(is_truncated), *_]:
                truncated += is_truncated
                end = f"the last {task} in group {group}"
            case _:
                return None
    return f"{plural(len(rows), 'task')}, {truncated:,} truncated, {end}" if rows else "no tasks"


_TABLES = {"tasks": _tasks_text, "queue": _queue_text}
"""Status tables of replication: too long to be shown."""
