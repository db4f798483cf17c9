"""A cluster with controllers in a simulated world, for tests: nodes to start, kill and ask."""

import asyncio
from collections.abc import Coroutine, Sequence
from functools import partial
from typing import Any, Self

from delphic.harness.simulate.world import World
from delphic.impl.client.connection import Connection
from delphic.impl.client.errors import RequestError
from delphic.impl.config import CLUSTER_FILE, CONTROLLER_FILE, NODES_FILE, load
from delphic.impl.controller import Controller
from delphic.impl.data_node import DataNode
from delphic.impl.host import Node
from delphic.impl.launch import run_node
from delphic.impl.runtime import Runtime, pause

OPEN = "authentication=off\n"
TICK = "raftElectionTick=20\n"


class ClusterWorld:
    """Use as a context, and `run` coroutines in it."""

    def __init__(
        self,
        seed: int,
        *,
        controllers: Sequence[str] = ("c1", "c2", "c3"),
        data_nodes: Sequence[str] = ("n1", "n2"),
        cluster: str = OPEN,
        controller: str = OPEN,
    ) -> None:
        self.aliases = (*controllers, *data_nodes)
        self.controllers = tuple(controllers)
        self.world = World(f"cluster {seed}", self.aliases)
        self.ports = {alias: at for at, alias in enumerate(self.aliases, start=1)}
        lines = [
            f"127.0.0.1:{port}:{alias},{'controller' if alias in controllers else 'datanode'}"
            for alias, port in self.ports.items()
        ]
        self.files = {
            NODES_FILE: "\n".join(["localSite,mode", *lines, ""]),
            CLUSTER_FILE: TICK + cluster,
            CONTROLLER_FILE: TICK + controller,
        }
        self.nodes: dict[str, Node] = {}

    def __enter__(self) -> Self:
        self._watching = self.world.watched()
        self._watching.__enter__()
        for alias in self.aliases:
            self.start(alias)
        return self

    def __exit__(self, *_: object) -> None:
        self.world.loop.run_until_complete(self._down())
        self._watching.__exit__(None, None, None)

    async def _down(self) -> None:
        self.world.end()
        # The dead are unwound before anything else runs.
        await asyncio.sleep(0)
        assert not self.world.loop.complaints

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Let the world go on until the work is done; no process may have died by itself."""
        result = self.world.loop.run_until_complete(work)
        assert self.world.deaths == []
        return result

    def start(self, alias: str) -> None:
        """Start a node, also after a kill: its disk is still there."""

        async def program(runtime: Runtime) -> None:
            config = load(f"/home/{alias}", alias, lambda path: self.files[path].encode())
            await run_node(config, runtime, started=partial(self.nodes.__setitem__, alias))

        self.world.boot(alias, program)

    def kill(self, alias: str) -> None:
        self.nodes.pop(alias, None)
        self.world.kill(alias)

    async def ask(self, alias: str, function: str, *args: Any, patience_s: float = 20.0) -> Any:
        """What the controllers' leader answers a node; raises its RequestError."""
        await self.up(alias)
        role = self.nodes[alias].role
        assert isinstance(role, Controller | DataNode)
        controllers = role.controllers
        assert controllers is not None
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        process = self.world.hosts[alias].process
        assert process is not None
        process.call(lambda: controllers.ask(function, args, future.set_result, patience_s))
        answer = await future
        if isinstance(answer, RequestError):
            raise answer
        return answer

    async def call(self, alias: str, function: str, *args: Any, login: Any = None) -> Any:
        """What a client is answered."""
        connection = await self.connect(alias)
        try:
            if login is not None:
                await connection.call("login", login, timeout_s=20)
            return await connection.call(function, args, timeout_s=30)
        finally:
            connection.close()

    async def up(self, alias: str) -> None:
        """Wait until a node that was started has opened."""
        clock = self.world.client_runtime().clock
        while not (alias in self.nodes and self.nodes[alias].is_open):
            await pause(clock, 0.01)

    async def connect(self, alias: str) -> Connection:
        await self.up(alias)
        return await Connection.open(
            "127.0.0.1", self.ports[alias], timeout_s=5, runtime=self.world.client_runtime()
        )

    async def leader(self) -> str:
        """Who leads the controllers."""
        asker = next(
            alias
            for alias in self.aliases
            if alias not in self.controllers and self.world.hosts[alias].is_up
        )
        found: str = await self.ask(asker, "controllersLeader")
        return found

    def catalog(self, alias: str) -> Any:
        """As one controller knows it at this moment."""
        role = self.nodes[alias].role
        assert isinstance(role, Controller)
        return role.group.catalog
