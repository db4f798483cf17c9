"""The master's side: `impl/replication/master.py` makes the steps of the model's controllers."""

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from ....impl.cluster.operations import Operation
from ....impl.replication.events import Completed, FlagSet, MasterEntry, Pulled, Started, Stopped
from ....impl.replication.master import Master as Core
from ....impl.replication.master import MasterState
from ....model.actor import Receive, Step
from ....model.replication_events import (
    Begin,
    Begun,
    Complete,
    Create,
    Define,
    Elect,
    Forget,
    Order,
    Pull,
    SetFlag,
)
from ....model.replication_events import Pulled as Answer
from ....model.replication_master import Controllers
from ....model.replication_rules import Options, Rules
from ....model.replication_types import Deed, Master, Transaction
from .words import (
    Found,
    concrete_master,
    database_of,
    differing_masters,
    meta_of,
    slave_of,
    task_of,
)


class MasterSide:
    """Puts a core into states of the model, and steps it. `steps`: how often."""

    def __init__(self, options: Options, bugs: frozenset[str]) -> None:
        self.options = options
        self.bugs = bugs
        self.steps = 0

    def core(self, state: MasterState) -> Core:
        """In this state."""
        return Core(state, self.bugs)

    def initial(self) -> MasterState:
        """How it begins: the model's databases may be switched on already."""
        core = self.core(MasterState())
        if self.options.created:
            for database in range(self.options.databases):
                core.step(FlagSet(database_of(database), on=True))
        return core.dump()

    def compare(self, m: Master, event: Any, step: Step | None) -> Found | None:
        """What differs; None: the core has no part in this."""
        core = self.core(concrete_master(self.options, m))
        match event:
            case Begin(chunk):
                return self._begins(core, chunk, step)
            case Receive(Pull() as message) if message.member == m.leader:
                return self._pulled(core, m, message, step)
            case Complete() | Define() | Create() | SetFlag() | Order():
                return self._stepped(core, m, event, step)
            case Elect() if step is not None:
                self.steps += 1
                again = self.core(core.dump())
                return differing_masters(self.options, _state(step), again)
        return None

    def always(self, m: Master) -> Iterator[tuple[str, Found]]:
        """In any state: orders that change nothing are obeyed (U7); what data is needed."""
        for order, entry in ((Order.START, Started()), (Order.STOP, Stopped())):
            off = m.status.value != "ENABLED"
            if off == (order is Order.STOP):
                core = self.core(concrete_master(self.options, m))
                core.step(entry)
                self.steps += 1
                yield f"{order.name.lower()} again", differing_masters(self.options, m, core)
        for database, flag in enumerate(m.flags):
            if flag is not None:
                yield "drop", self._drops(m, database)
        core = self.core(concrete_master(self.options, m))
        needed = {task.tid for task in m.tasks[m.cut :] if task.writes}
        if core.needed() != needed:
            yield "needs", [("task data needed", needed, set(core.needed()))]

    def entries(self, m: Master, event: Any, step: Step) -> list[MasterEntry]:
        """What of the controllers' log makes this step of the model."""
        after = _state(step)
        match event:
            case Complete(tid):
                return [self._completed(m, tid)]
            case Define() | Create():
                return [self._completed(after, len(after.transactions))]
            case SetFlag(database, on):
                flag: list[MasterEntry] = [FlagSet(database_of(database), on)]
                if len(after.transactions) > len(m.transactions):  # U5: it was empty.
                    flag.append(self._completed(after, len(after.transactions)))
                return flag
            case Order.START:
                return [Started()]
            case Order.STOP:
                return [Stopped()]
            case Receive(Pull() as message) if message.member == m.leader:
                pull = self._pull(message)
                core = self.core(concrete_master(self.options, m))
                return [pull] if not core.refuses(pull) and core.changes(pull) else []
        return []

    def _drops(self, m: Master, database: int) -> Found:
        """A database that is dropped is a task like others, and then off (PR-24)."""
        flags = tuple(flag and at != database for at, flag in enumerate(m.flags))
        t = Transaction(self.options.of(database), False, m.flags[database] is True, Deed.COMMITTED)
        begun = m._replace(transactions=(*m.transactions, t))
        tid = len(begun.transactions)
        step = Controllers(self.options, Rules()).step(begun, Complete(tid))
        assert step is not None
        after = _state(step)._replace(flags=flags)
        core = self.core(concrete_master(self.options, m))
        meta = meta_of(self.options, tid, t, Operation.DROP_DB)
        enqueued = core.step(Completed(meta, t.flagged)).enqueued
        self.steps += 1
        # The model's tasks of metadata are alike.
        if enqueued is not None:
            plain = replace(enqueued.meta, operation=Operation.TRUNCATE_TABLE)
            core.tasks[enqueued.id] = replace(enqueued, meta=plain)
        return differing_masters(self.options, after, core)

    def _completed(self, m: Master, tid: int) -> Completed:
        t = m.transactions[tid - 1]
        return Completed(meta_of(self.options, tid, t), t.flagged)

    def _pull(self, m: Pull) -> Pulled:
        nth = (m.src - 2) // (1 + self.options.nodes)
        slave, most = slave_of(nth), self.options.slaves
        return Pulled(slave[0], slave, m.offset, m.done, 0, most)

    def _begins(self, core: Core, chunk: int, step: Step | None) -> Found:
        """Whether a transaction must keep its data."""
        if step is None:
            return []
        self.steps += 1
        (begun,) = step.sends
        assert isinstance(begun, Begun)
        keeps = core.replicates(database_of(chunk // self.options.chunks))
        return [] if keeps == begun.keeps else [("data is kept", begun.keeps, keeps)]

    def _stepped(self, core: Core, m: Master, event: Any, step: Step | None) -> Found:
        if step is None:
            return []
        after = _state(step)
        enqueued = []
        for entry in self.entries(m, event, step):
            self.steps += 1
            effects = core.step(entry)
            enqueued += [] if effects.enqueued is None else [effects.enqueued]
        found = differing_masters(self.options, after, core)
        expected = [task_of(self.options, task) for task in after.tasks[len(m.tasks) :]]
        if enqueued != expected:
            found.append(("tasks enqueued", expected, enqueued))
        return found

    def _pulled(self, core: Core, m: Master, message: Pull, step: Step | None) -> Found:
        """A pull is refused, or what it tells is logged if it is new, and it is answered."""
        pull = self._pull(message)
        self.steps += 1
        refusal = core.refuses(pull)
        if step is None or refusal:
            return [] if step is None and refusal else [("refused", step is None, refusal)]
        truncated: tuple[int, ...] = ()
        if core.changes(pull):
            truncated = core.step(pull).truncated
        found = differing_masters(self.options, _state(step), core)
        forgotten = [each.tid for each in step.sends if isinstance(each, Forget)]
        gone = [task.tid for task in m.tasks if task.id in truncated and task.writes]
        if gone != forgotten:
            found.append(("task data given up", forgotten, gone))
        told = [each.tasks for each in step.sends if isinstance(each, Answer)]
        expected = tuple(task_of(self.options, task) for tasks in told for task in tasks)
        answer, _ = core.after(pull.offset, self.options.batch)
        if answer != expected:
            found.append(("answer", expected, answer))
        return found


def _state(step: Step) -> Master:
    assert isinstance(step.state, Master)
    return step.state
