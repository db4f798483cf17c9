"""Executes tasks on a slave's data node: fetches what they wrote, and writes it as a transaction.

The controllers' leader dispatches (`executeTask`), and hears how it ended. A task that is being
executed is not begun again: who asks again waits for the same end. What was applied already, by an
attempt of which nobody heard, is as good as done: the log admits a task once (PR-7).
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from ..client.connection import Connection
from ..client.errors import ALREADY_APPLIED, BAD_ANSWER, DISCONNECTED, TIMEOUT, RequestError
from ..cluster.operations import Operation
from ..runtime import ClientRuntime, Tls
from ..service.call import Call, Function
from .events import Ending
from .taskdata import Lack
from .tasks import Task

FETCH = "fetchTaskData"
EXECUTE = "executeTask"

DIAL_S = 2.0
FETCH_S = 10.0

log = logging.getLogger("delphic.replication")

Answer = Callable[[Any], None]


class Fetched(msgspec.Struct, frozen=True):
    """What a master's data node answers: the data, or why there is none."""

    data: bytes | None = None
    lack: str = ""


class Source(Protocol):
    """Where the data of tasks comes from."""

    async def fetch(self, host: str, port: int, tid: int) -> Fetched:
        """The data of a transaction that was coordinated there. Raises RequestError."""


class Means(Protocol):
    """How a task is executed by this node, as the user that the configuration names."""

    def define(self, task: Task, answer: Answer) -> None:
        """A metadata operation."""

    def write(self, task: Task, data: bytes, answer: Answer) -> None:
        """A write, with its data; this node coordinates the transaction."""


class Sources:
    """Connections to the data nodes of the master, made when one is needed, and then kept."""

    def __init__(
        self,
        runtime: ClientRuntime,
        frame_bytes_max: int,
        tls: Tls | None,
        user: str | None,
        password: str,
    ) -> None:
        """`user` None: nobody has to log in there."""
        self._runtime = runtime
        self._frame_bytes_max = frame_bytes_max
        self._tls = tls
        self._user = user
        self._password = password
        self._known: dict[tuple[str, int], Connection] = {}
        self._opening: dict[tuple[str, int], asyncio.Lock] = {}

    async def fetch(self, host: str, port: int, tid: int) -> Fetched:
        """The data of a transaction. Raises RequestError."""
        lock = self._opening.setdefault((host, port), asyncio.Lock())
        async with lock:
            connection = self._known.get((host, port))
            if connection is None or not connection.is_open:
                connection = await self._open(host, port)
                self._known[host, port] = connection
        try:
            found = await connection.call(FETCH, (tid,), timeout_s=FETCH_S)
        except RequestError as error:
            if error.name in (TIMEOUT, DISCONNECTED):
                # What is silent now may be so for ever: the next attempt dials anew.
                connection.retire()
                if self._known.get((host, port)) is connection:
                    del self._known[host, port]
            raise
        try:
            return msgspec.convert(found, Fetched)
        except msgspec.ValidationError as error:
            raise RequestError(BAD_ANSWER, True, f"{host}:{port}: {error}") from None

    async def _open(self, host: str, port: int) -> Connection:
        return await Connection.open(
            host,
            port,
            timeout_s=DIAL_S,
            frame_bytes_max=self._frame_bytes_max,
            runtime=self._runtime,
            user=self._user,
            password=self._password,
            tls=self._tls,
        )

    def close(self) -> None:
        """End all of them."""
        for connection in self._known.values():
            connection.close()
        self._known.clear()


class Executor:
    """Of one data node of a slave. All calls belong to its event loop."""

    def __init__(self, source: Source, means: Means) -> None:
        self._source = source
        self._means = means
        self._waiting: dict[int, list[Answer]] = {}
        """Who wants to know how the tasks end that are executed now."""
        self._begun: asyncio.Queue[Task] = asyncio.Queue()

    def functions(self) -> dict[str, Function]:
        """For the controllers of this cluster."""
        return {EXECUTE: (tuple[Task], self._execute)}

    async def run(self) -> None:
        """Execute what comes, until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                task = await self._begun.get()
                group.create_task(self._fetch(task))

    def close(self) -> None:
        """Nobody is told any more."""
        self._waiting.clear()

    def _execute(self, call: Call, task: Task) -> None:
        waiting = self._waiting.get(task.id)
        if waiting is not None:
            waiting.append(call.answer)
            return
        self._waiting[task.id] = [call.answer]
        if task.meta.operation.is_write:
            self._begun.put_nowait(task)
        else:
            self._means.define(task, lambda told: self._ended(task, told))

    async def _fetch(self, task: Task) -> None:
        meta = task.meta
        try:
            found = await self._source.fetch(meta.source_host, meta.source_port, meta.tid)
        except RequestError as error:
            self._ended(task, error)
            return
        if found.data is not None:
            self._means.write(task, found.data, lambda told: self._ended(task, told))
        elif found.lack == Lack.NOT_PERSISTED.value:
            self._end(task, str(Ending.NOT_PERSISTED))
        else:
            log.error("S01040 task %d: %s", task.id, found.lack)
            self._end(task, RequestError("TaskData", True, found.lack))

    def _ended(self, task: Task, told: Any) -> None:
        if isinstance(told, RequestError) and told.name == ALREADY_APPLIED:
            log.info("S01039 task %d is skipped: it is done", task.id)
        elif isinstance(told, RequestError):
            operation: Operation = task.meta.operation
            log.warning("S01038 task %d, %s, failed: %s", task.id, operation, told)
            self._end(task, RequestError(told.name, told.definite, f"{told.name}: {told.message}"))
            return
        self._end(task, str(Ending.DONE))

    def _end(self, task: Task, told: Any) -> None:
        for answer in self._waiting.pop(task.id, ()):
            answer(told)
