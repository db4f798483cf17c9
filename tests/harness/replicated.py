"""A master and its slaves, small and legal, from a seed: histories for the judges of replication.

Everybody is a coroutine that is interrupted between any two of its steps; chance says who goes on.
`mutation` names the one rule that is not kept.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from delphic.harness.evidence import Evidence
from delphic.harness.history import validated
from delphic.harness.op import HARNESS, Op, OpType

TABLES = ("dfs://a/t", "dfs://a/u", "dfs://b/t")
PARTITIONS = 3
LIMIT = 3
PAUSE = 30
"""So many failures stop a slave, with so many steps between two of them."""

STEP_NS = 1_000_000

NAMES = {
    "append": "APPEND",
    "upsert": "UPSERT",
    "update": "SQL_UPDATE",
    "delete": "SQL_DELETE",
    "make-table": "CREATE_PARTITIONED_TABLE",
    "truncate": "TRUNCATE_TABLE",
    "drop-partition": "DROP_PARTITION",
    "drop-db": "DROP_DB",
}

Rows = dict[int, tuple[int, int]]


@dataclass
class Task:
    """A task of the queue, with what it does."""

    id: int
    tid: int
    group: int
    f: str
    key: str
    value: Any
    truncated: bool = False

    @property
    def head(self) -> list[Any]:
        database, _, table = self.key.removeprefix("dfs://").partition("/")
        name = NAMES.get(self.f, "CREATE_DOMAIN")
        return [self.id, self.tid, self.group, name, f"dfs://{database}", table]

    def touches(self) -> set[tuple[str, Any]] | None:
        """Partitions, as the queue knows them; None: the whole database."""
        if self.f in ("append", "upsert"):
            return {(self.key, row[1]) for row in self.value["rows"]}
        if self.f in ("update", "delete"):
            if "p" in self.value:
                return {(self.key, self.value["p"])}
            return {(self.key, part) for part in range(PARTITIONS)}
        return None


@dataclass
class Execution:
    """A task on a slave."""

    task: Task
    state: str = "WAITING"
    details: str = ""
    failures: int = 0
    created: int = 0
    finished: int | None = None
    skipped: bool = False
    not_before: int = 0


@dataclass
class Slave:
    """A slave's controllers and contents."""

    name: str
    tables: dict[str, Rows] = field(default_factory=dict)
    tasks: dict[int, Execution] = field(default_factory=dict)
    status: str = "ENABLED"
    poisoned: set[int] = field(default_factory=set)
    reported: int = 0


def apply(tables: dict[str, Rows], f: str, key: str, value: Any, *, rows_max: int = 99) -> bool:
    """Do an operation; False where there is no such table."""
    if f == "make-table":
        tables.setdefault(key, {})
        return True
    if f == "flag":
        return True
    if f == "drop-db":
        for table in [table for table in tables if table.startswith(f"{key}/")]:
            del tables[table]
        return True
    if key not in tables:
        return False
    rows = tables[key]
    match f:
        case "append" | "upsert":
            rows |= {i: (p, v) for i, p, v in value["rows"][:rows_max]}
        case "update":
            for i in meant(rows, value):
                rows[i] = (rows[i][0], value["v"])
        case "delete":
            for i in meant(rows, value):
                del rows[i]
        case "truncate":
            rows.clear()
        case "drop-partition":
            for i in [i for i, (p, _) in rows.items() if p in value["keys"]]:
                del rows[i]
    return True


def meant(rows: Rows, value: Any) -> list[int]:
    if "ids" in value:
        return [i for i in value["ids"] if i in rows]
    return [i for i, (p, _) in rows.items() if p == value["p"]]


