"""Clusters that replicate, in one simulated world: a master `m` and slaves, to break and to ask."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any, Self

import pyarrow as pa
from delphic.harness.simulate.world import World
from delphic.impl.client import cluster as client
from delphic.impl.client.connection import Connection
from delphic.impl.client.errors import RequestError
from delphic.impl.config import CLUSTER_FILE, CONTROLLER_FILE, NODES_FILE, load
from delphic.impl.host import Node
from delphic.impl.launch import run_node
from delphic.impl.runtime import Runtime, pause

BASE = "raftElectionTick=20\n"
FAST = (
    "clusterReplicationPullInterval=200\nclusterReplicationRetryDelay=200\n"
    "clusterReplicationPersistDelay=500\n"
)

PASSING = ("Busy", "Indeterminate", "Disconnected", "Timeout", "Overloaded", "NotLeader", "Aborted")

PATH, TABLE = "dfs://db", "t"
SCHEMA = pa.schema([("id", pa.int64()), ("n", pa.int64())])

Rows = list[dict[str, Any]]


def rows(*ids: int, n: int = 0) -> pa.RecordBatch:
    return pa.record_batch([list(ids), [n] * len(ids)], schema=SCHEMA)


class Clusters:
    """Use as a context, and `run` coroutines in it.

    Node `mc1` is a controller of the master `m`, `s1` a data node of the slave `s`.
    """

    def __init__(
        self,
        seed: int,
        *,
        slaves: Sequence[str] = ("s",),
        controllers: int = 1,
        data_nodes: int = 2,
        slaves_max: int | None = None,
        login: Sequence[str] = (),
        options: Mapping[str, str] | None = None,
    ) -> None:
        """`login`: the clusters where users log in.

        `options`: more lines for `m`'s or a slave's files, `m.controller` or `m.cluster`.
        """
        self.names = ("m", *slaves)
        self._slaves_max = len(slaves) if slaves_max is None else slaves_max
        self.controllers = {
            name: [f"{name}c{at}" for at in range(1, controllers + 1)] for name in self.names
        }
        self.data_nodes = {
            name: [f"{name}{at}" for at in range(1, data_nodes + 1)] for name in self.names
        }
        self.aliases = [
            alias for name in self.names for alias in self.controllers[name] + self.data_nodes[name]
        ]
        self.world = World(f"clusters {seed}", self.aliases)
        self.ports = {alias: at for at, alias in enumerate(self.aliases, start=1)}
        self.files = {
            name: self._files(name, options or {}, "on" if name in login else "off")
            for name in self.names
        }
        self.nodes: dict[str, Node] = {}

    def _files(self, name: str, options: Mapping[str, str], authentication: str) -> dict[str, str]:
        lines = [
            f"127.0.0.1:{self.ports[alias]}:{alias},{mode}"
            for mode, aliases in (
                ("controller", self.controllers[name]),
                ("datanode", self.data_nodes[name]),
            )
            for alias in aliases
        ]
        controller = cluster = f"{BASE}authentication={authentication}\n"
        if name == "m":
            controller += f"clusterReplicationSlaveNum={self._slaves_max}\n"
            cluster += "clusterReplicationMode=master\n"
        else:
            port = self.ports[self.controllers["m"][0]]
            controller += f"clusterReplicationMasterCtl=127.0.0.1:{port}\n"
            given = options.get(f"{name}.controller", "")
            # An option that is given twice is refused.
            controller += "".join(
                line for line in FAST.splitlines(keepends=True) if line.split("=")[0] not in given
            )
            cluster += "clusterReplicationMode=slave\n"
        return {
            NODES_FILE: "\n".join(["localSite,mode", *lines, ""]),
            CONTROLLER_FILE: controller + options.get(f"{name}.controller", ""),
            CLUSTER_FILE: cluster + options.get(f"{name}.cluster", ""),
        }

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
        await asyncio.sleep(0)
        assert not self.world.loop.complaints

    def run(self, work: Callable[["Clusters"], Coroutine[Any, Any, None]]) -> None:
        """Let the world go on until the work is done; no process may have died by itself."""
        self.world.loop.run_until_complete(work(self))
        assert self.world.deaths == []

    def start(self, alias: str) -> None:
        """Start a node, also after a kill: its disk is still there."""
        name = alias[0]

        async def program(runtime: Runtime) -> None:
            files = self.files[name]
            config = load(
                f"/home/{alias}", alias, lambda p: files[p].encode(), allow_seeded_bugs=True
            )
            await run_node(config, runtime, started=partial(self.nodes.__setitem__, alias))

        self.world.boot(alias, program)

    def kill(self, *aliases: str) -> None:
        for alias in aliases:
            self.nodes.pop(alias, None)
            self.world.kill(alias)

    def cut_power(self, *aliases: str) -> None:
        """Nothing that was not synced is left."""
        for alias in aliases:
            self.nodes.pop(alias, None)
        self.world.cut_power(aliases, keeps_nothing=True)

    async def wait(self, seconds: float) -> None:
        await pause(self.world.client_runtime().clock, seconds)

    async def until(self, fact: Callable[[], Awaitable[bool]], within_s: float = 60.0) -> None:
        """Wait for a fact to come true."""
        for _ in range(int(within_s / 0.1)):
            if await fact():
                return
            await self.wait(0.1)
        raise AssertionError(f"not within {within_s} s")

    async def connect(self, alias: str) -> Connection:
        """To a node, as soon as it is open."""
        while not (alias in self.nodes and self.nodes[alias].is_open):
            await self.wait(0.01)
        return await Connection.open(
            "127.0.0.1", self.ports[alias], timeout_s=5, runtime=self.world.client_runtime()
        )

    async def call(self, alias: str, function: str, *args: Any) -> Any:
        """What a client of this node is answered; raises RequestError."""
        connection = await self.connect(alias)
        try:
            return await connection.call(function, args, timeout_s=30)
        finally:
            connection.close()

    async def control(self, name: str, function: str, *args: Any) -> Any:
        """`rpc(getControllerAlias(), …)` at a data node of this cluster that is up."""
        alias = next(alias for alias in self.data_nodes[name] if self.world.hosts[alias].is_up)
        for _ in range(100):
            try:
                leader = await self.call(alias, "getControllerAlias")
                return await self.call(alias, "rpc", leader, function, args)
            except RequestError as error:
                if error.name not in PASSING:
                    raise
                await self.wait(0.1)
        raise AssertionError(f"nobody leads {name}")

    async def leader(self, name: str) -> str:
        """The controller that leads this cluster."""
        alias = next(alias for alias in self.data_nodes[name] if self.world.hosts[alias].is_up)
        found: str = await self.call(alias, "getControllerAlias")
        return found

    # What a user does.

    async def create(self, path: str = PATH, *, replicated: bool = True) -> None:
        """A database and its table, on the master."""
        connection = await self.connect("m1")
        await client.create_database(connection, path, "HASH", "LONG", 4, timeout_s=20)
        if replicated:
            await self.call("m1", "setDatabaseForClusterReplication", path, True)
        await client.create_partitioned_table(connection, path, TABLE, SCHEMA, "id", timeout_s=20)

    async def insert(self, *ids: int, at: str = "m1", path: str = PATH, n: int = 0) -> None:
        """One batch. Asks again while something is in the way that passes."""
        for _ in range(100):
            connection = await self.connect(at)
            try:
                await client.table_insert(connection, path, TABLE, rows(*ids, n=n))
                return
            except RequestError as error:
                if not error.definite or error.name not in PASSING:
                    raise
                await self.wait(0.1)
            finally:
                connection.close()
        raise AssertionError(f"{ids} cannot be inserted")

    async def ids(self, alias: str, path: str = PATH) -> list[int] | None:
        """All ids in a cluster's table, sorted; None while there is no such table, or no answer."""
        connection = await self.connect(alias)
        try:
            found = await client.sql_select(connection, path, TABLE, ("id",))
        except RequestError as error:
            if error.name in ("NoSuchDatabase", "NoSuchTable", *PASSING):
                return None
            raise
        finally:
            connection.close()
        return sorted(found["id"].to_pylist())

    async def known(self, path: str = PATH) -> list[int] | None:
        """All ids on the master, as soon as it answers; None if there is no such table."""
        found: list[int] | None = None

        async def answered() -> bool:
            nonlocal found
            found = await self.ids("m1", path)
            return found is not None or not await self._has_table(path)

        await self.until(answered)
        return found

    async def _has_table(self, path: str) -> bool:
        try:
            return await client.exists_table(await self.connect("m1"), path, TABLE)
        except RequestError:
            return True

    async def arrived(self, *names: str, path: str = PATH, within_s: float = 60.0) -> None:
        """Wait until slaves show what the master shows."""
        wanted = await self.known(path)
        for name in names or self.names[1:]:

            async def equal(name: str = name) -> bool:
                return await self.ids(f"{name}1", path) == wanted

            await self.until(equal, within_s)

    async def tasks(self, name: str = "s") -> Rows:
        """The rows of getSlaveReplicationStatus."""
        found: Rows = await self.control(name, "getSlaveReplicationStatus")
        return found

    async def queue(self) -> Rows:
        """The rows of getMasterReplicationStatus."""
        found: Rows = await self.control("m", "getMasterReplicationStatus")
        return found

    async def status(self, name: str = "s") -> str:
        """Of a slave."""
        (row,) = await self.control(name, "getClusterReplicationMetrics")
        return str(row["status"])

    async def finished(self, count: int, name: str = "s", within_s: float = 60.0) -> None:
        """Wait until a slave has finished so many tasks, and no other is left."""

        async def done() -> bool:
            return [row["state"] for row in await self.tasks(name)] == ["FINISH"] * count

        await self.until(done, within_s)
