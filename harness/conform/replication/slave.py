"""A slave's side: `slave.py` and `dispatcher.py` make the steps of the model's controllers.

In the model what a leader decides is logged at once. Here an entry is proposed, applied, and then
told to the dispatcher; whatever may come between is compared as an entry that comes too late. The
model dispatches when it likes; a dispatcher does at once, but for tasks that rest. So in a state of
the model everything that it might dispatch rests, and what a step makes ready must be dispatched.
"""

from collections.abc import Iterator
from itertools import product
from typing import Any

from ....impl.replication.dispatcher import Dispatcher, DispatcherState
from ....impl.replication.effects import Arm, Effect, Propose, Wait
from ....impl.replication.effects import Dispatch as Dispatched
from ....impl.replication.effects import Pull as Pulling
from ....impl.replication.events import (
    Applied,
    AttemptEnded,
    Ending,
    Failed,
    Finished,
    Led,
    PullAnswered,
    PullDue,
    Queued,
    Recorded,
    RetryDue,
    Skipped,
    SlaveEntry,
    Started,
    StoodDown,
    Stopped,
)
from ....impl.replication.slave import Admission, SlaveState
from ....impl.replication.slave import Slave as Core
from ....model.actor import Receive, Step
from ....model.replication_events import (
    Apply,
    Dispatch,
    Ended,
    Execute,
    Finish,
    Lose,
    Order,
    Own,
    Pull,
    Pulled,
    Skip,
    Write,
)
from ....model.replication_rules import Options, done_up_to, is_current, is_undone, slot_of
from ....model.replication_types import Reason, Slave, Slot, State, Status
from .waiting import alarms, pulls
from .words import Found, concrete_slave, database_of, differing_slaves, task_of


def ready(s: Slave) -> list[int]:
    """Tasks that the model may dispatch, however often they were tried."""
    if s.status is not Status.ENABLED:
        return []
    return [x.task.id for x in s.slots if is_undone(x) and not x.run and is_current(s, x)]


