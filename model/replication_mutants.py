"""Ways to replicate that break a promise: bugs of others, costly readings, near misses.

Each is the recommended way (`Rules()`, `Options()`) but for what its name says, with a bound that
shows it. `source`: A1 to A16 are rows of harness-notes §5.5, U paragraphs of semantics §6.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from .actor import Model, Network
from .replication_events import Found
from .replication_group import replication
from .replication_rules import (
    Kept,
    Lost,
    Options,
    Rules,
    Waiting,
    finished,
    is_current,
    is_on,
    put,
)
from .replication_types import Data, Deed, Master, Reason, Slave, Slot, State, Status, Transaction


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


def _unwritten(s: Slave) -> Slave:
    """Without what the tasks did that are applied and not complete."""
    lost = {slot.task.tid for slot in s.slots if slot.applied and slot.state is not State.FINISH}
    content = tuple(tuple(tid for tid in tids if tid not in lost) for tids in s.content)
    return s._replace(content=content)


def _without_last(s: Slave) -> Slave:
    """The last task that was pulled is not in the log, if nothing happened to it."""
    last = s.slots[-1:]
    fresh = bool(last) and last[0].state is State.WAITING and not last[0].tried
    return s._replace(slots=s.slots[:-1]) if fresh else s


def _skips_again(s: Slave) -> Slave:
    slots = (
        slot._replace(state=State.FAILED, skipped=False) if slot.skipped else slot
        for slot in s.slots
    )
    return s._replace(slots=tuple(slots))


def _has_later_applied(s: Slave, slot: Slot) -> bool:
    return any(other.applied and other.task.id > slot.task.id for other in s.slots)


def _added_up(o: Options, s: Slave, slot: Slot) -> tuple[Slave, Slot, int]:
    slot = slot._replace(fails=1 + max(other.fails for other in s.slots))
    return s, slot, slot.fails


def _all_failed(s: Slave, slot: Slot) -> Slave:
    for other in s.slots:
        if other is slot or (other.task.group == slot.task.group and not other.run):
            s = put(s, finished(other)._replace(skipped=not other.applied))
    return s


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


_ONE = Options(writes=1, attempts=1, limit=1)
_TWO = Options(attempts=1, limit=1)
_GROUP = Options(attempts=1, limit=1, chunks=2)

REPLICATION_MUTANTS: dict[str, ReplicationMutant] = {
    mutant.name: mutant
    for mutant in (
        # The master's queue.
        ReplicationMutant(
            "queues-what-aborts",
            "A transaction that is given up becomes a task like one that is completed.",
            "MECH 4",
            Rules(enqueues=_queued(deed=False)),
            _ONE,
            "tasks-are-transactions",
        ),
        ReplicationMutant(
            "queues-while-disabled",
            "A master that was stopped goes on queueing what completes.",
            "A14",
            Rules(enqueues=_queued(status=False)),
            replace(_ONE, orders=1),
            "no-task-while-disabled",
        ),
        ReplicationMutant(
            "flag-at-begin-only",
            "A transaction that began before its database was switched off is queued.",
            "MECH 6",
            Rules(enqueues=_queued(flag=False)),
            replace(_ONE, flags=1),
            "no-task-of-other-databases",
        ),
        ReplicationMutant(
            "metadata-not-queued",
            "Metadata operations are no tasks.",
            "S0 §1.2",
            Rules(enqueues=_queued(metadata=False)),
            replace(_ONE, definitions=1),
            "transactions-are-tasks",
        ),
        ReplicationMutant(
            "stop-drops-queue",
            "A master that is stopped forgets what its slaves have still to read.",
            "A14",
            Rules(
                stopped=lambda s: s._replace(status=Status.DISABLED, tasks=s.tasks[: s.cut]),
            ),
            replace(_ONE, orders=1),
            "queue-stays",
        ),
        ReplicationMutant(
            "flag-off-drops-queued",
            "A database that is switched off loses its queued tasks.",
            "A10: HBASE-25583",
            Rules(unflagged=lambda o, s, database: s._replace(tasks=s.tasks[: s.cut])),
            replace(_ONE, flags=1),
            "queue-stays",
        ),
        ReplicationMutant(
            "queue-rebuilt",
            "A new leader numbers the tasks of its queue from 1 on.",
            "WP-DB 2",
            Rules(survives=_renumbered),
            replace(_TWO, elections=1, controllers=2),
            "pulled-in-order",
        ),
        ReplicationMutant(
            "id-is-tid",
            "The id of a task is that of its transaction.",
            "MECH 4",
            Rules(next_id=lambda s, tid: tid),
            _TWO,
            "ids-have-no-gap",
        ),
        ReplicationMutant(
            "one-group",
            "Tasks join the last group whatever they write.",
            "G2",
            Rules(group=lambda o, s, t: 1),
            _TWO,
            "groups-keep-conflicts-apart",
        ),
        ReplicationMutant(
            "flag-on",
            "A new database is replicated.",
            "S0 §3.1",
            Rules(flag=True),
            replace(_ONE, created=False),
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
            replace(_TWO, slaves=2),
            "answers-are-the-queue",
        ),
        ReplicationMutant(
            "trims-for-the-fastest",
            "What one slave has done is truncated, whoever has not.",
            "A7: HBASE-24871",
            Rules(cut=max),
            replace(_ONE, slaves=2),
            "truncated-is-finished",
        ),
        ReplicationMutant(
            "reports-pulled",
            "A slave reports what it has pulled, not what is finished.",
            "A3: neondatabase/postgres#461",
            Rules(reports=lambda s: s.offset),
            _ONE,
            "truncated-is-finished",
        ),
        ReplicationMutant(
            "last-never-truncated",
            "What is truncated ends before what all have done.",
            "A8: HBASE-29499",
            Rules(cut=lambda done: max(0, min(done) - 1)),
            _ONE,
            "what is finished is truncated",
        ),
        # The coordinator.
        ReplicationMutant(
            "forgets-pulled-data",
            "Task data is deleted once a slave has pulled the task.",
            "S01036",
            Rules(forgets=lambda before, s, m: s.tasks[before.cut : m.offset]),
            _ONE,
            "queued-data-stays",
        ),
        ReplicationMutant(
            "sync-after-commit",
            "Synchronous persistence follows the commit.",
            "U2",
            Rules(sync_first=False),
            replace(_ONE, crashes=1),
            "queued-data-is-durable",
        ),
        ReplicationMutant(
            "serves-from-memory",
            "Task data that is not on disk yet is given to slaves.",
            "S01044",
            Rules(found=lambda data: Found.DATA if data is not Data.LOST else Found.MISSING),
            replace(_ONE, sync=False, crashes=1),
            "lost-is-not-finished",
        ),
        # The slave's queue.
        ReplicationMutant(
            "takes-late-answers",
            "An answer to an earlier pull sets the offset back.",
            "A2: pulsar#26106",
            Rules(takes=lambda s, m: s.status is Status.ENABLED),
            replace(_TWO, batch=1),
            "offset-never-falls",
        ),
        ReplicationMutant(
            "offset-before-log",
            "The offset is logged, and the tasks only later.",
            "A2: pulsar#21965",
            Rules(restores=_without_last),
            replace(_ONE, failovers=1),
            "pulled-in-order",
        ),
        ReplicationMutant(
            "takes-while-stopped",
            "An answer that comes after the stop is taken.",
            "L3",
            Rules(takes=lambda s, m: m.offset == s.offset),
            replace(_ONE, stops=1),
            "paused-pulls-nothing",
        ),
        ReplicationMutant(
            "groups-overlap",
            "A group begins while tasks of the one before are executed.",
            "A16",
            Rules(is_current=lambda s, slot: True),
            _TWO,
            "groups-in-order",
            ("conflicts-in-order", "slave-is-a-prefix"),
        ),
        ReplicationMutant(
            "last-group-waits",
            "A group begins only when a later one is known.",
            "A8: HBASE-29499",
            Rules(
                is_current=lambda s, slot: (
                    is_current(s, slot) and s.slots[-1].task.group > slot.task.group
                )
            ),
            _ONE,
            "every task finishes",
        ),
        ReplicationMutant(
            "redirect-ignored",
            "A slave goes on asking the controller that does not lead.",
            "RN 3.00.2",
            Rules(follows=lambda s, site: s.site),
            replace(_ONE, controllers=2, elections=1),
            "every task finishes",
            ("the leader is followed",),
        ),
        # Execution.
        ReplicationMutant(
            "dedup-by-highest",
            "A task that failed is taken for applied when a later one is.",
            "A1: pulsar#26113",
            Rules(swallows=_has_later_applied),
            _GROUP,
            "finish-means-applied",
        ),
        ReplicationMutant(
            "failure-swallowed",
            "A task that failed is called finished.",
            "A6: mysql-wsrep#167",
            Rules(swallows=lambda s, slot: True),
            _ONE,
            "finish-means-applied",
        ),
        ReplicationMutant(
            "applied-unchecked",
            "A commit does not ask whether its task is applied already.",
            "A4: pikiwidb#2659",
            Rules(admits=lambda slot: slot.state is not State.FAILED),
            replace(_ONE, attempts=2, limit=2),
            "applied-once",
        ),
        ReplicationMutant(
            "skip-unchecked",
            "A commit asks whether its task is applied, and not whether it is skipped.",
            "S0 §4.2",
            Rules(admits=lambda slot: not slot.applied),
            replace(_ONE, skips=1),
            "skipped-is-not-executed",
        ),
        ReplicationMutant(
            "data-after-record",
            "The log says that a task is applied before its rows are durable.",
            "A3: neondatabase/postgres#461",
            Rules(restores=_unwritten),
            replace(_ONE, failovers=1),
            "visible-iff-recorded",
        ),
        # Failures.
        ReplicationMutant(
            "failures-add-up",
            "One counter counts the failures of all tasks.",
            "A15",
            Rules(charged=_added_up),
            Options(chunks=2),
            "fails-at-the-limit",
        ),
        ReplicationMutant(
            "wait-is-failure",
            "Task data that is not persisted yet is a failure.",
            "F5",
            Rules(counts=lambda reason: True),
            replace(_ONE, sync=False),
            "fails-at-the-limit",
        ),
        ReplicationMutant(
            "late-failure-counted",
            "The answer of an attempt that was given up counts again.",
            "U1",
            Rules(is_attempt=lambda slot, attempt: True),
            replace(_ONE, attempts=2, limit=3, fills=1),
            "fails-at-the-limit",
        ),
        ReplicationMutant(
            "no-reason",
            "A task that is FAILED does not say why.",
            "S0 §4.2",
            Rules(reason=lambda reason: Reason.NONE),
            _ONE,
            "stopped-shows-why",
        ),
        ReplicationMutant(
            "never-stops",
            "A slave with a FAILED task stays ENABLED.",
            "S0 §3.1",
            Rules(gives_up=lambda s: s.status),
            _ONE,
            "stopped-shows-why",
        ),
        ReplicationMutant(
            "waits-for-the-dead",
            "An attempt that nobody answers is made again, and does not count.",
            "U12",
            Rules(),
            replace(_ONE, lost=Lost.WAITS),
            "failing comes to an end",
        ),
        # What administrators do.
        ReplicationMutant(
            "stop-drains",
            "Tasks that wait when replication is stopped are executed.",
            "U3",
            Rules(),
            replace(_ONE, stops=1, waiting=Waiting.DRAIN),
            "paused-is-quiet",
        ),
        ReplicationMutant(
            "status-forgotten",
            "A new leader enables what an administrator stopped.",
            "U8",
            Rules(),
            replace(_ONE, stops=1, failovers=1, kept=Kept.VOLATILE),
            "only-a-start-enables",
        ),
        ReplicationMutant(
            "start-leaves-failed",
            "A start does not try again what failed.",
            "S0 §4.2",
            Rules(waits_again=lambda slot: slot._replace(fails=0)),
            replace(_ONE, starts=1),
            "start-retries-the-failed",
        ),
        ReplicationMutant(
            "skip-not-kept",
            "A new leader does not know that a task was skipped.",
            "A5: tarantool#3977",
            Rules(restores=_skips_again),
            replace(_ONE, skips=1, failovers=1),
            "finish-is-final",
        ),
        ReplicationMutant(
            "skip-of-the-group",
            "A skip is of all tasks in the group.",
            "FN:skipClusterReplicationTask",
            Rules(skipped=_all_failed),
            replace(_GROUP, skips=1, stops=1),
            "skip-is-of-one-task",
        ),
        ReplicationMutant(
            "clients-write",
            "A slave takes the writes of clients to what is replicated there.",
            "S01023",
            Rules(guards=lambda o, s, chunk: False),
            replace(_ONE, clients=1),
            "clients-do-not-write",
        ),
        ReplicationMutant(
            "anybody-may",
            "Whoever calls is obeyed.",
            "S0 §3.3",
            Rules(obeys_strangers=True),
            replace(_ONE, strangers=True),
            "strangers-change-nothing",
        ),
    )
}
