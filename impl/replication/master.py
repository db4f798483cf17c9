"""The master's side of replication without I/O: which transactions become tasks, who has done them.

A part of the controllers' catalog: every controller steps it with the same entries of the log, and
so all have the same queue, whoever leads (PR-2, PR-3). Rule 1: it knows no clock; time is in the
entries. Rule 2: an entry that makes no sense is refused, alike everywhere, and changes nothing.

Ids grow without gaps in the order of completion. A group is a stretch of ids: a task joins the
newest group unless it is a metadata operation or conflicts with a member of it (U10), so that
within a group order means nothing, and groups in order are the order of conflicts (PR-5, PR-6).
"""

from collections.abc import Iterable, Iterator, Set

import msgspec

from ..bugs_of_replication import (
    FLAG_OFF_DROPS_QUEUED,
    QUEUES_WHILE_DISABLED,
    STOP_DROPS_QUEUE,
    TRIMS_UNREAD,
    WAITS_FOR_SLOWEST,
)
from ..cluster.operations import Operation
from .events import Completed, FlagSet, MasterEntry, Pulled, SlaveForgotten, Started, Stopped
from .status import Status
from .tasks import PULL_BYTES_MAX, PULL_TASKS_MAX, SHOWN_MAX, Task, TaskMeta

SEEDED_QUEUE = 16
"""How many tasks the seeded bugs keep that forget what slaves have still to read."""


class SlaveCluster(msgspec.Struct, frozen=True, array_like=True):
    """A slave that has pulled: it has done all tasks up to `finished`.

    `site` and `at_ns` are of the last pull that told something new; the newest one only the leader
    knows.
    """

    controllers: tuple[str, ...]
    site: str
    finished: int
    at_ns: int

    @property
    def name(self) -> str:
        """The same, whichever of its controllers pulls."""
        return ",".join(sorted(self.controllers))


class MasterState(msgspec.Struct, frozen=True, array_like=True):
    """Everything, as plain values: what a checkpoint holds.

    `tasks`: the newest truncated ones, for the table, in outline, and all others: from `head` on.
    `joined`: database and chunks of the members of the newest group, truncated or not.
    """

    status: Status = Status.ENABLED
    flagged: tuple[str, ...] = ()
    tasks: tuple[Task, ...] = ()
    head: int = 1
    next: int = 1
    group: int = 0
    joined: tuple[tuple[str, tuple[str, ...]], ...] = ()
    slaves: tuple[SlaveCluster, ...] = ()


class MasterEffects(msgspec.Struct, frozen=True):
    """What an entry came to."""

    enqueued: Task | None = None
    truncated: tuple[int, ...] = ()
    refusal: str = ""


NOTHING = MasterEffects()


