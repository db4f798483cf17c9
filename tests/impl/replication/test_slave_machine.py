"""A slave under any order of pulls, attempts, zombies, failures, operators and fail-overs."""

import pytest
from delphic.impl.replication.dispatcher import Dispatcher
from delphic.impl.replication.effects import Arm, Dispatch, Effect, Propose, Pull, Wait
from delphic.impl.replication.events import (
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
from delphic.impl.replication.slave import Admission, Slave
from delphic.impl.replication.status import Status, TaskState
from delphic.impl.replication.tasks import Task
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from queue_makers import task

LIMIT = 3
NODES = ("d1", "d2")
PICK = st.integers(0, 99)
ENDINGS = st.sampled_from([Ending.FAILED, Ending.FAILED, Ending.DONE, Ending.NOT_PERSISTED])

pytestmark = pytest.mark.slow


class SlaveMachine(RuleBasedStateMachine):
    """A log that is applied step by step, one leader at a time, attempts that outlive it."""

    bugs: frozenset[str] = frozenset()

    def __init__(self) -> None:
        super().__init__()
        self.master: list[Task] = []
        self.slave = Slave(bugs=self.bugs)
        self.log: list[SlaveEntry] = []
        """Proposed, and not applied yet."""
        self.dispatcher = Dispatcher(self.slave, NODES, LIMIT)
        self.own: list[int] = []
        """Attempts that the leader waits for."""
        self.zombies: list[int] = []
        """Attempts of earlier leaders."""
        self.committed: list[int] = []
        self.pull: Pull | None = None
        self.alarms: list[Arm] = []
        self.applied: dict[int, int] = {}
        self.skipped: set[int] = set()
        self.failures: dict[int, int] = {}

    @initialize(groups=st.lists(st.integers(0, 1), min_size=1, max_size=8))
    def queue(self, groups: list[int]) -> None:
        group = 1
        for task_id, opens in enumerate(groups, start=1):
            group += opens
            self.master.append(task(task_id, group))
        self._do(self.dispatcher.step(Led()))

    def _do(self, effects: tuple[Effect, ...]) -> None:
        for effect in effects:
            match effect:
                case Propose(entry=entry):
                    self.log.append(entry)
                case Pull():
                    assert self.pull is None
                    # PR-11.
                    assert self.slave.status is Status.ENABLED
                    self.pull = effect
                case Arm():
                    self.alarms.append(effect)
                case Dispatch(task=task_id, node=node):
                    self._dispatched(task_id, node)

    def _dispatched(self, task_id: int, node: str) -> None:
        # PR-10, PR-14, PR-15: only what waits, only while ENABLED.
        assert self.slave.status is Status.ENABLED
        record = self.slave.records[task_id]
        assert record.state is TaskState.WAITING
        assert task_id not in self.own
        assert node == NODES[task_id % 2]
        # PR-4.
        for other in self.slave.records.values():
            if other.task.group < record.task.group:
                assert other.state is TaskState.FINISH
        self.own.append(task_id)

    @rule()
    def answer(self) -> None:
        """The master gives one task at a time, if it is asked."""
        if self.pull is not None:
            at = self.pull.offset
            self.pull = None
            self._do(self.dispatcher.step(PullAnswered(tuple(self.master[at : at + 1]), True, 1)))

    @rule()
    def apply(self) -> None:
        """The next entry of the log."""
        if self.log:
            self._apply(self.log.pop(0))

    def _apply(self, entry: SlaveEntry) -> None:
        before, states = self.slave.status, self._states()
        offset = self.slave.offset
        effects = self.slave.step(entry)
        if effects.refusal:
            assert self._states() == states
        elif isinstance(entry, Failed):
            self._failed(entry, before, states)
        elif isinstance(entry, Started) and before is not Status.ENABLED:
            # PR-14.
            again = {i for i, state in self._states().items() if state is not states[i]}
            assert again == {i for i, state in states.items() if state is TaskState.FAILED}
            self.failures.clear()
        elif isinstance(entry, Skipped):
            # PR-15, PR-16.
            changed = {i for i, state in self._states().items() if state is not states[i]}
            assert changed <= set(entry.tasks)
            assert all(self._states()[i] is TaskState.FINISH for i in entry.tasks)
            assert self.slave.status is before
            self.skipped |= changed
        elif isinstance(entry, Queued):
            assert before is Status.ENABLED
        if not isinstance(entry, Queued) or effects.refusal:
            assert self.slave.offset == offset
        self._do(self.dispatcher.step(Applied(entry)))

    def _failed(self, entry: Failed, before: Status, states: dict[int, TaskState]) -> None:
        """PR-9: the limit-th failure in a row, and no other, is for good."""
        count = self.failures[entry.task] = self.failures.get(entry.task, 0) + 1
        state = self.slave.records[entry.task].state
        assert (state is TaskState.FAILED) == (count == LIMIT)
        stops = count == LIMIT and before is Status.ENABLED
        assert self.slave.status is (Status.STOPPED if stops else before)
        assert self.slave.records[entry.task].details

    def _states(self) -> dict[int, TaskState]:
        return {task_id: record.state for task_id, record in self.slave.records.items()}

    @rule(pick=PICK, zombie=st.booleans())
    def commit(self, pick: int, zombie: bool) -> None:
        """An attempt asks to commit; the log decides."""
        attempts = self.zombies if zombie else self.own
        if attempts:
            task_id = attempts[pick % len(attempts)]
            if self.slave.admits(task_id) is Admission.WELCOME:
                self._apply(Recorded(task_id))
                self.applied[task_id] = self.applied.get(task_id, 0) + 1
                self.committed.append(task_id)
                # PR-7, PR-15.
                assert self.applied[task_id] == 1
                assert task_id not in self.skipped

    @rule(pick=PICK)
    def complete(self, pick: int) -> None:
        if self.committed:
            task_id = self.committed.pop(pick % len(self.committed))
            self._apply(Finished(task_id, "d1", 5))
            assert self.slave.records[task_id].state is TaskState.FINISH

    @rule(pick=PICK, ending=ENDINGS)
    def end(self, pick: int, ending: Ending) -> None:
        """An attempt ends; one that the leader gave up may go on as a zombie."""
        if self.own:
            task_id = self.own.pop(pick % len(self.own))
            self.zombies.append(task_id)
            self._do(self.dispatcher.step(AttemptEnded(task_id, ending, 3, "broken")))

    @rule(pick=PICK)
    def alarm(self, pick: int) -> None:
        if self.alarms:
            due = self.alarms.pop(pick % len(self.alarms))
            is_pull = due.wait is Wait.PULL
            self._do(self.dispatcher.step(PullDue() if is_pull else RetryDue(due.task)))

    @rule(fails=st.booleans())
    def hurry(self, fails: bool) -> None:
        """What is under way goes on for a while, and nobody interferes."""
        for _ in range(3):
            while self.log:
                self.apply()
            self.answer()
            self.alarm(0)
            if fails:
                self.end(0, Ending.FAILED)

    @rule(on=st.booleans())
    def operate(self, on: bool) -> None:
        self.log.append(Started() if on else Stopped())

    @rule(pick=PICK)
    def skip(self, pick: int) -> None:
        if self.slave.offset:
            task_id = 1 + pick % self.slave.offset
            if not self.dispatcher.refuses_skip((task_id,)):
                assert task_id not in self.own
                self.log.append(Skipped((task_id,), 4))

    @precondition(lambda self: self.master)
    @rule(kept=st.integers(0, 3))
    def fail_over(self, kept: int) -> None:
        """Another controller leads, from a checkpoint; a beginning of what was proposed is kept."""
        self._do(self.dispatcher.step(StoodDown()))
        assert self.dispatcher.dump().running == ()
        self.zombies += self.own
        self.own.clear()
        self.alarms.clear()
        self.pull = None
        survived, self.log = self.log[:kept], []
        self.slave = Slave(self.slave.dump(), self.bugs)
        self.dispatcher = Dispatcher(self.slave, NODES, LIMIT)
        for entry in survived:
            self._apply(entry)
        self._do(self.dispatcher.step(Led()))

    @invariant()
    def what_is_finished_was_applied_once_or_skipped(self) -> None:
        """PR-7, PR-8."""
        for task_id, record in self.slave.records.items():
            was_applied = self.applied.get(task_id, 0)
            if record.state in (TaskState.FINISH, TaskState.EXECUTING):
                assert was_applied + (task_id in self.skipped) == 1
            else:
                assert was_applied == 0

    @invariant()
    def a_stopped_slave_has_a_failed_task(self) -> None:
        """PR-9, unless that was skipped since."""
        if self.slave.status is Status.STOPPED and not self.skipped:
            assert TaskState.FAILED in self._states().values()

    @invariant()
    def what_was_pulled_is_the_masters(self) -> None:
        """In full until it is over."""
        pulled = self.master[: self.slave.offset]
        for record, told in zip(self.slave.records.values(), pulled, strict=True):
            is_over = record.state is TaskState.FINISH
            assert record.task == (told.outline() if is_over else told)

    def teardown(self) -> None:
        """Once nothing fails any more and replication is started, everything finishes (PR-26)."""
        if not self.master:
            return
        self.log.append(Started())
        for _ in range(40 * len(self.master)):
            while self.log:
                self.apply()
            self.answer()
            for task_id in list(self.own):
                self.commit(self.own.index(task_id), False)
                self.own.remove(task_id)
                self._do(self.dispatcher.step(AttemptEnded(task_id, Ending.DONE, 9)))
            while self.committed:
                self.complete(0)
            self.alarm(0)
        assert self.slave.finished == len(self.master)


@pytest.mark.parametrize(
    "bug",
    [
        "offset-before-log",
        "applied-unchecked",
        "skip-not-kept",
        "failure-swallowed",
        "last-group-waits",
        "groups-overlap",
    ],
)
def test_each_seeded_bug_of_the_slave_breaks_a_promise(bug: str) -> None:
    class Broken(SlaveMachine):
        bugs = frozenset((bug,))

    looked = settings(
        max_examples=500,
        stateful_step_count=50,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
    )
    with pytest.raises((AssertionError, IndexError)):
        run_state_machine_as_test(Broken, settings=looked)


TestSlave = SlaveMachine.TestCase
TestSlave.settings = settings(max_examples=80, stateful_step_count=50, deadline=None)
