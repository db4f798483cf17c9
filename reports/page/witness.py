"""The operations that show a violation, the few around them, and what members were then."""

from collections.abc import Iterable, Iterator, Sequence
from math import inf
from typing import Any

import msgspec

from ...harness.history import Call, History
from ...harness.op import Op, OpType
from ...harness.verdict import Validity, Verdict
from ..prose import asked_text, op_text, result_text, shortened, value_text
from .faults import Act, faults
from .members import Span, at
from .nodelogs import Excerpt, NodeLog

WITNESSES_MAX = 5
CONTEXT_MAX = 12
MOMENTS_MAX = 4

NOT_OBSERVED = "not observed"

_SEVERE = (Validity.FAIL, Validity.HARNESS_ERROR)


class Row(msgspec.Struct, frozen=True):
    """One operation of the table. `number` counts the witnesses; times are microseconds.

    `relation` says why an operation that is no witness is there.
    """

    index: int
    end_index: int | None
    start: int
    end: int | None
    process: str
    f: str
    key: str
    asked: str
    result: str
    outcome: str
    node: str
    relation: str
    number: int | None = None


class Moment(msgspec.Struct, frozen=True):
    """What every member was at the time of one witness; faults in force by their numbers."""

    number: int
    time: int
    members: tuple[tuple[str, str], ...]
    faults: tuple[int, ...]


class Witness(msgspec.Struct, frozen=True):
    """One violation and all that is known about its moments. Several checkers may share it."""

    checkers: tuple[str, ...]
    validity: Validity
    sentence: str
    promises: tuple[str, ...]
    rows: tuple[Row, ...]
    moments: tuple[Moment, ...]
    logs: tuple[Excerpt, ...]

    @property
    def numbered(self) -> list[Row]:
        """The witnesses themselves."""
        return [row for row in self.rows if row.number is not None]


class Findings(msgspec.Struct, frozen=True):
    """Where the surroundings of a witness are looked up."""

    history: History
    members: tuple[str, ...]
    acts: tuple[Act, ...]
    spans: tuple[Span, ...]
    logs: tuple[NodeLog, ...]


def witnesses(verdicts: Iterable[Verdict], findings: Findings) -> tuple[Witness, ...]:
    """One for each violation, the most severe first; verdicts with equal witnesses share one."""
    severe = [v for v in verdicts if v.validity in _SEVERE]
    shared: dict[object, list[Verdict]] = {}
    for verdict in sorted(severe, key=lambda v: -v.validity.severity):
        shared.setdefault(verdict.witness or verdict.checker, []).append(verdict)
    return tuple(_witness(group, findings) for group in list(shared.values())[:WITNESSES_MAX])


def _witness(group: Sequence[Verdict], findings: Findings) -> Witness:
    shown = _pointed_at(group[0].witness, findings.history)
    calls = [found for found in shown if isinstance(found, Call)]
    context = dict(list(_context(calls, findings.history).items())[:CONTEXT_MAX])
    numbered = [_row(found, "witness", number) for number, found in enumerate(shown, start=1)]
    around = [_row(call, relation, None) for call, relation in _resolved(context, calls)]
    rows = tuple(sorted((*numbered, *around), key=lambda row: row.index))
    times = [time for row in numbered for time in (row.start, row.end) if time is not None]
    return Witness(
        checkers=tuple(verdict.checker for verdict in group),
        validity=group[0].validity,
        sentence=group[0].sentence,
        promises=tuple(dict.fromkeys(p for verdict in group for p in verdict.promises)),
        rows=rows,
        moments=tuple(_moment(row, findings) for row in numbered[:MOMENTS_MAX]),
        logs=tuple(log.around(times) for log in findings.logs) if times else (),
    )


def _pointed_at(indices: Sequence[int], history: History) -> list[Call | Op]:
    """The calls (by either of their ops) and lone ops with these indices, in order of time."""
    wanted = set(indices)
    found: list[Call | Op] = [
        call
        for call in history.calls()
        if call.invoke.index in wanted
        or (call.completion is not None and call.completion.index in wanted)
    ]
    found += [op for op in history.ops if op.index in wanted and not op.is_client]
    return sorted(found, key=lambda item: _first(item).index)


def _first(item: Call | Op) -> Op:
    return item.invoke if isinstance(item, Call) else item


Context = dict[int, tuple[Call, str]]
"""Calls by the index of their invocation, each with why it is shown."""


def _context(witness: Sequence[Call], history: History) -> Context:
    """The few calls that help to understand these: on the same rows, then near in time."""
    keys = {value_text(call.invoke.key) for call in witness}
    others = [c for c in history.calls() if value_text(c.invoke.key) in keys]
    found: Context = {}
    for relation, other in _writers(witness, others):
        found.setdefault(other.invoke.index, (other, relation))
    for call in witness:
        for relation, other in (*_same_rows(call, witness, others), *_near(call, others)):
            found.setdefault(other.invoke.index, (other, relation))
    return found


def _resolved(context: Context, witness: Sequence[Call]) -> Iterator[tuple[Call, str]]:
    own = {call.invoke.index for call in witness}
    return (found for index, found in context.items() if index not in own)