class World:
    """Everything, until `history` has been asked for."""

    def __init__(
        self,
        seed: int,
        mutation: str = "",
        *,
        slaves: int = 2,
        steps: int = 2_500,
        step_ns: int = STEP_NS,
    ) -> None:
        """`step_ns`: how long a step takes; slow worlds are for what is too slow."""
        self.chance = random.Random(seed)
        self.mutation = mutation
        self.step_ns = step_ns
        self.steps = steps
        self.ops: list[Op] = []
        self.now = 0
        self.tables: dict[str, Rows] = {}
        self.flags = {"dfs://a": False, "dfs://b": False}
        self.introduced: set[str] = set()
        self.enabled = True
        self.queue: list[Task] = []
        self.tid = self.fresh = self.value = 0
        self.slaves = [Slave(f"s{number + 1}") for number in range(slaves)]
        self.settling = False
        self.processes = 0

    # Recording.

    def add(self, process: int | str, type: OpType, f: str, **more: Any) -> Op:
        op = Op(len(self.ops), self.now * self.step_ns, process, type, f, **more)
        self.ops.append(op)
        return op

    def call(
        self,
        process: list[int],
        f: str,
        key: Any,
        value: Any,
        node: str,
        act: Callable[[], Any],
    ) -> Iterator[Any]:
        """One operation: begin, wait, happen, wait, end. Refused where `act` gives REFUSED."""
        self.add(process[0], OpType.INVOKE, f, key=key, value=value, node=node)
        yield None
        lost = self.chance.random() < 0.03 and not self.settling
        happens = not lost or self.chance.random() < 0.5
        result = act() if happens else None
        yield None
        if lost:
            self.add(process[0], OpType.INFO, f, key=key, value=value, node=node, error="Timeout")
            self.processes += 1
            process[0] = self.processes
        elif result is REFUSED:
            self.add(process[0], OpType.FAIL, f, key=key, value=value, node=node, error="Refused")
        else:
            self.add(process[0], OpType.OK, f, key=key, value=result, node=node)
        return None if lost or result is REFUSED else result

    # The master.

    def commit(self, f: str, key: str, value: Any) -> Any:
        if not apply(self.tables, f, key, value):
            return REFUSED
        self.tid += 1
        database = key.removeprefix("dfs://").partition("/")[0]
        on = self.flags[f"dfs://{database}"] or self.mutation == "ships-switched-off"
        forgotten = self.mutation == "forgets-tasks" and self.chance.random() < 0.2
        if on and not forgotten and (self.enabled or self.mutation == "ships-disabled"):
            self.enqueue(f, key, value)
        if f == "drop-db":
            self.flags[key] = self.mutation == "drop-keeps-flag"
            self.introduced.discard(key)
        return {"tid": self.tid, "rows": 1}

    def enqueue(self, f: str, key: str, value: Any) -> None:
        task = Task(len(self.queue) + 1, self.tid, 1, f, key, value)
        if self.queue:
            last = self.queue[-1]
            mates = [t for t in self.queue if t.group == last.group]
            clash = any(_conflict(task, mate) for mate in mates)
            if self.mutation == "one-group":
                clash = False
            task.group = last.group + clash
        self.queue.append(task)
        if self.mutation == "two-tasks" and self.chance.random() < 0.05:
            self.queue.append(Task(task.id + 1, self.tid, task.group + 1, f, key, value))
        if self.mutation == "gap" and task.id == 9:
            task.id += 1
        if self.mutation == "groups-fall" and task.id == 9:
            task.group -= 2
        if self.mutation == "invents" and self.chance.random() < 0.05:
            self.queue.append(Task(task.id + 1, 10_000 + task.id, task.group + 1, f, key, value))
        if self.mutation == "late-ids" and task.id == 20:
            before = self.queue[4]
            task.tid, before.tid = before.tid, task.tid

    def set_flag(self, database: str, value: bool) -> Any:
        if value and database not in self.introduced:
            self.introduced.add(database)
            self.tid += 1
            self.flags[database] = value
            if self.enabled:
                self.enqueue("flag", database, value)
        self.flags[database] = value
        return None

    def truncate(self) -> None:
        least = min(slave.reported for slave in self.slaves)
        if self.mutation == "truncates-early":
            least = max(slave.reported for slave in self.slaves)
        if self.mutation == "never-truncates":
            return
        for task in self.queue:
            task.truncated = task.truncated or task.id <= least

    # Coroutines.

    def owner(self) -> Iterator[Any]:
        """Who makes tables and sets the master's switches, one thing after the other."""
        process = [0]
        for database in self.flags:
            yield from self.make(process, database)
        while not self.settling:
            kind = self.chance.random()
            key = self.chance.choice(TABLES)
            database = key.rpartition("/")[0]
            if kind < 0.2:
                for value in (False, True):
                    yield from self.sure(
                        process,
                        "flag",
                        database,
                        value,
                        lambda d=database, v=value: self.set_flag(d, v),
                    )
                    yield from self.rest(20)
            elif kind < 0.4:
                for f, value in (("stop", False), ("start", True)):
                    yield from self.sure(
                        process, f, "m", None, lambda v=value: setattr(self, "enabled", v)
                    )
                    yield from self.rest(20)
            elif kind < 0.6:
                self.value += 1
                value = {"p": self.chance.randrange(PARTITIONS), "v": self.value}
                yield from self.write(process, "update", key, value)
            elif kind < 0.7:
                yield from self.write(process, "truncate", key, None)
            elif kind < 0.8:
                value = {"keys": [self.chance.randrange(PARTITIONS)]}
                yield from self.write(process, "drop-partition", key, value)
            elif kind < 0.85:
                yield from self.anew(process, database)
            else:
                yield from self.flags_seen(process)
            yield from self.rest(30)

    def make(self, process: list[int], database: str) -> Iterator[Any]:
        yield from self.sure(process, "make-db", database, None, lambda: None)
        yield from self.flags_seen(process)
        yield from self.sure(process, "flag", database, True, lambda: self.set_flag(database, True))
        for key in [key for key in TABLES if key.startswith(f"{database}/")]:
            yield from self.sure(
                process, "make-table", key, None, lambda k=key: self.commit("make-table", k, None)
            )

    def anew(self, process: list[int], database: str) -> Iterator[Any]:
        """A database is dropped with all that is in it, and made again."""
        done = False
        while not done:
            done = yield from self.write(process, "drop-db", database, None)
        yield from self.make(process, database)

    def flags_seen(self, process: list[int]) -> Iterator[Any]:
        shown = {d: v or self.mutation == "on-by-default" for d, v in self.flags.items()}
        yield from self.call(process, "flags", "m", None, "md1", lambda: shown)

    def sure(
        self, process: list[int], f: str, key: str, value: Any, act: Callable[[], Any]
    ) -> Iterator[Any]:
        done = False
        while not done:
            done = yield from self.call(process, f, key, value, "md1", lambda: act() or True)

    def write(self, process: list[int], f: str, key: str, value: Any) -> Iterator[Any]:
        node = self.chance.choice(("md1", "md2"))
        return (
            yield from self.call(process, f, key, value, node, lambda: self.commit(f, key, value))
        )

    def writer(self, number: int) -> Iterator[Any]:
        """A client with rows of its own."""
        process, mine = [number], []
        while not self.settling:
            key, kind = self.chance.choice(TABLES), self.chance.random()
            own = [row for row in mine if row[0] == key]
            self.value += 1
            if kind < 0.5 or not own:
                first = self.fresh
                self.fresh += self.chance.randint(1, 4)
                rows = [
                    [i, self.chance.randrange(PARTITIONS), self.value]
                    for i in range(first, self.fresh)
                ]
                done = yield from self.write(process, "append", key, {"rows": rows})
                if done:
                    mine += [(key, row[0], row[1]) for row in rows]
            else:
                some = self.chance.sample(own, min(len(own), 2))
                ids = [row[1] for row in some]
                if kind < 0.7:
                    done = yield from self.write(
                        process, "update", key, {"ids": ids, "v": self.value}
                    )
                elif kind < 0.85:
                    rows = [[i, p, self.value] for _, i, p in some]
                    done = yield from self.write(process, "upsert", key, {"rows": rows})
                else:
                    done = yield from self.write(process, "delete", key, {"ids": ids})
                if not done:
                    mine = [row for row in mine if row not in some]
            yield from self.rest(8)

    def rest(self, most: int) -> Iterator[Any]:
        for _ in range(self.chance.randrange(most)):
            yield None

    def reader(self, number: int, side: str) -> Iterator[Any]:
        process, node = [number], f"{side}d1"
        tables = self.tables if side == "m" else self.slave(side).tables
        while not self.settling:
            key = self.chance.choice(TABLES)
            part = self.chance.choice((None, *range(PARTITIONS)))
            yield from self.call(
                process, "read", key, {"p": part}, node, lambda k=key, p=part: seen(tables, k, p)
            )
            yield from self.rest(10)

    def slave(self, name: str) -> Slave:
        return next(slave for slave in self.slaves if slave.name == name)

    def watcher(self, number: int) -> Iterator[Any]:
        process = [number]
        while not self.settling:
            yield from self.polls(process)
            yield from self.rest(10)

    def polls(self, process: list[int]) -> Iterator[Any]:
        yield from self.call(process, "queue", "m", None, "md1", self.queue_shown)
        yield from self.call(
            process,
            "slaves",
            "m",
            None,
            "md1",
            lambda: [{"slave": s.name, "finished": self.reported(s)} for s in self.slaves],
        )
        for slave in self.slaves:
            yield from self.call(
                process,
                "metrics",
                slave.name,
                None,
                f"{slave.name}d1",
                lambda s=slave: self.metrics_shown(s),
            )
            yield from self.call(
                process,
                "tasks",
                slave.name,
                None,
                f"{slave.name}d1",
                lambda s=slave: self.tasks_shown(s),
            )
            yield from self.call(
                process,
                "metrics",
                slave.name,
                None,
                f"{slave.name}d1",
                lambda s=slave: self.metrics_shown(s),
            )
            yield from self.tries(process, slave)

    def tries(self, process: list[int], slave: Slave) -> Iterator[Any]:
        writable = self.mutation == "writable-slaves"
        rows = {"rows": [[10_000_000 + self.now, 0, 1]]}
        yield from self.call(
            process,
            "intrude",
            TABLES[0],
            rows,
            f"{slave.name}d1",
            lambda: None if writable else REFUSED,
        )
        loose = self.mutation == "anywhere"
        yield from self.call(
            process,
            "misuse",
            "m",
            "getSlaveReplicationStatus",
            "md1",
            lambda: None if loose else REFUSED,
        )

    @property
    def why(self) -> str:
        return "Missing taskData" if self.mutation == "loses-data" else "no right"

    def reported(self, slave: Slave) -> int:
        if self.mutation == "report-falls-back" and self.chance.random() < 0.3:
            return max(0, slave.reported - 3)
        return slave.reported

    def queue_shown(self) -> list[list[Any]]:
        if self.mutation == "renumbers" and self.settling:
            return [
                [t.id, t.tid + (t.id == 5) * 5000, *t.head[2:], t.truncated] for t in self.queue
            ]
        if self.mutation == "shows-twice" and self.queue:
            return [[*t.head, t.truncated] for t in [*self.queue, self.queue[0]]]
        back = self.mutation == "comes-back" and self.chance.random() < 0.3
        return [[*t.head, t.truncated and not back] for t in self.queue]

    def metrics_shown(self, slave: Slave) -> dict[str, Any]:
        left = sum(e.state != "FINISH" for e in slave.tasks.values())
        status = slave.status
        if self.mutation == "always-healthy":
            status = "ENABLED"
        if self.mutation == "counts-wrong":
            left += 1
        return {"status": status, "finished": len(slave.tasks) - left, "unfinished": left}

    def tasks_shown(self, slave: Slave) -> list[list[Any]]:
        hide = self.mutation == "hides-failures"
        forgets = self.mutation == "forgets-finished" and self.settling
        return [
            [
                *e.task.head,
                "WAITING" if hide and e.state == "FAILED" else e.state,
                "" if e.state == "WAITING" else f"{slave.name}d1",
                "" if self.mutation == "no-reasons" else e.details,
                e.created * self.step_ns,
                None if e.finished is None else e.finished * self.step_ns,
            ]
            for e in slave.tasks.values()
            if not (forgets and e.task.id == 1)
        ]

    def puller(self, slave: Slave) -> Iterator[Any]:
        while True:
            on = slave.status == "ENABLED" or self.mutation == "pulls-while-off"
            stuck = self.mutation == "holds-up" and any(s.status != "ENABLED" for s in self.slaves)
            if on and not stuck and self.mutation != "never-pulls":
                for task in self.queue[len(slave.tasks) :][: self.chance.randint(1, 4)]:
                    slave.tasks.setdefault(task.id, Execution(task, created=self.now))
                    # Without its table everything after it would fail, too.
                    is_write = task.f not in ("flag", "make-table", "drop-db")
                    if is_write and self.chance.random() < 0.03 and not self.settling:
                        slave.poisoned.add(task.id)
                done = 0
                while done + 1 in slave.tasks and slave.tasks[done + 1].state == "FINISH":
                    done += 1
                slave.reported = done
                self.truncate()
            yield from self.rest(15)
            yield None

    def executor(self, slave: Slave) -> Iterator[Any]:
        while True:
            yield None
            ready = self.ready(slave)
            on = slave.status == "ENABLED" or self.mutation == "runs-while-off"
            if not ready or not on or (self.mutation == "holds-up" and self.held()):
                continue
            one = self.chance.choice(ready)
            one.state = "EXECUTING"
            yield from self.rest(6)
            yield from self.finish(slave, one)

    def held(self) -> bool:
        return any(s.status != "ENABLED" for s in self.slaves)

    def ready(self, slave: Slave) -> list[Execution]:
        waiting = [
            e for e in slave.tasks.values() if e.state == "WAITING" and e.not_before <= self.now
        ]
        left = [e for e in slave.tasks.values() if e.state != "FINISH"]
        if self.mutation == "runs-skipped":
            waiting += [e for e in slave.tasks.values() if e.skipped and e.details == "skipped"]
        if self.mutation == "no-barrier":
            return waiting
        lowest = min((e.task.group for e in left), default=0)
        return [e for e in waiting if e.task.group == lowest or e.skipped]

    def finish(self, slave: Slave, one: Execution) -> Iterator[Any]:
        if one.task.id in slave.poisoned:
            one.failures += 1
            limit = 1 if self.mutation == "stops-at-once" else LIMIT
            if one.failures < limit:
                yield from self.rest(3)
                one.state, one.not_before = "WAITING", self.now + PAUSE
                return
            one.state, one.details, one.finished = "FAILED", self.why, self.now
            if self.mutation != "swallows-failures":
                slave.status = "STOPPED" if slave.status == "ENABLED" else slave.status
            return
        task = one.task
        if self.mutation == "halves" and task.f == "append" and len(task.value["rows"]) > 1:
            apply(slave.tables, task.f, task.key, task.value, rows_max=1)
            yield from self.rest(20)
        kept = self.mutation == "keeps-dropped" and task.f == "drop-db"
        if not kept and not (self.mutation == "forgets-to-apply" and self.chance.random() < 0.1):
            apply(slave.tables, task.f, task.key, task.value)
        if self.mutation == "finishes-late":
            yield from self.rest(60)
        if one.state != "FINISH":
            one.state, one.finished = "FINISH", self.now
            one.details = "skipped" if one.skipped else ""
        if self.mutation == "runs-again" and self.chance.random() < 0.2:
            yield from self.rest(60)
            apply(slave.tables, task.f, task.key, task.value)
            one.finished = self.now

    def operator(self, number: int, slave: Slave) -> Iterator[Any]:
        """Stops and starts; what is stopped by itself is cured or skipped, then started."""
        process = [number]

        def switch(status: str) -> None:
            if slave.status == "STOPPED" or slave.status != status:
                for one in slave.tasks.values():
                    if status == "ENABLED" and one.state == "FAILED":
                        one.state, one.failures, one.details = "WAITING", 0, ""
                        one.finished = None
                    elif status == "ENABLED" and self.mutation == "starts-over":
                        one.state, one.finished = "WAITING", None
            slave.status = status

        while not self.settling:
            yield from self.rest(40)
            node = f"{slave.name}d1"
            if slave.status == "STOPPED":
                if self.chance.random() < 0.5:
                    yield from self.skip_failed(process, slave)
                    yield from self.rest(200)
                else:
                    slave.poisoned.clear()
                yield from self.call(
                    process, "start", slave.name, None, node, lambda: switch("ENABLED")
                )
            elif self.chance.random() < 0.3:
                yield from self.call(
                    process, "stop", slave.name, None, node, lambda: switch("DISABLED")
                )
                yield from self.rest(150 if self.mutation == "holds-up" else 60)
                yield from self.call(
                    process, "start", slave.name, None, node, lambda: switch("ENABLED")
                )
            yield None
        slave.poisoned.clear()
        while slave.status != "ENABLED":
            yield from self.call(
                process, "start", slave.name, None, f"{slave.name}d1", lambda: switch("ENABLED")
            )
            yield None

    def skip_failed(self, process: list[int], slave: Slave) -> Iterator[Any]:
        failed = [e.task.id for e in slave.tasks.values() if e.state == "FAILED"]

        def skip() -> Any:
            if slave.status == "ENABLED":
                return REFUSED
            for number in failed:
                one = slave.tasks[number]
                if one.state == "FAILED" and self.mutation != "forgets-skips":
                    one.state, one.skipped, one.details = "FINISH", True, "skipped"
                    one.finished = self.now
            if self.mutation == "skip-fails-others":
                for one in slave.tasks.values():
                    if one.state == "WAITING":
                        one.state, one.details, one.finished = "FAILED", "not tried", self.now
            if self.mutation == "skip-starts":
                slave.status = "ENABLED"
            return None

        yield from self.call(process, "skip", slave.name, failed, f"{slave.name}d1", skip)

    # The whole.

    def history(self) -> Evidence:
        self.add(HARNESS, OpType.INFO, "phase", value="main")
        people = [self.owner(), *(self.writer(number) for number in (1, 2, 3)), self.watcher(4)]
        people += [self.reader(5, "m")]
        self.processes = 5
        for slave in self.slaves:
            for make in (
                lambda n, s=slave: self.reader(n, s.name),
                lambda n, s=slave: self.operator(n, s),
            ):
                self.processes += 1
                people.append(make(self.processes))
        self.processes = 100
        machines = [self.puller(s) for s in self.slaves]
        machines += [self.executor(s) for s in self.slaves for _ in range(2)]
        self.turn(people, machines, self.steps)
        self.add(HARNESS, OpType.INFO, "phase", value="heal")
        self.settling = True
        self.turn(people, machines, 4_000, until=lambda: not people)
        self.turn([], machines, 3_000, until=self.arrived)
        self.add(HARNESS, OpType.INFO, "phase", value="final")
        self.end(machines)
        self.add(HARNESS, OpType.INFO, "phase", value="end")
        return self.evidence()

    def evidence(self) -> Evidence:
        members = ("mc1", "md1", *(f"{s.name}{kind}1" for s in self.slaves for kind in "cd"))
        facts = {"synced": True, "stops_after_s": (LIMIT - 1) * PAUSE * self.step_ns / 1e9}
        return Evidence(validated(self.ops), members, facts=facts)

    def end(self, machines: list[Iterator[Any]]) -> None:
        process = [99]
        self.turn([self.polls(process)], machines, 2_000, until=lambda: False)
        self.add(HARNESS, OpType.INFO, "settled", value=self.arrived())
        self.turn([self.polls(process)], machines, 2_000, until=lambda: False)
        for side in ("m", *(slave.name for slave in self.slaves)):
            tables = self.tables if side == "m" else self.slave(side).tables
            for key in TABLES:
                looking = self.call(
                    process,
                    "read",
                    key,
                    {"p": None},
                    f"{side}d1",
                    lambda t=tables, k=key: seen(t, k, None),
                )
                self.turn([looking], machines, 100, until=lambda: False)

    def arrived(self) -> bool:
        return all(
            len(s.tasks) == len(self.queue)
            and all(e.state == "FINISH" for e in s.tasks.values())
            and (s.reported == len(self.queue) or self.mutation == "gap")
            for s in self.slaves
        )

    def turn(
        self,
        people: list[Iterator[Any]],
        machines: list[Iterator[Any]],
        steps: int,
        until: Callable[[], bool] = lambda: False,
    ) -> None:
        """Let chance choose who goes on; people that are done are gone."""
        had = bool(people)
        for _ in range(steps):
            self.now += 1
            if until() or (had and not people):
                return
            one = self.chance.choice([*people, *machines])
            try:
                next(one)
            except StopIteration:
                people.remove(one)


class _Refused:
    pass


REFUSED = _Refused()


def seen(tables: dict[str, Rows], key: str, part: int | None) -> Any:
    if key not in tables:
        return None
    return [[i, p, v] for i, (p, v) in sorted(tables[key].items()) if part in (None, p)]


def _conflict(one: Task, other: Task) -> bool:
    mine, theirs = one.touches(), other.touches()
    if mine is None or theirs is None:
        return one.head[4] == other.head[4]
    return not mine.isdisjoint(theirs)
