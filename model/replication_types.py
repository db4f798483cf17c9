"""The nouns of the replication model: what each of the two clusters knows.

A transaction is known by its tid, a task by its id; both count from 1. A chunk is a partition and
known by a number; each database has as many. What a transaction does to a chunk is its tid, written
there.
"""

from enum import StrEnum
from typing import NamedTuple

FOREIGN = 0
"""What a client of a slave writes into a chunk there: the tid of no transaction."""


class Status(StrEnum):
    """Of the replication, on either side (§1.2)."""

    ENABLED = "ENABLED"
    DISABLED = "DISABLED"
    STOPPED = "STOPPED"


# The master cluster.


class Deed(StrEnum):
    """How far a transaction is. COMMITTED: it is decided, and not yet completed everywhere."""

    OPEN = "open"
    COMMITTED = "committed"
    COMPLETE = "complete"
    ABORTED = "aborted"


class Transaction(NamedTuple):
    """`writes`: it has rows, else it is a metadata operation. `flagged`: it began on a replicated
    database. `asked`: a client's metadata operation, not a creation, nor one that a flag makes.
    """

    chunks: tuple[int, ...]
    writes: bool
    flagged: bool
    deed: Deed
    asked: bool = False

    def __str__(self) -> str:
        what = "writes" if self.writes else "defines"
        return f"{what} {list(self.chunks)}{'' if self.flagged else ', flag off'}: {self.deed}"


class Task(NamedTuple):
    """A task as it is queued and pulled."""

    id: int
    group: int
    tid: int
    chunks: tuple[int, ...]
    writes: bool

    def __str__(self) -> str:
        return f"{self.id} (group {self.group}, tid {self.tid})"


class Master(NamedTuple):
    """The master's controllers, as their log has it.

    `flags`: of each database; None: it does not exist. `cut`: so many tasks are truncated. `done`:
    of each slave, how many tasks it reported as finished without a gap; None: it is not registered.
    `leader`: the member that leads.
    """

    status: Status
    flags: tuple[bool | None, ...]
    transactions: tuple[Transaction, ...]
    tasks: tuple[Task, ...]
    cut: int
    done: tuple[int | None, ...]
    leader: int

    def __str__(self) -> str:
        parts = [self.status.value]
        parts += [f"tid {tid} {t}" for tid, t in enumerate(self.transactions, start=1)]
        parts.append(f"queue [{', '.join(map(str, self.tasks[self.cut :]))}]")
        return "; ".join(parts)


class Data(StrEnum):
    """Where the task data of a transaction is.

    LOST: a crash took it before it was on disk. DELETED: the controllers had it removed. GONE:
    somebody deleted the file.
    """

    NONE = "none"
    MEMORY = "in memory"
    DISK = "on disk"
    LOST = "lost"
    DELETED = "deleted"
    GONE = "gone"


class Source(NamedTuple):
    """The master's data node that coordinates: the task data of each tid."""

    data: tuple[Data, ...]

    def __str__(self) -> str:
        told = (f"tid {tid} {data}" for tid, data in enumerate(self.data, 1) if data != Data.NONE)
        return ", ".join(told) or "no task data"


# A slave cluster.


class State(StrEnum):
    """Of a task, as it is logged. What executes is a waiting task with an attempt under way."""

    WAITING = "WAITING"
    FINISH = "FINISH"
    FAILED = "FAILED"


class Reason(StrEnum):
    """Why an attempt ended without success. LATER is none: the data is not persisted yet."""

    NONE = ""
    MISSING = "Missing taskData"
    REFUSED = "no right"
    FULL = "disk full"
    SILENT = "no answer"
    LATER = "not persisted yet"


class Slot(NamedTuple):
    """A task of the execution queue.

    Logged: `state`, `fails` in a row, `reason` of the last one, `skipped`, and `applied`: a
    transaction that carries its id is committed. Not logged: `run`, the number of the attempt that
    is under way, or 0. `tried`: so many attempts there were, which is known outside.
    """

    task: Task
    state: State
    fails: int
    reason: Reason
    skipped: bool
    applied: bool
    run: int
    tried: int

    def __str__(self) -> str:
        said = "EXECUTING" if self.run and self.state is State.WAITING else self.state.value
        notes = [f"{self.fails} failures"] if self.fails else []
        notes += [str(self.reason)] if self.reason else []
        notes += ["skipped"] if self.skipped else []
        notes += ["applied"] if self.applied and self.state is not State.FINISH else []
        return f"{self.task.id} {said}{' (' + ', '.join(notes) + ')' if notes else ''}"


class Slave(NamedTuple):
    """A slave's controllers, and what is committed there.

    `offset`: the tasks up to here are pulled. `content`: the tids applied to each chunk, in order.
    `rights`: the execution user has them. `spent`: failures since the last start, where they are
    counted so (U1). Not logged: `site`, the controller of the master that is asked.
    """

    me: int
    status: Status
    offset: int
    slots: tuple[Slot, ...]
    content: tuple[tuple[int, ...], ...]
    rights: bool
    spent: int
    site: int

    def __str__(self) -> str:
        tasks = ", ".join(map(str, self.slots))
        return f"{self.status}, pulled to {self.offset}: [{tasks}]"


class Node(NamedTuple):
    """A data node of a slave. It keeps nothing of what it executes: a crash is a lost answer."""

    slave: int
    nth: int
    room: bool

    def __str__(self) -> str:
        return "idle" if self.room else "disk full"


# Notes for the ledger of a slave.


class What(StrEnum):
    """Kinds of notes."""

    APPLIED = "applied"
    FAILURE = "failure"
    FAILED = "failed for good"
    SKIPPED = "skipped"
    STARTED = "started"


class Note(NamedTuple):
    """What befell a task of a slave; STARTED befalls all. FAILED: a failure that was the last.

    `attempt` and `reason` are of failures.
    """

    slave: int
    what: What
    task: int = 0
    attempt: int = 0
    reason: Reason = Reason.NONE
