"""Is every batch all there, in one piece and in order, or not there at all (V20)?

A batch is one record of the Raft log, so that no read may end inside it unless it asked for no more
rows, and none may find another row between its rows. Each read is judged by itself, and then by
where other reads found the same batch.
"""

from typing import Any

from ..evidence import Evidence
from ..op import OpType
from ..prose import plural
from ..verdict import Validity, Verdict
from .checker import Checker, undecided
from .log.prose import append_text, read_text, summary, table_text
from .log.view import Append, LogView, Read, logs, malformed
from .log.violation import Violation
from .wrong import failure, first_of

NAME = "batches"
PROMISES: dict[str, tuple[str, ...]] = {
    "torn": ("HS-5", "HS-11"),
    "scattered": ("HS-4", "HS-5"),
    "moved": ("HS-5",),
    "refused": ("HS-6", "HS-11"),
    "unknown": ("HS-4",),
}
"""Kind of damage → promises."""

CHECKED = ("HS-4", "HS-5", "HS-6", "HS-11")
DAMAGES_MAX = 100


def judge(evidence: Evidence) -> Verdict:
    """Look at every read of every table."""
    found = logs(evidence.history)
    if found.malformed:
        return malformed(NAME, found)
    rows = sum(len(read.rows) for view in found.views for read in view.reads)
    if not rows:
        return undecided(NAME, "No read found a row: no batch was seen.", Validity.INCONCLUSIVE)
    damages = [damage for view in found.views for damage in _damages(view)]
    batches = sum(len(view.acknowledged) for view in found.views)
    details: dict[str, Any] = {"rows_read": rows, "acknowledged": batches}
    if not damages:
        sentence = (
            f"Of {plural(batches, 'acknowledged batch')[:-1]}es" if batches != 1 else "Of 1 batch"
        )
        sentence = f"{sentence} and all others, {plural(rows, 'row')} read show none in parts."
        return Verdict(NAME, Validity.PASS, sentence, CHECKED, details=details)
    details["operations"] = [summary(operation) for operation in first_of(damages).operations]
    return failure(NAME, damages, PROMISES, CHECKED, details)


def _damages(view: LogView) -> list[Violation]:
    places = {
        row: (append, at)
        for append in {id(a): a for a in view.owner.values()}.values()
        for at, row in enumerate(append.rows)
    }
    starts: dict[int, tuple[int, Read]] = {}
    found: list[Violation] = []
    for read in view.reads:
        damage = _in_one(view, read, places) or _elsewhere(view, read, places, starts)
        if damage is not None:
            found.append(damage)
        if len(found) >= DAMAGES_MAX:
            break
    return found


def _in_one(view: LogView, read: Read, places: dict[int, tuple[Append, int]]) -> Violation | None:
    """The first thing that is wrong within one read."""
    before: tuple[Append, int] | None = None
    for offset, row in enumerate(read.rows, start=read.start):
        place = places.get(row)
        if place is None:
            text = f"found row {row} at offset {offset}, which is of no batch"
            return _damage("unknown", view, read, text)
        append, at = place
        if append.call.outcome is OpType.FAIL:
            text = f"found row {row} at offset {offset}, of {append_text(append)}"
            return _damage("refused", view, read, text, append)
        if before is not None and before[0] is append and at == before[1] + 1:
            before = place
            continue
        torn = _unfinished(view, read, before, offset)
        if torn is not None:
            return torn
        if at and (offset > read.start or at > offset):
            text = f"found row {row} at offset {offset}, but not the row before it"
            return _damage("scattered", view, read, f"{text} in {append_text(append)}", append)
        before = place
    return None if read.is_full_page else _unfinished(view, read, before, read.end)


def _unfinished(
    view: LogView, read: Read, before: tuple[Append, int] | None, offset: int
) -> Violation | None:
    """The batch that ends at the offset, if rows of it are left."""
    if before is None or before[1] == len(before[0].rows) - 1:
        return None
    append, at = before
    left = plural(len(append.rows) - 1 - at, "row")
    text = f"found only a part of {append_text(append)}: its last {left} are not at offset {offset}"
    return _damage("torn", view, read, text, append)


def _elsewhere(
    view: LogView,
    read: Read,
    places: dict[int, tuple[Append, int]],
    starts: dict[int, tuple[int, Read]],
) -> Violation | None:
    """A batch that an acknowledgement, or an earlier read, has at another offset."""
    for offset, row in enumerate(read.rows, start=read.start):
        append, at = places[row]
        if append.offset is not None and append.offset != offset - at:
            text = f"found row {row} at offset {offset}, where {append_text(append)} is not"
            return _damage("moved", view, read, text, append)
        start, reader = starts.setdefault(append.inv, (offset - at, read))
        if start != offset - at:
            text = f"found row {row} at offset {offset}, but {read_text(reader)} at {start + at}"
            return _damage("moved", view, read, text, reader)
    return None


def _damage(kind: str, view: LogView, read: Read, text: str, *others: Append | Read) -> Violation:
    told = read_text(read)
    sentence = f"{told[0].upper()}{told[1:]} {text}{table_text(view.key)}."
    return Violation(kind, sentence, (*others, read))


BATCHES = Checker(
    name=NAME,
    question="Is every batch whole, in one piece and in order, or not there at all?",
    promises=CHECKED,
    judge=judge,
)
