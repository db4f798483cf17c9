"""How far each slave lags behind its master, and which side was switched on when."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from ...harness.history import Call, History
from ...harness.language.sides import MASTER
from ...harness.op import OpType

ENABLED, DISABLED, STOPPED = "ENABLED", "DISABLED", "STOPPED"
UNKNOWN = "unknown"
"""Nobody has asked yet, or an operator does not know what came of his order."""

SILENT = "no answer"
"""A slave none of whose nodes answered who asked for its state."""

SILENCE_US = 1_000_000
"""Shorter silences are those of a node that died while another one answers."""

LATE_US = 500_000
"""An answer that takes as long is a sign of silence, too."""

_SWITCHES = {"start": ENABLED, "stop": DISABLED}


class Stretch(msgspec.Struct, frozen=True):
    """A side's state for some time, in microseconds."""

    side: str
    state: str
    start: int
    end: int


class Lag(msgspec.Struct, frozen=True):
    """One slave's lag in tasks whenever it told how many it has finished; times in microseconds."""

    side: str
    times: tuple[int, ...]
    tasks: tuple[int, ...]
    finished: tuple[int, ...]


class Replication(msgspec.Struct, frozen=True):
    """What a run with slaves shows of its replication; `sides` are named master first."""

    sides: tuple[str, ...]
    enqueued: int
    lags: tuple[Lag, ...]
    stretches: tuple[Stretch, ...]

    def of(self, side: str) -> list[Stretch]:
        """A side's states in order."""
        return [stretch for stretch in self.stretches if stretch.side == side]


class _Told(msgspec.Struct, frozen=True):
    """A state of which somebody learned: it held at some time between `asked` and `answered`."""

    asked: int
    answered: int
    state: str


def replication(history: History, sides: Sequence[str], end: int) -> Replication | None:
    """The whole of it; None where the run has no slaves, or nobody looked at any."""
    slaves = [side for side in sides if side != MASTER]
    if MASTER not in sides or not slaves:
        return None
    calls = history.calls()
    enqueued = _enqueued(calls)
    lags = tuple(lag for side in slaves if (lag := _lag(calls, side, enqueued)).times)
    if not lags:
        return None
    ordered = (MASTER, *slaves)
    stretches = (stretch for side in ordered for stretch in _stretches(calls, side, end))
    return Replication(ordered, len(enqueued), lags, tuple(stretches))


def _enqueued(calls: Sequence[Call]) -> list[int]:
    """When each task was in the master's queue for certain, in order of task ids.

    Looks at the queue say which transaction has which task; the client that was told that its
    transaction is done mostly knew it earlier than they did. Ids have no gaps and grow with time,
    so a task is there at the latest when the one behind it is.
    """
    done: dict[int, int] = {}
    for call in calls:
        value, answered = _answer(call)
        if isinstance(value, dict) and type(value.get("tid")) is int:
            done[value["tid"]] = answered
    seen: dict[int, int] = {}
    for call in calls:
        value, answered = _answer(call)
        if call.invoke.f == "queue" and isinstance(value, list):
            for task, tid in _tasks(value):
                known = min(answered, done.get(tid, answered))
                seen[task] = min(known, seen.get(task, known))
    last = max(seen, default=0)
    earliest = seen.get(last, 0)
    times: list[int] = []
    for task in range(last, 0, -1):
        earliest = min(earliest, seen.get(task, earliest))
        times.append(earliest)
    return times[::-1]


def _lag(calls: Iterable[Call], side: str, enqueued: Sequence[int]) -> Lag:
    """What was enqueued when the slave answered, but for what it said it had finished."""
    points: list[tuple[int, int]] = []
    for call in calls:
        value, answered = _answer(call)
        if call.invoke.f == "metrics" and call.invoke.key == side and isinstance(value, dict):
            count = value.get("finished")
            if type(count) is int:
                points.append((answered, count))
    points.sort()
    # A slave may have finished what its writer has not been told yet.
    lags = [max(0, bisect_right(enqueued, time_us) - count) for time_us, count in points]
    return Lag(side, tuple(t for t, _ in points), tuple(lags), tuple(n for _, n in points))


def _stretches(calls: Sequence[Call], side: str, end: int) -> Iterator[Stretch]:
    """States from when they were learned, and the times in which a slave did not answer.

    The master begins switched on, for nothing else would make it a master, and shows its state to
    nobody: it is known from what its operators were told.
    """
    missed = [] if side == MASTER else _missed(calls, side)
    state, since, heard = ENABLED if side == MASTER else UNKNOWN, 0, 0
    last = _Told(end, end, "")
    for told in (*_told(calls, side), last):
        if told.answered - heard >= SILENCE_US and _between(missed, heard, told.answered):
            yield from _lasting(side, state, since, heard)
            state, since = SILENT, heard
        heard = told.answered
        # What was asked before the last change may be an answer of the time before it.
        is_old = told.asked < since and state != SILENT
        if told.state != state and not is_old:
            yield from _lasting(side, state, since, told.answered)
            state, since = told.state, told.answered


def _lasting(side: str, state: str, start: int, end: int) -> Iterator[Stretch]:
    if end > start:
        yield Stretch(side, state, start, end)


def _told(calls: Iterable[Call], side: str) -> list[_Told]:
    """All that was learned of a side's state, in the order of answers."""
    found: list[_Told] = []
    for call in calls:
        if call.invoke.key != side:
            continue
        value, answered = _answer(call)
        switched = _SWITCHES.get(call.invoke.f)
        if switched is not None and call.outcome is not OpType.FAIL:
            is_done = call.outcome is OpType.OK
            found.append(_Told(answered, answered, switched if is_done else UNKNOWN))
        elif call.invoke.f == "metrics" and isinstance(value, dict):
            state = value.get("status")
            known = state if state in (ENABLED, DISABLED, STOPPED) else UNKNOWN
            found.append(_Told(call.invoke.time_ns // 1000, answered, known))
    return sorted(found, key=lambda told: told.answered)


def _missed(calls: Iterable[Call], side: str) -> list[int]:
    """When looks and orders ended that a slave answered late or not at all, in order."""
    found: list[int] = []
    for call in calls:
        if call.invoke.f in ("metrics", *_SWITCHES) and call.invoke.key == side:
            answered = _answer(call)[1]
            is_late = answered - call.invoke.time_ns // 1000 >= LATE_US
            if is_late or call.outcome is not OpType.OK:
                found.append(answered)
    return sorted(found)


def _between(times: Sequence[int], start: int, end: int) -> bool:
    return bisect_right(times, end) > bisect_right(times, start)


def _answer(call: Call) -> tuple[Any, int]:
    """What a successful call returned, else None; and when it was over, in microseconds."""
    op = call.completion or call.invoke
    return op.value if call.outcome is OpType.OK else None, op.time_ns // 1000


def _tasks(rows: Iterable[Any]) -> Iterator[tuple[int, int]]:
    """The task and transaction of each row of a look at the queue that has both."""
    for row in rows:
        match row:
            case [int(task), int(tid), *_] if task > 0:
                yield task, tid
