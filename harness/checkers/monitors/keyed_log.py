"""Logs of rows with keys, of which the first of each key wins.

The longest read tells which row of each key won, and where it stands: at 2i, as in a log
(`log.py`). The others of its key come behind it: anywhere from 2i + 1 on. A key that was
acknowledged and that nobody ever saw has all its rows behind all reads, one of them first: of those
that may have won the one that began first, for if any can be first it can. A row that was told to
be new must have won, one that was told to be left out must not.

Ambiguous: the same row of the same key appended twice and seen.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from ..operations import UNKNOWN, Ambiguous, Judgement, Operation
from .columns import Columns, columns
from .conclusion import Wrong, conclude
from .log_prose import diverged, future_read, phantom, shrunk
from .prose import operation_text, value_text
from .sweep import UNBOUNDED, Items, items, sweep

ANOMALIES = {
    "phantom": "A row was read that nobody had appended, or whose append certainly failed.",
    "duplicate": "A read shows two rows of one key.",
    "diverged": "Of two reads neither is a prefix of the other.",
    "two-winners": "Two rows of one key were both told to be new.",
    "usurped": "A row was told to be new, and another of its key was seen.",
    "kept-anyway": "A row was told to be left out, and it was seen.",
    "no-winner": "A row was told to be left out, and no other of its key can have been first.",
    "lost": "A row was acknowledged, a later read did not find its key, and nobody ever saw it.",
    "stale-read": "A read did not find a key that had been acknowledged or read before it began.",
    "future-read": "A row was read before its append began.",
    "reordered": "A row stands behind one whose append began after its own had returned.",
    "late-winner": "A row won, although another of its key had returned before its append began.",
}
COUNTING = frozenset({"no-winner"})
TWICE = "a row of a key was appended twice and seen: which of its appends won, nobody can tell"


class Keyed(msgspec.Struct):
    """What is known of one log; numbers are places in the columns."""

    appends: dict[Any, list[int]]
    reads: list[int]
    longest: Operation | None = None
    places: dict[Any, int] = {}
    winners: dict[Any, int] = {}


def judge(operations: Sequence[Operation]) -> Judgement | Ambiguous:
    """Decide whether all logs, one a key of the history, are linearizable."""
    c = columns(operations)
    logs = [Keyed({}, []) for _ in c.keys]
    for at, (operation, key) in enumerate(zip(operations, c.key.tolist(), strict=True)):
        if operation.f == "append":
            logs[key].appends.setdefault(operation.argument[0], []).append(at)
        elif operation.result is not UNKNOWN:
            logs[key].reads.append(at)
    wrong: dict[int, Wrong] = {}
    ambiguous: dict[Any, str] = {}
    for key, log in enumerate(logs):
        if _repeated(c, log):
            ambiguous[c.keys[key]] = TWICE
        else:
            fault = _read(c, log) or _told(c, log)
            if fault is not None:
                wrong[key] = fault
    sound = [key for key in range(len(logs)) if key not in wrong and c.keys[key] not in ambiguous]
    for first, second in sweep(c, _placed(c, logs, sound)):
        key = int(c.key[second])
        wrong[key] = _disorder(c, logs[key], first, second)
    return conclude(operations, list(wrong.values()), ambiguous, keys=len(c.keys))


def _repeated(c: Columns, log: Keyed) -> bool:
    """Whether a row was appended twice and seen."""
    seen = {row for at in log.reads for row in c.operations[at].result}
    for places in log.appends.values():
        rows = Counter(c.operations[at].argument for at in places)
        if any(count > 1 and row in seen for row, count in rows.items()):
            return True
    return False


def _read(c: Columns, log: Keyed) -> Wrong | None:
    """What the reads show of the log, or why they do not agree on one."""
    rows = {c.operations[at].argument: at for mine in log.appends.values() for at in mine}
    reads = [c.operations[at] for at in log.reads]
    if not reads:
        return None
    log.longest = longest = max(reads, key=lambda read: len(read.result))
    for read in reads:
        if not rows.keys() >= set(read.result):
            return phantom(read, next(row for row in read.result if row not in rows))
        if longest.result[: len(read.result)] != read.result:
            return diverged(read, longest, "row")
    log.places = {row[0]: place for place, row in enumerate(longest.result, start=1)}
    log.winners = {row[0]: rows[row] for row in longest.result}
    if len(log.places) < len(longest.result):
        return _duplicate(longest)
    return None


def _told(c: Columns, log: Keyed) -> Wrong | None:
    """Whether what appends were told agrees with which row of each key won."""
    for name, mine in log.appends.items():
        new = [at for at in mine if c.operations[at].result is True]
        if len(new) > 1:
            one, other = c.operations[new[0]], c.operations[new[1]]
            sentence = (
                f"{operation_text(one)} and {operation_text(other)} were both told to be new."
            )
            return Wrong(one.key, "two-winners", sentence, (one, other))
        winner = log.winners.get(name)
        fault = _unseen(c, mine, new) if winner is None else _seen(c, log, winner, new)
        if fault is not None:
            return fault
    return None


def _seen(c: Columns, log: Keyed, winner: int, new: list[int]) -> Wrong | None:
    assert log.longest is not None
    if new and new[0] != winner:
        append = c.operations[new[0]]
        sentence = (
            f"{operation_text(append)} was told to be new, but {operation_text(log.longest)} shows "
            f"{value_text(c.operations[winner].argument)}."
        )
        return Wrong(append.key, "usurped", sentence, (append, log.longest))
    if c.operations[winner].result is False:
        append = c.operations[winner]
        sentence = (
            f"{operation_text(append)} was told to be left out, but {operation_text(log.longest)} "
            "shows it."
        )
        return Wrong(append.key, "kept-anyway", sentence, (append, log.longest))
    return None


def _unseen(c: Columns, mine: list[int], new: list[int]) -> Wrong | None:
    """Of rows that nobody saw one must be able to be the first."""
    answered = [at for at in mine if c.operations[at].returned is not None]
    if not answered:
        return None
    earliest = min(answered, key=lambda at: int(c.ret[at]))
    before = c.operations[earliest]
    if new:
        winner = c.operations[new[0]]
        if c.ret[earliest] < c.inv[new[0]]:
            sentence = (
                f"{operation_text(winner)} was told to be new, but {operation_text(before)} had "
                "been acknowledged before it began."
            )
            return Wrong(winner.key, "late-winner", sentence, (before, winner))
        return None
    may_win = [at for at in mine if c.operations[at].result is not False]
    if any(c.inv[at] <= c.ret[earliest] for at in may_win):
        return None
    sentence = (
        f"{operation_text(before)} was told to be left out, but no other row of its key can have "
        "been there."
    )
    return Wrong(before.key, "no-winner", sentence, (before,))


def _placed(c: Columns, logs: Sequence[Keyed], sound: list[int]) -> Items:
    """The bounds of all operations but those of open outcome that did not win."""
    at: list[int] = []
    lo: list[int] = []
    hi: list[int] = []
    for log in (logs[key] for key in sound):
        for name, mine in log.appends.items():
            place = log.places.get(name)
            winner = log.winners.get(name)
            for append in mine:
                if append != winner and c.operations[append].returned is None:
                    continue
                low = 2 * len(log.places) + 2 if place is None else 2 * place
                at.append(append)
                lo.append(low + (place is not None and append != winner))
                hi.append(low if append == winner else UNBOUNDED)
        for read in log.reads:
            place = 2 * len(c.operations[read].result) + 1
            at.append(read)
            lo.append(place)
            hi.append(place)
    return items(at, lo, hi)


def _duplicate(read: Operation) -> Wrong:
    name, _ = Counter(row[0] for row in read.result).most_common(1)[0]
    rows = [row for row in read.result if row[0] == name]
    sentence = (
        f"{operation_text(read)} returned {value_text(rows[0])} and {value_text(rows[1])}, two "
        "rows of one key."
    )
    return Wrong(read.key, "duplicate", sentence, (read,))


def _disorder(c: Columns, log: Keyed, first: int, second: int) -> Wrong:
    """Two operations of which the later stands before the earlier."""
    earlier, later = c.operations[first], c.operations[second]
    if later.f != "append":
        if earlier.f != "append":
            return shrunk(earlier, later, "row")
        kind = "stale-read" if earlier.argument[0] in log.places else "lost"
        ever = "" if kind == "stale-read" else ", and nobody ever did"
        sentence = (
            f"{operation_text(later)} found no row of key {value_text(earlier.argument[0])}{ever}, "
            f"although {operation_text(earlier)} had been acknowledged before it began."
        )
        return Wrong(later.key, kind, sentence, (earlier, later))
    if earlier.f != "append":
        return future_read(earlier, later)
    assert log.longest is not None
    shown = (earlier, later, log.longest)
    if earlier.argument[0] == later.argument[0]:
        sentence = (
            f"{operation_text(log.longest)} shows {value_text(later.argument)}, although "
            f"{operation_text(earlier)} had been acknowledged before {operation_text(later)} began."
        )
        return Wrong(later.key, "late-winner", sentence, shown)
    sentence = (
        f"{operation_text(log.longest)} shows {value_text(later.argument)} and no row of key "
        f"{value_text(earlier.argument[0])} before it, although {operation_text(earlier)} had been "
        f"acknowledged before {operation_text(later)} began."
    )
    return Wrong(later.key, "reordered", sentence, shown)
