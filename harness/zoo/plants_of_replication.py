"""Violations planted in a sound history of a master and its slave, for the judges of replication.

The history is small enough to be read: a database is made and replicated, two rows are written, the
slave executes what is queued, and everybody looks. Every wrong changes one line of it.
"""

from collections.abc import Iterator
from typing import Any

from ..op import HARNESS, Op, OpType, ProcessId

DATABASE, TABLE = "dfs://d", "dfs://d/t"

Lines = tuple[Op, ...]


def _told(f: str, value: Any) -> Op:
    return Op(0, 0, HARNESS, OpType.INFO, f, None, value)


def _done(
    f: str, key: str | None, asked: Any, answer: Any, node: str = "md1", process: ProcessId = 0
) -> tuple[Op, Op]:
    began = Op(0, 0, process, OpType.INVOKE, f, key, asked, node)
    return began, Op(0, 0, process, OpType.OK, f, key, answer, node)


def _refused(f: str, key: str, asked: Any, node: str) -> tuple[Op, Op]:
    began = Op(0, 0, 1, OpType.INVOKE, f, key, asked, node)
    return began, Op(0, 0, 1, OpType.FAIL, f, key, asked, node, "ReadOnly: S01023")


def _queued(*truncated: int) -> list[list[Any]]:
    tasks = (
        (1, 1, 1, "CREATE_PARTITIONED_TABLE", DATABASE, "t"),
        (2, 2, 2, "APPEND", DATABASE, "t"),
        (3, 3, 3, "APPEND", DATABASE, "t"),
    )
    return [[*task, task[0] in truncated] for task in tasks]


def _executed(*states: str) -> list[list[Any]]:
    return [
        [*task[:6], state, "s1d1", "", 0, 1 if state == "FINISH" else None]
        for task, state in zip(_queued(), states, strict=True)
    ]


def _metrics(finished: int) -> dict[str, Any]:
    return {"status": "ENABLED", "finished": finished, "unfinished": 3 - finished}


def _row(row: int) -> dict[str, Any]:
    return {"rows": [[row, 0, row]]}


_ROWS = [[1, 0, 1], [2, 0, 2]]

REPLICATED: Lines = (
    _told("phase", "main"),
    *_done("make-db", DATABASE, None, None),
    *_done("flag", DATABASE, True, None),
    *_done("make-table", TABLE, None, {"tid": 1}),
    *_done("append", TABLE, _row(1), {"tid": 2, "rows": 1}),
    *_done("append", TABLE, _row(2), {"tid": 3, "rows": 1}),
    *_done("queue", "m", None, _queued()),
    *_done("tasks", "s1", None, _executed("FINISH", "EXECUTING", "WAITING"), "s1d1"),
    *_refused("intrude", TABLE, _row(3), "s1d1"),
    _told("phase", "heal"),
    _told("phase", "quiesce"),
    *_done("tasks", "s1", None, _executed("FINISH", "FINISH", "FINISH"), "s1d1"),
    *_done("metrics", "s1", None, _metrics(3), "s1d1"),
    _told("settled", True),
    _told("phase", "final"),
    *_done("queue", "m", None, _queued(1, 2, 3)),
    *_done("read", TABLE, None, _ROWS),
    *_done("read", TABLE, None, _ROWS, "s1d1"),
    _told("phase", "end"),
)
"""Nothing is wrong here: every judge of replication passes it."""

JUDGES = (
    "replicated-contents",
    "replication-queue",
    "replication-execution",
    "replication-recovery",
    "replication-access",
)


def _answered(f: str, answer: Any, *, node: str = "", last: bool = False) -> Lines:
    """The history with another answer to an operation, of several the first or the last."""
    places = [
        at
        for at, op in enumerate(REPLICATED)
        if op.f == f and op.type in (OpType.OK, OpType.FAIL) and op.node in (node or op.node,)
    ]
    at = places[-1 if last else 0]
    ok = Op(0, 0, REPLICATED[at].process, OpType.OK, f, REPLICATED[at].key, answer, node or "md1")
    return (*REPLICATED[:at], ok, *REPLICATED[at + 1 :])


def wrongs() -> Iterator[tuple[str, Lines, str]]:
    """What is wrong, the history, and whose business it is."""
    yield (
        "a slave lacks a replicated row in the end",
        _answered("read", _ROWS[:1], node="s1d1"),
        "replicated-contents",
    )
    yield (
        "the queue has no task for a transaction",
        _answered("queue", [_queued()[0], _queued()[2]]),
        "replication-queue",
    )
    yield (
        "two groups are executed at once",
        _answered("tasks", _executed("FINISH", "EXECUTING", "EXECUTING"), node="s1d1"),
        "replication-execution",
    )
    yield (
        "what all slaves have finished stays in the queue",
        _answered("queue", _queued(1, 2), last=True),
        "replication-recovery",
    )
    yield (
        "a slave takes a client's write",
        _answered("intrude", {"tid": 9, "rows": 1}, node="s1d1"),
        "replication-access",
    )
