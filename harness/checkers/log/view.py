"""A history as operations on append-only logs, one view per table."""

import re
import sys
from typing import Any

import msgspec

from ...history import Call, History
from ...op import Op, OpType
from ...prose import plural
from ...verdict import Validity, Verdict

FOREVER = sys.maxsize
"""The return of an operation of which nobody knows whether or when it took effect."""

PURGED = "OffsetPurged"
"""How the refusal begins of a read from a row on that is kept no more."""

_KEPT = re.compile(r"keeps rows from offset (\d+) on")
"""Where it says which rows are."""

MALFORMED_SHOWN_MAX = 10


class Append(msgspec.Struct, frozen=True, gc=False):
    """One batch: `offset` is the acknowledged one, None unless it was acknowledged.

    `inv` and `ret` are op indices; they are the only order that checkers use.
    """

    call: Call
    rows: list[int]
    offset: int | None
    inv: int
    ret: int


class Read(msgspec.Struct, frozen=True, gc=False):
    """One answered read: `rows` from offset `start` on, at most `limit` (None: to the end)."""

    call: Call
    start: int
    limit: int | None
    rows: list[int]
    inv: int
    ret: int

    @property
    def end(self) -> int:
        """The offset behind the last row returned; where reading began if there was none."""
        return self.start + len(self.rows)

    @property
    def is_full_page(self) -> bool:
        """As many rows as were asked for: nothing is known about what follows."""
        return self.limit is not None and len(self.rows) >= self.limit


class Purged(msgspec.Struct, frozen=True):
    """A read that was refused, as the row at `start` is kept no more, and when that was told.

    No row before `kept` is. Of those from there to before `stop` nobody knows; None: of all.
    """

    call: Call
    start: int
    stop: int | None
    kept: int
    inv: int
    time_ns: int


class LogView(msgspec.Struct, frozen=True):
    """All that clients learned about one table, in order of invocation.

    `appends` are those that happened or may have, `acknowledged` those of them that did; `failed`
    certainly did not. Reads that were not answered say nothing and are left out, but for those
    that were refused because rows are `purged`. `owner` tells which append a row came from.
    """

    key: Any
    appends: list[Append]
    acknowledged: list[Append]
    failed: list[Append]
    reads: list[Read]
    owner: dict[int, Append]
    purged: list[Purged] = []


class Logs(msgspec.Struct, frozen=True):
    """Every table of a history; `malformed` says what no client of a log could have recorded."""

    views: tuple[LogView, ...]
    malformed: tuple[str, ...]


def logs(history: History) -> Logs:
    """Return the appends and reads of a history, table by table; other functions are ignored."""
    return history.derived(_logs)


def malformed(name: str, found: Logs) -> Verdict:
    """The verdict on a history that no client of a log could have recorded."""
    first = found.malformed[0]
    more = len(found.malformed) - 1
    others = f" ({plural(more, 'more problem')} of this kind)" if more else ""
    return Verdict(
        checker=name,
        validity=Validity.UNKNOWN,
        sentence=f"The history cannot be judged: {first}{others}.",
        details={"malformed": list(found.malformed[:MALFORMED_SHOWN_MAX])},
    )


def counts(found: Logs) -> dict[str, Any]:
    """How much there was to judge."""
    return {
        "tables": len(found.views),
        "acknowledged": sum(len(view.acknowledged) for view in found.views),
        "indeterminate": sum(len(v.appends) - len(v.acknowledged) for v in found.views),
        "failed": sum(len(view.failed) for view in found.views),
        "reads": sum(len(view.reads) for view in found.views),
    }


def _logs(history: History) -> Logs:
    views: dict[Any, LogView] = {}
    malformed: list[str] = []
    for call in history.calls():
        invoke = call.invoke
        if invoke.f not in ("append", "read"):
            continue
        if not isinstance(invoke.key, str | int | None):
            malformed.append(f"op {invoke.index} ({invoke.f}): the key must be a table's name")
            continue
        view = views.get(invoke.key)
        if view is None:
            view = views[invoke.key] = LogView(invoke.key, [], [], [], [], {})
        problem = _add_append(view, call) if invoke.f == "append" else _add_read(view, call)
        if problem:
            malformed.append(f"op {invoke.index} ({invoke.f}): {problem}")
    return Logs(tuple(views.values()), tuple(malformed))


def append_of(call: Call) -> Append | str:
    """The append of a call, or what no client of a log could have recorded about it."""
    rows = call.invoke.value
    completion = call.completion
    if not isinstance(rows, list) or not rows or set(map(type, rows)) != {int}:
        return "the value must be a list of at least one row id"
    offset = None
    ret = FOREVER
    if completion is not None and completion.type is OpType.OK:
        offset = completion.value
        ret = completion.index
        if type(offset) is not int or offset < 0:
            return "an acknowledged append must carry the offset of its first row"
    return Append(call, rows, offset, call.invoke.index, ret)


def read_of(call: Call) -> Read | str | None:
    """The read of a call, nothing if it was not answered, or what nobody could have recorded."""
    completion = call.completion
    asked = call.invoke.value
    if not isinstance(asked, list) or len(asked) != 2:
        return "the value must be [from, max]"
    start, limit = asked
    if type(start) is not int or start < 0:
        return "a read must start at an offset of 0 or more"
    if limit is not None and (type(limit) is not int or limit < 0):
        return "a read's max must be null or a number of rows"
    if completion is None or completion.type is not OpType.OK:
        return None
    if not isinstance(completion.value, list) or not set(map(type, completion.value)) <= {int}:
        return "an answered read must carry a list of row ids"
    return Read(call, start, limit, completion.value, call.invoke.index, completion.index)


def _add_append(view: LogView, call: Call) -> str | None:
    append = append_of(call)
    if isinstance(append, str):
        return append
    known = len(view.owner)
    view.owner.update(dict.fromkeys(append.rows, append))
    (view.failed if call.outcome is OpType.FAIL else view.appends).append(append)
    if append.offset is not None:
        view.acknowledged.append(append)
    if len(view.owner) != known + len(append.rows):
        return "each row id may be appended once only in a run"
    return None


def _add_read(view: LogView, call: Call) -> str | None:
    read = read_of(call)
    if isinstance(read, str):
        return read
    if read is not None:
        view.reads.append(read)
        return None
    completion = call.completion
    if completion is not None and (completion.error or "").startswith(PURGED):
        view.purged.append(_purged(call, completion))
    return None


def _purged(call: Call, refusal: Op) -> Purged:
    start, limit = call.invoke.value
    said = _KEPT.search(refusal.error or "")
    if said:
        kept = stop = max(start + 1, int(said[1]))
    else:
        kept, stop = start + 1, None if limit is None else start + limit
    return Purged(call, start, stop, kept, call.invoke.index, refusal.time_ns)
