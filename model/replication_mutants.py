"""Ways to replicate that break a promise: bugs of others, costly readings, near misses.

Each is the recommended way (`Rules()`, `Options()`) but for what its name says, with a bound that
shows it. `source`: A1 to A16 are rows of harness-notes §5.5, U paragraphs of semantics §6.
"""

from dataclasses import replace

from .replication_mutants_master import GROUP, MASTER_MUTANTS, ONE, TWO, ReplicationMutant
from .replication_rules import (
    Kept,
    Lost,
    Options,
    Rules,
    Waiting,
    finished,
    is_current,
    put,
)
from .replication_types import Reason, Slave, Slot, State, Status


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


def _by_chunk(o: Options, s: Slave, chunk: int) -> bool:
    """What no task has touched is free, whatever database it is of."""
    touched = any(chunk in slot.task.chunks for slot in s.slots)
    return touched and s.status is not Status.DISABLED


REPLICATION_MUTANTS: dict[str, ReplicationMutant] = {
    mutant.name: mutant
    for mutant in (
        *MASTER_MUTANTS,
        # The slave's queue.
        ReplicationMutant(
            "takes-late-answers",
            "An answer to an earlier pull sets the offset back.",
            "A2: pulsar#26106",
            Rules(takes=lambda s, m: s.status is Status.ENABLED),
            replace(TWO, batch=1),
            "offset-never-falls",
        ),
        ReplicationMutant(
            "offset-before-log",
            "The offset is logged, and the tasks only later.",
            "A2: pulsar#21965",
            Rules(restores=_without_last),
            replace(ONE, failovers=1),
            "pulled-in-order",
        ),
        ReplicationMutant(
            "takes-while-stopped",
            "An answer that comes after the stop is taken.",
            "L3",
            Rules(takes=lambda s, m: m.offset == s.offset),
            replace(ONE, stops=1),
            "paused-pulls-nothing",
        ),
        ReplicationMutant(
            "groups-overlap",
            "A group begins while tasks of the one before are executed.",
            "A16",
            Rules(is_current=lambda s, slot: True),
            TWO,
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
            ONE,
            "every task finishes",
        ),
        ReplicationMutant(
            "redirect-ignored",
            "A slave goes on asking the controller that does not lead.",
            "RN 3.00.2",
            Rules(follows=lambda s, site: s.site),
            replace(ONE, controllers=2, elections=1),
            "every task finishes",
            ("the leader is followed",),
        ),
        # Execution.
        ReplicationMutant(
            "dedup-by-highest",
            "A task that failed is taken for applied when a later one is.",
            "A1: pulsar#26113",
            Rules(swallows=_has_later_applied),
            GROUP,
            "finish-means-applied",
        ),
        ReplicationMutant(
            "failure-swallowed",
            "A task that failed is called finished.",
            "A6: mysql-wsrep#167",
            Rules(swallows=lambda s, slot: True),
            ONE,
            "finish-means-applied",
        ),
        ReplicationMutant(
            "applied-unchecked",
            "A commit does not ask whether its task is applied already.",
            "A4: pikiwidb#2659",
            Rules(admits=lambda slot: slot.state is not State.FAILED),
            replace(ONE, attempts=2, limit=2),
            "applied-once",
        ),
        ReplicationMutant(
            "skip-unchecked",
            "A commit asks whether its task is applied, and not whether it is skipped.",
            "S0 §4.2",
            Rules(admits=lambda slot: not slot.applied),
            replace(ONE, skips=1),
            "skipped-is-not-executed",
        ),
        ReplicationMutant(
            "data-after-record",
            "The log says that a task is applied before its rows are durable.",
            "A3: neondatabase/postgres#461",
            Rules(restores=_unwritten),
            replace(ONE, failovers=1),
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
            replace(ONE, sync=False),
            "fails-at-the-limit",
        ),
        ReplicationMutant(
            "late-failure-counted",
            "The answer of an attempt that was given up counts again.",
            "U1",
            Rules(is_attempt=lambda slot, attempt: True),
            replace(ONE, attempts=2, limit=3, fills=1),
            "fails-at-the-limit",
        ),
        ReplicationMutant(
            "no-reason",
            "A task that is FAILED does not say why.",
            "S0 §4.2",
            Rules(reason=lambda reason: Reason.NONE),
            ONE,
            "stopped-shows-why",
        ),
        ReplicationMutant(
            "never-stops",
            "A slave with a FAILED task stays ENABLED.",
            "S0 §3.1",
            Rules(gives_up=lambda s: s.status),
            ONE,
            "stopped-shows-why",
        ),
        ReplicationMutant(
            "waits-for-the-dead",
            "An attempt that nobody answers is made again, and does not count.",
            "U12",
            Rules(),
            replace(ONE, lost=Lost.WAITS),
            "failing comes to an end",
        ),
        # What administrators do.
        ReplicationMutant(
            "stop-drains",
            "Tasks that wait when replication is stopped are executed.",
            "U3",
            Rules(),
            replace(ONE, stops=1, waiting=Waiting.DRAIN),
            "paused-is-quiet",
        ),
        ReplicationMutant(
            "status-forgotten",
            "A new leader enables what an administrator stopped.",
            "U8",
            Rules(),
            replace(ONE, stops=1, failovers=1, kept=Kept.VOLATILE),
            "only-a-start-enables",
        ),
        ReplicationMutant(
            "start-leaves-failed",
            "A start does not try again what failed.",
            "S0 §4.2",
            Rules(waits_again=lambda slot: slot._replace(fails=0)),
            replace(ONE, starts=1),
            "start-retries-the-failed",
        ),
        ReplicationMutant(
            "skip-not-kept",
            "A new leader does not know that a task was skipped.",
            "A5: tarantool#3977",
            Rules(restores=_skips_again),
            replace(ONE, skips=1, failovers=1),
            "finish-is-final",
        ),
        ReplicationMutant(
            "skip-of-the-group",
            "A skip is of all tasks in the group.",
            "FN:skipClusterReplicationTask",
            Rules(skipped=_all_failed),
            replace(GROUP, skips=1, stops=1),
            "skip-is-of-one-task",
        ),
        ReplicationMutant(
            "clients-write",
            "A slave takes the writes of clients to what is replicated there.",
            "S01023",
            Rules(guards=lambda o, s, chunk: False),
            replace(ONE, clients=1),
            "clients-do-not-write",
        ),
        ReplicationMutant(
            "clients-write-beside",
            "A slave guards the chunks that tasks have written, not their database.",
            "S01023",
            Rules(guards=_by_chunk),
            replace(ONE, chunks=2, clients=1),
            "clients-do-not-write",
        ),
        ReplicationMutant(
            "anybody-may",
            "Whoever calls is obeyed.",
            "S0 §3.3",
            Rules(obeys_strangers=True),
            replace(ONE, strangers=True),
            "strangers-change-nothing",
        ),
    )
}
