"""What happens in the replication model: messages between its actors, and events of each."""

from dataclasses import dataclass
from enum import Enum, StrEnum

from .replication_types import Reason, Task

# Messages in the master cluster.


@dataclass(frozen=True, slots=True)
class Begun:
    """To the coordinator: the transaction may run; `keeps`: its task data will be needed."""

    src: int
    dst: int
    tid: int
    keeps: bool

    def __str__(self) -> str:
        return f"Begun(tid {self.tid}{', keep its data' if self.keeps else ''})"


@dataclass(frozen=True, slots=True)
class Commit:
    """From the coordinator: everybody has prepared."""

    src: int
    dst: int
    tid: int

    def __str__(self) -> str:
        return f"Commit(tid {self.tid})"


@dataclass(frozen=True, slots=True)
class Forget:
    """To the coordinator: this task data is needed no more."""

    src: int
    dst: int
    tid: int

    def __str__(self) -> str:
        return f"Forget(tid {self.tid})"


# Messages between the clusters. `task` and `attempt` come back as they were sent.


@dataclass(frozen=True, slots=True)
class Pull:
    """From a slave: give me what is behind `offset`; all up to `done` is finished."""

    src: int
    dst: int
    member: int
    offset: int
    done: int

    def __str__(self) -> str:
        return f"Pull(from controller {self.member}, offset {self.offset}, finished {self.done})"


@dataclass(frozen=True, slots=True)
class Pulled:
    """To a slave: what is behind its offset."""

    src: int
    dst: int
    offset: int
    tasks: tuple[Task, ...]

    def __str__(self) -> str:
        return f"Pulled(offset {self.offset}, tasks [{', '.join(map(str, self.tasks))}])"


@dataclass(frozen=True, slots=True)
class NotLeader:
    """To a slave: ask `site`."""

    src: int
    dst: int
    site: int

    def __str__(self) -> str:
        return f"NotLeader(ask controller {self.site})"


@dataclass(frozen=True, slots=True)
class Fetch:
    """To the coordinator: the task data of `tid`."""

    src: int
    dst: int
    task: int
    attempt: int
    tid: int

    def __str__(self) -> str:
        return f"Fetch(task {self.task}, attempt {self.attempt}, tid {self.tid})"


class Found(StrEnum):
    """What the coordinator has of it."""

    DATA = "the data"
    LATER = "not persisted yet"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Fetched:
    """From the coordinator."""

    src: int
    dst: int
    task: int
    attempt: int
    found: Found

    def __str__(self) -> str:
        return f"Fetched(task {self.task}, attempt {self.attempt}: {self.found})"


# Messages in a slave cluster.


@dataclass(frozen=True, slots=True)
class Execute:
    """To a data node."""

    src: int
    dst: int
    task: Task
    attempt: int

    def __str__(self) -> str:
        return f"Execute(task {self.task}, attempt {self.attempt})"


@dataclass(frozen=True, slots=True)
class Apply:
    """From a data node: commit my transaction, which carries this task's id."""

    src: int
    dst: int
    task: int
    attempt: int

    def __str__(self) -> str:
        return f"Apply(task {self.task}, attempt {self.attempt})"


@dataclass(frozen=True, slots=True)
class Ended:
    """From a data node: the attempt ended without a transaction."""

    src: int
    dst: int
    task: int
    attempt: int
    reason: Reason

    def __str__(self) -> str:
        return f"Ended(task {self.task}, attempt {self.attempt}: {self.reason})"


# Events of the master's controllers.


@dataclass(frozen=True, slots=True)
class Begin:
    """A client begins to write into a chunk."""

    chunk: int

    def __str__(self) -> str:
        return f"begins a write into chunk {self.chunk}"


@dataclass(frozen=True, slots=True)
class Define:
    """A metadata operation on a database: one step."""

    database: int

    def __str__(self) -> str:
        return f"changes the metadata of database {self.database}"


@dataclass(frozen=True, slots=True)
class Create:
    """A database is created."""

    database: int

    def __str__(self) -> str:
        return f"creates database {self.database}"


@dataclass(frozen=True, slots=True)
class SetFlag:
    """`setDatabaseForClusterReplication`."""

    database: int
    on: bool

    def __str__(self) -> str:
        return f"sets the flag of database {self.database} {'on' if self.on else 'off'}"


@dataclass(frozen=True, slots=True)
class Abort:
    """The coordinator is silent: its transaction is given up."""

    tid: int

    def __str__(self) -> str:
        return f"aborts tid {self.tid}"


@dataclass(frozen=True, slots=True)
class Complete:
    """All participants have committed."""

    tid: int

    def __str__(self) -> str:
        return f"completes tid {self.tid}"


@dataclass(frozen=True, slots=True)
class Elect:
    """Another controller leads, or the same one again."""

    member: int

    def __str__(self) -> str:
        return f"elects controller {self.member}"


class Order(Enum):
    """What an administrator tells controllers, on either side."""

    START = "starts replication"
    STOP = "stops replication"


# Events of the coordinator.


@dataclass(frozen=True, slots=True)
class Flush:
    """Task data reaches the disk."""

    tid: int

    def __str__(self) -> str:
        return f"has the data of tid {self.tid} on disk"


@dataclass(frozen=True, slots=True)
class Delete:
    """Somebody deletes a file of task data."""

    tid: int

    def __str__(self) -> str:
        return f"loses the file of tid {self.tid}"


# Events of a slave's controllers.


@dataclass(frozen=True, slots=True)
class Dispatch:
    """A task is given to a data node."""

    task: int

    def __str__(self) -> str:
        return f"dispatches task {self.task}"


@dataclass(frozen=True, slots=True)
class Lose:
    """Nobody answers for an attempt."""

    task: int

    def __str__(self) -> str:
        return f"hears nothing of task {self.task}"


@dataclass(frozen=True, slots=True)
class Finish:
    """The transaction of a task is complete."""

    task: int

    def __str__(self) -> str:
        return f"completes task {self.task}"


@dataclass(frozen=True, slots=True)
class Skip:
    """`skipClusterReplicationTask`."""

    task: int

    def __str__(self) -> str:
        return f"skips task {self.task}"


@dataclass(frozen=True, slots=True)
class Write:
    """A client of the slave writes into a replicated chunk."""

    chunk: int

    def __str__(self) -> str:
        return f"is asked by a client to write into chunk {self.chunk}"


class Own(Enum):
    """Events without more to say. The last two are a data node's."""

    PULL = "pulls"
    TURN = "asks another controller"
    POISON = "takes the execution user's rights away"
    CURE = "grants them again"
    FAIL_OVER = "fails over"
    CRASH = "crashes"
    FILL = "has its disk full"
    CLEAR = "has room again"


@dataclass(frozen=True, slots=True)
class Call:
    """A call that is not to be obeyed: by no administrator, or at a node of another kind."""

    what: Order | Skip | SetFlag

    def __str__(self) -> str:
        return f"is told by who may not: {self.what}"
