"""Logs with offsets: appends answer where, polls read a slice.

1. Answers fill one table of elements by offset, which nobody may contradict (`log_table.py`).
2. The append at offset k stands at 2k + 1. A poll that was given less than it asked for has seen
   the end of the log: at offset n it stands at 2n. A full one stands at 2n or above; one that found
   nothing at or below twice the offset where it began. These bounds are swept.
3. Appends whose offset nobody told have an interval of places, by what precedes and follows them.
   Each hole below a known offset must hold one of them, and each that was acknowledged must have a
   place; those never answered may have one. Holes are matched to intervals in order, to the one
   that ends first (earliest deadline first: exact, as each place holds one).

Ambiguous: an element that was appended twice.
"""

import heapq
from collections.abc import Iterable, Sequence
from itertools import chain, repeat

import numpy as np

from ..operations import Ambiguous, Judgement, Operation
from .columns import Columns, Ints, columns
from .conclusion import Wrong, conclude
from .jobs import Job, jobs
from .log_prose import future_read
from .log_table import TWICE, Table, is_offset, polls_of, source, tables
from .prose import operation_text, value_text
from .sweep import UNBOUNDED, Items, sweep

__all__ = ["ANOMALIES", "is_offset", "judge"]

ANOMALIES = {
    "phantom": "An element was read that nobody had appended, or whose append certainly failed.",
    "duplicate": "An element that was appended once stands at two offsets.",
    "two-at-one-offset": "Two answers tell of two elements at one offset.",
    "impossible-offset": "An offset was told that so few appends cannot have reached.",
    "overlong": "A poll was given more than it had asked for.",
    "lost": "An element was acknowledged, a later poll did not find it, and nobody ever saw it.",
    "stale-read": "A poll found the log shorter than it was known to be before the poll began.",
    "future-read": "An element was read before its append began.",
    "reordered": "An element stands at an offset that the log had passed before its append began.",
    "gap": "Below a known offset one is not accounted for, by no append that can have been there.",
    "unplaced": "An acknowledged append, whose offset was not told, can have none.",
}
COUNTING = frozenset({"gap", "unplaced", "impossible-offset"})
"""Anomalies that say that something is missing: no few operations alone show them."""


def judge(operations: Sequence[Operation]) -> Judgement | Ambiguous:
    """Decide whether all logs, one a key, are linearizable."""
    c = columns(operations)
    return judge_in(c, c)


def judge_followers(operations: Sequence[Operation]) -> Judgement | Ambiguous:
    """Decide whether all logs are sequentially consistent: only a process's own order counts."""
    c = columns(operations)
    return judge_in(c, columns(operations, ((o.key, o.process) for o in operations)))


def judge_in(c: Columns, order: Columns) -> Judgement | Ambiguous:
    """Judge the logs of `c`; one precedes another only where both have one key in `order`."""
    found = tables(c)
    wrong = [table.fault for table in found if table.fault is not None]
    ambiguous = {key: TWICE for key, table in zip(c.keys, found, strict=True) if table.is_ambiguous}
    broken = {w.key for w in wrong} | set(ambiguous)
    known, floating = _placed([table for table in found if table.is_sound])
    for first, second in sweep(order, known):
        key = c.keys[c.key[second]]
        if key not in broken:
            broken.add(key)
            wrong.append(_disorder(c, found[c.key[second]], first, second))
    waiting = jobs(c, order, known, floating)
    for which, table in enumerate(found):
        if c.keys[which] not in broken:
            fault = _matched(c, order, table, waiting.get(which, []))
            wrong += [] if fault is None else [fault]
    return conclude(c.operations, wrong, ambiguous, keys=len(c.keys))


def _placed(sound: Sequence[Table]) -> tuple[Items, Ints]:
    """The operations whose places are bounded by what is known, and the appends that float."""
    appends = _joined(table.appends.values() for table in sound)
    offsets = _joined(map(table.offsets.get, table.appends, repeat(-1)) for table in sound)
    is_known = offsets >= 0
    places = 2 * offsets[is_known] + 1
    known = Items(
        np.concatenate((appends[is_known], _joined(table.polls for table in sound))),
        np.concatenate((places, _joined(table.least for table in sound))),
        np.concatenate((places, _joined(table.most for table in sound))),
    )
    return known, appends[~is_known]


def _joined(parts: Iterable[Iterable[int]]) -> Ints:
    return np.fromiter(chain.from_iterable(parts), np.int64)


