"""Names in traces, as numbers of the model: databases, chunks, slaves, and how many there are."""

from collections.abc import Iterable
from typing import Any

from ....model.replication_rules import Options
from ....model.replication_types import Deed, Task, Transaction
from ...traces import CoreRecord

WRITES = frozenset({"APPEND", "UPSERT", "SQL_UPDATE", "SQL_DELETE"})
"""Operations with rows (U11)."""

DROPS = "DROP_DB"

NEVER = 1 << 30
"""More than anything is counted to."""


class Names:
    """All names of a cluster's traces, in the order in which they come.

    `limit`: the failure limit that was planned; None: each failure's own is believed.
    """

    def __init__(self, records: Iterable[CoreRecord], limit: int | None = None) -> None:
        self.databases: dict[str, int] = {}
        self.slaves: dict[str, int] = {}
        self._chunks: dict[str, tuple[int, int]] = {}
        self._counts: list[int] = []
        self.limit = limit
        for record in records:
            self._learn(record)
        most = max(self._counts, default=0)
        self.options = Options(
            databases=max(1, len(self.databases)),
            chunks=max(1, most),
            slaves=max(1, len(self.slaves)),
            limit=NEVER,
            attempts=NEVER,
            batch=NEVER,
            writes=NEVER,
            definitions=NEVER,
        )

    def database(self, name: str) -> int:
        """Its number."""
        return self.databases[name]

    def slave(self, controllers: Iterable[str]) -> int:
        """Who asks, whichever controller it is that does."""
        return self.slaves[",".join(sorted(controllers))]

    def chunks(self, meta: list[Any]) -> tuple[int, ...]:
        """What a transaction writes; none named is the whole database."""
        database, chunks = meta[2], meta[4]
        if not chunks:
            return self.options.of(self.databases[database])
        places = (self._chunks[chunk] for chunk in chunks)
        return tuple(number * self.options.chunks + at for number, at in places)

    def transaction(self, meta: list[Any], *, flagged: bool) -> Transaction:
        """Committed, and not yet complete."""
        return Transaction(self.chunks(meta), meta[1] in WRITES, flagged, Deed.COMMITTED)

    def task(self, task: list[Any]) -> Task:
        """A task as it is in the queue. Its tid here is its id: the model needs no other."""
        number, group, meta = task
        return Task(number, group, number, self.chunks(meta), meta[1] in WRITES)

    # What is there.

    def _learn(self, record: CoreRecord) -> None:
        event = record.event
        match event["kind"]:
            case "flagset":
                self._database(event["database"])
            case "completed":
                self._meta(event["meta"])
            case "queued" | "pullanswered":
                for task in event["tasks"]:
                    self._meta(task[2])
            case "pulled":
                self._slave(event["controllers"])
            case "boot":
                self._boot(event["state"])

    def _boot(self, state: dict[str, Any]) -> None:
        for name in state.get("flagged", ()):
            self._database(name)
        for task in state.get("tasks", ()):
            self._meta(task[2])
        for database, chunks in state.get("joined", ()):
            self._chunks_of(self._database(database), chunks)
        for slave in state.get("slaves", ()):
            self._slave(slave[0])
        for record in state.get("records", ()):
            self._meta(record[0][2])

    def _meta(self, meta: list[Any]) -> None:
        self._chunks_of(self._database(meta[2]), meta[4])

    def _chunks_of(self, number: int, chunks: Iterable[str]) -> None:
        for chunk in chunks:
            if chunk not in self._chunks:
                self._chunks[chunk] = (number, self._counts[number])
                self._counts[number] += 1

    def _database(self, name: str) -> int:
        if name not in self.databases:
            self.databases[name] = len(self.databases)
            self._counts.append(0)
        return self.databases[name]

    def _slave(self, controllers: Iterable[str]) -> None:
        self.slaves.setdefault(",".join(sorted(controllers)), len(self.slaves))
