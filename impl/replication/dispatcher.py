"""What a slave's leading controller does, without I/O: pulls, lets data nodes execute, waits.

Everything here is volatile: who leads next begins with nothing but the slave's log, and dispatches
again what waits there. Whatever then runs twice commits once (`Slave.admits`).

Dispatched is a task that waits, while replication is ENABLED, if its group is the first unfinished
one, no attempt of it runs here, none has just failed, and its data node has room. The data node is
the one at `task id mod count` in the configured order, up or not (H2, U12).
"""

import msgspec

from ..bugs_of_replication import OFFSET_BEFORE_LOG
from .effects import Arm, Dispatch, Effect, Propose, Pull, Wait
from .events import (
    Applied,
    AttemptEnded,
    Ending,
    Failed,
    Led,
    News,
    PullAnswered,
    PullDue,
    Queued,
    RetryDue,
    Started,
    StoodDown,
)
from .slave import Slave
from .status import Status, TaskState
from .tasks import PULL_TASKS_MAX, QUEUE_TASKS_MAX

RUNNING_PER_NODE_MAX = 16


class DispatcherState(msgspec.Struct, frozen=True, array_like=True):
    """Everything, as plain values; ids ascend.

    `pulling`: a pull is under way, or what it brought is on its way through the log. `armed`: the
    alarm of the next one is set. `more`: the master has more than it gave. `running`: what was
    dispatched, and has not ended. `failing`: ended, and the log has not counted it yet. `resting`:
    waits for its alarm. `ahead` is used by a seeded bug alone.
    """

    leads: bool = False
    pulling: bool = False
    armed: bool = False
    more: bool = False
    running: tuple[int, ...] = ()
    failing: tuple[int, ...] = ()
    resting: tuple[int, ...] = ()
    ahead: int = 0


