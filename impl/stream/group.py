"""The stream tables of one Raft group: what producers, readers and subscribers ask of a member.

Rows go into the data files as soon as they are in the own synced log, and are rolled back if their
entry is overruled (W3, V2); they are in the table, for all who look, once they are committed. A
producer is answered when both is done (promise HS-3).
"""

from collections.abc import Callable, Sequence
from typing import Any

from ..bugs import PUBLISH_WRITTEN
from ..client.errors import RequestError
from ..config import GroupConfig
from ..raft.core import Core
from ..raft.debts import Answer, Proposal
from ..raft.group import Group
from ..raft.messages import Entry, Kind
from ..raft.surroundings import Surroundings
from ..raft.wal import Wal
from .broker import FRAME_BYTES, Broker
from .checks import COLUMNS_SHARE, check_fits
from .commands import TableOptions
from .reading import Reading
from .tables import Tables
from .writer import Writer

FRAME_SLACK_BYTES = 4096
"""What surrounds a batch in a frame, generously."""

ENTRY_BYTES = 256
"""What surrounds a batch in its entry; the rest of the slack is the frame's."""


class TableGroup:
    """A member of a group of stream tables; the `Owner` of its Raft group."""

    def __init__(
        self, config: GroupConfig, core: Core, wal: Wal, tables: Tables, around: Surroundings
    ) -> None:
        self.id = config.id
        self._core = core
        self._tables = tables
        clock = around.runtime.clock
        tables.tell_damage(lambda e: clock.call_soon(lambda: self.raft.fail(f"data file: {e}")))
        self._room = room = around.frame_bytes_max - FRAME_SLACK_BYTES
        self._writer = Writer(core, tables)
        self._reading = Reading(core, tables, room)
        self.broker = Broker(clock, tables, core.bugs, bytes_max=min(FRAME_BYTES, room))
        self.raft = Group(config, core, wal, tables, around, self)

    @property
    def tables(self) -> Tables:
        """For tools that look on, and do not touch."""
        return self._tables

    def has_table(self, name: str) -> bool:
        """Whether there is such a table, as far as this member has applied the log."""
        return name in self._tables

    def identity(self, name: str) -> tuple[int, int]:
        """What tells a table from others that had its name; raises RequestError."""
        return self.id, self._tables.number(name)

    # What clients ask.

    def create(self, name: str, schema: bytes, options: TableOptions, answer: Answer) -> None:
        """Create a table; answers with None."""

        def go() -> None:
            payload = self._tables.creation(name, schema, options)
            check_fits("a table's columns", len(payload), self._room // COLUMNS_SHARE)
            self.raft.propose(Kind.CREATE_TABLE, payload, answer)

        self.raft.as_leader(go, answer, len(schema))

    def drop(self, name: str, answer: Answer) -> None:
        """Drop a table on every member; answers with None. Not one with subscriptions (HS-17)."""

        def over(outcome: Any) -> None:
            self.broker.unfence(name)
            answer(outcome)

        def go() -> None:
            payload = self._tables.removal(name)
            self.broker.refuse_subscribed(name)
            self.raft.propose(Kind.DROP_TABLE, payload, over)
            self.broker.fence(name)

        self.raft.as_leader(go, answer)

    def filter_by(self, name: str, column: str, answer: Answer) -> None:
        """Set a table's filter column; answers with None."""

        def go() -> None:
            payload = self._tables.filtering(name, column)
            self.raft.propose(Kind.FILTER_COLUMN, payload, answer)

        self.raft.as_leader(go, answer)

    def append(self, table: str, fingerprint: bytes, body: bytes, answer: Answer) -> None:
        """Append a batch; answers with the offset of its first row.

        Where the table has key columns: with the offset of the first new row, and how many are new.
        """

        def go() -> None:
            insertion = self._tables.insertion(table, fingerprint, body)
            # The filter of keys copies, and columns that shared their bytes do so no more.
            room = self._room + ENTRY_BYTES - insertion.beside_bytes
            check_fits("a batch", len(insertion.payload), room)

            def told(outcome: Any) -> None:
                answer(insertion.told(outcome))

            self.raft.propose(Kind.APPEND, insertion.payload, told)
            insertion.logged()

        self.raft.as_leader(go, answer, len(body))

    def read(
        self,
        table: str,
        start: int,
        limit: int | None,
        answer: Answer,
        when_room: Callable[[Callable[[], None]], None],
    ) -> None:
        """Read linearizably; answers with rows, schema, identity and the table's length.

        `when_room` says when rows may be fetched: what is applied then is not older.
        """

        def look() -> None:
            try:
                found = self._reading.read(table, start, limit)
                value: Any = found | {"table": self.identity(table)}
            except RequestError as refusal:
                value = refusal
            answer(value)

        def ready(error: RequestError | None) -> None:
            if error is None:
                when_room(look)
            else:
                answer(error)

        self.raft.as_leader(lambda: self.raft.read(ready), answer)

    def poll(self, table: str, start: int, limit: int | None) -> dict[str, Any]:
        """As `read`, of what this member has applied: perhaps old (HS-12). Raises RequestError."""
        found = self._reading.poll(table, start, limit, self.raft.applied)
        return found | {"table": self.identity(table)}

    # What the Raft group tells; see Owner.

    def status(self) -> dict[str, Any]:
        return {"tables": self._tables.summary()}

    def logged(self, proposals: Sequence[Proposal]) -> None:
        if PUBLISH_WRITTEN in self._core.bugs:
            self.broker.leak([p.payload for p in proposals if p.kind is Kind.APPEND])

    def applying(self) -> None:
        self._writer.roll_back()

    def applied(self, entry: Entry) -> None:
        self._reading.applied(entry)

    def level(self, index: int) -> None:
        self._writer.write(index)

    def advanced(self) -> None:
        self.broker.publish()

    def changed_role(self) -> None:
        self._tables.role_changed()

    def stood_down(self, error: RequestError) -> None:
        self.broker.end_all(error)

    def closed(self) -> None:
        self.broker.close()
