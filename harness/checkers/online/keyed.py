"""Rows that were sent again, as soon as somebody sees one twice, elsewhere, or out of nowhere."""

from collections.abc import Iterator

from ...history import Call
from ...op import Op, OpType
from ..keyed import NAME, PROMISES, Table, malformed
from ..wrong import Wrong
from .watch import Flaw


class KeyedWatch:
    """The table of a run as it was seen so far."""

    name = NAME

    def __init__(self) -> None:
        self._table = Table()
        self._told: dict[int, Call] = {}
        """By offset the acknowledgement that says so of a row that nobody has looked at."""

    def hear(self, op: Op, call: Call | None) -> Flaw | None:
        if call is None or op.f not in ("append", "read", "poll") or malformed(call) is not None:
            return None
        if call.completion is None:
            if op.f == "append":
                self._table.send(call)
            return None
        if call.outcome is not OpType.OK:
            return None
        found = self._acknowledged(call) if op.f == "append" else self._looked(call)
        wrong = next(found, None)
        return None if wrong is None else Flaw(wrong.sentence, PROMISES[wrong.kind], wrong.witness)

    def _acknowledged(self, call: Call) -> Iterator[Wrong]:
        assert call.completion is not None
        start, count = call.completion.value
        count = min(count, len(call.invoke.value))
        self._told.update(dict.fromkeys(range(start, start + count), call))
        yield from self._table.misplaced(call)

    def _looked(self, call: Call) -> Iterator[Wrong]:
        assert call.completion is not None
        start, rows = call.invoke.value[0], call.completion.value
        yield from self._table.look(call)
        told = [self._told.pop(o, None) for o in range(start, start + len(rows))]
        for append in {id(one): one for one in told if one is not None}.values():
            yield from self._table.misplaced(append)
