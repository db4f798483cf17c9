"""The slave's side of replication without I/O: what was pulled, what is done, when to stop.

A part of the controllers' catalog: every controller steps it with the same entries of the log, so
that tasks, failures and status survive whoever led (U8). Rule 1: it knows no clock; time is in the
entries. Rule 2: an entry that makes no sense any more (it raced with a stop, a skip, another
attempt) is refused, alike everywhere, and changes nothing.

What runs where at this moment is in no log: the leader's `Dispatcher` knows it, and forgets it
when it leads no more. Whatever then is done twice, commits once: a commit with a task's id in it
goes through only while that task waits (`admits`, PR-7).

An attempt that fails counts as long as the task waits. The limit-th in a row makes the task FAILED,
and an ENABLED slave STOPPED (U1); one that an operator stopped stays DISABLED. The entry has the
limit: files differ, and change. A start that changes the status lets all FAILED tasks wait again,
and forgets what was counted.
"""

from collections.abc import Iterable, Iterator
from enum import Enum

import msgspec
from msgspec.structs import replace

from ..bugs_of_replication import (
    APPLIED_UNCHECKED,
    DEDUP_BY_HIGHEST,
    FAILURE_SWALLOWED,
    FAILURES_ADD_UP,
    GROUPS_OVERLAP,
    LAST_GROUP_WAITS,
    OFFSET_BEFORE_LOG,
    SKIP_NOT_KEPT,
)
from .events import (
    Failed,
    Finished,
    Queued,
    Recorded,
    Skipped,
    SlaveEntry,
    Started,
    Stopped,
)
from .status import Status, TaskState
from .tasks import SHOWN_MAX, Task

SKIPPED = "skipped"
"""What the details of a skipped task say; nothing else tells it from an executed one (U18)."""


class Record(msgspec.Struct, frozen=True, array_like=True):
    """A task that was pulled; times are of day. `failures`: in a row, of those that count.

    Of a task that is FINISH the outline is kept.
    """

    task: Task
    created_ns: int
    state: TaskState = TaskState.WAITING
    failures: int = 0
    node: str = ""
    finished_ns: int = 0
    details: str = ""

    @property
    def cost_ns(self) -> int:
        """How long it took, waiting included."""
        return self.finished_ns - self.created_ns


class Totals(msgspec.Struct, frozen=True, array_like=True):
    """What is left of finished tasks that are no longer remembered one by one."""

    tasks: int = 0
    groups: int = 0
    last_group: int = 0
    cost_ns: int = 0
    cost_ns_max: int = 0

    def add(self, record: Record) -> "Totals":
        """One more, of the next id."""
        group = record.task.group
        return Totals(
            self.tasks + 1,
            self.groups + (group != self.last_group),
            group,
            self.cost_ns + record.cost_ns,
            max(self.cost_ns_max, record.cost_ns),
        )


class SlaveState(msgspec.Struct, frozen=True, array_like=True):
    """Everything, as plain values: what a checkpoint holds.

    `scope`: the databases that tasks were pulled for. `began_ns`: when the first one was.
    """

    status: Status = Status.ENABLED
    offset: int = 0
    records: tuple[Record, ...] = ()
    scope: tuple[str, ...] = ()
    began_ns: int = 0
    forgotten: Totals = Totals()


class SlaveEffects(msgspec.Struct, frozen=True):
    """What an entry came to: the tasks that it changed, or why it changed nothing."""

    changed: tuple[int, ...] = ()
    refusal: str = ""


class Admission(Enum):
    """What a transaction is told that would execute a task."""

    WELCOME = 1
    DONE = 2
    """It is applied already, or skipped: S01039."""
    NOT_NOW = 3
    """It has failed for good, or was never pulled."""


NOTHING = SlaveEffects()


