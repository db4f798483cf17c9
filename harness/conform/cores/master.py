"""One controller's trace of the master's queue, in the model's steps."""

from typing import Any

from ....model.actor import Receive, Step
from ....model.replication_events import Complete, Order, Pull
from ....model.replication_master import Controllers
from ....model.replication_rules import Rules
from ....model.replication_types import Master, Status, Task
from ...traces import CoreRecord
from .finding import Unlike
from .names import DROPS, Names


class MasterReplay:
    """Follows the records of one node, from what it booted with."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._actor = Controllers(names.options, Rules())
        self._queue: dict[int, list[Any]] = {}
        """Tasks as they were told, from the head of the queue on."""
        self.state = self._actor.initial(0)._replace(flags=(False,) * names.options.databases)

    def boot(self, record: CoreRecord) -> None:
        """What a checkpoint held; truncated tasks that nobody shows any more are of no group.

        What the others wrote is known of the newest group only. Raises Unlike.
        """
        told = record.event["state"]
        names = self._names
        joined = dict(enumerate(told["joined"], start=told["next"] - len(told["joined"])))
        tasks = {task[0]: names.task(_whole(task, joined)) for task in told["tasks"]}
        self._queue = {task[0]: task for task in told["tasks"] if task[0] >= told["head"]}
        queued = list(range(told["head"], told["next"]))
        if sorted(self._queue) != queued:
            raise Unlike(record, "recovery", "tasks that are queued", queued, sorted(self._queue))
        done: list[int | None] = [None] * names.options.slaves
        for controllers, _, finished, _ in told["slaves"]:
            done[names.slave(controllers)] = finished
        self.state = Master(
            Status(told["status"]),
            tuple(name in told["flagged"] for name in names.databases),
            (),
            tuple(tasks.get(at, Task(at, 0, at, (), True)) for at in range(1, told["next"])),
            told["head"] - 1,
            tuple(done),
            0,
        )
        self._compare(record)

    def follow(self, record: CoreRecord) -> None:
        """One entry. Raises Unlike."""
        before = self.state
        refusal = ""
        match record.event["kind"]:
            case "started" | "stopped" as kind:
                self._take(self._actor.step(before, _ORDERS[kind]))
            case "flagset":
                at = self._names.database(record.event["database"])
                self._flag(at, on=record.event["on"])
            case "completed":
                self._complete(record)
            case "pulled":
                refusal = self._pulled(record)
            case "slaveforgotten":
                refusal = self._forgotten(record.event["slave"])
        out = record.out or {}
        if bool(out.get("refusal")) != bool(refusal):
            raise Unlike(record, "step", "refusal", refusal, out.get("refusal"))
        gone = list(range(before.cut + 1, self.state.cut + 1))
        if list(out.get("truncated", ())) != gone:
            raise Unlike(record, "step", "tasks truncated", gone, out.get("truncated"))
        for task in gone:
            self._queue.pop(task, None)
        self._enqueued(record, before, out.get("enqueued"))
        self._compare(record)

    def summary(self) -> tuple[Any, ...]:
        """What controllers at one index have in common."""
        s = self.state
        return (s.status, s.flags, len(s.tasks), s.cut, s.done, tuple(self._queue.values()))

    def _take(self, step: Step | None) -> None:
        if step is not None:
            assert isinstance(step.state, Master)
            self.state = step.state

    def _flag(self, database: int, *, on: bool) -> None:
        """The catalog decides what else that does: an entry of its own says so (U5)."""
        flags = (on if at == database else flag for at, flag in enumerate(self.state.flags))
        self.state = self.state._replace(flags=tuple(flags))

    def _complete(self, record: CoreRecord) -> None:
        """The model counts transactions from 1 on; the last one is all that matters here."""
        meta, flagged = record.event["meta"], record.event["flagged"]
        t = self._names.transaction(meta, flagged=flagged)
        self._take(self._actor.step(self.state._replace(transactions=(t,)), Complete(1)))
        if meta[1] == DROPS:
            self._flag(self._names.database(meta[2]), on=False)

    def _pulled(self, record: CoreRecord) -> str:
        """What it says if it is refused. How many slaves there may be only the entry knows."""
        event, done = record.event, self.state.done
        nth = self._names.slave(event["controllers"])
        source = self._names.options.base(nth)
        known = sum(each is not None for each in done)
        if done[nth] is None and known >= event["slaves_max"]:
            return "one slave more than there may be"
        if done[nth] is None and event["finished"] < self.state.cut:
            return "it was forgotten, and what it has not done is gone"
        pull = Pull(source, 0, 0, event["offset"], event["finished"])
        step = self._actor.step(self.state, Receive(pull))
        self._take(step)
        return "it is gone" if step is None else ""

    def _forgotten(self, slave: str) -> str:
        """An operator's, of which the documents and the model know nothing; as `_pulled`."""
        s, nth = self.state, self._names.slaves.get(slave)
        if nth is None or s.done[nth] is None:
            return "no such slave"
        done = tuple(None if at == nth else each for at, each in enumerate(s.done))
        left = [each for each in done if each is not None]
        self.state = s._replace(done=done, cut=max(s.cut, min(left)) if left else s.cut)
        return ""

    def _enqueued(self, record: CoreRecord, before: Master, told: list[Any] | None) -> None:
        new = self.state.tasks[len(before.tasks) :]
        found = () if told is None else (tuple(told[:2]),)
        expected = tuple((task.id, task.group) for task in new)
        if found != expected:
            raise Unlike(record, "step", "task and group", expected, found)
        if told is not None and told[2] != record.event["meta"]:
            raise Unlike(record, "step", "task", record.event["meta"], told[2])
        if told is not None:
            self._queue[told[0]] = told

    def _compare(self, record: CoreRecord) -> None:
        s, names = self.state, self._names
        slaves = sorted(names.slaves, key=lambda name: names.slaves[name])
        expected = {
            "status": s.status.value,
            "flagged": sorted(name for name, at in names.databases.items() if s.flags[at]),
            "head": s.cut + 1,
            "next": len(s.tasks) + 1,
            "group": s.tasks[-1].group if s.tasks else 0,
            "slaves": {
                name: done for name, done in zip(slaves, s.done, strict=False) if done is not None
            },
        }
        for name, value in expected.items():
            if record.post[name] != value:
                raise Unlike(record, "step", name, value, record.post[name])


def _whole(task: list[Any], joined: dict[int, list[Any]]) -> list[Any]:
    """A task with what it writes, if it is of the newest group; of others that may be forgotten."""
    number, group, meta = task
    if number not in joined:
        return task
    return [number, group, [*meta[:4], joined[number][1], *meta[5:]]]


_ORDERS = {"started": Order.START, "stopped": Order.STOP}
