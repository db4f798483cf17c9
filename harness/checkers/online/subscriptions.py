"""Subscribers that miss rows, get some twice or others', as soon as their own operations tell."""

from collections.abc import Iterator

import msgspec

from ...history import Call
from ...op import Op, OpType, ProcessId
from ..log.placement import UNACCOUNTED_MAX
from ..log.view import Append, Read, append_of, read_of
from ..subscriptions import NAME, NOT_YET, OPERATIONS, OTHER_ROW, Handled, Ledger
from .watch import Flaw


class _Early(msgspec.Struct, frozen=True):
    """A row that a subscriber was given before anybody else told what is there."""

    begin: str
    row: int
    index: int


class SubscriptionWatch:
    """Every subscriber's ledger, and the table as acknowledgements and reads tell it so far."""

    name = NAME

    def __init__(self) -> None:
        self._ledgers: dict[ProcessId, Ledger] = {}
        self._begun: set[int] = set()
        self._rows: list[int | None] = []
        self._early: dict[int, list[_Early]] = {}

    def hear(self, op: Op, call: Call | None) -> Flaw | None:
        if call is None:
            return None
        if op.f in OPERATIONS:
            return None if call.completion is None else self._subscribed(call)
        if op.f not in ("append", "read"):
            return None
        told = append_of(call) if op.f == "append" else read_of(call)
        if isinstance(told, Append) and call.completion is None:
            self._begun.update(told.rows)
        if isinstance(told, Append) and told.offset is not None:
            return self._there(told.offset, told.rows, op.index)
        if isinstance(told, Read):
            return self._there(told.start, told.rows, op.index)
        return None

    def _there(self, start: int, rows: list[int], index: int) -> Flaw | None:
        """What is in the table from an offset on."""
        end = start + len(rows)
        if end > len(self._begun) + UNACCOUNTED_MAX:
            # The watch of the log tells that; here every offset below would take memory.
            return None
        self._rows += [None] * (end - len(self._rows))
        self._rows[start:end] = rows
        for offset in range(start, end) if self._early else ():
            for one in self._early.pop(offset, ()):
                if one.row != rows[offset - start]:
                    text = f"{one.begin}{OTHER_ROW} {rows[offset - start]}."
                    return Flaw(text, ("HS-12",), tuple(sorted((one.index, index))))
        return None

    def _subscribed(self, call: Call) -> Flaw | None:
        process = call.invoke.process
        ledger = self._ledgers.get(process)
        if ledger is None:
            ledger = self._ledgers[process] = Ledger(process)
        ledger.add(call)
        handled, ledger.handled = ledger.handled, []
        if ledger.flaws:
            flaw = ledger.flaws[0]
            return Flaw(flaw.sentence, flaw.promises, flaw.witness)
        found = (flaw for one in handled if one.places is None for flaw in self._given(one, ledger))
        return next(found, None)

    def _given(self, handled: Handled, ledger: Ledger) -> Iterator[Flaw]:
        """Rows that are not in the table, or not there."""
        completion = handled.call.completion
        assert completion is not None
        assert completion.type is OpType.OK
        for offset, row in enumerate(handled.rows, start=handled.offset):
            there = self._rows[offset] if offset < len(self._rows) else None
            if there is None:
                early = _Early(ledger.given(row, offset), row, completion.index)
                self._early.setdefault(offset, []).append(early)
            elif there != row:
                text = f"{ledger.given(row, offset)}{OTHER_ROW} {there}."
                yield Flaw(text, ("HS-12",), (completion.index,))
            if row not in self._begun:
                text = f"{ledger.given(row, offset)}{NOT_YET}."
                yield Flaw(text, ("HS-12",), (completion.index,))
