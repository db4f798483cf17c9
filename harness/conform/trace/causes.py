"""Whether there is an order in which all records may have come: causes before what they cause.

A process's records come in their order, and a message arrives after it has left: with the record
that sends it, or with the sync that releases it. A release that no line tells came behind the last
line of its process, since a kill takes the ends of traces only; so did what no line sends.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence

from ...traces import Received, Record, Uid
from .finding import Place, Rejected
from .wire import NEVER, Sent, Wire


class Causes:
    """The records of all members, whose numbers are dense. Asked once, in linear time."""

    def __init__(
        self, traces: Mapping[str, Sequence[Record]], wires: Mapping[tuple[str, int], Wire]
    ) -> None:
        """`wires` by member and group."""
        self._traces = traces
        self._sent: dict[str, dict[int, dict[Uid, Sent]]] = {node: {} for node in traces}
        for (node, group), wire in wires.items():
            self._sent.setdefault(node, {})[group] = wire.sent
        self._at = dict.fromkeys(traces, 0)
        """How many records of each may have come."""
        self._begins = {node: _begins(records) for node, records in traces.items()}

    def check(self) -> None:
        """Raises Rejected."""
        for first, records in self._traces.items():
            path = {first: len(records)}
            node = first
            while True:
                found = self._advance(node, path[node])
                if found is None:
                    del path[node]
                    if not path:
                        break
                    node = next(reversed(path))
                    continue
                record, node, needed = found
                if node in path:
                    raise self._impossible(record)
                path[node] = needed

    def _advance(self, node: str, until: int) -> tuple[Record, str, int] | None:
        """Let so many of a member's records come, or all up to one before which so many of another
        member must: that record, the other, and how many.
        """
        records, reached, begins = self._traces[node], self._at, self._begins
        sent_in = self._sent[node]
        for number in range(reached[node], until):
            record = records[number]
            event = record.event
            if type(event) is not Received:
                continue
            source, inc, _ = uid = event.uid
            sent = sent_in[record.group].get(uid)
            if sent is None or sent.left == NEVER:
                needed = self._end(source, inc)
            else:
                needed = begins[source][inc] + sent.left + 1
            if needed > reached.get(source, needed):
                reached[node] = number
                return record, source, needed
        reached[node] = max(reached[node], until)
        return None

    def _end(self, node: str, inc: int) -> int:
        """How many records there are of a member up to the end of an incarnation."""
        later = [at for life, at in self._begins.get(node, {}).items() if life > inc]
        return min(later, default=len(self._traces.get(node, ())))

    def _impossible(self, record: Record) -> Rejected:
        """Of the records that wait for one another, this one was met last."""
        assert isinstance(record.event, Received)
        source, inc, number = record.event.uid
        sent = self._sent[record.node][record.group].get(record.event.uid)
        is_held = sent is not None and sent.left != sent.seq
        how = (
            "before it had left: a line of its sender that comes later sends it"
            if sent is not None and not is_held
            else "before its sender's last line, and no line sends it"
            if sent is None
            else f"although it waited for the disk of {source} (step {sent.seq}), before a sync "
            "released it"
        )
        return Rejected(
            Place.of(record),
            "durability" if is_held else "provenance",
            f"message {source}/{inc}/{number} arrived {how}",
            field="released" if is_held else "uid",
            record=record,
        )


def _begins(records: Sequence[Record]) -> dict[int, int]:
    """Where each incarnation begins."""
    found: dict[int, int] = {}
    at = 0
    while at < len(records):
        inc = records[at].inc
        found[inc] = at
        at = bisect_right(records, inc, lo=at, key=lambda record: record.inc)
    return found
