"""Is every acknowledged row still there, at its offset, when all is over?"""

from typing import Any

import msgspec

from ...evidence import Evidence
from ...prose import plural
from ...verdict import Validity, Verdict
from ..checker import Checker, undecided
from ..timeline import phase
from . import retention
from .prose import append_text, identity, node_of, read_text, summary, table_text
from .view import Append, Logs, LogView, Purged, Read, logs, malformed

NAME = "durability"
PROMISES = ("HS-2",)
SHOWN_MAX = 10


class FinalLog(msgspec.Struct, frozen=True):
    """The log as the final reads found it, page by page.

    `end` is where a page ended short, so that nothing was behind it; None if none did.
    """

    first: Read
    rows: list[int | None]
    readers: list[Read]
    end: int | None

    def reader(self, offset: int) -> Read:
        """The read that looked at the offset, or that found the log's end."""
        covering = [r for r in self.readers if r.start <= offset < r.end]
        return covering[-1] if covering else self.readers[-1]


class Missing(msgspec.Struct, frozen=True):
    """An acknowledged append of which the final reads did not find a row at its offset."""

    view: LogView
    final: FinalLog
    append: Append
    offset: int
    row: int
    found: int | None


def final_log(view: LogView, since: int) -> FinalLog | None:
    """Put together what reads that began after op `since` found, or None if there are none."""
    readers = [read for read in view.reads if read.inv > since]
    if not readers:
        return None
    rows: list[int | None] = []
    end = None
    for read in readers:
        if read.rows and read.end > len(rows):
            rows.extend([None] * (read.end - len(rows)))
        rows[read.start : read.end] = read.rows
        if not read.is_full_page:
            end = read.end if end is None else min(end, read.end)
    return FinalLog(readers[0], rows, readers, end)


def judge(evidence: Evidence) -> Verdict:
    """Look up every append acknowledged before the final reads in what those found.

    What was kept too short is seen whenever a client was told so.
    """
    found = logs(evidence.history)
    if found.malformed:
        return malformed(NAME, found)
    verdict = _in_the_end(evidence, found)
    early = [each for view in found.views for each in retention.too_early(view)]
    if not early:
        return verdict
    if verdict.validity is Validity.FAIL:
        return msgspec.structs.replace(verdict, promises=retention.PROMISES)
    return retention.judged(NAME, early, sum(len(view.acknowledged) for view in found.views))


def _in_the_end(evidence: Evidence, found: Logs) -> Verdict:
    acknowledged = sum(len(view.acknowledged) for view in found.views)
    if not acknowledged:
        sentence = "No append was acknowledged: nothing could be lost."
        return undecided(NAME, sentence, Validity.INCONCLUSIVE)
    final_phase = phase(evidence.history, "final")
    if final_phase is None:
        return undecided(NAME, "The run ended before its final reads: durability is unknown.")
    missing: list[Missing] = []
    unread, left_open, purged = 0, 0, list[Purged]()
    for view in found.views:
        final = final_log(view, final_phase.index)
        if final is None and view.acknowledged:
            sentence = f"No final read{table_text(view.key)} was answered: durability is unknown."
            return undecided(NAME, sentence)
        if final is not None:
            found_gone = [page for page in view.purged if page.inv > final_phase.index]
            purged += found_gone
            left_out, at_the_edge = _look_up(view, final, found_gone, missing)
            unread, left_open = unread + left_out, left_open + at_the_edge
    details = {"acknowledged": acknowledged, "lost": len(missing), "left_open": left_open}
    if missing:
        return _lost(missing, details)
    if unread:
        sentence = f"The final reads left out {plural(unread, 'acknowledged append')}."
        return undecided(NAME, sentence)
    rows = sum(len(append.rows) for view in found.views for append in view.acknowledged)
    sentence = (
        f"All {plural(rows, 'row')} of {plural(acknowledged, 'acknowledged append')} are in the "
        "final read, at their offsets."
    )
    if purged:
        sentence = (
            f"All rows of {plural(acknowledged, 'acknowledged append')} are in the final reads, at "
            f"their offsets, or older than {retention.KEPT_MIN_S} s and kept no more."
        )
    if left_open:
        sentence += (
            f" Nobody saw {plural(left_open, 'younger append')} on a page of which the beginning "
            "is kept no more."
        )
    promises = retention.PROMISES if purged else PROMISES
    return Verdict(NAME, Validity.PASS, sentence, promises, details=details)


def _look_up(
    view: LogView, final: FinalLog, gone: list[Purged], missing: list[Missing]
) -> tuple[int, int]:
    """Collect the appends that are not all there; return how many no page covered, and how many
    young ones are on refused pages of which only the beginning is known to be `gone`.

    Whether what is gone was old enough is judged elsewhere.
    """
    unread = left_open = 0
    kept = max((page.kept for page in gone), default=0)
    for append in view.acknowledged:
        start = append.offset
        assert start is not None
        if append.ret > final.first.inv:
            # Acknowledged while the final reads ran: they need not have seen it.
            continue
        if final.rows[start : start + len(append.rows)] == append.rows:
            continue
        state = _first_missing(view, final, append, start)
        if isinstance(state, Missing):
            missing.append(state)
            continue
        if start < kept:
            continue
        end = start + len(append.rows)
        pages = [p.time_ns for p in gone if p.start < end and (p.stop is None or start < p.stop)]
        if not pages:
            unread += 1
        elif retention.age_s(append, max(pages)) < retention.KEPT_MIN_S:
            left_open += 1
    return unread, left_open


def _first_missing(view: LogView, final: FinalLog, append: Append, start: int) -> Missing | None:
    """The first row that is certainly not at its offset; None: the pages do not tell."""
    for offset, row in enumerate(append.rows, start=start):
        found = final.rows[offset] if offset < len(final.rows) else None
        is_known = found is not None or (final.end is not None and offset >= final.end)
        if is_known and found != row:
            return Missing(view, final, append, offset, row, found)
    return None


def _lost(missing: list[Missing], details: dict[str, Any]) -> Verdict:
    first = min(missing, key=lambda item: item.append.ret)
    reader = first.final.reader(first.offset)
    instead = "no row" if first.found is None else f"row {first.found}"
    more = len(missing) - 1
    others = f" So are {plural(more, 'more acknowledged append')}." if more else ""
    sentence = (
        f"Row {first.row} of {append_text(first.append)} is lost: the final {read_text(reader)} "
        f"returned {instead} at offset {first.offset}{table_text(first.view.key)}.{others}"
    )
    return Verdict(
        checker=NAME,
        validity=Validity.FAIL,
        sentence=sentence,
        promises=PROMISES,
        witness=(identity(first.append.call), identity(reader.call)),
        details={
            **details,
            "operations": [summary(first.append), summary(reader)],
            "lost_appends": [
                {
                    "completion": identity(item.append.call),
                    "offset": item.append.offset,
                    "row": item.row,
                    "node": node_of(item.append.call),
                }
                for item in missing[:SHOWN_MAX]
            ],
        },
    )


DURABILITY = Checker(
    name=NAME,
    question="Is every acknowledged row in the final read, at its offset?",
    promises=retention.PROMISES,
    judge=judge,
)