class Master:
    """`step` it with each entry. # Invariant: head <= next, and no slave has done a later task."""

    def __init__(
        self,
        state: MasterState | None = None,
        bugs: frozenset[str] = frozenset(),
    ) -> None:
        """In any state that `dump` gave, or that a test thought of."""
        state = MasterState() if state is None else state
        self.status = state.status
        self.flagged = dict.fromkeys(state.flagged)
        self.tasks = {task.id: task for task in state.tasks}
        self.head = state.head
        self.next = state.next
        self.group = state.group
        self._joined = list(state.joined)
        self._touched = _Touched(self._joined)
        self.slaves = {slave.name: slave for slave in state.slaves}
        self._bugs = bugs
        self._needed = {task.meta.tid for task in self.queued() if task.meta.operation.is_write}

    def dump(self) -> MasterState:
        """All of it."""
        return MasterState(
            self.status,
            tuple(sorted(self.flagged)),
            tuple(self.tasks.values()),
            self.head,
            self.next,
            self.group,
            tuple(self._joined),
            tuple(self.slaves[name] for name in sorted(self.slaves)),
        )

    def replicates(self, database: str) -> bool:
        """Whether a transaction that begins now must keep its data for slaves."""
        return database in self.flagged

    @property
    def is_on(self) -> bool:
        """Whether what completes now may become a task (U4)."""
        return self.status is Status.ENABLED or QUEUES_WHILE_DISABLED in self._bugs

    def needed(self) -> Set[int]:
        """Of which transactions some slave has still to get the data (PR-18)."""
        return self._needed

    def queued(self) -> Iterator[Task]:
        """The tasks that are not truncated."""
        for task_id in range(self.head, self.next):
            if (task := self.tasks.get(task_id)) is not None:
                yield task

    def step(self, entry: MasterEntry) -> MasterEffects:
        """Apply an entry of the log."""
        match entry:
            case Started():
                self.status = Status.ENABLED
                return NOTHING
            case Stopped():
                return self._stop()
            case FlagSet():
                return self._set_flag(entry)
            case Completed():
                return self._complete(entry)
            case Pulled():
                return self._pulled(entry)
            case SlaveForgotten():
                return self._forget(entry.slave)

    # What the leader asks of it about a pull.

    def refuses(self, pull: Pulled) -> str:
        """Why this slave gets nothing; empty if it gets something (U13)."""
        last = self.next - 1
        if not 0 <= pull.finished <= pull.offset:
            return f"a slave cannot have done task {pull.finished} and pulled {pull.offset}"
        if pull.offset > last:
            return f"there is no task {pull.offset}; the last one is {last}"
        known = self.slaves.get(pull.slave)
        if known is None and len(self.slaves) >= pull.slaves_max:
            return f"clusterReplicationSlaveNum={pull.slaves_max} slaves are known already"
        if TRIMS_UNREAD in self._bugs:
            return ""
        # One that was forgotten, and is there after all, may have pulled what it has not done.
        wanted = 1 + (pull.finished if known is None else pull.offset)
        if wanted < self.head:
            return f"task {wanted} is gone: the queue begins with task {self.head}"
        if known is not None and pull.offset < known.finished:
            # It was made anew, or is late. What it has reported may be gone before it has done it.
            reported, wanted = known.finished, pull.offset + 1
            return f"this slave has done task {reported}, and asks for task {wanted}"
        return ""

    def changes(self, pull: Pulled) -> bool:
        """Whether the pull tells something that must be logged before it is answered."""
        known = self.slaves.get(pull.slave)
        return known is None or known.finished < pull.finished

    def after(self, offset: int, room: int) -> tuple[tuple[Task, ...], bool]:
        """The next tasks for a slave, in order, and whether there are more."""
        stop = self.next
        if WAITS_FOR_SLOWEST in self._bugs:
            slowest = min((slave.finished for slave in self.slaves.values()), default=0)
            stop = min(stop, slowest + SEEDED_QUEUE)
        found: list[Task] = []
        size = 0
        room = min(room, PULL_TASKS_MAX)
        for task_id in range(max(offset + 1, self.head), stop):
            task = self.tasks.get(task_id)
            if task is None:
                continue
            size += _size(task.meta)
            if len(found) >= room or (found and size > PULL_BYTES_MAX):
                return tuple(found), True
            found.append(task)
        return tuple(found), False

    # Entries.

    def _stop(self) -> MasterEffects:
        self.status = Status.DISABLED
        if STOP_DROPS_QUEUE in self._bugs:
            return MasterEffects(truncated=self._truncate(self.next))
        return NOTHING

    def _set_flag(self, entry: FlagSet) -> MasterEffects:
        if entry.on:
            self.flagged[entry.database] = None
            return NOTHING
        self.flagged.pop(entry.database, None)
        if FLAG_OFF_DROPS_QUEUED in self._bugs:
            for task in list(self.queued()):
                if task.meta.database == entry.database:
                    del self.tasks[task.id]
                    self._needed.discard(task.meta.tid)
        return NOTHING

    def _complete(self, entry: Completed) -> MasterEffects:
        """Enqueue what completed while replication was on for it (P7)."""
        meta = entry.meta
        is_flagged = entry.flagged and meta.database in self.flagged
        if meta.operation is Operation.DROP_DB:
            # Another database of this name is a new one, and those are not replicated (PR-24).
            self.flagged.pop(meta.database, None)
        if not (is_flagged and self.is_on):
            return NOTHING
        if not self.group or not meta.operation.is_write or self._touched.conflicts(meta):
            self.group += 1
            self._joined.clear()
            self._touched = _Touched(())
        self._joined.append((meta.database, meta.chunks))
        self._touched.add(meta.database, meta.chunks)
        task = Task(self.next, self.group, meta)
        self.tasks[task.id] = task
        if meta.operation.is_write:
            self._needed.add(meta.tid)
        self.next += 1
        truncated: tuple[int, ...] = ()
        if TRIMS_UNREAD in self._bugs:
            truncated = self._truncate(max(self.head, self.next - SEEDED_QUEUE))
        return MasterEffects(enqueued=task, truncated=truncated)

    def _pulled(self, pull: Pulled) -> MasterEffects:
        refusal = self.refuses(pull)
        if refusal:
            return MasterEffects(refusal=refusal)
        known = self.slaves.get(pull.slave)
        finished = pull.finished if known is None else max(known.finished, pull.finished)
        controllers = tuple(sorted(pull.controllers))
        self.slaves[pull.slave] = SlaveCluster(controllers, pull.site, finished, pull.at_ns)
        return MasterEffects(truncated=self._truncate_done())

    def _forget(self, slave: str) -> MasterEffects:
        if self.slaves.pop(slave, None) is None:
            return MasterEffects(refusal=f"no slave is known by the controllers {slave}")
        return MasterEffects(truncated=self._truncate_done() if self.slaves else ())

    def _truncate_done(self) -> tuple[int, ...]:
        """What all have done nobody will ask for again; who comes later is refused (PR-17)."""
        return self._truncate(1 + min(slave.finished for slave in self.slaves.values()))

    def _truncate(self, head: int) -> tuple[int, ...]:
        """Let the queue begin there; the newest of what is gone stay to be shown."""
        gone = tuple(range(self.head, head))
        for task_id in gone:
            self.tasks.pop(task_id - SHOWN_MAX, None)
            if (task := self.tasks.get(task_id)) is not None:
                self._needed.discard(task.meta.tid)
                self.tasks[task_id] = task.outline()
        self.head = max(self.head, head)
        return gone


def _size(meta: TaskMeta) -> int:
    """About how many bytes a task takes on the wire."""
    return 200 + len(meta.statement) + sum(len(chunk) + 5 for chunk in meta.chunks)


class _Touched:
    """What the members of a group write, so that a conflict is found without looking at each."""

    def __init__(self, members: Iterable[tuple[str, tuple[str, ...]]]) -> None:
        self._databases: set[str] = set()
        self._wholes: set[str] = set()
        self._chunks: set[str] = set()
        for database, chunks in members:
            self.add(database, chunks)

    def add(self, database: str, chunks: tuple[str, ...]) -> None:
        self._databases.add(database)
        if chunks:
            self._chunks.update(chunks)
        else:
            self._wholes.add(database)

    def conflicts(self, meta: TaskMeta) -> bool:
        """As `TaskMeta.conflicts` with any member."""
        if not meta.chunks:
            return meta.database in self._databases
        return meta.database in self._wholes or not self._chunks.isdisjoint(meta.chunks)