class Dispatcher:
    """`step` it with each piece of news. # Invariant: who does not lead asks for nothing."""

    def __init__(
        self,
        slave: Slave,
        nodes: tuple[str, ...],
        failure_limit: int,
        state: DispatcherState | None = None,
    ) -> None:
        """`nodes` are all data nodes of the configuration, in its order.

        `failure_limit`: so many failures of a task in a row stop the slave.
        """
        assert nodes
        state = DispatcherState() if state is None else state
        self._slave = slave
        self._nodes = nodes
        self._failure_limit = failure_limit
        self.leads = state.leads
        self._pulling = state.pulling
        self._armed = state.armed
        self._more = state.more
        self._running = dict.fromkeys(state.running)
        self._failing = dict.fromkeys(state.failing)
        self._resting = dict.fromkeys(state.resting)
        self._ahead = state.ahead
        self._effects: list[Effect] = []

    def dump(self) -> DispatcherState:
        """All of it."""
        return DispatcherState(
            self.leads,
            self._pulling,
            self._armed,
            self._more,
            tuple(sorted(self._running)),
            tuple(sorted(self._failing)),
            tuple(sorted(self._resting)),
            self._ahead,
        )

    @property
    def running(self) -> dict[int, str]:
        """Which tasks are executed at this moment, and where."""
        return {task_id: self.node_of(task_id) for task_id in sorted(self._running)}

    def node_of(self, task_id: int) -> str:
        """The data node that executes this task."""
        return self._nodes[task_id % len(self._nodes)]

    def refuses_skip(self, tasks: tuple[int, ...]) -> str:
        """As the slave's; what runs here cannot be skipped until it has ended (U6)."""
        for task_id in tasks:
            if task_id in self._running or task_id in self._failing:
                return f"task {task_id} is being executed"
        return self._slave.refuses_skip(tasks)

    def step(self, news: News) -> tuple[Effect, ...]:
        """Take the news; gives what is to be done, in order."""
        if isinstance(news, Led):
            self._forget()
            self.leads = True
            self._pull()
            self._dispatch()
        elif isinstance(news, StoodDown):
            self._forget()
        elif self.leads:
            self._heard(news)
            self._dispatch()
        effects, self._effects = tuple(self._effects), []
        assert self.leads or not effects
        return effects

    def _forget(self) -> None:
        self.leads = self._pulling = self._armed = self._more = False
        self._running.clear()
        self._failing.clear()
        self._resting.clear()

    def _heard(self, news: News) -> None:
        match news:
            case PullDue():
                self._armed = False
                self._pull()
            case PullAnswered():
                self._answered(news)
            case AttemptEnded():
                self._ended(news)
            case RetryDue(task=task_id):
                self._resting.pop(task_id, None)
            case Applied(entry=Queued() as entry):
                self._pulling = False
                # Who is far behind does not wait a period for each thousand tasks.
                if self._more and entry.tasks:
                    self._pull()
                else:
                    self._arm()
            case Applied(entry=Failed(task=task_id)):
                self._failing.pop(task_id, None)
                self._rest(task_id, Wait.RETRY)
            case Applied(entry=Started()):
                self._pull()

    def _pull(self) -> None:
        if self._pulling or self._slave.status is not Status.ENABLED:
            return
        slave = self._slave
        offset = slave.offset
        if OFFSET_BEFORE_LOG in slave.bugs:
            offset = max(offset, self._ahead)
        room = min(PULL_TASKS_MAX, QUEUE_TASKS_MAX - (slave.offset - slave.finished))
        self._pulling = True
        self._effects.append(Pull(offset, slave.finished, max(0, room)))

    def _arm(self) -> None:
        if not self._armed and self._slave.status is Status.ENABLED:
            self._armed = True
            self._effects.append(Arm(Wait.PULL))

    def _answered(self, answer: PullAnswered) -> None:
        slave = self._slave
        self._more = answer.more
        if answer.tasks:
            self._ahead = answer.tasks[-1].id
        # A slave that was stopped meanwhile takes nothing (PR-11); it asks again when started.
        is_next = bool(answer.tasks) and (
            answer.tasks[0].id == slave.offset + 1 or OFFSET_BEFORE_LOG in slave.bugs
        )
        if is_next and slave.status is Status.ENABLED:
            self._effects.append(Propose(Queued(answer.tasks, answer.at_ns)))
        else:
            self._pulling = False
            self._arm()

    def _ended(self, ended: AttemptEnded) -> None:
        self._running.pop(ended.task, None)
        record = self._slave.records.get(ended.task)
        if record is None or record.state is not TaskState.WAITING:
            return
        match ended.ending:
            case Ending.DONE:
                # The data node believes that it is applied, the log does not: ask again, later.
                self._rest(ended.task, Wait.RETRY)
            case Ending.NOT_PERSISTED:
                self._rest(ended.task, Wait.PERSIST)
            case Ending.FAILED:
                self._failing[ended.task] = None
                node, limit = self.node_of(ended.task), self._failure_limit
                failed = Failed(ended.task, node, ended.reason, ended.at_ns, limit)
                self._effects.append(Propose(failed))

    def _rest(self, task_id: int, wait: Wait) -> None:
        record = self._slave.records.get(task_id)
        if record is not None and record.state is TaskState.WAITING:
            self._resting[task_id] = None
            self._effects.append(Arm(wait, task_id))

    def _dispatch(self) -> None:
        if self._slave.status is not Status.ENABLED:
            return
        room = dict.fromkeys(self._nodes, RUNNING_PER_NODE_MAX)
        for task_id in self._running:
            room[self.node_of(task_id)] -= 1
        left = sum(room.values())
        for record in self._slave.current() if left else ():
            task_id = record.task.id
            if record.state is not TaskState.WAITING or task_id in self._running:
                continue
            if task_id in self._failing or task_id in self._resting:
                continue
            node = self.node_of(task_id)
            if not room[node]:
                continue
            room[node] -= 1
            self._running[task_id] = None
            self._effects.append(Dispatch(task_id, node))
            left -= 1
            if not left:
                # A group may have thousands of tasks more, and each piece of news comes here.
                return
