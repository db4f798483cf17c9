"""Ways to queue tasks that break a promise: mistakes of the master's controllers and data node."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from .actor import Model, Network
from .replication_events import Found
from .replication_group import replication
from .replication_rules import (
    Options,
    Rules,
    is_on,
)
from .replication_types import Data, Deed, Master, Status, Transaction


@dataclass(frozen=True)
class ReplicationMutant:
    """Decisions changed, where to look, and the promise that breaks first.

    `also_breaks` are promises that no mutant breaks first; this one does when they are checked
    alone.
    """

    name: str
    mistake: str
    source: str
    rules: Rules
    options: Options
    breaks: str
    also_breaks: tuple[str, ...] = ()

    def model(
        self, bounds: Mapping[str, Any] | None = None, network: Network | None = None
    ) -> Model:
        """The clusters with the mistake in them; `bounds` go before its own."""
        return replication(replace(self.options, **(bounds or {})), network, self.rules)


def _renumbered(s: Master) -> Master:
    left = s.tasks[s.cut :]
    return s._replace(
        tasks=tuple(task._replace(id=at) for at, task in enumerate(left, start=1)),
        cut=0,
    )


def _queued(
    *,
    deed: bool = True,
    status: bool = True,
    flag: bool = True,
    metadata: bool = True,
) -> Callable[[Options, Master, Transaction], bool]:
    """Whether a transaction is a task, with some of the conditions only."""

    def enqueues(o: Options, s: Master, t: Transaction) -> bool:
        return (
            (t.deed is Deed.COMPLETE or not deed)
            and (s.status is Status.ENABLED or not status)
            and (is_on(s, o, t) or not flag)
            and (t.writes or metadata)
            and t.flagged
        )

    return enqueues


ONE = Options(writes=1, attempts=1, limit=1)
TWO = Options(attempts=1, limit=1)
GROUP = Options(attempts=1, limit=1, chunks=2)

MASTER_MUTANTS = (
    # The master's queue.
    ReplicationMutant(
        "queues-what-aborts",
        "A transaction that is given up becomes a task like one that is completed.",
        "MECH 4",
        Rules(enqueues=_queued(deed=False)),
        ONE,
        "tasks-are-transactions",
    ),
    ReplicationMutant(
        "queues-while-disabled",
        "A master that was stopped goes on queueing what completes.",
        "A14",
        Rules(enqueues=_queued(status=False)),
        replace(ONE, orders=1),
        "no-task-while-disabled",
    ),
    ReplicationMutant(
        "flag-at-begin-only",
        "A transaction that began before its database was switched off is queued.",
        "MECH 6",
        Rules(enqueues=_queued(flag=False)),
        replace(ONE, flags=1),
        "no-task-of-other-databases",
    ),
    ReplicationMutant(
        "metadata-not-queued",
        "Metadata operations are no tasks.",
        "S0 §1.2",
        Rules(enqueues=_queued(metadata=False)),
        replace(ONE, definitions=1),
        "transactions-are-tasks",
    ),
    ReplicationMutant(
        "stop-drops-queue",
        "A master that is stopped forgets what its slaves have still to read.",
        "A14",
        Rules(
            stopped=lambda s: s._replace(status=Status.DISABLED, tasks=s.tasks[: s.cut]),
        ),
        replace(ONE, orders=1),
        "queue-stays",
    ),
    ReplicationMutant(
        "flag-off-drops-queued",
        "A database that is switched off loses its queued tasks.",
        "A10: HBASE-25583",
        Rules(unflagged=lambda o, s, database: s._replace(tasks=s.tasks[: s.cut])),
        replace(ONE, flags=1),
        "queue-stays",
    ),
    ReplicationMutant(
        "queue-rebuilt",
        "A new leader numbers the tasks of its queue from 1 on.",
        "WP-DB 2",
        Rules(survives=_renumbered),
        replace(TWO, elections=1, controllers=2),
        "pulled-in-order",
    ),
    ReplicationMutant(
        "id-is-tid",
        "The id of a task is that of its transaction.",
        "MECH 4",
        Rules(next_id=lambda s, tid: tid),
        TWO,
        "ids-have-no-gap",
    ),
    ReplicationMutant(
        "one-group",
        "Tasks join the last group whatever they write.",
        "G2",
        Rules(group=lambda o, s, t: 1),
        TWO,
        "groups-keep-conflicts-apart",
    ),
    ReplicationMutant(
        "flag-on",
        "A new database is replicated.",
        "S0 §3.1",
        Rules(flag=True),
        replace(ONE, created=False),
        "new-databases-are-off",
    ),
    ReplicationMutant(
        "waits-for-slowest",
        "No slave is given more than the slowest one has done, and one.",
        "A9: HBASE-20417",
        Rules(
            answer=lambda o, s, offset: s.tasks[
                offset : min(offset + o.batch, 1 + min(d for d in s.done if d is not None))
            ]
        ),
        replace(TWO, slaves=2),
        "answers-are-the-queue",
    ),
    ReplicationMutant(
        "trims-for-the-fastest",
        "What one slave has done is truncated, whoever has not.",
        "A7: HBASE-24871",
        Rules(cut=max),
        replace(ONE, slaves=2),
        "truncated-is-finished",
    ),
    ReplicationMutant(
        "reports-pulled",
        "A slave reports what it has pulled, not what is finished.",
        "A3: neondatabase/postgres#461",
        Rules(reports=lambda s: s.offset),
        ONE,
        "truncated-is-finished",
    ),
    ReplicationMutant(
        "last-never-truncated",
        "What is truncated ends before what all have done.",
        "A8: HBASE-29499",
        Rules(cut=lambda done: max(0, min(done) - 1)),
        ONE,
        "what is finished is truncated",
    ),
    # The coordinator.
    ReplicationMutant(
        "forgets-pulled-data",
        "Task data is deleted once a slave has pulled the task.",
        "S01036",
        Rules(forgets=lambda before, s, m: s.tasks[before.cut : m.offset]),
        ONE,
        "queued-data-stays",
    ),
    ReplicationMutant(
        "sync-after-commit",
        "Synchronous persistence follows the commit.",
        "U2",
        Rules(sync_first=False),
        replace(ONE, crashes=1),
        "queued-data-is-durable",
    ),
    ReplicationMutant(
        "serves-from-memory",
        "Task data that is not on disk yet is given to slaves.",
        "S01044",
        Rules(found=lambda data: Found.DATA if data is not Data.LOST else Found.MISSING),
        replace(ONE, sync=False, crashes=1),
        "lost-is-not-finished",
    ),
)
