"""How two clusters may replicate: bounds, readings of the documents, and decisions.

The default of each reading is what semantics.md §6 recommends; U1, U3, U4, U6, U8, U10 and U12 are
its paragraphs. Decisions are pure functions, so that a mutant is one line.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from itertools import takewhile

from .replication_events import Found, Pull, Pulled
from .replication_types import (
    Data,
    Deed,
    Master,
    Reason,
    Slave,
    Slot,
    State,
    Status,
    Task,
    Transaction,
)


class Failures(StrEnum):
    """U1: what has so many failures before a slave stops."""

    TASK = "task"
    GROUP = "group"
    TOTAL = "total"


class Waiting(StrEnum):
    """U3: what a stop does to tasks that wait: they stay, or all that are pulled are executed."""

    FREEZE = "freeze"
    DRAIN = "drain"


class Gap(StrEnum):
    """U4: what completes while the master is DISABLED is no task, or becomes one at the start."""

    LOST = "lost"
    CAUGHT_UP = "caught-up"


class Kept(StrEnum):
    """U8: whether the controllers' log has a slave's status and failures."""

    LOGGED = "logged"
    VOLATILE = "volatile"


class Lost(StrEnum):
    """U12: an attempt that nobody answers: counts, does not count, or goes to the next node."""

    COUNTS = "counts"
    WAITS = "waits"
    REHASHED = "rehashed"


class Skipping(StrEnum):
    """U6: tasks are skipped while replication is paused, or at any time."""

    PAUSED = "paused"
    ANYTIME = "anytime"


class Grouping(StrEnum):
    """U10: a task joins the last group, or the first that it may."""

    CONTIGUOUS = "contiguous"
    LEVELLED = "levelled"


@dataclass(frozen=True)
class Options:
    """Bounds (how many of each), then readings.

    `writes` and `definitions`: transactions of rows and of metadata; to create a database, or to
    switch its flag on, is no definition. `chunks`: of each database.
    `attempts`: of each task. `limit`: failures until a slave stops. `batch`: tasks of one answer.
    `created`: databases exist from the start, replicated. How often things happen: `flags` are set,
    `orders` are given to the master, `elections` of its leader, `crashes` of its data node,
    `deletes` of task data; `stops`, `starts` and `skips` of slaves, `failovers` of their
    controllers, `poisons` of rights, `fills` of disks, writes of its own `clients`.
    `strangers`: the others call, too. `sync`: clusterReplicationSyncPersistence.
    """

    writes: int = 2
    definitions: int = 0
    databases: int = 1
    chunks: int = 1
    slaves: int = 1
    nodes: int = 1
    controllers: int = 1
    limit: int = 2
    attempts: int = 2
    batch: int = 2
    created: bool = True
    flags: int = 0
    orders: int = 0
    elections: int = 0
    crashes: int = 0
    deletes: int = 0
    stops: int = 0
    starts: int = 0
    skips: int = 0
    failovers: int = 0
    poisons: int = 0
    fills: int = 0
    clients: int = 0
    strangers: bool = False
    sync: bool = True
    failures: Failures = Failures.TASK
    waiting: Waiting = Waiting.FREEZE
    gap: Gap = Gap.LOST
    kept: Kept = Kept.LOGGED
    lost: Lost = Lost.COUNTS
    skipping: Skipping = Skipping.PAUSED
    grouping: Grouping = Grouping.CONTIGUOUS

    @property
    def every(self) -> int:
        """How many chunks there are."""
        return self.databases * self.chunks

    @property
    def transactions(self) -> int:
        """How many there may be."""
        defines = self.definitions + (0 if self.created else self.databases)
        return self.writes + defines + self.flags

    @property
    def replicates(self) -> bool:
        """Whether the flag of a database can be on."""
        return self.created or self.flags > 0

    @property
    def queues(self) -> bool:
        """Whether there can be a task with rows."""
        return self.replicates and self.writes > 0

    def base(self, slave: int) -> int:
        """The actor that is a slave's controllers; its data nodes follow."""
        return 2 + slave * (1 + self.nodes)

    def of(self, database: int) -> tuple[int, ...]:
        """The chunks of a database."""
        return tuple(range(database * self.chunks, (database + 1) * self.chunks))


# Decisions.


