"""What readers get of a group's tables: what is applied, and nothing else."""

import sys
from typing import Any

from ..bugs import BATCH_IN_PARTS, POLL_UNCOMMITTED
from ..raft.core import Core
from ..raft.messages import Entry, Kind
from .commands import decode_append
from .tables import Tables


class Reading:
    """The way of one member's readers to its tables."""

    def __init__(self, core: Core, tables: Tables, bytes_max: int) -> None:
        self._core = core
        self._tables = tables
        self._bytes_max = bytes_max
        # Table and middle of the batch that was applied last, for a seeded bug.
        self._half = "", 0

    def applied(self, entry: Entry) -> None:
        """The tables have executed this one."""
        if BATCH_IN_PARTS in self._core.bugs:
            self._halve(entry)

    def read(self, table: str, start: int, limit: int | None) -> dict[str, Any]:
        """What the table has here; raises RequestError."""
        if BATCH_IN_PARTS not in self._core.bugs or self._half[0] != table:
            return self._tables.read(table, start, limit, self._bytes_max)
        end = self._half[1]
        limit = max(0, end - start if limit is None else min(limit, end - start))
        return self._tables.read(table, start, limit, self._bytes_max) | {"end": end}

    def poll(self, table: str, start: int, limit: int | None, applied: int) -> dict[str, Any]:
        """As `read`, without a question to others; raises RequestError."""
        found = self.read(table, start, limit)
        if POLL_UNCOMMITTED in self._core.bugs:
            self._add_uncommitted(found, table, start, limit, applied)
        return found

    def _add_uncommitted(
        self, found: dict[str, Any], table: str, start: int, limit: int | None, applied: int
    ) -> None:
        rows, log = found["end"], self._core.log
        room = sys.maxsize if limit is None else start + limit
        for index in range(applied + 1, log.last_index + 1):
            entry = log.entry(index)
            if entry.kind != Kind.APPEND or start > found["end"]:
                continue
            command = decode_append(entry.payload)
            if command.table == table and rows + command.rows <= room:
                found["batches"].append(bytes(command.body))
                rows += command.rows

    def _halve(self, entry: Entry) -> None:
        self._half = "", 0
        if entry.kind == Kind.APPEND:
            command = decode_append(entry.payload)
            if command.table in self._tables:
                rows = self._tables.table(command.table).rows
                self._half = command.table, rows - command.rows // 2
