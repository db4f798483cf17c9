"""A slave cluster: it pulls tasks, executes them group by group, and stops where one fails.

The controllers are one actor. What is logged survives a fail-over: offset, tasks, failures, status,
and which tasks are applied, in the very entry that commits their transaction. What runs is not: the
next leader dispatches again, and the log tells what was done.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .actor import Receive, Step
from .replication_events import (
    Apply,
    Call,
    Dispatch,
    Ended,
    Execute,
    Fetch,
    Fetched,
    Finish,
    Found,
    Lose,
    NotLeader,
    Order,
    Own,
    Pull,
    Pulled,
    SetFlag,
    Skip,
    Write,
)
from .replication_master import CONTROLLERS, COORDINATOR
from .replication_rules import (
    Failures,
    Kept,
    Lost,
    Options,
    Rules,
    Skipping,
    finished,
    is_undone,
    put,
    slot_of,
    written,
)
from .replication_types import FOREIGN, Node, Note, Reason, Slave, Slot, State, Status, What


@dataclass(frozen=True)
class SlaveControllers:
    """The controllers of the `nth` slave. `calm`: what an administrator does costs nothing."""

    options: Options
    rules: Rules
    nth: int
    calm: bool = False

    def initial(self, node: int) -> Slave:
        return Slave(
            me=self.nth, status=Status.ENABLED, offset=0, slots=(),
            content=((),) * self.options.every, rights=True, spent=0, site=0,
        )  # fmt: skip

    def durable(self, state: Slave) -> Slave:
        """U8: all that is logged; attempts are forgotten, what became of them is not."""
        s = self.rules.restores(state)._replace(site=0)
        s = s._replace(slots=tuple(slot._replace(run=0) for slot in s.slots))
        if self.options.kept is Kept.VOLATILE:
            slots = tuple(map(self.rules.waits_again, s.slots))
            s = s._replace(status=Status.ENABLED, slots=slots, spent=0)
        return s

    def recover(self, node: int, durable: Slave) -> Slave:
        return durable

    def events(self, s: Slave) -> Iterator[Any]:
        yield from (Own.PULL, Own.POISON, Own.CURE, Own.FAIL_OVER, *Order)
        if self.options.controllers > 1:
            yield Own.TURN
        for slot in s.slots:
            number = slot.task.id
            yield from (Dispatch(number), Lose(number), Finish(number), Skip(number))
        if self.options.clients:
            yield from map(Write, range(self.options.every))
        if self.options.strangers:
            yield from (Call(Order.START), Call(Order.STOP), Call(Skip(1)))

    def step(self, s: Slave, event: Any) -> Step | None:
        match event:
            case Receive(message):
                return self._receive(s, message)
            case Own.PULL:
                if s.status is not Status.ENABLED:
                    return None
                me, done = self.options.base(self.nth), self.rules.reports(s)
                return Step(s, (Pull(me, CONTROLLERS, s.site, s.offset, done),))
            case Own.TURN:
                return Step(s._replace(site=(s.site + 1) % self.options.controllers))
            case Dispatch(task):
                return self._dispatch(s, slot_of(s, task))
            case Lose(task):
                return self._lose(s, slot_of(s, task))
            case Finish(task):
                return self._finish(s, slot_of(s, task))
            case Own.POISON:
                return Step(s._replace(rights=False), cost="poisons") if s.rights else None
            case Own.CURE:
                return None if s.rights else Step(s._replace(rights=True))
            case Own.FAIL_OVER:
                back = self.durable(s)
                return None if back == s else Step(back, cost="failovers")
            case Order():
                return self._order(s, event)
            case Skip(task):
                return self._skip(s, task)
            case Write(chunk):
                if self.rules.guards(self.options, s, chunk):
                    return Step(s)
                return Step(written(s, (chunk,), FOREIGN), cost="clients")
            case Call(what):
                return self._called(s, what)
        return None

    def _receive(self, s: Slave, m: Any) -> Step | None:
        match m:
            case Pulled():
                return self._take(s, m)
            case NotLeader(site=site):
                site = self.rules.follows(s, site)
                return None if site == s.site else Step(s._replace(site=site))
            case Ended(task=task, attempt=attempt, reason=reason):
                slot = slot_of(s, task)
                if not self.rules.is_attempt(slot, attempt):
                    return None
                counts = is_undone(slot) and self.rules.counts(reason)
                slot = slot._replace(run=0)
                return self._fail(s, slot, attempt, reason) if counts else Step(put(s, slot))
            case Apply(task=task, attempt=attempt):
                return self._apply(s, slot_of(s, task), attempt)
        return None

    def _may_run(self, s: Slave, slot: Slot) -> bool:
        return self.rules.may_run(self.options, s) and self.rules.is_current(s, slot)

    # The queue.

    def _take(self, s: Slave, m: Pulled) -> Step | None:
        """T1. PR-11: not while it is stopped, although it asked before."""
        if not self.rules.takes(s, m):
            return None
        known = {slot.task.id for slot in s.slots}
        new = tuple(
            Slot(task, State.WAITING, 0, Reason.NONE, False, False, 0, 0)
            for task in m.tasks
            if task.id not in known
        )
        return Step(s._replace(offset=m.offset + len(m.tasks), slots=(*s.slots, *new)))

    def _dispatch(self, s: Slave, slot: Slot) -> Step | None:
        """T2, H2: to the data node that the task's id tells."""
        o = self.options
        waits = is_undone(slot) and not slot.run
        if not waits or slot.tried >= o.attempts or not self._may_run(s, slot):
            return None
        turn = slot.tried if o.lost is Lost.REHASHED else 0
        me = o.base(self.nth)
        node = me + 1 + (slot.task.id + turn) % o.nodes
        slot = slot._replace(run=slot.tried + 1, tried=slot.tried + 1)
        return Step(put(s, slot), (Execute(me, node, slot.task, slot.run),))

    def _lose(self, s: Slave, slot: Slot) -> Step | None:
        """U12: it is not known what became of it."""
        if not slot.run:
            return None
        counts = is_undone(slot) and self.options.lost is Lost.COUNTS
        slot, attempt = slot._replace(run=0), slot.run
        return self._fail(s, slot, attempt, Reason.SILENT) if counts else Step(put(s, slot))

    def _fail(self, s: Slave, slot: Slot, attempt: int, reason: Reason) -> Step:
        """T4, T5, L4: one more failure, and perhaps the last that it may have."""
        if self.rules.swallows(s, slot):
            return Step(put(s, finished(slot)))
        s, slot, used = self.rules.charged(self.options, s, slot)
        what = What.FAILURE
        if used >= self.options.limit:
            what = What.FAILED
            slot = slot._replace(state=State.FAILED, reason=self.rules.reason(reason))
            s = s._replace(status=self.rules.gives_up(s))
        return Step(put(s, slot), notes=(Note(s.me, what, slot.task.id, attempt, reason),))

    def _apply(self, s: Slave, slot: Slot, attempt: int) -> Step | None:
        """PR-8: the entry that commits the transaction has the task's id. T8: not a second time.

        It may be of an attempt that is given up for lost; not of a task that is given up.
        """
        if not self.rules.admits(slot):
            return None
        if not s.rights:
            if not self.rules.is_attempt(slot, attempt):
                return None
            return self._fail(s, slot._replace(run=0), attempt, Reason.REFUSED)
        note = Note(s.me, What.APPLIED, slot.task.id)
        return Step(self.rules.committed(s, slot), notes=(note,))

    def _finish(self, s: Slave, slot: Slot) -> Step | None:
        if not slot.applied or slot.state is State.FINISH:
            return None
        s = put(s, finished(slot))
        if self.options.failures is Failures.GROUP and all(
            o.state is State.FINISH for o in s.slots if o.task.group == slot.task.group
        ):
            s = s._replace(spent=0)
        return Step(s)

    # What administrators do.

    def _order(self, s: Slave, order: Order) -> Step | None:
        """L3, L5-L8: a stop keeps what failed, a start begins anew with it."""
        if order is Order.STOP:
            if s.status is Status.DISABLED:
                return None
            cost = None if self.calm else "stops"
            return Step(s._replace(status=Status.DISABLED), cost=cost)
        if s.status is Status.ENABLED:
            return None
        slots = tuple(map(self.rules.waits_again, s.slots))
        s = s._replace(status=Status.ENABLED, slots=slots, spent=0)
        cost = None if self.calm else "starts"
        return Step(s, notes=(Note(s.me, What.STARTED),), cost=cost)

    def _skip(self, s: Slave, task: int) -> Step | None:
        """K2, K3, U6."""
        slot, anytime = slot_of(s, task), self.options.skipping is Skipping.ANYTIME
        paused = s.status is not Status.ENABLED and not slot.run and not slot.applied
        if slot.state is State.FINISH or not (paused or anytime):
            return None
        notes = (Note(s.me, What.SKIPPED, task),)
        cost = None if self.calm else "skips"
        return Step(self.rules.skipped(s, slot), notes=notes, cost=cost)

    def _called(self, s: Slave, what: Any) -> Step:
        """PR-23: who may not call is refused."""
        if not self.rules.obeys_strangers or not isinstance(what, Order):
            return Step(s)
        after = self._order(s, what)
        return Step(s if after is None else after.state)


