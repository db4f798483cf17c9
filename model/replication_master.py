"""The master cluster: controllers that log transactions and queue tasks, a node with task data.

The controllers are one actor: their log is replicated, and what one of them has logged the next one
knows. Of a transaction only what replication can tell is here: it begins, its coordinator asks for
its commit, it is completed; or it is given up.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .actor import Receive, Step
from .replication_events import (
    Abort,
    Begin,
    Begun,
    Call,
    Commit,
    Complete,
    Create,
    Define,
    Delete,
    Elect,
    Fetch,
    Fetched,
    Flush,
    Forget,
    NotLeader,
    Order,
    Own,
    Pull,
    Pulled,
    SetFlag,
    Skip,
)
from .replication_rules import Gap, Options, Rules
from .replication_types import Data, Deed, Master, Source, Status, Task, Transaction

CONTROLLERS, COORDINATOR = 0, 1
"""The two actors."""


@dataclass(frozen=True)
class Controllers:
    """The master's controllers. `calm`: what an administrator does there costs nothing."""

    options: Options
    rules: Rules
    calm: bool = False

    def initial(self, node: int) -> Master:
        o = self.options
        flags = (True if o.created else None,) * o.databases
        return Master(Status.ENABLED, flags, (), (), 0, (None,) * o.slaves, 0)

    def durable(self, state: Master) -> Master:
        return state

    def recover(self, node: int, durable: Master) -> Master:
        return durable

    def events(self, s: Master) -> Iterator[Any]:
        o = self.options
        yield from map(Begin, range(o.every))
        for database in range(o.databases):
            yield from (Define(database), Create(database))
            yield from (SetFlag(database, on=True), SetFlag(database, on=False))
        for tid, t in enumerate(s.transactions, start=1):
            if t.deed is Deed.OPEN:
                yield Abort(tid)
            if t.deed is Deed.COMMITTED:
                yield Complete(tid)
        yield from Order
        yield from map(Elect, range(o.controllers))
        if o.strangers:
            yield from (Call(Order.START), Call(Order.STOP), Call(Skip(1)))

    def step(self, s: Master, event: Any) -> Step | None:
        match event:
            case Receive(Commit(tid=tid)):
                decided = s.transactions[tid - 1].deed is Deed.OPEN
                return Step(_deed(s, tid, Deed.COMMITTED)) if decided else None
            case Receive(Pull() as message):
                return self._pulled(s, message)
            case Begin(chunk):
                return self._begin(s, chunk)
            case Define(database) | Create(database):
                return self._define(s, database, new=isinstance(event, Create))
            case Abort(tid):
                return Step(self._queued(_deed(s, tid, Deed.ABORTED), tid))
            case Complete(tid):
                return Step(self._queued(_deed(s, tid, Deed.COMPLETE), tid))
            case SetFlag(database, on):
                return self._flag(s, database, on=on)
            case Order():
                return self._order(s, event)
            case Elect(member):
                back = self.rules.survives(s)._replace(leader=member)
                return None if back == s else Step(back, cost="elections")
            case Call(what):
                return self._called(s, what)
        return None

    # Transactions.

    def _begin(self, s: Master, chunk: int) -> Step | None:
        """A chunk that another transaction has locked is waited for."""
        flag = s.flags[chunk // self.options.chunks]
        writes = sum(t.writes for t in s.transactions)
        locked = any(
            chunk in t.chunks and t.deed in (Deed.OPEN, Deed.COMMITTED) for t in s.transactions
        )
        if flag is None or locked or writes >= self.options.writes:
            return None
        t = Transaction((chunk,), writes=True, flagged=flag, deed=Deed.OPEN)
        begun = Begun(CONTROLLERS, COORDINATOR, len(s.transactions) + 1, flag)
        return Step(s._replace(transactions=(*s.transactions, t)), (begun,))

    def _define(self, s: Master, database: int, *, new: bool) -> Step | None:
        """Complete at once; refused while something is committed there, and ends what is open."""
        o, chunks = self.options, self.options.of(database)
        flag = s.flags[database]
        made = sum(t.asked for t in s.transactions)
        busy = any(t.deed is Deed.COMMITTED and t.chunks[0] in chunks for t in s.transactions)
        if busy or (flag is None) != new or (not new and made >= o.definitions):
            return None
        if new:
            flag = self.rules.flag
            s = s._replace(flags=_with(s.flags, database, flag))
        for tid, t in enumerate(s.transactions, start=1):
            if t.deed is Deed.OPEN and t.chunks[0] in chunks:
                s = _deed(s, tid, Deed.ABORTED)
        return Step(self._metadata(s, chunks, flagged=flag is True and not new, asked=not new))

    def _metadata(
        self, s: Master, chunks: tuple[int, ...], *, flagged: bool, asked: bool = False
    ) -> Master:
        t = Transaction(chunks, writes=False, flagged=flagged, deed=Deed.COMPLETE, asked=asked)
        s = s._replace(transactions=(*s.transactions, t))
        return self._queued(s, len(s.transactions))

    def _queued(self, s: Master, tid: int) -> Master:
        """PR-1: now that the transaction has ended, it is a task if it is to be one."""
        t = s.transactions[tid - 1]
        if not self.rules.enqueues(self.options, s, t):
            return s
        task = Task(
            self.rules.next_id(s, tid),
            self.rules.group(self.options, s, t),
            tid,
            t.chunks,
            t.writes,
        )
        return s._replace(tasks=(*s.tasks, task))

    # What administrators do.

    def _flag(self, s: Master, database: int, *, on: bool) -> Step | None:
        """U5: switched on for an empty database, its creation is a task."""
        if s.flags[database] in (None, on):
            return None
        s = s._replace(flags=_with(s.flags, database, on))
        if not on:
            return Step(self.rules.unflagged(self.options, s, database), cost="flags")
        chunks = self.options.of(database)
        has_rows = any(
            t.writes and t.chunks[0] in chunks and t.deed in (Deed.COMMITTED, Deed.COMPLETE)
            for t in s.transactions
        )
        queued = any(task.chunks == chunks and not task.writes for task in s.tasks)
        if not has_rows and not queued:
            s = self._metadata(s, chunks, flagged=True)
        return Step(s, cost="flags")

    def _order(self, s: Master, order: Order) -> Step | None:
        cost = None if self.calm else "orders"
        if order is Order.STOP:
            return None if s.status is Status.DISABLED else Step(self.rules.stopped(s), cost=cost)
        if s.status is Status.ENABLED:
            return None
        s = s._replace(status=Status.ENABLED)
        if self.options.gap is Gap.CAUGHT_UP:
            queued = {task.tid for task in s.tasks}
            for tid, t in enumerate(s.transactions, start=1):
                if t.deed is Deed.COMPLETE and tid not in queued:
                    s = self._queued(s, tid)
        return Step(s, cost=cost)

    def _called(self, s: Master, what: Any) -> Step:
        """PR-23: who may not call is refused."""
        if not self.rules.obeys_strangers or not isinstance(what, Order):
            return Step(s)
        after = self._order(s, what)
        return Step(s if after is None else after.state)

    # Slaves.

    def _pulled(self, s: Master, m: Pull) -> Step | None:
        if m.member != s.leader:
            return Step(s, (NotLeader(CONTROLLERS, m.src, s.leader),))
        nth = (m.src - 2) // (1 + self.options.nodes)
        if not self.rules.serves(s, nth, m.offset):
            return None
        before = s
        s = s._replace(done=_with(s.done, nth, max(m.done, s.done[nth] or 0)))
        s = s._replace(cut=max(s.cut, self.rules.cut(tuple(d for d in s.done if d is not None))))
        forgotten = [
            Forget(CONTROLLERS, COORDINATOR, task.tid)
            for task in self.rules.forgets(before, s, m)
            if task.writes
        ]
        tasks = self.rules.answer(self.options, s, m.offset)
        answer = (Pulled(CONTROLLERS, m.src, m.offset, tasks),) if tasks else ()
        return Step(s, (*forgotten, *answer))


@dataclass(frozen=True)
class Coordinator:
    """The data node that runs transactions, and keeps their task data."""

    options: Options
    rules: Rules

    def initial(self, node: int) -> Source:
        return Source((Data.NONE,) * self.options.transactions)

    def durable(self, state: Source) -> Source:
        lost = (Data.LOST if data is Data.MEMORY else data for data in state.data)
        return Source(tuple(lost))

    def recover(self, node: int, durable: Source) -> Source:
        return durable

    def events(self, s: Source) -> Iterator[Any]:
        for tid, data in enumerate(s.data, start=1):
            if data is Data.MEMORY:
                yield Flush(tid)
            if data is Data.DISK:
                yield Delete(tid)
        yield Own.CRASH
        if self.options.strangers:
            yield from (Call(Order.STOP), Call(SetFlag(0, on=False)))

    def step(self, s: Source, event: Any) -> Step | None:
        match event:
            case Receive(Begun() as message):
                return self._begun(s, message)
            case Receive(Forget(tid=tid)):
                here = s.data[tid - 1] in (Data.MEMORY, Data.DISK)
                return Step(_stored(s, tid, Data.DELETED)) if here else None
            case Receive(Fetch() as m):
                found = self.rules.found(s.data[m.tid - 1])
                return Step(s, (Fetched(COORDINATOR, m.src, m.task, m.attempt, found),))
            case Flush(tid):
                commit = Commit(COORDINATOR, CONTROLLERS, tid)
                return Step(_stored(s, tid, Data.DISK), (commit,) if self._waits() else ())
            case Delete(tid):
                return Step(_stored(s, tid, Data.GONE), cost="deletes")
            case Own.CRASH:
                back = self.durable(s)
                return None if back == s else Step(back, cost="crashes")
            case Call():
                return Step(s)
        return None

    def _begun(self, s: Source, m: Begun) -> Step | None:
        """U2: where persistence is synchronous, the data is on disk before the commit is asked."""
        commit = Commit(COORDINATOR, CONTROLLERS, m.tid)
        if not m.keeps:
            return Step(s, (commit,))
        if s.data[m.tid - 1] is not Data.NONE:
            return None
        return Step(_stored(s, m.tid, Data.MEMORY), () if self._waits() else (commit,))

    def _waits(self) -> bool:
        return self.options.sync and self.rules.sync_first


def _with(values: tuple[Any, ...], at: int, value: Any) -> tuple[Any, ...]:
    return (*values[:at], value, *values[at + 1 :])


def _deed(s: Master, tid: int, deed: Deed) -> Master:
    t = s.transactions[tid - 1]._replace(deed=deed)
    return s._replace(transactions=_with(s.transactions, tid - 1, t))


def _stored(s: Source, tid: int, data: Data) -> Source:
    return Source(_with(s.data, tid - 1, data))