class Slave:
    """`step` it with each entry. # Invariant: finished <= offset; below, all tasks are FINISH."""

    def __init__(
        self,
        state: SlaveState | None = None,
        bugs: frozenset[str] = frozenset(),
    ) -> None:
        """In any state that `dump` gave, or that a test thought of."""
        state = SlaveState() if state is None else state
        self.bugs = bugs
        self.status = state.status
        self.offset = state.offset
        self.records = {record.task.id: record for record in state.records}
        self.scope = dict.fromkeys(state.scope)
        self.began_ns = state.began_ns
        self.forgotten = state.forgotten
        self.finished = state.forgotten.tasks
        """All tasks up to this one are FINISH."""
        self._advance()

    def dump(self) -> SlaveState:
        """All of it."""
        records: Iterable[Record] = self.records.values()
        if SKIP_NOT_KEPT in self.bugs:
            failed = TaskState.FAILED
            records = [replace(r, state=failed) if r.details == SKIPPED else r for r in records]
        return SlaveState(
            self.status,
            self.offset,
            tuple(records),
            tuple(sorted(self.scope)),
            self.began_ns,
            self.forgotten,
        )

    def current(self) -> Iterator[Record]:
        """What is not finished of the first group that has such tasks (PR-4)."""
        first = self.records.get(self.finished + 1)
        if first is None:
            return
        if (
            LAST_GROUP_WAITS in self.bugs
            and self.records[self.offset].task.group == first.task.group
        ):
            return
        for task_id in range(self.finished + 1, self.offset + 1):
            record = self.records.get(task_id)
            if record is None or record.state is TaskState.FINISH:
                continue
            if record.task.group != first.task.group and GROUPS_OVERLAP not in self.bugs:
                return
            yield record

    def admits(self, task_id: int) -> Admission:
        """Whether a transaction that executes this task may go on; asked again at its commit."""
        record = self.records.get(task_id)
        if record is None:
            return Admission.DONE if task_id <= self.finished else Admission.NOT_NOW
        if record.state is TaskState.WAITING:
            return Admission.WELCOME
        if record.state is TaskState.FAILED:
            return Admission.NOT_NOW
        return Admission.WELCOME if APPLIED_UNCHECKED in self.bugs else Admission.DONE

    def guards(self, database: str) -> bool:
        """Whether clients' writes to this database are refused: S01023 (E3, PR-22).

        The refusal asks to stop replication first; who did so may write.
        """
        return database in self.scope and self.status is not Status.DISABLED

    def step(self, entry: SlaveEntry) -> SlaveEffects:
        """Apply an entry of the log."""
        match entry:
            case Started():
                return self._start()
            case Stopped():
                self.status = Status.DISABLED
                return NOTHING
            case Queued():
                return self._queue(entry)
            case Recorded():
                return self._record(entry)
            case Finished():
                return self._finish(entry)
            case Failed():
                return self._fail(entry)
            case Skipped():
                return self._skip(entry)

    def refuses_skip(self, tasks: Iterable[int]) -> str:
        """Why these may not be skipped now; empty if they may (U6)."""
        if self.status is Status.ENABLED:
            return "replication must be stopped before a task is skipped"
        for task_id in tasks:
            record = self.records.get(task_id)
            if record is None and not 1 <= task_id <= self.finished:
                return f"there is no task {task_id}"
            if record is not None and record.state is TaskState.EXECUTING:
                return f"task {task_id} is being executed"
        return ""

    def _start(self) -> SlaveEffects:
        if self.status is Status.ENABLED:
            return NOTHING
        self.status = Status.ENABLED
        changed = []
        for record in self._unfinished():
            again = record.state is TaskState.FAILED
            if not (again or record.failures):
                continue
            if record.state is TaskState.EXECUTING:
                self._put(replace(record, failures=0))
            else:
                self._put(Record(record.task, record.created_ns))
            changed.append(record.task.id)
        return SlaveEffects(tuple(changed))

    def _queue(self, entry: Queued) -> SlaveEffects:
        if self.status is not Status.ENABLED:
            return SlaveEffects(refusal=f"replication is {self.status}")
        has_hole = any(
            task.id != task_id for task_id, task in enumerate(entry.tasks, start=self.offset + 1)
        )
        if has_hole and OFFSET_BEFORE_LOG not in self.bugs:
            return SlaveEffects(refusal=f"what comes next is task {self.offset + 1}")
        for task in entry.tasks:
            self._put(Record(task, entry.at_ns))
            self.scope[task.meta.database] = None
            self.offset = task.id
        self.began_ns = self.began_ns or entry.at_ns
        self._advance()
        return SlaveEffects(tuple(task.id for task in entry.tasks))

    def _record(self, entry: Recorded) -> SlaveEffects:
        record = self.records.get(entry.task)
        if record is None or record.state is not TaskState.WAITING:
            return SlaveEffects(refusal=f"task {entry.task} does not wait")
        self._put(replace(record, state=TaskState.EXECUTING))
        return SlaveEffects((entry.task,))

    def _finish(self, entry: Finished) -> SlaveEffects:
        record = self.records.get(entry.task)
        if record is None or record.state is not TaskState.EXECUTING:
            return SlaveEffects(refusal=f"task {entry.task} was not committed")
        self._done(record, entry.node, entry.at_ns, "")
        return SlaveEffects((entry.task,))

    def _fail(self, entry: Failed) -> SlaveEffects:
        record = self.records.get(entry.task)
        if record is None or record.state is not TaskState.WAITING:
            return SlaveEffects(refusal=f"task {entry.task} does not wait")
        if FAILURE_SWALLOWED in self.bugs or self._seems_applied(entry.task):
            self._done(record, entry.node, entry.at_ns, "")
            return SlaveEffects((entry.task,))
        failures = record.failures + 1
        if FAILURES_ADD_UP in self.bugs:
            failures = 1 + max(other.failures for other in self.records.values())
        state, finished_ns = TaskState.WAITING, 0
        if failures >= entry.limit:
            state, finished_ns = TaskState.FAILED, entry.at_ns
            if self.status is Status.ENABLED:
                self.status = Status.STOPPED
        details = entry.reason
        self._put(
            Record(
                record.task, record.created_ns, state, failures, entry.node, finished_ns, details
            )
        )
        return SlaveEffects((entry.task,))

    def _skip(self, entry: Skipped) -> SlaveEffects:
        refusal = self.refuses_skip(entry.tasks)
        if refusal:
            return SlaveEffects(refusal=refusal)
        changed = []
        for task_id in sorted(set(entry.tasks)):
            record = self.records.get(task_id)
            if record is not None and record.state is not TaskState.FINISH:
                self._done(record, "", entry.at_ns, SKIPPED)
                changed.append(task_id)
        return SlaveEffects(tuple(changed))

    def _seems_applied(self, task_id: int) -> bool:
        """A seeded bug: whoever is older than something applied is taken for applied, too."""
        done = (TaskState.EXECUTING, TaskState.FINISH)
        return DEDUP_BY_HIGHEST in self.bugs and any(
            other > task_id and record.state in done for other, record in self.records.items()
        )

    def _unfinished(self) -> list[Record]:
        ids = range(self.finished + 1, self.offset + 1)
        found = [self.records[task_id] for task_id in ids if task_id in self.records]
        return [record for record in found if record.state is not TaskState.FINISH]

    def _done(self, record: Record, node: str, at_ns: int, details: str) -> None:
        # A seeded bug lets it wait once more.
        is_over = SKIP_NOT_KEPT not in self.bugs
        task = record.task.outline() if is_over else record.task
        self._put(Record(task, record.created_ns, TaskState.FINISH, 0, node, at_ns, details))
        self._advance()

    def _put(self, record: Record) -> None:
        self.records[record.task.id] = record

    def _advance(self) -> None:
        """Move `finished`, and forget one by one what is too old to be shown."""
        while self.finished < self.offset:
            record = self.records.get(self.finished + 1)
            if record is not None and record.state is not TaskState.FINISH:
                break
            self.finished += 1
            old = self.records.pop(self.finished - SHOWN_MAX, None)
            if old is not None:
                self.forgotten = self.forgotten.add(old)