@dataclass(frozen=True)
class DataNode:
    """A data node of a slave: it executes what it is given, with data from the coordinator."""

    options: Options
    rules: Rules
    slave: int
    nth: int

    def initial(self, node: int) -> Node:
        return Node(self.slave, self.nth, room=True)

    def durable(self, state: Node) -> Node:
        return state

    def recover(self, node: int, durable: Node) -> Node:
        return durable

    def events(self, s: Node) -> Iterator[Any]:
        yield from (Own.FILL, Own.CLEAR)
        if self.options.strangers:
            yield from (Call(Order.STOP), Call(Order.START), Call(Skip(1)), Call(SetFlag(0, True)))

    def step(self, s: Node, event: Any) -> Step | None:
        base = self.options.base(s.slave)
        me = base + 1 + s.nth
        match event:
            case Receive(Execute(task=task, attempt=attempt)):
                if not task.writes:  # U11: a metadata operation has no task data.
                    return Step(s, (Apply(me, base, task.id, attempt),))
                return Step(s, (Fetch(me, COORDINATOR, task.id, attempt, task.tid),))
            case Receive(Fetched() as m):
                reason = self._reason(s, m.found)
                if reason is Reason.NONE:
                    return Step(s, (Apply(me, base, m.task, m.attempt),))
                return Step(s, (Ended(me, base, m.task, m.attempt, reason),))
            case Own.FILL:
                return Step(s._replace(room=False), cost="fills") if s.room else None
            case Own.CLEAR:
                return None if s.room else Step(s._replace(room=True))
            case Call():
                return Step(s)
        return None

    def _reason(self, s: Node, found: Found) -> Reason:
        match found:
            case Found.LATER:
                return Reason.LATER
            case Found.MISSING:
                return Reason.MISSING
        return Reason.NONE if s.room else Reason.FULL
