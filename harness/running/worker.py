"""One client: asks a member, follows hints or stays at home, records how each op ended."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from ..generator import Pace
from ..op import Op, OpType
from ..plan import Load
from ..system import Answer, Connection
from ..targets.target import Cluster
from ..workloads.workload import Generator, Scripted, Step
from .recorder import Recorder

HOPS_MAX = 5
"""Refusals that one operation follows; more than that only happens while members disagree."""

_REFUSED_PAUSE_S = 0.05
"""After a refusal, so that a client without a leader asks at a human rate."""


def follows_hints(load: Load, number: int) -> bool:
    """Whether a client goes where refusals point. Those that stay keep both sides busy."""
    return load.routing == "follow" or (load.routing == "mixed" and number % 2 == 0)


class Worker:
    """One of the run's clients, as one logical process after another.

    A process ends at `info`, because nobody knows whether its operation is over; the next one takes
    its place, as in Jepsen. What was refused for certain was not done, so that asking another
    member is part of the same operation.
    """

    def __init__(
        self,
        number: int,
        load: Load,
        cluster: Cluster,
        recorder: Recorder,
        key: Any,
        *,
        roams: bool = False,
    ) -> None:
        """One that `roams` finds the members by itself."""
        self._roams = roams
        self._roaming: Connection | None = None
        self.number = self.process = number
        self._load = load
        self._follows = follows_hints(load, number)
        self._cluster = cluster
        self._recorder = recorder
        self._key = key
        self._home = cluster.members[number % len(cluster.members)]
        self._at = self._home
        self._connections: dict[str, Connection] = {}
        self._task: asyncio.Task[None] | None = None
        self._resting = self._stopped = False

    async def work(
        self, generator: Generator, pace: Pace, acknowledged: Callable[[Op], None]
    ) -> None:
        """Operations until stopped; `acknowledged` hears the invocation of each that went well."""
        self._task = asyncio.current_task()
        now = asyncio.get_running_loop().time
        began = now()
        while not self._stopped:
            wait_s = pace.next(now() - began)
            if wait_s > 0:
                await self._rest(wait_s)
            step = generator.next()
            invoke, answer = await self.ask(step)
            if answer.type is OpType.OK:
                generator.completed(step, answer.value)
                acknowledged(invoke)
            elif answer.type is OpType.FAIL and not self._stopped:
                await self._rest(_REFUSED_PAUSE_S)

    async def play(self, script: Iterable[Scripted], who: Callable[[str], str | None]) -> None:
        """The operations of a script, in order, each at its time or as soon as we are free.

        `who` knows which member a word means; where it is nobody, the client asks where it is.
        """
        self._task = asyncio.current_task()
        now = asyncio.get_running_loop().time
        began = now()
        for op in script:
            wait_s = began + op.at_s - now()
            if wait_s > 0:
                await self._rest(wait_s)
            if self._stopped:
                return
            if op.node is not None:
                self._at = who(op.node) or self._at
            await self.ask(Step(op.f, op.value))

    def follow(self) -> None:
        """Go where refusals point from now on, also if it stayed at its member so far."""
        self._follows = True

    def stop(self) -> None:
        """Begin no more operations; the one under way is finished."""
        self._stopped = True
        if self._resting and self._task is not None:
            self._task.cancel()

    def close(self) -> None:
        """Close all connections."""
        for connection in self._connections.values():
            connection.close()
        if self._roaming is not None:
            self._roaming.close()

    async def ask(
        self, step: Step, *, follow: bool | None = None, timeout_s: float | None = None
    ) -> tuple[Op, Answer]:
        """Do one operation and record its beginning and its end."""
        if self._roams:
            return await self._ask_around(step, timeout_s)
        f, value, key, node = step
        key = self._key if key is None else key
        at = self._at if node is None else node
        follow = node is None and (self._follows if follow is None else follow)
        add = self._recorder.add
        invoke = add(self.process, OpType.INVOKE, f, key=key, value=value, node=at)
        answer, at = await self._answer(f, key, value, at, follow=follow)
        result = answer.value if answer.type is OpType.OK else value
        add(self.process, answer.type, f, key=key, value=result, node=at, error=answer.error)
        if node is None:
            self._at = at
        if answer.type is OpType.INFO:
            self.process += self._load.clients
            self._at = self._home
        return invoke, answer

    async def _ask_around(self, step: Step, timeout_s: float | None) -> tuple[Op, Answer]:
        """As `ask`, of whoever can help."""
        if self._roaming is None:
            self._roaming = self._cluster.roam(f"client{self.number}")
        add = self._recorder.add
        key = self._key if step.key is None else step.key
        invoke = add(self.process, OpType.INVOKE, step.f, key=key, value=step.value)
        patience_s = self._load.op_timeout_s if timeout_s is None else timeout_s
        answer = await self._roaming.perform(step.f, key, step.value, patience_s)
        assert answer.type is not OpType.INFO
        result = answer.value if answer.type is OpType.OK else step.value
        add(self.process, answer.type, step.f, key=key, value=result, error=answer.error)
        return invoke, answer

    async def _answer(
        self, f: str, key: Any, value: Any, at: str, *, follow: bool
    ) -> tuple[Answer, str]:
        """Ask a member, then where refusals point, all within the time of one operation.

        Gives the member to ask next, too: the one that answered, if one did.
        """
        now = asyncio.get_running_loop().time
        deadline = now() + self._load.op_timeout_s
        answer = Answer(OpType.FAIL, error="no time left")
        for _ in range(HOPS_MAX):
            connection = self._connections.get(at)
            if connection is None or not connection.is_open:
                connection = await self._cluster.open(at, deadline - now())
                if connection is None:
                    # Nothing was sent, so nothing was done.
                    answer = Answer(OpType.FAIL, error=f"{at} cannot be reached")
                    return answer, self._behind(at) if follow else at
                self._connections[at] = connection
            answer = await connection.perform(f, key, value, deadline - now())
            refused = answer.type is OpType.FAIL and answer.leader not in (None, at)
            if not (refused and follow) or now() >= deadline:
                return answer, at
            assert answer.leader is not None
            at = answer.leader
        return answer, at

    def _behind(self, alias: str) -> str:
        members = self._cluster.members
        return members[(members.index(alias) + 1) % len(members)]

    async def _rest(self, seconds: float) -> None:
        self._resting = True
        await asyncio.sleep(seconds)
        self._resting = False
