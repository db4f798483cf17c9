"""One controller's trace of a slave: its log's entries, and what it did as the leader."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Any

from ....model.actor import Receive, Step
from ....model.replication import SlaveControllers
from ....model.replication_events import (
    Apply,
    Dispatch,
    Ended,
    Finish,
    Order,
    Own,
    Pull,
    Pulled,
    Skip,
)
from ....model.replication_rules import Rules, done_up_to, is_current, is_undone
from ....model.replication_types import Reason, Slave, Slot, State, Status
from ...traces import CoreRecord
from .finding import Unlike
from .leading import Leading
from .names import Names

ME, DATA_NODE = 2, 3
"""The actors of the only slave that a model of its traces needs."""

_ORDERS = {"started": Order.START, "stopped": Order.STOP}


class SlaveReplay:
    """Follows the records of one node, from what it booted with.

    Tasks that are finished without a gap are forgotten, as is what was applied to chunks: so each
    step costs no more than what is unfinished. `done`: so many are forgotten.
    """

    def __init__(self, names: Names, nodes: Sequence[str] = ()) -> None:
        """`nodes`: in configured order, if known."""
        self._names = names
        self.leading = Leading(nodes)
        self._actor = SlaveControllers(names.options, Rules(), 0)
        self.state: Slave = self._actor.initial(ME)
        self.done = 0
        self._tasks: dict[int, list[Any]] = {}
        """Those that are not forgotten, as they were told."""

    def boot(self, record: CoreRecord) -> None:
        """What a checkpoint held."""
        told = record.event["state"]
        slots = tuple(map(self._slot, told["records"]))
        self._tasks = {task[0]: task for task, *_ in told["records"]}
        first = slots[0].task.id if slots else told["offset"] + 1
        self.done = first - 1
        self.state = self._actor.initial(ME)._replace(
            status=Status(told["status"]), offset=told["offset"], slots=slots
        )
        self._forget()
        self.leading.inherit(self._current())
        self._compare(record, self.state.slots)

    def follow(self, record: CoreRecord) -> None:
        """One entry. Raises Unlike."""
        before = self.state.slots
        accepted = self._entry(record)
        refusal = (record.out or {}).get("refusal", "")
        if accepted == bool(refusal):
            raise Unlike(record, "step", "refusal", "" if accepted else "it is refused", refusal)
        self._compare(record, before)
        self._forget()

    def lead(self, record: CoreRecord) -> None:
        """News of the leader, and what it asked for. Raises Unlike."""
        event = record.event
        self.leading.heard(record)
        match event["kind"]:
            case "led" | "stooddown":
                self.leading.inherit(self._current())
                slots = tuple(slot._replace(run=0) for slot in self.state.slots)
                self.state = self.state._replace(slots=slots)
            case "attemptended" if event["ending"] != "failed":
                slot = self._find(event["task"])
                if slot is not None:
                    self._step(Receive(_ended(slot, Reason.LATER)))
        for effect in record.out or ():
            self._effect(record, effect)
        running = {slot.task.id for slot in self.state.slots if slot.run and is_undone(slot)}
        told = set(record.post["running"]) | set(record.post["failing"])
        told = {task for task in told if (s := self._find(task)) is not None and is_undone(s)}
        if record.post["leads"] and told != running:
            raise Unlike(record, "step", "tasks that run", sorted(running), sorted(told))

    def summary(self) -> tuple[Any, ...]:
        """What controllers at one index have in common."""
        s = self.state
        unfinished = (slot.task.id for slot in s.slots if slot.state is not State.FINISH)
        tasks = tuple(self._tasks.get(task) for task in unfinished)
        return (s.status, s.offset, self.done, tuple(map(_shown, s.slots)), tasks)

    # Entries.

    def _entry(self, record: CoreRecord) -> bool:
        """Make the model's step; whether it has one."""
        event = record.event
        match event["kind"]:
            case "started" | "stopped" as kind:
                self._step(_ORDERS[kind])
                return True
            case "queued":
                tasks = tuple(map(self._names.task, event["tasks"]))
                offset = tasks[0].id - 1 if tasks else self.state.offset
                is_taken = self._step(Receive(Pulled(0, ME, offset, tasks)))
                if is_taken:
                    self._tasks |= {task[0]: task for task in event["tasks"]}
                return is_taken
            case "skipped":
                return self._skip(event["tasks"])
        slot = self._find(event["task"])
        if slot is None:
            return False
        match event["kind"]:
            case "recorded":
                return self._record(record, slot)
            case "finished":
                return self._step(Finish(slot.task.id))
        return is_undone(slot) and self._fail(record, slot)

    def _record(self, record: CoreRecord, slot: Slot) -> bool:
        """PR-4, which in the model attempts see to: they are of the current group only."""
        current = is_current(self.state, slot)
        if not self._step(Receive(Apply(DATA_NODE, ME, slot.task.id, slot.run))):
            return False
        if not current:
            groups = (s.task.group for s in self.state.slots if s.state is not State.FINISH)
            raise Unlike(record, "step", "group that commits", min(groups), slot.task.group)
        self.leading.commits(record, slot.task.id)
        return True

    def _fail(self, record: CoreRecord, slot: Slot) -> bool:
        """The entry says how many failures stop the slave; a plan that says it, too, is right."""
        limit, planned = record.event["limit"], self._names.limit
        if planned not in (None, limit):
            raise Unlike(record, "step", "failure limit", planned, limit)
        options = replace(self._names.options, limit=limit)
        step = replace(self._actor, options=options).step(
            self.state, Receive(_ended(slot, Reason.FULL))
        )
        self._take(step)
        return step is not None

    def _skip(self, tasks: list[int]) -> bool:
        """U6: all of them, or none; what is finished stays so."""
        before = self.state
        for task in sorted(set(tasks)):
            slot = self._find(task)
            if slot is None and not 1 <= task <= self.done:
                self.state = before
                return False
            if slot is None or slot.state is State.FINISH:
                if self.state.status is Status.ENABLED:
                    return False
                continue
            # On a node that does not lead nothing runs; the leader has asked for what does.
            if not self._step(Skip(task)):
                self.state = before
                return False
        return True

    def _step(self, event: Any) -> bool:
        step = self._actor.step(self.state, event)
        self._take(step)
        return step is not None

    def _take(self, step: Step | None) -> None:
        if step is not None:
            assert isinstance(step.state, Slave)
            self.state = step.state

    # The leader.

    def _effect(self, record: CoreRecord, effect: dict[str, Any]) -> None:
        match effect["kind"]:
            case "dispatch":
                task = effect["task"]
                if self._find(task) is None or not self._step(Dispatch(task)):
                    raise Unlike(record, "step", "dispatched", "not this one", task)
                self.leading.dispatches(record, effect)
            case "pull":
                step = self._actor.step(self.state, Own.PULL)
                sends = () if step is None else step.sends
                expected = [(m.offset, m.done + self.done) for m in sends if isinstance(m, Pull)]
                found = [(effect["offset"], effect["finished"])]
                if found != expected:
                    raise Unlike(record, "step", "pulls", expected, found)
            case _:
                self.leading.asks(record, effect)

    # What is compared.

    def _compare(self, record: CoreRecord, before: tuple[Slot, ...]) -> None:
        s, post = self.state, record.post
        expected = {
            "status": s.status.value,
            "offset": s.offset,
            "finished": self.done + done_up_to(s),
        }
        for name, value in expected.items():
            if post[name] != value:
                raise Unlike(record, "step", name, value, post[name])
        changed = {
            now.task.id: _shown(now)
            for was, now in zip_longest(before, s.slots)
            if was is not now and (was is None or _shown(was) != _shown(now))
        }
        for number, state, failures in post["tasks"]:
            slot = self._find(number)
            shown = None if slot is None else _shown(slot)
            if shown != (state, failures) and number > self.done:
                raise Unlike(record, "step", f"task {number}", shown, (state, failures))
            changed.pop(number, None)
        if changed:
            raise Unlike(record, "step", "tasks that change", changed, post["tasks"])

    def _current(self) -> list[int]:
        """Tasks of the current group that are not finished."""
        left = [slot.task for slot in self.state.slots if slot.state is not State.FINISH]
        group = min((task.group for task in left), default=0)
        return [task.id for task in left if task.group == group]

    def _find(self, task: int) -> Slot | None:
        """Ids have no gap, and the first ones are forgotten."""
        at = task - self.done - 1
        return self.state.slots[at] if 0 <= at < len(self.state.slots) else None

    def _slot(self, told: list[Any]) -> Slot:
        """A record of a checkpoint."""
        task, state, failures = self._names.task(told[0]), told[2], told[3]
        applied = state == "EXECUTING" or (state == "FINISH" and told[6] != "skipped")
        shown = State.WAITING if state == "EXECUTING" else State(state)
        skips = state == "FINISH" and not applied
        return Slot(task, shown, failures, Reason.NONE, skips, applied, 0, 0)

    def _forget(self) -> None:
        """What is finished without a gap, and what was written into chunks."""
        many = done_up_to(self.state)
        for slot in self.state.slots[:many]:
            self._tasks.pop(slot.task.id, None)
        self.done += many
        content = ((),) * self._names.options.every
        self.state = self.state._replace(slots=self.state.slots[many:], content=content)


def _ended(slot: Slot, reason: Reason) -> Ended:
    return Ended(DATA_NODE, ME, slot.task.id, slot.run, reason)


def _shown(slot: Slot) -> tuple[str, int]:
    """State and failures, as the status function shows them."""
    executing = slot.state is State.WAITING and slot.applied
    return ("EXECUTING" if executing else slot.state.value, slot.fails)
