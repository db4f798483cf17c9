"""Polls of members that contradict one another, or take something back, as soon as one does."""

from typing import Any

from ...history import Call
from ...op import NEMESIS, OBSERVER, Op, OpType
from ..log.placement import take_read
from ..log.view import Read
from ..log.violation import Violation
from ..log_poll import (
    ENDING,
    NAME,
    POLL,
    PROMISES,
    in_parts,
    is_shorter,
    node_of,
    poll_of,
    taken_back,
    told,
)
from .log import Table
from .watch import Flaw


class PollWatch:
    """All tables of a run as their members show them.

    After any restart nothing counts as taken back of what was shown before, by whichever member.
    """

    name = NAME

    def __init__(self) -> None:
        self._tables: dict[Any, Table] = {}
        self._longest: dict[tuple[Any, Any, str], Read] = {}
        """By table, client and member."""
        self._restarted = -1

    def hear(self, op: Op, call: Call | None) -> Flaw | None:
        if call is None:
            if (op.process == NEMESIS and op.f in ENDING) or (
                op.process == OBSERVER and op.f == "died"
            ):
                self._restarted = op.index
            return None
        if op.f not in ("append", "read", POLL):
            return None
        found = self._heard(call)
        return None if found is None else Flaw(found.sentence, PROMISES[found.kind], found.witness)

    def _heard(self, call: Call) -> Violation | None:
        key = call.invoke.key
        table = self._tables.get(key)
        if table is None:
            table = self._tables[key] = Table(key)
        poll = None
        if call.invoke.f != POLL:
            table.take(call)
        elif call.outcome is OpType.OK:
            poll = poll_of(call)
        if poll is not None:
            take_read(table.placement, poll)
        if table.placement.anomalies:
            return told(table.placement.anomalies[0])
        if poll is None:
            return None
        return next(iter(in_parts([poll], table.placement)), None) or self._less(key, poll)

    def _less(self, key: Any, poll: Read) -> Violation | None:
        session = key, poll.call.invoke.process, node_of(poll)
        before = self._longest.get(session)
        if before is not None and before.inv <= self._restarted:
            before = None
        if before is not None and is_shorter(poll, before):
            return taken_back(before, poll)
        if poll.rows and (before is None or poll.end > before.end):
            self._longest[session] = poll
        return None
