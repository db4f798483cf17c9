"""One order for all: a row per offset, whole batches, every client in sequence.

This checker asks less than linearizability and shares nothing with it but the view of the history,
so that each confirms the other.
"""

from typing import Any

import msgspec

from ...evidence import Evidence
from ...prose import plural
from ...verdict import Validity, Verdict
from ..checker import Checker, undecided
from .prose import append_text, identity, read_text, summary, table_text
from .view import Append, LogView, Read, logs, malformed

NAME = "order"
PROMISES = ("HS-4", "HS-5")


class Disorder(msgspec.Struct, frozen=True):
    """Operations that cannot belong to one log, and why."""

    sentence: str
    operations: tuple[Append | Read, ...]

    @property
    def witness(self) -> tuple[int, ...]:
        return tuple(sorted({identity(operation.call) for operation in self.operations}))


def judge(evidence: Evidence) -> Verdict:
    """Judge all logs of a run by what reads and acknowledgements say about offsets."""
    found = logs(evidence.history)
    if found.malformed:
        return malformed(NAME, found)
    reads = sum(len(view.reads) for view in found.views)
    acknowledged = sum(len(view.acknowledged) for view in found.views)
    if not reads and not acknowledged:
        sentence = "No append was acknowledged and no read answered: there is no order to check."
        return undecided(NAME, sentence, Validity.INCONCLUSIVE)
    disorders = [disorder for view in found.views for disorder in _disorders(view)]
    details: dict[str, Any] = {"reads": reads, "acknowledged": acknowledged}
    if not disorders:
        sentence = (
            f"{plural(reads, 'read')} and {plural(acknowledged, 'acknowledged append')} agree on "
            "one row per offset, batches are whole, and each client's appends are in sequence."
        )
        return Verdict(NAME, Validity.PASS, sentence, PROMISES, details=details)
    first = min(disorders, key=lambda disorder: disorder.witness[-1])
    details["disorders"] = len(disorders)
    details["operations"] = [summary(operation) for operation in first.operations]
    return Verdict(NAME, Validity.FAIL, first.sentence, PROMISES, first.witness, details)


def _disorders(view: LogView) -> list[Disorder]:
    """The first violation of each rule in one log."""
    table, readers = _table(view)
    if isinstance(table, Disorder):
        return [table]
    offsets = dict(zip(table, range(len(table)), strict=True))
    offsets.pop(None, None)
    found = [
        _repeated_row(view, table, offsets, readers),
        _batch_out_of_place(view, offsets, readers),
        _client_out_of_sequence(view),
    ]
    return [disorder for disorder in found if disorder is not None]


def _table(view: LogView) -> tuple[list[int | None] | Disorder, list[Read]]:
    """All rows that reads found, by offset, and the reads that found something new."""
    rows: list[int | None] = []
    readers: list[Read] = []
    for read in view.reads:
        known = rows[read.start : read.end]
        if known == read.rows:
            continue
        for offset, (old, new) in enumerate(zip(known, read.rows, strict=False), start=read.start):
            if old is not None and old != new:
                return _disagreement(view, read, offset, new, readers), readers
        if read.end > len(rows):
            rows.extend([None] * (read.end - len(rows)))
        rows[read.start : read.end] = read.rows
        readers.append(read)
    return rows, readers


def _disagreement(
    view: LogView, read: Read, offset: int, row: int, readers: list[Read]
) -> Disorder:
    earlier = _reader(readers, offset)
    other = earlier.rows[offset - earlier.start]
    sentence = (
        f"Two reads disagree about offset {offset}{table_text(view.key)}: {read_text(earlier)} "
        f"found row {other} there, {read_text(read)} row {row}."
    )
    return Disorder(sentence, (earlier, read))


def _repeated_row(
    view: LogView, table: list[int | None], offsets: dict[int | None, int], readers: list[Read]
) -> Disorder | None:
    for offset, row in enumerate(table):
        if row is not None and offsets[row] != offset:
            first, second = _reader(readers, offset), _reader(readers, offsets[row])
            sentence = (
                f"Row {row} stands twice{table_text(view.key)}: {read_text(first)} found it at "
                f"offset {offset}, {read_text(second)} at offset {offsets[row]}."
            )
            return Disorder(sentence, (first, second))
    return None


def _batch_out_of_place(
    view: LogView, offsets: dict[int | None, int], readers: list[Read]
) -> Disorder | None:
    """An append whose rows were found elsewhere than acknowledged, or not side by side."""
    for append in view.appends:
        start = append.offset
        for at, row in enumerate(append.rows):
            offset = offsets.get(row)
            if offset is None:
                continue
            if start is None:
                start = offset - at
            if offset != start + at:
                reader = _reader(readers, offset)
                sentence = (
                    f"{read_text(reader)} found row {row} at offset {offset}, but by "
                    f"{append_text(append)} and the other rows of its batch it belongs to offset "
                    f"{start + at}{table_text(view.key)}."
                )
                return Disorder(sentence[0].upper() + sentence[1:], (append, reader))
    return None


def _client_out_of_sequence(view: LogView) -> Disorder | None:
    """Two acknowledged appends of one client, of which the later got the lower offset."""
    last: dict[Any, Append] = {}
    for append in view.acknowledged:
        process = append.call.invoke.process
        before = last.get(process)
        if before is not None:
            assert before.offset is not None
            assert append.offset is not None
            if append.offset < before.offset + len(before.rows):
                sentence = (
                    f"Client {process} appended in sequence, but {append_text(append)} stands "
                    f"before the end of its earlier {append_text(before)}{table_text(view.key)}."
                )
                return Disorder(sentence, (before, append))
        last[process] = append
    return None


def _reader(readers: list[Read], offset: int) -> Read:
    """The first read that found a row at the offset."""
    return next(read for read in readers if read.start <= offset < read.end)


ORDER = Checker(
    name=NAME,
    question="Do all clients see one row per offset, whole batches, their own appends in sequence?",
    promises=PROMISES,
    judge=judge,
)
