"""Exact near-linear monitor: is a log linearizable, and if not, which ops show it?

Three steps, each exact: acknowledgements and reads agree on a row per offset (placement), the
lengths that operations saw can be put in order (sweep), and what nobody saw can be filled in
(filling). Only the last can run out of its bound; then the verdict is unknown and says so.
"""

from collections import Counter
from typing import Any

import msgspec

from ...evidence import Evidence
from ...prose import plural
from ...verdict import Validity, Verdict
from ..checker import Checker, undecided
from ..timeline import context, phase
from ..wrong import first_of
from .anomaly import Anomaly, broken
from .filling import Answer, Filling, Spare, fill, holes
from .loss import gone_in
from .placement import ANOMALIES_MAX, Placement, place
from .prose import append_text, identity, operation_text, read_text, seconds, table_text
from .sweep import Item, items, sweep
from .view import FOREVER, Append, LogView, Read, counts, logs, malformed

NAME = "log-monitor"
CHECKED = ("HS-2", "HS-4", "HS-5", "HS-6", "HS-11")
ANOMALIES_SHOWN_MAX = 10


class Opinion(msgspec.Struct, frozen=True):
    """What the monitor found in one log; `open_question` if it could not decide about its holes."""

    anomalies: list[Anomaly]
    open_question: str | None = None


