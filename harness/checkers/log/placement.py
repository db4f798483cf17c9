"""Which row stands at which offset by acknowledgements and reads, and where they differ.

Whatever a client saw at an offset stays there for ever, so acknowledgements and reads fill one
table. An append whose outcome is open is placed when one of its rows is seen: a batch is all or
nothing, so that one sighting places all its rows.
"""

from dataclasses import dataclass, field
from operator import attrgetter

from ...op import OpType
from .anomaly import Anomaly
from .prose import append_text, operation_text, read_text, table_text
from .view import Append, LogView, Read

ANOMALIES_MAX = 100
"""Of one table: a run that went wrong goes wrong in every later read."""

UNACCOUNTED_MAX = 100_000
"""Of one table, offsets that can belong to no row at all: more are not even put down."""


@dataclass(slots=True)
class Placement:
    """The log as far as it is known.

    Invariant: rows and ends have equal length; where rows[o] is known, ends[o] is the offset behind
    the last row of its batch, and all rows of that batch are known.
    """

    view: LogView
    rows: list[int | None] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    # Offset of the first row, by the index of the append's invocation.
    starts: dict[int, int] = field(default_factory=dict)
    # The read that placed an append of open outcome, by the index of the append's invocation.
    sightings: dict[int, Read] = field(default_factory=dict)
    anomalies: list[Anomaly] = field(default_factory=list)

    def holder(self, offset: int) -> Append | None:
        """The append whose row stands at the offset, as far as known."""
        row = self.rows[offset] if offset < len(self.rows) else None
        return None if row is None else self.view.owner[row]

    def source(self, append: Append) -> Append | Read:
        """What placed the append: its own acknowledgement, or the read that saw it."""
        return self.sightings.get(append.inv, append)

    def is_full(self) -> bool:
        return len(self.anomalies) >= ANOMALIES_MAX


def place(view: LogView) -> Placement:
    """Fill the table from all acknowledgements and all reads of one log."""
    placement = Placement(view)
    for append in sorted(placement.view.acknowledged, key=attrgetter("offset")):
        take_acknowledged(placement, append)
    for read in view.reads:
        take_read(placement, read)
        if placement.is_full():
            break
    return placement


def take_acknowledged(placement: Placement, append: Append) -> None:
    """Place an append where its acknowledgement says, which a read may have done already."""
    assert append.offset is not None
    read = placement.sightings.pop(append.inv, None)
    if read is not None:
        seen = placement.starts[append.inv]
        placement.starts[append.inv] = append.offset
        if seen != append.offset:
            offset = max(seen, read.start)
            _duplicate(placement, read, offset, append.rows[offset - seen], append)
        return
    if _is_beyond(placement, append, append.offset, append):
        return
    earlier = _put(placement, append, append.offset)
    if earlier is not None and not placement.is_full():
        _in_the_way(placement, append, earlier)


def take_read(placement: Placement, read: Read) -> None:
    """Place what a read shows, and report where it contradicts what was known."""
    if read.limit is not None and len(read.rows) > read.limit:
        _overlong(placement, read)
    end = read.start + len(read.rows)
    # The common case costs one comparison of slices.
    if placement.rows[read.start : end] != read.rows:
        _compare(placement, read)


def take_failed(placement: Placement, append: Append) -> None:
    """Report an append that certainly failed, if a read had seen it."""
    read = placement.sightings.get(append.inv)
    if read is not None:
        start = placement.starts[append.inv]
        offset = max(start, read.start)
        _aborted(placement, read, offset, append.rows[offset - start], append)


def _is_beyond(placement: Placement, append: Append, start: int, source: Append | Read) -> bool:
    """Whether a batch would make the log far longer than all that was ever begun; told once.

    It is not placed: a table takes memory for every offset below.
    """
    length, possible = start + len(append.rows), len(placement.view.owner)
    if length <= possible + UNACCOUNTED_MAX:
        return False
    if all(anomaly.kind != "gap" for anomaly in placement.anomalies):
        text = f"by {operation_text(source)} the log has {length:,} rows"
        why = f"{text}, but no more than {possible:,} can have been appended"
        _report(placement, "gap", why, source)
    return True


def _put(placement: Placement, append: Append, start: int) -> Append | None:
    """Place a whole batch, or return an append that stands in its way."""
    rows, ends = placement.rows, placement.ends
    end = start + len(append.rows)
    if start < len(rows):
        for offset in range(start, min(end, len(rows))):
            if rows[offset] is not None:
                return placement.holder(offset)
    grow = end - len(rows)
    if grow > 0:
        rows.extend([None] * grow)
        ends.extend([0] * grow)
    rows[start:end] = append.rows
    ends[start:end] = [end] * len(append.rows)
    placement.starts[append.inv] = start
    return None


