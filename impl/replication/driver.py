"""Does what a slave's dispatcher asks for, while this controller leads.

News go in as they come; what is asked for is done in the next turn of the loop, since news come
while the log is being applied. Each time this controller begins or ceases to lead, a new age
begins: alarms, attempts and pulls of an older one are not heard any more.
"""

import asyncio
import itertools
import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec

from ..client.errors import FRAME_TOO_LARGE, OVERLOADED, RequestError
from ..runtime import Alarm, Clock
from .dispatcher import Dispatcher
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
    RetryDue,
    SlaveEntry,
    StoodDown,
)
from .slave import Slave
from .status import Status, TaskState
from .tasks import Task
from .tracing import ReplicationTrace

AGAIN_S = 0.1
"""After this long the log is asked again that had no room."""

REASON_CHARACTERS_MAX = 500
"""Of a failure, in the log and in the column `details`."""

log = logging.getLogger("delphic.replication")

Answer = Callable[[Any], None]


class PullReply(msgspec.Struct, frozen=True):
    """What a master's controller answers; `controllers` are all of them, as host:port."""

    tasks: tuple[Task, ...]
    more: bool
    controllers: tuple[str, ...]


class Means(Protocol):
    """What the controller lends to the driver."""

    def propose(self, entry: SlaveEntry, answer: Answer) -> None:
        """Put it into the log; answers what came of it, or the error it ended in."""

    def execute(self, node: str, task: Task, answer: Answer) -> None:
        """Let a data node execute it; answers an `Ending`'s value, or an error."""

    async def pull(self, wanted: Pull) -> PullReply:
        """Ask the master. Raises RequestError."""


class Driver:
    """Of one controller of a slave. All calls belong to the node's event loop."""

    def __init__(
        self,
        clock: Clock,
        nodes: tuple[str, ...],
        delays_s: Mapping[Wait, float],
        failure_limit: int,
        means: Means,
        trace: ReplicationTrace | None = None,
    ) -> None:
        self._clock = clock
        self._nodes = nodes
        self._delays_s = delays_s
        self._failure_limit = failure_limit
        self._means = means
        self._trace = trace
        self._slave = Slave()
        self._dispatcher = Dispatcher(self._slave, nodes, failure_limit)
        self._age = 0
        self._alarms: dict[int, Alarm] = {}
        self._alarm_ids = itertools.count()
        self._todo: list[Effect] = []
        self._wanted: Pull | None = None
        self._wake: asyncio.Future[None] | None = None
        self._trouble = ""

    @property
    def running(self) -> Mapping[int, str]:
        """What is executed at this moment, and where."""
        return self._dispatcher.running

    def refuses_skip(self, tasks: tuple[int, ...]) -> str:
        """Why these may not be skipped now; empty if they may."""
        return self._dispatcher.refuses_skip(tasks)

    def lead(self, slave: Slave) -> None:
        """This controller leads, and has applied what its predecessors committed."""
        self._new_age()
        self._slave = slave
        self._dispatcher = Dispatcher(slave, self._nodes, self._failure_limit)
        self._tell(Led())

    def stand_down(self) -> None:
        """It leads no more; harmless if it did not."""
        if self._dispatcher.leads:
            self._tell(StoodDown())
            self._new_age()

    def heard(self, entry: SlaveEntry) -> None:
        """The slave's core has just stepped."""
        if not self._dispatcher.leads:
            return
        if isinstance(entry, Failed):
            self._report(entry)
        self._tell(Applied(entry))

    def close(self) -> None:
        """Forget everything."""
        self._new_age()

    async def run(self) -> None:
        """Pull whenever that is wanted, one pull at a time, until cancelled."""
        while True:
            if self._wanted is None:
                self._wake = asyncio.get_running_loop().create_future()
                await self._wake
            wanted, self._wanted = self._wanted, None
            if wanted is not None:
                await self._pull(wanted, self._age)

    async def _pull(self, wanted: Pull, age: int) -> None:
        try:
            reply = await self._means.pull(wanted)
            news = PullAnswered(reply.tasks, reply.more, self._clock.wall_ns())
        except RequestError as error:
            news = PullAnswered((), False, self._clock.wall_ns(), str(error))
        if age != self._age:
            return
        if news.refusal != self._trouble:
            self._trouble = news.refusal
            log.info("pulling from the master: %s", news.refusal or "works again")
        self._tell(news)

    def _tell(self, news: News) -> None:
        effects = self._dispatcher.step(news)
        if self._trace is not None:
            self._trace.news(news, effects, self._dispatcher)
        if effects and not self._todo:
            self._clock.call_soon(self._do)
        self._todo += effects

    def _do(self) -> None:
        todo, self._todo = self._todo, []
        for effect in todo:
            match effect:
                case Propose(entry=entry):
                    self._propose(entry, self._age)
                case Pull():
                    self._wanted = effect
                    if self._wake is not None and not self._wake.done():
                        self._wake.set_result(None)
                case Dispatch(task=task_id, node=node):
                    self._dispatch(task_id, node, self._age)
                case Arm(wait=wait, task=task_id):
                    news = PullDue() if wait is Wait.PULL else RetryDue(task_id)
                    self._arm(self._delays_s[wait], news)

    def _propose(self, entry: SlaveEntry, age: int) -> None:
        def answered(told: Any) -> None:
            # Whatever else goes wrong ends this leadership, or is said by the seat.
            if not isinstance(told, RequestError) or age != self._age:
                return
            if told.name == OVERLOADED:
                self._later(AGAIN_S, lambda: self._propose(entry, age))
            elif told.name == FRAME_TOO_LARGE:
                log.error("replication stands still: %s; raise maxFrameSize", told.message)

        self._means.propose(entry, answered)

    def _dispatch(self, task_id: int, node: str, age: int) -> None:
        record = self._slave.records.get(task_id)
        assert record is not None

        def ended(told: Any) -> None:
            if age == self._age:
                self._tell(self._ending(task_id, told))

        self._means.execute(node, record.task, ended)

    def _ending(self, task_id: int, told: Any) -> AttemptEnded:
        now_ns = self._clock.wall_ns()
        if isinstance(told, RequestError):
            reason = (told.message or told.name)[:REASON_CHARACTERS_MAX]
            return AttemptEnded(task_id, Ending.FAILED, now_ns, reason)
        if told not in (Ending.DONE, Ending.NOT_PERSISTED):
            return AttemptEnded(task_id, Ending.FAILED, now_ns, f"an answer like {told!r:.80}")
        if told == Ending.NOT_PERSISTED:
            delay_s = self._delays_s[Wait.PERSIST]
            log.info("S01044 the data of task %d is not persisted, again in %g s", task_id, delay_s)
        return AttemptEnded(task_id, Ending(told), now_ns)

    def _report(self, failed: Failed) -> None:
        record = self._slave.records.get(failed.task)
        if record is None or self._slave.status is not Status.STOPPED:
            return
        if record.state is TaskState.FAILED and record.finished_ns == failed.at_ns:
            group = record.task.group
            log.error("S01043 task %d of group %d failed: stopped", failed.task, group)

    def _arm(self, delay_s: float, news: News) -> None:
        self._later(delay_s, lambda: self._tell(news))

    def _later(self, delay_s: float, what: Callable[[], None]) -> None:
        number = next(self._alarm_ids)

        def due() -> None:
            self._alarms.pop(number)
            what()

        self._alarms[number] = self._clock.call_later(delay_s, due)

    def _new_age(self) -> None:
        self._age += 1
        for alarm in self._alarms.values():
            alarm.cancel()
        self._alarms.clear()
        self._todo.clear()
        self._wanted = None
