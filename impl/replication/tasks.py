"""A task: one completed transaction of a replicated database, as slaves are told of it."""

import msgspec
from msgspec.structs import replace

from ..cluster.operations import Operation

PULL_TASKS_MAX = 1000
PULL_BYTES_MAX = 1 << 20
"""A pull gives at most this many tasks, and so many bytes (but one task always)."""

QUEUE_TASKS_MAX = 10_000
"""A slave pulls no more than it has to do at once; the rest waits at the master."""

SHOWN_MAX = 10_000
"""How many finished tasks either side remembers, to show them (semantics §2.1)."""


class TaskMeta(msgspec.Struct, frozen=True, array_like=True):
    """What the coordinator sends with its commit; for a metadata operation, what the log says.

    `chunks` are partitions by name, "dfs://db/table/key"; empty: the whole database (G4), or the
    task is over. `statement`: a metadata operation in full; empty for writes, whose data stays on
    the data node at `source_host`:`source_port` under their tid (U11). `submitted_ns` is the time
    of day.
    """

    tid: int
    operation: Operation
    database: str
    table: str
    chunks: tuple[str, ...]
    source_host: str
    source_port: int
    submitted_ns: int
    statement: bytes = b""

    def conflicts(self, other: "TaskMeta") -> bool:
        """Whether the two may not be exchanged (G2, G4)."""
        if self.chunks and other.chunks:
            return not set(self.chunks).isdisjoint(other.chunks)
        return self.database == other.database


class Task(msgspec.Struct, frozen=True, array_like=True):
    """A task in the queue. Ids grow without gaps in the order of completion (PR-3)."""

    id: int
    group: int
    meta: TaskMeta

    def outline(self) -> "Task":
        """What is left of it when it is over: nobody asks for its partitions and statement again.

        There may be thousands of them, and of these tasks.
        """
        return replace(self, meta=replace(self.meta, chunks=(), statement=b""))
