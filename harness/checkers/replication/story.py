"""One run of the workload `replicate` as its judges see it: transactions, switches, looks, polls.

Order is that of the history's indices. A transaction happened between `begin` and `end`; one whose
end nobody knows may happen as late as NEVER.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from ...history import Call, History
from ...language.sides import MASTER, side_of
from ...op import HARNESS, OpType
from ..log.prose import identity
from ..timeline import Act, acts, phase
from .switches import Setting, Switch

NEVER = 1 << 62

ROWS_MAX = 10_000
"""So many finished tasks a status table shows at most, the newest; the others scrolled out."""

WRITES = {
    "append": "APPEND",
    "bulk": "APPEND",
    "upsert": "UPSERT",
    "update": "SQL_UPDATE",
    "delete": "SQL_DELETE",
}
METADATA = {
    "make-table": "CREATE_PARTITIONED_TABLE",
    "drop-table": "DROP_TABLE",
    "drop-partition": "DROP_PARTITION",
    "truncate": "TRUNCATE_TABLE",
    "drop-db": "DROP_DB",
}
OPERATIONS = {**WRITES, **METADATA}
"""What clients do, and what the columns `operationType` call it."""


class Txn(msgspec.Struct, frozen=True):
    """A transaction of the master that happened or may have. `table` is empty for a database."""

    number: int
    call: Call
    database: str
    table: str
    begin: int
    end: int
    tid: int | None

    @property
    def f(self) -> str:
        return self.call.invoke.f

    @property
    def is_certain(self) -> bool:
        return self.end != NEVER

    @property
    def kind(self) -> tuple[str, str, str]:
        """What the queue shows of it, if its tid is not known."""
        return OPERATIONS[self.f], self.database, self.table

    @property
    def is_write(self) -> bool:
        return self.f in WRITES

    @property
    def was_idle(self) -> bool:
        """Whether it changed no row: without any partition, there was nothing to repeat."""
        return self.is_write and self.is_certain and answer(self.call).get("rows") == 0


class Task(NamedTuple):
    """A row of a status table, of either side; `state` and what follows only a slave has."""

    id: int
    tid: int
    group: int
    operation: str
    database: str
    table: str
    truncated: bool = False
    state: str = ""
    node: str = ""
    details: str = ""
    created_ns: int = 0
    finished_ns: int | None = None

    @property
    def kind(self) -> tuple[str, str, str]:
        return self.operation, self.database, self.table

    @property
    def is_skipped(self) -> bool:
        return self.state == "FINISH" and "skipped" in self.details.lower()


class Poll(msgspec.Struct, frozen=True):
    """A status table as it was at some moment between `begin` and `end`."""

    call: Call
    side: str
    begin: int
    end: int
    tasks: dict[int, Task]
    """By id; a row that comes twice is in `twice`."""
    twice: tuple[int, ...] = ()
    first: int = 0
    """Tasks below this id may have been finished and scrolled out of the table."""

    def tells_of(self, number: int) -> bool:
        """Whether a task that is not shown was not there, for it cannot have scrolled out."""
        return number >= self.first

    def state_of(self, number: int) -> str:
        """A task's state; "" where it was not there."""
        task = self.tasks.get(number)
        if task is None:
            return "" if self.tells_of(number) else "FINISH"
        return task.state


class Metrics(msgspec.Struct, frozen=True):
    """What a slave says of itself in one row."""

    call: Call
    side: str
    begin: int
    end: int
    status: str
    finished: int
    unfinished: int


class Look(msgspec.Struct, frozen=True):
    """A read of one table on one side. `rows`: (partition, value) by id; None: no such table."""

    call: Call
    side: str
    table: str
    partition: int | None
    begin: int
    end: int
    rows: dict[int, tuple[int, int]] | None
    twice: tuple[int, ...] = ()
    """Ids that came more than once."""


class Count(msgspec.Struct, frozen=True):
    """How many rows a table of many rows had on one side."""

    call: Call
    side: str
    table: str
    begin: int
    end: int
    rows: int


class Story(msgspec.Struct, frozen=True):
    """All that the judges need of one history."""

    txns: list[Txn]
    by_tid: dict[int, Txn]
    looks: list[Look]
    counts: list[Count]
    queue: list[Poll]
    tasks: dict[str, list[Poll]]
    metrics: dict[str, list[Metrics]]
    runs: dict[str, Switch]
    """By side: whether it replicates."""
    flags: dict[str, Switch]
    """By database: whether it is replicated."""
    skips: dict[str, list[Call]]
    acts: list[Act]
    settled: int | None
    """The index from which on everything had arrived, as far as the harness saw; None: never."""
    final: int

    @property
    def slaves(self) -> list[str]:
        return sorted(side for side in self.runs if side != MASTER)


