"""What a data node does for replication, whichever side its cluster is on."""

import asyncio
from collections.abc import Callable
from typing import Any

from ..client.errors import RequestError
from ..cluster.commands import CommandError, decode_statement
from ..cluster.controllers import Controllers
from ..cluster.coordinator import Coordinator
from ..config import NodeConfig
from ..host import Node
from .detours import Abroad
from .executor import Executor, Sources
from .keeper import Keeper
from .sides import MASTER, SLAVE, side_of
from .taskdata import TaskDataStore
from .tasks import Task

Answer = Callable[[Any], None]


class Replication:
    """Of one data node; does nothing where nothing is configured."""

    def __init__(self, node: Node) -> None:
        """Raises ConfigError."""
        self._node = node
        self._controllers: Controllers | None = None
        self._coordinator: Coordinator | None = None
        self._keeper: Keeper | None = None
        self._sources: Sources | None = None
        self._executor: Executor | None = None
        self.side = side_of(node.config)

    def begin(self, controllers: Controllers) -> TaskDataStore | None:
        """Take part; gives where a master's coordinator keeps what slaves need."""
        node, runtime = self._node, self._node.runtime
        self._controllers = controllers
        if self.side != MASTER:
            return None
        config = node.config
        self._keeper = Keeper(
            runtime.disk,
            config.replication.work_dir,
            runtime.background,
            runtime.clock,
            controllers,
            config.seeded_bugs,
        )
        node.offer(self._keeper.functions())
        return self._keeper.store

    def open(self, coordinator: Coordinator) -> None:
        """Recover what the disk holds, and execute what a slave is told to. Raises OSError."""
        node, controllers = self._node, self._controllers
        assert controllers is not None
        self._coordinator = coordinator
        if self._keeper is not None:
            self._keeper.open()
        if self.side == SLAVE:
            self._sources = _sources(node)
            means = _Execution(node.config, controllers, coordinator)
            self._executor = Executor(self._sources, means)
            node.peers.offer(self._executor.functions())

    async def run(self) -> None:
        """Execute tasks, until cancelled; then what slaves may need is written."""
        if self._keeper is not None and self._coordinator is not None:
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                self._coordinator.finish()
                self._keeper.finish()
        if self._executor is not None and self._sources is not None:
            try:
                await self._executor.run()
            finally:
                self._executor.close()
                self._sources.close()

    def close(self) -> None:
        """Give back what `open` took."""
        if self._keeper is not None:
            self._keeper.close()


def _sources(node: Node) -> Sources:
    config, options = node.config, node.config.replication
    return Sources(
        Abroad.of(node.runtime, node.reached),
        config.frame_bytes_max,
        config.tls,
        options.execution_user,
        options.execution_password,
    )


class _Execution:
    """The `Means` of an executor: the cluster's own functions, as the configured user."""

    def __init__(
        self, config: NodeConfig, controllers: Controllers, coordinator: Coordinator
    ) -> None:
        self._user = config.replication.execution_user
        self._controllers = controllers
        self._coordinator = coordinator

    def define(self, task: Task, answer: Answer) -> None:
        try:
            statement = decode_statement(task.meta.statement)
        except CommandError as error:
            answer(RequestError("TaskData", True, f"S01041 {error}"))
            return
        self._controllers.ask("ddl", (self._user, statement, task.id), answer)

    def write(self, task: Task, data: bytes, answer: Answer) -> None:
        meta = task.meta
        self._coordinator.execute(
            self._user, meta.operation, meta.database, meta.table, data, task.id, answer
        )