def is_on(s: Master, options: Options, t: Transaction) -> bool:
    """Whether the flag of its database is on."""
    return s.flags[t.chunks[0] // options.chunks] is True


def group_of(options: Options, s: Master, t: Transaction) -> int:
    """U10. Contiguous: a task joins the last group unless it conflicts there, or is of metadata."""
    if options.grouping is Grouping.LEVELLED:
        return 1 + max((x.group for x in s.tasks if _conflicts(x, t)), default=0)
    last = s.tasks[-1].group if s.tasks else 0
    members = takewhile(lambda task: task.group == last, reversed(s.tasks))
    opens = not last or not t.writes or any(_conflicts(task, t) for task in members)
    return last + opens


def _conflicts(task: Task, t: Transaction) -> bool:
    """G2."""
    return not set(task.chunks).isdisjoint(t.chunks)


def found(data: Data) -> Found:
    """S01044: what is in memory is said to be not persisted yet."""
    if data is Data.MEMORY:
        return Found.LATER
    return Found.DATA if data is Data.DISK else Found.MISSING


def done_up_to(s: Slave) -> int:
    """How many tasks are finished without a gap."""
    states = [slot.state is State.FINISH for slot in s.slots]
    return [*states, False].index(False)


def is_current(s: Slave, slot: Slot) -> bool:
    """§1.6: its group is the lowest that is unfinished."""
    return all(o.state is State.FINISH or o.task.group >= slot.task.group for o in s.slots)


def is_undone(slot: Slot) -> bool:
    """Whether its transaction has still to be committed."""
    return slot.state is State.WAITING and not slot.applied


def is_guarded(options: Options, s: Slave, chunk: int) -> bool:
    """E3: a client of the slave who stopped replication there, as the refusal asks, may write."""
    database = options.of(chunk // options.chunks)
    replicated = any(slot.task.chunks[0] in database for slot in s.slots)
    return replicated and s.status is not Status.DISABLED


def may_run(options: Options, s: Slave) -> bool:
    """U3: whether tasks that wait are dispatched."""
    drains = options.waiting is Waiting.DRAIN and s.status is Status.DISABLED
    return s.status is Status.ENABLED or drains


def charged(options: Options, s: Slave, slot: Slot) -> tuple[Slave, Slot, int]:
    """U1: after one more failure, and how many count."""
    slot = slot._replace(fails=slot.fails + 1)
    if options.failures is Failures.TASK:
        return s, slot, slot.fails
    s = s._replace(spent=s.spent + 1)
    return s, slot, s.spent


def waits_again(slot: Slot) -> Slot:
    """L5, U7: a FAILED task waits again, and counters begin at 0."""
    state = State.WAITING if slot.state is State.FAILED else slot.state
    return slot._replace(state=state, fails=0, reason=Reason.NONE)


def finished(slot: Slot) -> Slot:
    """What is left of a task that is done."""
    return Slot(slot.task, State.FINISH, 0, Reason.NONE, slot.skipped, slot.applied, 0, 0)


def slot_of(s: Slave, task: int) -> Slot:
    """Of a task that was pulled; events and answers are about no other."""
    return next(slot for slot in s.slots if slot.task.id == task)


def put(s: Slave, slot: Slot) -> Slave:
    """With this slot in the place of the task's other one."""
    slots = tuple(slot if o.task.id == slot.task.id else o for o in s.slots)
    return s._replace(slots=slots)


def skipped(s: Slave, slot: Slot) -> Slave:
    """K3: it is finished and not executed, unless it was."""
    return put(s, finished(slot)._replace(skipped=not slot.applied))


def written(s: Slave, chunks: tuple[int, ...], tid: int) -> Slave:
    """With what a transaction did to these chunks."""
    content = tuple(
        (*tids, tid) if chunk in chunks else tids for chunk, tids in enumerate(s.content)
    )
    return s._replace(content=content)


@dataclass(frozen=True)
class Rules:
    """The decisions: of the master, from `sync_first` on of its coordinator, then of a slave."""

    flag: bool = False
    enqueues: Callable[[Options, Master, Transaction], bool] = lambda o, s, t: (
        t.deed is Deed.COMPLETE and s.status is Status.ENABLED and t.flagged and is_on(s, o, t)
    )
    group: Callable[[Options, Master, Transaction], int] = group_of
    next_id: Callable[[Master, int], int] = lambda s, tid: len(s.tasks) + 1
    unflagged: Callable[[Options, Master, int], Master] = lambda o, s, database: s
    stopped: Callable[[Master], Master] = lambda s: s._replace(status=Status.DISABLED)
    survives: Callable[[Master], Master] = lambda s: s
    answer: Callable[[Options, Master, int], tuple[Task, ...]] = lambda o, s, offset: s.tasks[
        offset : offset + o.batch
    ]
    serves: Callable[[Master, int, int], bool] = lambda s, nth, offset: (
        offset >= s.cut and offset >= (s.done[nth] or 0)
    )
    cut: Callable[[tuple[int, ...]], int] = min
    forgets: Callable[[Master, Master, Pull], tuple[Task, ...]] = lambda before, s, m: s.tasks[
        before.cut : s.cut
    ]
    sync_first: bool = True
    found: Callable[[Data], Found] = found
    takes: Callable[[Slave, Pulled], bool] = lambda s, m: (
        s.status is Status.ENABLED and m.offset == s.offset
    )
    reports: Callable[[Slave], int] = done_up_to
    follows: Callable[[Slave, int], int] = lambda s, site: site
    may_run: Callable[[Options, Slave], bool] = may_run
    is_current: Callable[[Slave, Slot], bool] = is_current
    is_attempt: Callable[[Slot, int], bool] = lambda slot, attempt: slot.run == attempt
    admits: Callable[[Slot], bool] = is_undone
    swallows: Callable[[Slave, Slot], bool] = lambda s, slot: False
    counts: Callable[[Reason], bool] = lambda reason: reason is not Reason.LATER
    charged: Callable[[Options, Slave, Slot], tuple[Slave, Slot, int]] = charged
    gives_up: Callable[[Slave], Status] = lambda s: (
        Status.STOPPED if s.status is Status.ENABLED else s.status
    )
    reason: Callable[[Reason], Reason] = lambda reason: reason
    committed: Callable[[Slave, Slot], Slave] = lambda s, slot: put(
        written(s, slot.task.chunks, slot.task.tid), slot._replace(applied=True)
    )
    waits_again: Callable[[Slot], Slot] = waits_again
    skipped: Callable[[Slave, Slot], Slave] = skipped
    restores: Callable[[Slave], Slave] = lambda s: s
    guards: Callable[[Options, Slave, int], bool] = is_guarded
    obeys_strangers: bool = False