class SlaveSide:
    """Puts a core and a dispatcher into states of the model, and steps them. `steps`: how often."""

    def __init__(self, options: Options, bugs: frozenset[str]) -> None:
        self.options = options
        self.bugs = bugs
        self.nodes = tuple(f"d{node}" for node in range(options.nodes))
        self.steps = 0

    def core(self, state: SlaveState) -> Core:
        """In this state."""
        return Core(state, self.bugs)

    def _leader(self, core: Core, state: DispatcherState | None = None) -> Dispatcher:
        return Dispatcher(core, self.nodes, self.options.limit, state)

    def compare(self, s: Slave, event: Any, step: Step | None) -> Found | None:
        """What differs, with the first guess for which anything does; None: no part in it."""
        if not self._is_ours(s, event, step):
            return None
        found: Found = []
        for state in self._guesses(s, event):
            core = self.core(concrete_slave(self.options, s))
            dispatcher = self._leader(core, state)
            found = self._compared(s, core, dispatcher, event, step)
            if found:
                break
        return found

    def _is_ours(self, s: Slave, event: Any, step: Step | None) -> bool:
        """Rights, clients' calls and whom to ask are others' business.

        So is the answer of an attempt that was given up: nobody hears it.
        """
        match event:
            case Receive(Pulled() | Apply()):
                return True
            case Receive(Ended()):
                return step is not None
            case Dispatch() | Lose() | Finish() | Skip() | Write() | Order():
                return step is not None
        return event in (Own.PULL, Own.FAIL_OVER)

    def _guesses(self, s: Slave, event: Any) -> Iterator[DispatcherState]:
        """What rests beside what is ready, whether attempts that have committed have ended, and
        whether the answer to a pull says that there is more.
        """
        waits = [x.task.id for x in s.slots if is_undone(x) and not x.run]
        runs = [x.task.id for x in s.slots if x.run and is_undone(x)]
        commits = [x.task.id for x in s.slots if x.run and x.applied]
        pulling = isinstance(event, Receive) and isinstance(event.message, Pulled)
        rests = ready(s)
        for others, ended, more in product(
            (False, True),
            (False, True) if commits else (False,),
            (False, True) if pulling else (False,),
        ):
            resting = tuple(waits) if others else tuple(rests)
            running = tuple(sorted(runs if ended else runs + commits))
            yield DispatcherState(True, pulling, not pulling, more, running, (), resting)

    # One step.

    def _compared(
        self, s: Slave, core: Core, dispatcher: Dispatcher, event: Any, step: Step | None
    ) -> Found:
        self.steps += 1
        guess = dispatcher.dump()
        match event:
            case Own.PULL:
                return self._pull(dispatcher.step(PullDue()), step)
            case Own.FAIL_OVER:
                return self._fail_over(core, step)
            case Write(chunk):
                refuses = core.guards(database_of(chunk // self.options.chunks))
                assert step is not None
                return [] if refuses == (step.state == s) else [("refused", not refuses, refuses)]
            case Dispatch(task):
                return self._dispatch(s, dispatcher, task, step)
            case Receive(Apply() as message):
                return self._apply(s, core, dispatcher, message, step)
            case Receive(Pulled() as message):
                return self._take(s, core, dispatcher, message, step)
            case Receive(Ended(task=task, reason=reason)):
                return self._end(s, core, dispatcher, slot_of(s, task), reason, step)
            case Lose(task):
                return self._end(s, core, dispatcher, slot_of(s, task), Reason.SILENT, step)
            case Skip(task):
                refusal = dispatcher.refuses_skip((task,))
                if refusal:
                    return [("refused", "", refusal)]
        assert step is not None
        effects: list[Effect] = []
        for entry in self.entries(s, event, step):
            effects += self._apply_entry(core, dispatcher, entry)
        return self._after(guess, core, dispatcher, effects, step)

    def entries(self, s: Slave, event: Any, step: Step | None) -> list[SlaveEntry]:
        """What of the controllers' log makes this step of the model."""
        if step is None or step.state == s:
            return []
        match event:
            case Receive(Pulled() as message):
                return [Queued(tuple(task_of(self.options, t) for t in message.tasks), 0)]
            case Receive(Apply(task=task)) if not slot_of(s, task).applied and s.rights:
                return [Recorded(task)]
            case Receive(Apply(task=task)):
                return [self._failed(task, Reason.REFUSED)]
            case Receive(Ended(task=task, reason=reason)) if _counts(s, step, task):
                return [self._failed(task, reason)]
            case Lose(task) if _counts(s, step, task):
                return [self._failed(task, Reason.SILENT)]
            case Finish(task):
                return [Finished(task, "d0", 0)]
            case Order.START:
                return [Started()]
            case Order.STOP:
                return [Stopped()]
            case Skip(task):
                return [Skipped((task,), 0)]
        return []

    def _failed(self, task: int, reason: Reason) -> Failed:
        node, limit = self.nodes[task % len(self.nodes)], self.options.limit
        return Failed(task, node, str(reason), 0, limit)

    def _apply_entry(
        self, core: Core, dispatcher: Dispatcher, entry: SlaveEntry
    ) -> tuple[Effect, ...]:
        refusal = core.step(entry).refusal
        assert not refusal, f"{entry}: {refusal}"
        return dispatcher.step(Applied(entry))

    def _after(
        self,
        guess: DispatcherState,
        core: Core,
        dispatcher: Dispatcher,
        effects: list[Effect],
        step: Step,
        rests: tuple[Arm, ...] = (),
    ) -> Found:
        """The states, what is dispatched because it is ready now, what runs, and what rests: what
        did so before, and what `rests` from now on.
        """
        after = step.state
        assert isinstance(after, Slave)
        found = differing_slaves(self.options, after, core)
        if core.finished != done_up_to(after):
            found.append(("finished", done_up_to(after), core.finished))
        dump = dispatcher.dump()
        found += alarms(guess, dump, effects, rests)
        found += pulls(guess, dump, effects, after)
        resting = {*guess.resting, *(each.task for each in rests)}
        expected = [t for t in ready(after) if t not in resting]
        dispatched = [each.task for each in effects if isinstance(each, Dispatched)]
        if dispatched != expected:
            found.append(("dispatched", expected, dispatched))
        running = {x.task.id for x in after.slots if x.run and is_undone(x)} | set(expected)
        done = {x.task.id for x in after.slots if not is_undone(x)}
        if set(dump.running) - done != running:
            found.append(("running", running, set(dump.running) - done))
        if dump.failing:
            found.append(("failures not counted", (), dump.failing))
        return found

    # Kinds of steps.

    def _pull(self, effects: tuple[Effect, ...], step: Step | None) -> Found:
        asked = [(each.offset, each.finished) for each in effects if isinstance(each, Pulling)]
        sends = () if step is None else step.sends
        expected = [(each.offset, each.done) for each in sends if isinstance(each, Pull)]
        return [] if asked == expected else [("pulls", expected, asked)]

    def _fail_over(self, core: Core, step: Step | None) -> Found:
        """The next leader has what is logged, and begins with it."""
        if step is None:
            return []
        again = self.core(core.dump())
        dispatcher = self._leader(again)
        dispatcher.step(StoodDown())
        effects = list(dispatcher.step(Led()))
        return self._after(DispatcherState(True), again, dispatcher, effects, step)

    def _dispatch(self, s: Slave, dispatcher: Dispatcher, task: int, step: Step | None) -> Found:
        effects = dispatcher.step(RetryDue(task))
        assert step is not None
        (execute,) = step.sends
        assert isinstance(execute, Execute)
        node = self.nodes[execute.dst - self.options.base(s.me) - 1]
        expected = (Dispatched(task, node),)
        return [] if effects == expected else [("dispatched", expected, effects)]

    def _apply(
        self, s: Slave, core: Core, dispatcher: Dispatcher, message: Apply, step: Step | None
    ) -> Found:
        """A commit is admitted while its task waits, whichever attempt it is of."""
        slot = slot_of(s, message.task)
        expected = Admission.WELCOME if is_undone(slot) else Admission.DONE
        if slot.state is State.FAILED:
            expected = Admission.NOT_NOW
        admitted = core.admits(message.task)
        if admitted is not expected:
            return [("admitted", expected, admitted)]
        if step is None:
            refusal = core.step(Recorded(message.task)).refusal if slot.state != "WAITING" else "-"
            return [] if refusal else [("recorded", False, True)]
        if not s.rights:
            return self._end(s, core, dispatcher, slot, Reason.REFUSED, step)
        guess = dispatcher.dump()
        effects = list(self._apply_entry(core, dispatcher, Recorded(message.task)))
        return self._after(guess, core, dispatcher, effects, step)

    def _take(
        self, s: Slave, core: Core, dispatcher: Dispatcher, message: Pulled, step: Step | None
    ) -> Found:
        """What is not taken is not logged either, should it have been proposed before a stop."""
        tasks = tuple(task_of(self.options, task) for task in message.tasks)
        queued, guess = Queued(tasks, 0), dispatcher.dump()
        proposed = dispatcher.step(PullAnswered(tasks, more=guess.more, at_ns=0))
        expected = () if step is None else (Propose(queued),)
        asked = tuple(each for each in proposed if isinstance(each, Propose))
        if asked != expected:
            return [("proposed", expected, asked)]
        if step is None:
            found = pulls(guess, dispatcher.dump(), proposed, s)
            return found if core.step(queued).refusal else [*found, ("refused", True, False)]
        effects = list(self._apply_entry(core, dispatcher, queued))
        found = self._after(guess, core, dispatcher, effects, step)
        at_once = any(isinstance(each, Pulling) for each in effects)
        if s.status is Status.ENABLED and at_once != (guess.more and bool(tasks)):
            found.append(("pulls again at once", guess.more, at_once))
        return found

    def _end(
        self, s: Slave, core: Core, dispatcher: Dispatcher, slot: Slot, reason: Reason,
        step: Step | None,
    ) -> Found:  # fmt: skip
        """An attempt ends: a failure is proposed, applied and told; then its task rests."""
        assert step is not None
        task, guess = slot.task.id, dispatcher.dump()
        later = reason is Reason.LATER
        ending = Ending.NOT_PERSISTED if later else Ending.FAILED
        proposed = dispatcher.step(AttemptEnded(task, ending, 0, str(reason)))
        asked = [each.entry for each in proposed if isinstance(each, Propose)]
        counts = _counts(s, step, task) or (reason is Reason.REFUSED)
        expected = [self._failed(task, reason)] if counts else []
        if asked != expected:
            return [("proposed", expected, asked)]
        effects: list[Effect] = [each for each in proposed if not isinstance(each, Propose)]
        for entry in asked:
            effects += self._apply_entry(core, dispatcher, entry)
        assert isinstance(step.state, Slave)
        waits = is_undone(slot_of(step.state, task))
        rests = (Arm(Wait.PERSIST if later else Wait.RETRY, task),) if waits else ()
        return self._after(guess, core, dispatcher, effects, step, rests)

    # What any state shows.

    def always(self, s: Slave) -> Iterator[tuple[str, Found]]:
        """Entries and orders that come too late are refused, and change nothing; all others go."""
        for slot in s.slots:
            task, undone = slot.task.id, is_undone(slot)
            unended = slot.applied and slot.state is not State.FINISH
            paused = s.status is not Status.ENABLED
            may_skip = paused and not slot.run and not unended
            for name, entry, accepted in (
                ("recorded", Recorded(task), undone),
                ("finished", Finished(task, "d0", 0), unended),
                ("failed", self._failed(task, Reason.SILENT), undone),
            ):
                core = self.core(concrete_slave(self.options, s))
                refusal = core.step(entry).refusal
                self.steps += 1
                found: Found = [] if accepted != bool(refusal) else [(name, accepted, refusal)]
                if not accepted:
                    found += differing_slaves(self.options, s, core)
                yield f"{name} any time", found
            state = next(self._guesses(s, None))
            core = self.core(concrete_slave(self.options, s))
            refusal = self._leader(core, state).refuses_skip((task,))
            if bool(refusal) == may_skip:
                yield "skip any time", [("refused", not may_skip, refusal)]
            if slot.run:
                yield "done any time", self._done(s, task, unknown=undone)
        if s.status is not Status.ENABLED:
            core = self.core(concrete_slave(self.options, s))
            effects = self._leader(core, next(self._guesses(s, None))).step(PullDue())
            yield "pull while paused", [("asked for", (), effects)] if effects else []
        for order, again in ((Order.START, Started()), (Order.STOP, Stopped())):
            off = s.status is Status.DISABLED
            on = s.status is Status.ENABLED
            if (order is Order.START and on) or (order is Order.STOP and off):
                core = self.core(concrete_slave(self.options, s))
                core.step(again)
                self.steps += 1
                yield f"{order.name.lower()} again", differing_slaves(self.options, s, core)

    def _done(self, s: Slave, task: int, *, unknown: bool) -> Found:
        """An attempt says that it is done: where the log does not know it, it is asked again."""
        core, guess = self.core(concrete_slave(self.options, s)), next(self._guesses(s, None))
        dispatcher = self._leader(core, guess)
        effects = dispatcher.step(AttemptEnded(task, Ending.DONE, 0, ""))
        self.steps += 1
        rests = (Arm(Wait.RETRY, task),) if unknown else ()
        found = alarms(guess, dispatcher.dump(), effects, rests)
        if len(effects) != len(rests):
            found.append(("asked for", rests, effects))
        return found


def _counts(s: Slave, step: Step, task: int) -> bool:
    """Whether the model has counted a failure of this task."""
    after = step.state
    assert isinstance(after, Slave)
    was, now = slot_of(s, task), slot_of(after, task)
    return now.fails > was.fails or (now.state is State.FAILED and was.state is not State.FAILED)
