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
from ..history import Call
from ..op import Op, OpType
from ..prose import plural
from ..verdict import Validity, Verdict
from .checker import Checker, undecided
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
    problem = next(filter(None, map(malformed, (*sent, *seen))), None)
    if problem is not None:
        return undecided(NAME, f"The history cannot be judged: {problem}.")
    times = Counter(row for call in sent for row in call.invoke.value)
    again = sum(count > 1 for count in times.values())
    details: dict[str, Any] = {"rows_sent": len(times), "sent_again": again}
    final = phase(evidence.history, "final")
    whole = [] if final is None else _whole(seen, final)
    wrong = list(_wrong(sent, seen, final, whole))
    if wrong:
        return failure(NAME, wrong, PROMISES, CHECKED, details)
    if not again or not any(_rows(call) for call in seen):
        sentence = "No row was sent twice and looked at: nothing was retried."
        return Verdict(NAME, Validity.INCONCLUSIVE, sentence, CHECKED, details=details)
    if not whole:
        return undecided(NAME, "No final read was answered: whether rows are lost is unknown.")
    sentence = (
        f"{plural(len(times), 'row')}, {again:,} of them sent more than once, stand at most "
        "once wherever anybody looked; all that were acknowledged are there."
    )
    return Verdict(NAME, Validity.PASS, sentence, CHECKED, details=details)


def malformed(call: Call) -> str | None:
    """What no client could have recorded about an append, or about a look that was answered."""
    f, asked = call.invoke.f, call.invoke.value
    if f == "append":
        if not isinstance(asked, list) or not asked or set(map(type, asked)) != {int}:
            return f"op {call.invoke.index} (append): the value must be a list of row ids"
        if call.outcome is OpType.OK:
            answer = _rows(call)
            if not isinstance(answer, list) or [type(part) for part in answer] != [int, int]:
                return f"op {call.invoke.index} (append): the answer must be [offset, new rows]"
        return None
    is_look = isinstance(asked, list) and len(asked) == 2
    if call.outcome is OpType.OK and not (is_look and isinstance(_rows(call), list)):
        return f"op {call.invoke.index} ({f}): asks [from, max], finds row ids"
    return None


def _rows(call: Call) -> Any:
    assert call.completion is not None
    return call.completion.value


def _whole(seen: list[Call], final: Op) -> list[Call]:
    """The answered reads of the whole table that began once nobody wrote any more."""
    reads = (call for call in seen if call.invoke.f == "read" and call.invoke.value == [0, None])
    return [call for call in reads if call.invoke.index > final.index]


def _wrong(
    sent: list[Call], seen: list[Call], final: Op | None, whole: list[Call]
) -> Iterator[Wrong]:
    table = Table()
    for call in sent:
        if call.outcome is not OpType.FAIL:
            table.send(call)
    for call in seen:
        yield from table.look(call)
    if table.is_torn:
        return
    for call in sent:
        yield from table.misplaced(call)
    for look in whole:
        yield from _behind(look, sent)
        if final is not None:
            yield from _lost(look, sent, final)


class Table:
    """What is known to stand where, and who saw it."""

    def __init__(self) -> None:
        self._rows: list[int | None] = []
        self._source: dict[int, Call] = {}
        self._place: dict[int, int] = {}
        self._sent: dict[int, int] = {}
        self.is_torn = False
        """Two looks disagree: from then on nothing more is learned."""

    def send(self, call: Call) -> None:
        """Rows that may stand somewhere from now on; calls come in order."""
        for row in call.invoke.value:
            self._sent.setdefault(row, call.invoke.index)

    def look(self, call: Call) -> Iterator[Wrong]:
        """What an answered read or poll shows."""
        start, rows = call.invoke.value[0], _rows(call)
        end = start + len(rows)
        if self.is_torn or self._rows[start:end] == rows:
            return
        self._rows += [None] * (end - len(self._rows))
        for offset, row in enumerate(rows, start=start):
            known = self._rows[offset]
            if known is None:
                yield from self._found(call, offset, row)
            elif known != row:
                other = self._source[offset]
                yield Wrong(
                    "disagreement",
                    f"{_look(call)} row {row} at offset {offset}, where {_look(other, low=True)} "
                    f"row {known}.",
                    (other, call),
                )
                self.is_torn = True
                return

    def _found(self, call: Call, offset: int, row: int) -> Iterator[Wrong]:
        """A row where nobody had looked yet."""
        self._rows[offset] = row
        self._source[offset] = call
        sent = self._sent.get(row)
        if sent is None:
            yield Wrong("phantom", f"{_look(call)} row {row}, which nobody sent.", (call,))
        elif sent > identity(call):
            sentence = f"{_look(call)} row {row}, which nobody had sent yet."
            yield Wrong("phantom", sentence, (call,))
        before = self._place.setdefault(row, offset)
        if before != offset:
            sentence = (
                f"{_look(call)} row {row} at offset {offset}, and "
                f"{_look(self._source[before], low=True)} it at offset {before}: it is stored "
                "twice."
            )
            yield Wrong("duplicate", sentence, (self._source[before], call))

    def misplaced(self, call: Call) -> Iterator[Wrong]:
        """New rows stand together, in order, where the answer says."""
        if call.outcome is not OpType.OK:
            return
        start, count = _rows(call)
        if count > 0 and start < 0:
            yield Wrong("misplaced", f"{_claim(call)}, where nothing can stand.", (call,))
            return
        found = self._rows[start : start + count] if start >= 0 else []
        places = [call.invoke.value.index(row) for row in found if row in call.invoke.value]
        known = [row for row in found if row is not None]
        if len(places) < len(known) or places != sorted(places):
            at = next(o for o in range(start, start + count) if o in self._source)
            sentence = f"{_claim(call)}, but there is {rows_text(known)}."
            yield Wrong("misplaced", sentence, (call, self._source[at]))


def _behind(look: Call, sent: list[Call]) -> Iterator[Wrong]:
    """Rows that the final read finds, acknowledged behind its end; others are lost."""
    rows = _rows(look)
    there = set(rows)
    for call in sent:
        if call.outcome is not OpType.OK or identity(call) > look.invoke.index:
            continue
        start, count = _rows(call)
        if count > 0 and start + count > len(rows) and there.issuperset(call.invoke.value):
            sentence = f"{_claim(call)}, but {_look(look, low=True)} the end at {len(rows)}."
            yield Wrong("misplaced", sentence, (call, look))


def _lost(look: Call, sent: list[Call], final: Op) -> Iterator[Wrong]:
    """Rows that were acknowledged, new or not, and that the final read does not find."""
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


def _claim(call: Call) -> str:
    """What an acknowledgement says, up to a comma."""
    start, count = _rows(call)
    return (
        f"Append #{identity(call)} of rows {rows_text(call.invoke.value)} was told by "
        f"{node_of(call)} that {plural(count, 'row')} of it stand at offset {start}"
    )


def _look(call: Call, *, low: bool = False) -> str:
    name = call.invoke.f if low else call.invoke.f.capitalize()
    return f"{name} #{identity(call)} through {node_of(call)} found"


KEYED = Checker(
    name=NAME,
    question="Does every key stand once, on every member, however often it was sent?",
    promises=CHECKED,
    judge=judge,
)
