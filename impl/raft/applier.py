"""Executes what is committed and durable here, in order, and lets go on who waits for it."""

import sys
from collections.abc import Callable
from typing import Any

from ..bugs import BATCH_IN_PARTS, POLL_UNCOMMITTED
from ..client.errors import OVERLOADED, RequestError
from ..stream.commands import decode_append
from ..stream.tables import Tables
from .core import Core
from .debts import CALLS_MAX, Answer, Debts
from .messages import Entry, Kind

APPLY_ENTRIES_MAX = 512
APPLY_BYTES_MAX = 8 << 20
"""Applied in one turn, so that a long log does not keep heartbeats waiting."""


class Applier:
    """The way from the log into the tables.

    Rows go into the data files as soon as they are in the own synced log, and are rolled back if
    their entry is overruled; they are in the table, for all who look, once they are committed.
    Whoever waits is answered when both is done (promise HS-3, V1).

    # Invariant: applied <= durable, applied <= commit; but after a restart the tables may know more
    # than the core, which learns anew what is committed.
    """

    def __init__(self, core: Core, tables: Tables, debts: Debts) -> None:
        self._core = core
        self._tables = tables
        self._debts = debts
        self._until_serving: list[tuple[Callable[[], None], Answer]] = []
        self._serving_from = 0
        self.applied = tables.applied.index
        self.bytes = 0
        """Of entries, since the start."""
        # Table and middle of the batch that was applied last, for a seeded bug.
        self._half = "", 0
        self.is_paused = False
        """A snapshot takes the place of the tables."""

    @property
    def serves(self) -> bool:
        """Whether all is applied that older leaders may have committed."""
        return self.applied >= self._serving_from

    def serve_from(self, index: int) -> None:
        """This member leads: what it does for clients begins when `index` is applied."""
        self._serving_from = index

    def wait(self, go: Callable[[], None], answer: Answer) -> None:
        """Go on when this member serves; refuses when too many wait."""
        if len(self._until_serving) >= CALLS_MAX:
            answer(RequestError(OVERLOADED, True, "the new leader is not ready yet"))
        else:
            self._until_serving.append((go, answer))

    def refuse_waiting(self, error: RequestError) -> None:
        """This member leads no more."""
        waiting, self._until_serving = self._until_serving, []
        for _, answer in waiting:
            answer(error)

    def take_waiting(self) -> list[tuple[Callable[[], None], Answer]]:
        """Who waited, if this member serves now."""
        if not self._until_serving or not self.serves:
            return []
        waiting, self._until_serving = self._until_serving, []
        return waiting

    def apply(self) -> bool:
        """Execute a piece of the log, answer; true if there is more. Raises OSError."""
        if self.is_paused:
            return False
        entries = self._core.log
        self._tables.roll_back(entries.holds)
        end = min(entries.commit, entries.durable)
        if self.applied < end:
            self._apply_until(min(end, self.applied + APPLY_ENTRIES_MAX))
        if self.applied == end:
            self._write_ahead()
        self._debts.settle_reads(self.applied)
        return self.applied < end

    def read(self, table: str, start: int, limit: int | None, bytes_max: int) -> dict[str, Any]:
        """What the table has here; raises RequestError."""
        if BATCH_IN_PARTS not in self._core.bugs or self._half[0] != table:
            return self._tables.read(table, start, limit, bytes_max)
        end = self._half[1]
        limit = max(0, end - start if limit is None else min(limit, end - start))
        return self._tables.read(table, start, limit, bytes_max) | {"end": end}

    def poll(self, table: str, start: int, limit: int | None, bytes_max: int) -> dict[str, Any]:
        """As `read`, without a question to others; raises RequestError."""
        found = self.read(table, start, limit, bytes_max)
        if POLL_UNCOMMITTED in self._core.bugs:
            self._add_uncommitted(found, table, start, limit)
        return found

    def _add_uncommitted(
        self, found: dict[str, Any], table: str, start: int, limit: int | None
    ) -> None:
        rows, log = found["end"], self._core.log
        room = sys.maxsize if limit is None else start + limit
        for index in range(self.applied + 1, log.last_index + 1):
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

    def _write_ahead(self) -> None:
        """Let the data files have what is durable here while others are still asked (W3, V2).

        What more there is waits for its commit: it is written then.
        """
        entries = self._core.log
        index, size = max(self.applied, self._tables.written_ahead) + 1, 0
        stop = min(entries.durable, index + APPLY_ENTRIES_MAX - 1)
        while index <= stop and size < APPLY_BYTES_MAX:
            entry = entries.entry(index)
            if not self._tables.write_ahead(index, entry):
                break
            size += len(entry.payload)
            index += 1
        self._tables.flush()

    def _apply_until(self, stop: int) -> None:
        """At least one entry; then answer who waits for them."""
        settled: list[tuple[Answer, Any]] = []
        size = 0
        while self.applied < stop and size < APPLY_BYTES_MAX:
            index = self.applied + 1
            entry = self._core.log.entry(index)
            outcome = self._tables.apply(index, entry)
            self.applied = index
            if BATCH_IN_PARTS in self._core.bugs:
                self._halve(entry)
            size += len(entry.payload)
            self.bytes += len(entry.payload)
            answer = self._debts.applied(index)
            if answer is not None:
                settled.append((answer, outcome))
        self._tables.flush()
        for answer, outcome in settled:
            answer(outcome)
