"""Is a log linearizable, as far as it goes? The exact monitor, one operation at a time.

An op that returns is held against the table of rows by offset, and its place in the log against
the greatest that had been reached when it began: the sweep of the monitor in order of time. What is
left for the end: whether what nobody saw can be filled in. (Here only that a log is not longer than
all that may have been appended.)
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from ...history import Call
from ...op import Op, OpType
from ..log.anomaly import PROMISES, Anomaly
from ..log.monitor import disorder, torn
from ..log.placement import (
    Placement,
    take_acknowledged,
    take_failed,
    take_read,
)
from ..log.prose import operation_text, table_text
from ..log.sweep import Item, append_item, read_item
from ..log.view import FOREVER, Append, LogView, Read, append_of, read_of
from .watch import Flaw


class Table:
    """One log as clients know it so far: rows by offset, and who appended what."""

    def __init__(self, key: Any) -> None:
        self.view = LogView(key, [], [], [], [], {})
        self.placement = Placement(self.view)

    def take(self, call: Call) -> Append | Read | None:
        """What a call says about the log, once that is in the table; None: nothing.

        A call that no client of a log could have recorded says nothing: the checkers tell of it.
        """
        if call.invoke.f != "append":
            read = read_of(call)
            if not isinstance(read, Read):
                return None
            take_read(self.placement, read)
            return read
        append = append_of(call)
        if isinstance(append, str):
            return None
        self.view.owner.update(dict.fromkeys(append.rows, append))
        if append.offset is not None:
            take_acknowledged(self.placement, append)
        elif call.outcome is OpType.FAIL:
            take_failed(self.placement, append)
        return append


class _Log:
    """A table, and when its length was known to be what."""

    def __init__(self, key: Any) -> None:
        self.table = Table(key)
        self._floors: dict[int, Item | None] = {}
        """Of what is under way or of open outcome, the item of the greatest key that had returned
        when it began."""
        self._floor: Item | None = None
        self._begun = self._failed = 0
        """Rows that clients began to append, and that certainly were not."""

    def began(self, call: Call) -> None:
        self._floors[call.invoke.index] = self._floor
        append = self.table.take(call) if call.invoke.f == "append" else None
        if isinstance(append, Append):
            self._begun += len(append.rows)

    def ended(self, call: Call) -> Anomaly | None:
        placement = self.table.placement
        known = len(placement.sightings)
        operation = self.table.take(call)
        if placement.anomalies:
            return placement.anomalies[0]
        if call.outcome is OpType.INFO and isinstance(operation, Append):
            return None
        floor = self._floors.pop(call.invoke.index, None)
        if call.outcome is not OpType.OK or operation is None:
            self._failed += len(operation.rows) if isinstance(operation, Append) else 0
            return None
        for append in self._sighted(len(placement.sightings) - known):
            item = append_item(append, placement)
            found = self._fits(item, self._floors.get(append.inv))
            if found is not None:
                return found
        if isinstance(operation, Append):
            item = append_item(operation, placement)
        else:
            item = read_item(operation, placement)
        if self._floor is None or item.lo > self._floor.lo:
            self._floor = item
        return self._fits(item, floor) or self._too_long(operation)

    def _sighted(self, count: int) -> Iterator[Append]:
        """The appends of open outcome that were placed last."""
        placement = self.table.placement
        for inv in islice(reversed(placement.sightings), max(count, 0)):
            append = placement.holder(placement.starts[inv])
            assert append is not None
            yield append

    def _fits(self, item: Item, floor: Item | None) -> Anomaly | None:
        placement = self.table.placement
        if item.lo > item.hi:
            return torn(item.operation, placement)
        if floor is not None and floor.lo > item.hi:
            return disorder(floor, item, placement, FOREVER)
        return None

    def _too_long(self, operation: Append | Read) -> Anomaly | None:
        length, possible = len(self.table.placement.rows), self._begun - self._failed
        if length <= possible:
            return None
        key = self.table.view.key
        told = operation_text(operation)
        sentence = (
            f"By {told} the log has {length:,} rows{table_text(key)}, but no more than "
            f"{possible:,} can have been appended."
        )
        return Anomaly("gap", key, sentence, (operation,))


class LogWatch:
    """All logs of a run."""

    name = "linearizable"

    def __init__(self) -> None:
        self._logs: dict[Any, _Log] = {}

    def hear(self, op: Op, call: Call | None) -> Flaw | None:
        if call is None or op.f not in ("append", "read"):
            return None
        log = self._logs.get(call.invoke.key)
        if log is None:
            log = self._logs[call.invoke.key] = _Log(call.invoke.key)
        if call.completion is None:
            log.began(call)
            return None
        anomaly = log.ended(call)
        if anomaly is None:
            return None
        return Flaw(anomaly.sentence, PROMISES[anomaly.kind], anomaly.witness)