def _near(call: Call, others: Sequence[Call]) -> Iterator[tuple[str, Call]]:
    """The last call that ended before this one, some at the same time, and the next one."""
    began, ended = call.invoke.index, _ended(call)
    before = [c for c in others if c.completion is not None and c.completion.index < began]
    if before:
        yield "before", max(before, key=_ended)
    overlapping = [
        c
        for c in others
        if c.invoke.index < ended and began < _ended(c) and c.invoke.index != began
    ]
    yield from (("at the same time", c) for c in overlapping[-2:])
    after = next((c for c in others if c.invoke.index > ended), None)
    if after is not None:
        yield "after", after


def _ended(call: Call) -> float:
    """The index of its end; a call that never returned has none."""
    return inf if call.completion is None else call.completion.index


def _same_rows(
    call: Call, witness: Sequence[Call], others: Sequence[Call]
) -> Iterator[tuple[str, Call]]:
    """Of an acknowledged append: who still saw its first row, who missed it, who took its place."""
    placed = _placed(call)
    if placed is None:
        return
    offset, rows = placed
    later = [other for other in others if other.invoke.index > _ended(call)]
    sights = [(other, row) for other in later if (row := _row_at(other, offset)) is not _UNTOLD]
    seeing = [other for other, row in sights if row == rows[0]]
    missing = [other for other, row in sights if row != rows[0] and other not in witness]
    if seeing:
        yield "last to see it", max(seeing, key=_ended)
    if missing:
        yield "first to miss it", min(missing, key=_ended)
    instead = {row for _, row in sights if row != rows[0] and type(row) is int}
    for other in others:
        if other is not call and (_covers(other, offset) or _carries(other, instead)):
            yield "same offset", other


def _writers(witness: Sequence[Call], others: Sequence[Call]) -> Iterator[tuple[str, Call]]:
    """Who wrote the rows that one read of the witness returned and another one did not."""
    for short in witness:
        placed = _read(short)
        if placed is None:
            continue
        end = placed[0] + len(placed[1])
        for row in {r for w in witness if type(r := _row_at(w, end)) is int}:
            yield from ((f"wrote row {row}", c) for c in others if _carries(c, {row}))


_UNTOLD = object()


def _row_at(call: Call, offset: int) -> Any:
    """What a read returned at the offset: a row, None behind the log's end, or nothing told."""
    placed = _read(call)
    if placed is None or offset < placed[0]:
        return _UNTOLD
    start, rows = placed
    if offset - start < len(rows):
        return rows[offset - start]
    limit = call.invoke.value[1]
    is_full = limit is not None and len(rows) >= limit
    return _UNTOLD if is_full else None


def _read(call: Call) -> tuple[int, list[Any]] | None:
    """From which offset on a read that succeeded returned which rows."""
    asked, completion = call.invoke.value, call.completion
    if call.invoke.f != "read" or completion is None or completion.type is not OpType.OK:
        return None
    if not isinstance(asked, list) or len(asked) != 2 or not isinstance(completion.value, list):
        return None
    start, limit = asked
    if type(start) is not int or not (limit is None or type(limit) is int):
        return None
    return start, completion.value


def _placed(call: Call) -> tuple[int, list[Any]] | None:
    """Where an acknowledged append put which rows."""
    completion, rows = call.completion, call.invoke.value
    if call.invoke.f != "append" or completion is None or call.outcome is not OpType.OK:
        return None
    if type(completion.value) is not int or not isinstance(rows, list) or not rows:
        return None
    return completion.value, rows


def _covers(append: Call, offset: int) -> bool:
    """Whether it was told that one of its rows is at the offset."""
    placed = _placed(append)
    return placed is not None and placed[0] <= offset < placed[0] + len(placed[1])


def _carries(call: Call, rows: set[int]) -> bool:
    """Whether it is an append of one of these rows."""
    value = call.invoke.value
    if not rows or call.invoke.f != "append" or not isinstance(value, list):
        return False
    return any(type(row) is int and row in rows for row in value)


def _row(found: Call | Op, relation: str, number: int | None) -> Row:
    first = _first(found)
    last = found.completion if isinstance(found, Call) else found
    is_call = isinstance(found, Call)
    return Row(
        index=first.index,
        end_index=last.index if last is not None and is_call else None,
        start=first.time_ns // 1000,
        end=None if last is None else last.time_ns // 1000,
        process=str(first.process),
        f=first.f,
        key="" if first.key is None else value_text(first.key),
        asked=asked_text(first) if is_call else "",
        result=_result(found),
        outcome=str(found.outcome) if isinstance(found, Call) else str(first.type),
        node=(last or first).node or "",
        relation=relation,
        number=number,
    )


def _result(found: Call | Op) -> str:
    if isinstance(found, Op):
        return op_text(found)
    if found.completion is None:
        return "no answer"
    if found.completion.type is OpType.OK:
        return result_text(found.completion)
    return shortened(found.completion.error or "", 160)


def _moment(row: Row, findings: Findings) -> Moment:
    time = row.start if row.end is None else row.end
    assert row.number is not None
    return Moment(
        number=row.number,
        time=time,
        members=tuple((m, _state(at(findings.spans, m, time))) for m in findings.members),
        faults=tuple(
            act.number
            for act in faults(findings.acts)
            if act.number is not None and act.is_in_force(time)
        ),
    )


def _state(span: Span | None) -> str:
    if span is None:
        return NOT_OBSERVED
    term = "" if span.term is None else f", term {span.term}"
    follows = f" of {span.leader}" if span.role == "follower" and span.leader else ""
    return f"{span.role}{follows}{term}"