def _compare(placement: Placement, read: Read) -> None:
    """Take in what a read shows beyond what was known, up to its first contradiction."""
    for offset, row in enumerate(read.rows, start=read.start):
        known = placement.rows[offset] if offset < len(placement.rows) else None
        if known == row:
            continue
        owner = placement.view.owner.get(row)
        if owner is None:
            _report(
                placement,
                "phantom",
                f"{read_text(read)} returned row {row} at offset {offset}, "
                "which nobody ever appended there or elsewhere",
                read,
            )
        elif owner.call.outcome is OpType.FAIL:
            _aborted(placement, read, offset, row, owner)
        elif known is not None:
            _contradiction(placement, read, offset, row)
        elif owner.inv in placement.starts:
            _duplicate(placement, read, offset, row, owner)
        elif not _sight(placement, read, offset, row, owner):
            pass
        else:
            continue
        return


def _sight(placement: Placement, read: Read, offset: int, row: int, owner: Append) -> bool:
    """Place an append of open outcome where one of its rows was seen; False: it does not fit."""
    start = offset - owner.rows.index(row)
    if _is_beyond(placement, owner, start, read):
        return False
    obstacle = _put(placement, owner, start) if start >= 0 else None
    if start >= 0 and obstacle is None:
        placement.sightings[owner.inv] = read
        return True
    why = (
        "which would make its batch begin before the log"
        if obstacle is None
        else f"where its batch does not fit beside {append_text(obstacle)}"
    )
    others = () if obstacle is None else (placement.source(obstacle),)
    _report(
        placement,
        "torn-batch",
        f"{read_text(read)} returned row {row} of {append_text(owner)} at offset {offset}, {why}",
        read,
        owner,
        *others,
    )
    return False


def _contradiction(placement: Placement, read: Read, offset: int, row: int) -> None:
    holder = placement.holder(offset)
    assert holder is not None
    start = placement.starts[holder.inv]
    expected = holder.rows[offset - start]
    seen = range(max(start, read.start), min(start + len(holder.rows), read.end))
    if any(read.rows[at - read.start] == holder.rows[at - start] for at in seen):
        _report(
            placement,
            "torn-batch",
            f"{read_text(read)} returned only a part of the batch of {append_text(holder)}: "
            f"at offset {offset} stood row {row} and not row {expected}",
            read,
            holder,
        )
        return
    source = placement.source(holder)
    how = (
        f"where {append_text(holder)} belongs"
        if isinstance(source, Append)
        else f"where {read_text(source)} had found row {expected}"
    )
    _report(
        placement,
        "two-rows-at-one-offset",
        f"{read_text(read)} returned row {row} at offset {offset}, {how}",
        read,
        source,
    )


def _aborted(placement: Placement, read: Read, offset: int, row: int, owner: Append) -> None:
    _report(
        placement,
        "aborted-read",
        f"{read_text(read)} returned row {row} at offset {offset}, "
        f"although {append_text(owner)} was never to be seen",
        read,
        owner,
    )


def _duplicate(placement: Placement, read: Read, offset: int, row: int, owner: Append) -> None:
    source = placement.source(owner)
    place = placement.starts[owner.inv] + owner.rows.index(row)
    _report(
        placement,
        "duplicate",
        f"{read_text(read)} returned row {row} at offset {offset}, "
        f"but by {operation_text(source)} it stands at offset {place}",
        read,
        source,
    )


def _in_the_way(placement: Placement, later: Append, earlier: Append) -> None:
    """An acknowledgement of an offset that is known to be another's."""
    assert later.offset is not None
    offset = max(later.offset, placement.starts[earlier.inv])
    source = placement.source(earlier)
    how = (
        f"{append_text(earlier)} and {append_text(later)} both claim offset {offset}"
        if isinstance(source, Append)
        else f"{append_text(later)} claims offset {offset}, where {read_text(source)} had found "
        f"row {placement.rows[offset]}"
    )
    _report(placement, "two-rows-at-one-offset", how, source, later)


def _overlong(placement: Placement, read: Read) -> None:
    _report(
        placement,
        "overlong-read",
        f"{read_text(read)} returned {len(read.rows)} rows, but asked for at most {read.limit}",
        read,
    )


def _report(placement: Placement, kind: str, text: str, *operations: Append | Read) -> None:
    key = placement.view.key
    sentence = f"{text[0].upper()}{text[1:]}{table_text(key)}."
    placement.anomalies.append(Anomaly(kind, key, sentence, operations))