def story(history: History) -> Story:
    """Read a history. Raises KeyError, TypeError or ValueError where it is of another workload."""
    calls = history.calls()
    final = phase(history, "final")
    settled = [op for op in history.of(HARNESS) if op.f == "settled"]
    at = next((op.index for op in settled if op.value is True), None)
    txns = list(_txns(calls))
    sides = {side for call in calls if (side := side_of(call.invoke.node)) is not None} | {MASTER}
    found = Story(
        txns=txns,
        by_tid={txn.tid: txn for txn in txns if txn.tid is not None},
        looks=list(_looks(calls)),
        counts=list(_counts(calls)),
        queue=[poll(call, MASTER) for call in calls if call.invoke.f == "queue" and _ok(call)],
        tasks={side: [] for side in sorted(sides)},
        metrics={side: [] for side in sorted(sides)},
        runs={side: Switch(True, _settings(calls, "start", "stop", side)) for side in sides},
        flags=_flags(calls),
        skips={side: [] for side in sides},
        acts=acts(history),
        settled=at,
        final=NEVER if final is None else final.index,
    )
    for call in calls:
        side = call.invoke.key
        if call.invoke.f == "tasks" and _ok(call):
            found.tasks[side].append(poll(call, side))
        elif call.invoke.f == "metrics" and _ok(call):
            found.metrics[side].append(_metrics(call))
        elif call.invoke.f == "skip" and call.outcome is not OpType.FAIL:
            found.skips[side].append(call)
    return found


def answer(call: Call) -> Any:
    """What an operation that went well answered."""
    assert call.completion is not None
    return call.completion.value


def told(call: Call, *, capital: bool = False) -> str:
    """Which call, of whom, through whom."""
    invoke = call.invoke
    name = invoke.f.capitalize() if capital else invoke.f
    node = (call.completion.node if call.completion else None) or invoke.node
    return f"{name} #{identity(call)} (client {invoke.process} through {node})"


def ends(call: Call) -> int:
    """The index up to which it may have happened."""
    if call.completion is None or call.completion.type is OpType.INFO:
        return NEVER
    return call.completion.index


def split(key: str) -> tuple[str, str]:
    """`dfs://db/table` → database, table; a database alone has the table ""."""
    database, slash, table = key.removeprefix("dfs://").partition("/")
    return f"dfs://{database}", table if slash else ""


def _ok(call: Call) -> bool:
    return call.outcome is OpType.OK


def _txns(calls: Sequence[Call]) -> Iterator[Txn]:
    number = 0
    for call in calls:
        if call.invoke.f not in OPERATIONS or call.outcome is OpType.FAIL:
            continue
        database, table = split(call.invoke.key)
        told_by = answer(call) if _ok(call) else None
        tid = told_by["tid"] if isinstance(told_by, dict) else None
        yield Txn(number, call, database, table, call.invoke.index, ends(call), tid)
        number += 1


def _looks(calls: Sequence[Call]) -> Iterator[Look]:
    for call in calls:
        side = side_of(call.invoke.node)
        if call.invoke.f != "read" or not _ok(call) or side is None:
            continue
        got = answer(call)
        rows = None if got is None else {int(i): (int(p), int(v)) for i, p, v in got}
        counts = Counter(int(row[0]) for row in got or ())
        twice = tuple(sorted(one for one, count in counts.items() if count > 1))
        partition = (call.invoke.value or {}).get("p")
        begin, end = call.invoke.index, identity(call)
        yield Look(call, side, call.invoke.key, partition, begin, end, rows, twice)


def _counts(calls: Sequence[Call]) -> Iterator[Count]:
    for call in calls:
        side = side_of(call.invoke.node)
        if call.invoke.f == "count" and _ok(call) and side is not None:
            begin, end = call.invoke.index, identity(call)
            yield Count(call, side, call.invoke.key, begin, end, int(answer(call)))


def poll(call: Call, side: str) -> Poll:
    """Read a status table. Queue rows: [id, tid, group, operation, database, table, truncated]."""
    found: dict[int, Task] = {}
    twice = []
    for row in answer(call):
        task = Task(*(row if side == MASTER else [*row[:6], False, *row[6:]]))
        if task.id in found:
            twice.append(task.id)
        found[task.id] = task
    over = [task.id for task in found.values() if task.truncated or task.state == "FINISH"]
    first = min(over) if len(over) >= ROWS_MAX else 0
    return Poll(call, side, call.invoke.index, identity(call), found, tuple(twice), first)


def _metrics(call: Call) -> Metrics:
    got = answer(call)
    return Metrics(
        call,
        call.invoke.key,
        call.invoke.index,
        identity(call),
        got["status"],
        int(got["finished"]),
        int(got["unfinished"]),
    )


def _settings(calls: Sequence[Call], on: str, off: str, key: str) -> tuple[Setting, ...]:
    return tuple(
        Setting(call.invoke.f == on, call.invoke.index, ends(call), call)
        for call in calls
        if call.invoke.f in (on, off) and call.invoke.key == key and call.outcome is not OpType.FAIL
    )


def _flags(calls: Sequence[Call]) -> dict[str, Switch]:
    """A database is off at first and once it was dropped, until somebody switches it on (PR-24).

    That it is made changes nothing: one that is there already is made by nobody.
    """
    found: dict[str, list[Setting]] = {}
    for call in calls:
        if call.outcome is OpType.FAIL or call.invoke.f not in ("flag", "drop-db"):
            continue
        value = call.invoke.f == "flag" and bool(call.invoke.value)
        setting = Setting(value, call.invoke.index, ends(call), call)
        found.setdefault(call.invoke.key, []).append(setting)
    return {key: Switch(False, tuple(settings)) for key, settings in found.items()}
