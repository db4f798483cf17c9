"""Retries with the same key: one row each, on every replica, however often they were sent.

Row ids are the keys. A batch may be sent again and again, alone or with new rows; the answer says
where the rows lie that were new. The log of the table is what reads and polls show of it; all must
agree, no id may stand there twice, and none may be missing that was acknowledged. The window of the
workload's table is the whole table (cacheLimit 0).
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from ..evidence import Evidence
from ..history import Call, History
from ..op import OpType
from ..verdict import Validity, Verdict
from .checker import Checker, plural, undecided
from .log.prose import identity, node_of, rows_text, seconds
from .timeline import phase
from .wrong import Wrong, failure

NAME = "keyed"
PROMISES: dict[str, tuple[str, ...]] = {
    "duplicate": ("HS-16",),
    "disagreement": ("HS-4", "HS-5"),
    "lost": ("HS-2",),
    "phantom": ("HS-4",),
    "misplaced": ("HS-5",),
}
"""Kind → promises."""

CHECKED = ("HS-2", "HS-4", "HS-5", "HS-16")


def judge(evidence: Evidence) -> Verdict:
    """Judge each table by what was sent and what was seen."""
    calls = evidence.history.calls()
    sent = [call for call in calls if call.invoke.f == "append"]
    seen = [c for c in calls if c.invoke.f in ("read", "poll") and c.outcome is OpType.OK]
    problem = _malformed(sent, seen)
    if problem is not None:
        return undecided(NAME, f"The history cannot be judged: {problem}.")
    times = Counter(row for call in sent for row in call.invoke.value)
    again = sum(count > 1 for count in times.values())
    details: dict[str, Any] = {"rows_sent": len(times), "sent_again": again}
    if not again or not any(_rows(call) for call in seen):
        sentence = "No row was sent twice and looked at: nothing was retried."
        return Verdict(NAME, Validity.INCONCLUSIVE, sentence, CHECKED, details=details)
    wrong = list(_wrong(evidence.history, sent, seen))
    if not wrong:
        sentence = (
            f"{plural(len(times), 'row')}, {again:,} of them sent more than once, stand at most "
            "once wherever anybody looked; all that were acknowledged are there."
        )
        return Verdict(NAME, Validity.PASS, sentence, CHECKED, details=details)
    return failure(NAME, wrong, PROMISES, CHECKED, details)


def _malformed(sent: list[Call], seen: list[Call]) -> str | None:
    for call in sent:
        rows = call.invoke.value
        if not isinstance(rows, list) or not rows or set(map(type, rows)) != {int}:
            return f"op {call.invoke.index} (append): the value must be a list of row ids"
        if call.outcome is OpType.OK:
            answer = _rows(call)
            if not isinstance(answer, list) or [type(part) for part in answer] != [int, int]:
                return f"op {call.invoke.index} (append): the answer must be [offset, new rows]"
    for call in seen:
        asked, rows = call.invoke.value, _rows(call)
        if not isinstance(asked, list) or len(asked) != 2 or not isinstance(rows, list):
            return f"op {call.invoke.index} ({call.invoke.f}): asks [from, max], finds row ids"
    return None


def _rows(call: Call) -> Any:
    assert call.completion is not None
    return call.completion.value


def _wrong(history: History, sent: list[Call], seen: list[Call]) -> Iterator[Wrong]:
    table: list[int | None] = []
    source: dict[int, Call] = {}
    possible = {
        row for call in sent if call.outcome is not OpType.FAIL for row in call.invoke.value
    }
    for call in seen:
        start, rows = call.invoke.value[0], _rows(call)
        table += [None] * (start + len(rows) - len(table))
        for offset, row in enumerate(rows, start=start):
            known = table[offset]
            if known is None:
                table[offset] = row
                source[offset] = call
                if row not in possible:
                    yield Wrong("phantom", f"{_look(call)} row {row}, which nobody sent.", (call,))
            elif known != row:
                other = source[offset]
                yield Wrong(
                    "disagreement",
                    f"{_look(call)} row {row} at offset {offset}, where {_look(other, low=True)} "
                    f"row {known}.",
                    (other, call),
                )
                return
    yield from _twice(table, source)
    yield from _misplaced(sent, table, source)
    yield from _lost(history, sent, seen)


def _twice(table: list[int | None], source: dict[int, Call]) -> Iterator[Wrong]:
    last: dict[int, int] = {}
    for offset, row in enumerate(table):
        if row is None:
            continue
        before = last.get(row)
        if before is not None:
            sentence = (
                f"{_look(source[offset])} row {row} at offset {offset}, and "
                f"{_look(source[before], low=True)} it at offset {before}: it is stored twice."
            )
            yield Wrong("duplicate", sentence, (source[before], source[offset]))
        last[row] = offset


def _misplaced(
    sent: list[Call], table: list[int | None], source: dict[int, Call]
) -> Iterator[Wrong]:
    """New rows stand together, in order, where the answer says."""
    for call in sent:
        if call.outcome is not OpType.OK:
            continue
        start, count = _rows(call)
        found = table[start : start + count] if start >= 0 else []
        places = [call.invoke.value.index(row) for row in found if row in call.invoke.value]
        known = [row for row in found if row is not None]
        if len(places) < len(known) or places != sorted(places):
            at = next(o for o in range(start, start + count) if o in source)
            sentence = (
                f"Append #{identity(call)} of rows {rows_text(call.invoke.value)} was told by "
                f"{node_of(call)} that {plural(count, 'row')} of it stand at offset {start}, but "
                f"there is {rows_text(known)}."
            )
            yield Wrong("misplaced", sentence, (call, source[at]))


def _lost(history: History, sent: list[Call], seen: list[Call]) -> Iterator[Wrong]:
    """Rows that were acknowledged, new or not, and that the final read does not find."""
    final = phase(history, "final")
    if final is None:
        return
    reads = (call for call in seen if call.invoke.f == "read" and call.invoke.value == [0, None])
    for look in (call for call in reads if call.invoke.index > final.index):
        there = set(_rows(look))
        for call in sent:
            acknowledged = call.outcome is OpType.OK and identity(call) < final.index
            missing = set(call.invoke.value) - there if acknowledged else set()
            if missing:
                sentence = (
                    f"Row {min(missing)} of append #{identity(call)}, acknowledged by "
                    f"{node_of(call)} at {seconds(call.completion or call.invoke)}, is lost: "
                    f"{_look(look, low=True)} it nowhere."
                )
                yield Wrong("lost", sentence, (call, look))
                break


def _look(call: Call, *, low: bool = False) -> str:
    name = call.invoke.f if low else call.invoke.f.capitalize()
    return f"{name} #{identity(call)} through {node_of(call)} found"


KEYED = Checker(
    name=NAME,
    question="Does every key stand once, on every member, however often it was sent?",
    promises=CHECKED,
    judge=judge,
)