def examine(view: LogView, final: int = FOREVER) -> Opinion:
    """Judge one log; `final` is the op index from which on only settled content was read."""
    placement = place(view)
    if placement.anomalies:
        # Keys are offsets: where offsets contradict, the sweep would find nothing but echoes.
        return Opinion([*placement.anomalies, *_overwritten(placement, final)])
    ordered = items(placement)
    halves = [torn(item.operation, placement) for item in ordered if item.lo > item.hi]
    sound = [item for item in ordered if item.lo <= item.hi]
    swept = sweep(sound)
    disordered = [
        disorder(earlier, later, placement, final)
        for earlier, later in swept.violations[:ANOMALIES_MAX]
    ]
    gaps = holes(placement.rows)
    if not gaps:
        return Opinion(halves + disordered)
    spares = [
        Spare(len(item.operation.rows), (floor + 2) // 2)
        for item, floor in zip(sound, swept.floors, strict=True)
        if _is_unseen(item, placement)
    ]
    filling = fill(gaps, spares)
    if filling.answer is Answer.NO:
        return Opinion([*halves, *disordered, _gap(filling, len(spares), placement)])
    if filling.answer is Answer.UNKNOWN:
        return Opinion(halves + disordered, _question(filling, len(spares), view))
    return Opinion(halves + disordered)


def judge(evidence: Evidence) -> Verdict:
    """Judge all logs of a run."""
    found = logs(evidence.history)
    if found.malformed:
        return malformed(NAME, found)
    answered = sum(len(view.reads) + len(view.acknowledged) for view in found.views)
    if not answered:
        sentence = "No append was acknowledged and no read answered: there is nothing to order."
        return undecided(NAME, sentence, Validity.INCONCLUSIVE)
    last_phase = phase(evidence.history, "final")
    final = FOREVER if last_phase is None else last_phase.index
    opinions = [examine(view, final) for view in found.views]
    anomalies = [anomaly for opinion in opinions for anomaly in opinion.anomalies]
    questions = [opinion.open_question for opinion in opinions if opinion.open_question]
    details = counts(found)
    if anomalies:
        return _failure(evidence, anomalies, details)
    if questions:
        return Verdict(NAME, Validity.UNKNOWN, " ".join(questions), CHECKED, details=details)
    sentence = (
        f"All {plural(details['acknowledged'], 'acknowledged append')} and "
        f"{plural(details['reads'], 'read')} fit one order that agrees with real time."
    )
    return Verdict(NAME, Validity.PASS, sentence, CHECKED, details=details)


def _failure(evidence: Evidence, anomalies: list[Anomaly], details: dict[str, Any]) -> Verdict:
    """The verdict on what was found: the earliest anomaly speaks, the others are counted."""
    first = first_of(anomalies)
    last_call = max(first.operations, key=lambda operation: identity(operation.call)).call
    last_op = last_call.completion or last_call.invoke
    told = context(evidence.history, last_call.invoke.time_ns, last_op.time_ns)
    shown = sorted(anomalies, key=lambda anomaly: anomaly.witness[-1])[:ANOMALIES_SHOWN_MAX]
    return Verdict(
        checker=NAME,
        validity=Validity.FAIL,
        sentence=f"{first.sentence}{told}",
        promises=broken(anomalies),
        witness=first.witness,
        details={
            **details,
            "kind": first.kind,
            "kinds": dict(Counter(anomaly.kind for anomaly in anomalies)),
            "anomalies": [anomaly.as_details() for anomaly in shown],
        },
    )


def _is_unseen(item: Item, placement: Placement) -> bool:
    return isinstance(item.operation, Append) and item.inv not in placement.starts


def _overwritten(placement: Placement, final: int) -> list[Anomaly]:
    """Of the appends that contradict others, those whose rows the log has lost."""
    lost = []
    suspects = {
        operation.inv: operation
        for anomaly in placement.anomalies
        for operation in anomaly.operations
        if isinstance(operation, Append) and operation.offset is not None
    }
    for append in suspects.values():
        assert append.offset is not None
        read = gone_in(placement.view, append.rows[0], append.offset, append.ret)
        if read is not None and (read.inv > final or append.offset < read.end):
            lost.append(_lost(append, append.offset, read, placement.view))
    return lost


def _lost(append: Append, offset: int, read: Read, view: LogView) -> Anomaly:
    """An acknowledged row that the last look at its offset did not find."""
    sentence = (
        f"{_capital(append_text(append))} is lost: {read_text(read)}, the last that looked there, "
        f"returned {_found(read, offset)} at offset {offset}{table_text(view.key)}."
    )
    return Anomaly("lost", view.key, sentence, (append, read))


def _vanished(first: Append | Read, offset: int, read: Read, view: LogView) -> Anomaly:
    """A row that was seen, but never acknowledged, and that the last look did not find."""
    sentence = (
        f"A row has vanished: {operation_text(first)} found one at offset {offset}, but "
        f"{read_text(read)}, the last that looked there, returned {_found(read, offset)}"
        f"{table_text(view.key)}."
    )
    return Anomaly("vanished", view.key, sentence, (first, read))


def _found(read: Read, offset: int) -> str:
    at = offset - read.start
    return f"row {read.rows[at]}" if at < len(read.rows) else "no row"


def torn(operation: Append | Read, placement: Placement) -> Anomaly:
    """A read that ended inside a batch."""
    assert isinstance(operation, Read)
    append = placement.holder(operation.end - 1)
    assert append is not None
    missing = placement.ends[operation.end - 1] - operation.end
    sentence = (
        f"{_capital(read_text(operation))} ended at offset {operation.end}, inside the batch of "
        f"{append_text(append)}: its last {plural(missing, 'row')} must be there with the first"
        f"{table_text(placement.view.key)}."
    )
    return Anomaly("torn-batch", placement.view.key, sentence, (operation, append))


def disorder(earlier: Item, later: Item, placement: Placement, final: int) -> Anomaly:
    """Two operations of which the later saw, or made, a shorter log than the earlier."""
    if isinstance(later.operation, Append):
        return _late_append(earlier.operation, later.operation, placement)
    return _short_read(earlier, later.operation, placement, final)


def _short_read(earlier: Item, read: Read, placement: Placement, final: int) -> Anomaly:
    """A read that missed rows: stale, or, if the final reads miss them too, the sign of a loss."""
    view = placement.view
    # The last row that the earlier operation had shown to be there: behind it nothing is known.
    offset = (earlier.lo + 1) // 2 - 1
    first = earlier.operation
    holder = placement.holder(offset)
    row = placement.rows[offset]
    assert holder is not None
    assert row is not None
    last_look = gone_in(view, row, offset, first.ret)
    if last_look is not None and last_look.inv > final:
        if holder.offset is None:
            return _vanished(first, offset, last_look, view)
        return _lost(holder, offset, last_look, view)
    proof = (
        f"{append_text(first)} had put row {row} at offset {offset}"
        if isinstance(first, Append)
        else f"{read_text(first)} had found row {row} at offset {offset}"
    )
    sentence = (
        f"Stale read: {read_text(read)} returned no row from offset {read.end} on, "
        f"although before it began {proof}{table_text(view.key)}."
    )
    return Anomaly("stale-read", view.key, sentence, (first, read))


def _late_append(first: Append | Read, append: Append, placement: Placement) -> Anomaly:
    start = placement.starts[append.inv]
    key = placement.view.key
    source = placement.source(append)
    shown = (append, first) if source in (append, first) else (append, first, source)
    if isinstance(first, Read) and first.start <= start < first.end:
        sentence = (
            f"{_capital(read_text(first))} returned row {append.rows[0]} at offset {start} before "
            f"{append_text(append)} began at {seconds(append.call.invoke)}{table_text(key)}."
        )
        return Anomaly("future-read", key, sentence, shown)
    sentence = (
        f"{_capital(append_text(append))} took effect at offset {start}, but before it began, at "
        f"{seconds(append.call.invoke)}, {operation_text(first)} had found the log longer"
        f"{table_text(key)}."
    )
    return Anomaly("reordered", key, sentence, shown)


def _gap(filling: Filling, spare_count: int, placement: Placement) -> Anomaly:
    hole = filling.hole
    assert hole is not None
    key = placement.view.key
    after = placement.holder(hole.stop)
    assert after is not None
    nobody = (
        f"the {plural(spare_count, 'append')} of open outcome cannot have filled it"
        if spare_count
        else "there is no append of open outcome that could have filled it"
    )
    sentence = (
        f"Nothing accounts for {_span(hole)}{table_text(key)}, below "
        f"{operation_text(placement.source(after))}: no acknowledgement and no read covers it, "
        f"and {nobody}."
    )
    shown: tuple[Append | Read, ...] = (placement.source(after),)
    if hole.start:
        before = placement.holder(hole.start - 1)
        assert before is not None
        shown = (placement.source(before), *shown)
    return Anomaly("gap", key, sentence, shown)


def _question(filling: Filling, spare_count: int, view: LogView) -> str:
    assert filling.hole is not None
    return (
        f"Whether {plural(spare_count, 'append')} of open outcome can account for "
        f"{_span(filling.hole)}{table_text(view.key)} was not decided within the monitor's bound; "
        "nothing else was found wrong."
    )


def _span(hole: range) -> str:
    if len(hole) == 1:
        return f"offset {hole.start}"
    return f"offsets {hole.start} to {hole.stop - 1}"


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


LOG_MONITOR = Checker(
    name=NAME,
    question="Are all appends and reads linearizable? (exact, near-linear)",
    promises=CHECKED,
    judge=judge,
)
