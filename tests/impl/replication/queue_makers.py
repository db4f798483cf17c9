"""Tasks and entries for tests of replication's cores."""

from delphic.impl.cluster.operations import Operation
from delphic.impl.replication.events import Completed, Finished, Pulled, Queued, Recorded
from delphic.impl.replication.tasks import Task, TaskMeta

SECOND_NS = 1_000_000_000


def meta(
    tid: int,
    database: str = "dfs://a",
    chunks: tuple[str, ...] = (),
    operation: Operation | None = None,
) -> TaskMeta:
    """A write if it has chunks, else a metadata operation, unless told otherwise."""
    if operation is None:
        operation = Operation.APPEND if chunks else Operation.CREATE_PARTITIONED_TABLE
    return TaskMeta(tid, operation, database, "t", chunks, "127.0.0.1", 8720, tid * SECOND_NS)


def completed(
    tid: int,
    database: str = "dfs://a",
    chunks: tuple[str, ...] = (),
    operation: Operation | None = None,
) -> Completed:
    return Completed(meta(tid, database, chunks, operation), flagged=True)


def pulled(name: str, offset: int, finished: int, at_ns: int = 0, slaves_max: int = 2) -> Pulled:
    """By the first of three controllers whose ports begin with the slave's name."""
    controllers = tuple(f"{name}:{port}" for port in (1, 2, 3))
    return Pulled(controllers[0], controllers, offset, finished, at_ns, slaves_max)


def task(task_id: int, group: int | None = None, database: str = "dfs://a") -> Task:
    """Of tid 10 times its id; of its own group, if none is given."""
    chunks = (f"{database}/t/{task_id}",)
    return Task(task_id, task_id if group is None else group, meta(10 * task_id, database, chunks))


def queued(*tasks: Task, at_ns: int = SECOND_NS) -> Queued:
    return Queued(tasks, at_ns)


def executed(task_id: int, at_ns: int = 2 * SECOND_NS) -> tuple[Recorded, Finished]:
    """The commit of a task, and the end of its transaction."""
    return Recorded(task_id), Finished(task_id, "d1", at_ns)