def _matched(c: Columns, order: Columns, table: Table, mine: list[Job]) -> Wrong | None:
    """Put one append into each hole, and those that were acknowledged at the latest in time."""
    waiting = sorted(mine, key=lambda job: job.lo, reverse=True)
    ready: list[Job] = []
    for offset in table.holes:
        place = 2 * offset + 1
        while waiting and waiting[-1].lo <= place:
            heapq.heappush(ready, waiting.pop())
        if not ready:
            return _gap(c, table, offset)
        job = heapq.heappop(ready)
        if job.hi < place:
            return _unplaced(order, table, job)
    left = sorted(job for job in ready + waiting if job.hi < UNBOUNDED)
    for offset, job in enumerate(left, start=len(table.rows)):
        if job.hi < 2 * offset + 1:
            return _unplaced(order, table, job)
    return None


def _gap(c: Columns, table: Table, offset: int) -> Wrong:
    after = next(o for o in range(offset + 1, len(table.rows)) if table.rows[o] in table.offsets)
    shown = source(c, table, after)
    sentence = (
        f"Nothing accounts for offset {offset:,}, below {value_text(table.rows[after])} at offset "
        f"{after:,}, of which {operation_text(shown)} tells: no append that was not answered, or "
        f"not told its offset, can have been there."
    )
    return Wrong(shown.key, "gap", sentence, (shown,))


def _unplaced(order: Columns, table: Table, job: Job) -> Wrong:
    append = order.operations[job.at]
    places = np.array([*table.polls, *table.appends.values()], np.int64)
    offsets = map(table.offsets.get, table.appends)
    bounds = (UNBOUNDED if offset is None else 2 * offset + 1 for offset in offsets)
    highest = np.array([*table.most, *bounds], np.int64)
    is_after = (order.key[places] == order.key[job.at]) & (order.inv[places] > order.ret[job.at])
    limit = order.operations[int(places[is_after & (highest == job.hi)][0])]
    sentence = (
        f"{operation_text(append)} was acknowledged, but there is no place for it in the log that "
        f"{operation_text(limit)} found."
    )
    return Wrong(append.key, "unplaced", sentence, (append, limit))


def _disorder(c: Columns, table: Table, first: int, second: int) -> Wrong:
    """Two operations of which the later found the log, or made it, shorter than the earlier."""
    earlier, later = c.operations[first], c.operations[second]
    if later.f == "append":
        return _late_append(c, table, earlier, later)
    end = later.argument[0] + len(later.result)
    if earlier.f == "append":
        offset = table.offsets[earlier.argument]
        seen = next(polls_of(c, table, offset), None)
        kind = "lost" if seen is None else "stale-read"
        ever = ", and nobody ever did" if seen is None else ""
        sentence = (
            f"{operation_text(later)} found nothing from offset {end:,} on{ever}, although "
            f"{operation_text(earlier)} had been acknowledged at offset {offset:,} before it began."
        )
        shown = (earlier, later, *_told(c, table, earlier))
        return Wrong(later.key, kind, sentence, shown)
    length = earlier.argument[0] + len(earlier.result)
    sentence = (
        f"{operation_text(later)} found nothing from offset {end:,} on, although before it began "
        f"{operation_text(earlier)} had found the log {length:,} long."
    )
    return Wrong(later.key, "stale-read", sentence, (earlier, later))


def _late_append(c: Columns, table: Table, earlier: Operation, append: Operation) -> Wrong:
    offset = table.offsets[append.argument]
    shown = (earlier, append, *_told(c, table, earlier), *_told(c, table, append))
    if earlier.f != "append":
        start = earlier.argument[0]
        if start <= offset < start + len(earlier.result):
            return future_read(earlier, append)
        reached = f"found the log {start + len(earlier.result):,} long"
    else:
        reached = f"been put at offset {table.offsets[earlier.argument]:,}"
    sentence = (
        f"{value_text(append.argument)} stands at offset {offset:,}, but before "
        f"{operation_text(append)} began, {operation_text(earlier)} had {reached}."
    )
    return Wrong(append.key, "reordered", sentence, tuple(dict.fromkeys(shown)))


def _told(c: Columns, table: Table, operation: Operation) -> list[Operation]:
    """Who told the offset of an append that was not told itself."""
    if operation.f != "append" or is_offset(operation.result):
        return []
    return [source(c, table, table.offsets[operation.argument])]
