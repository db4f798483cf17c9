"""Members of a group on loopback, inside the test's own event loop, and their homes on disk."""

import asyncio
import socket
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import uvloop
from delphic.impl.client import functions
from delphic.impl.client.connection import Connection
from delphic.impl.client.session import Session
from delphic.impl.config import NodeConfig, load
from delphic.impl.data_node import DataNode
from delphic.impl.host import Node
from delphic.impl.launch import assembled
from delphic.impl.raft.disk import Disk
from delphic.impl.role import NodeFailedError
from delphic.impl.runtime_asyncio import real_runtime
from delphic.impl.runtime_disk import RealDisk

GROUP = 2
SCHEMA = pa.schema([("id", pa.int64()), ("name", pa.string())])
OPEN = "authentication=off\n"
ALIASES = ("n1", "n2", "n3")


def rows(*ids: int) -> pa.RecordBatch:
    """A batch of the test table."""
    return pa.record_batch([ids, [f"row{i}" for i in ids]], schema=SCHEMA)


def ids(table: pa.Table) -> list[int]:
    """The ids of rows that were read."""
    found: list[int] = table.column("id").to_pylist()
    return found


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a test on uvloop; whatever a callback raises fails the test."""
    raised: list[dict[str, Any]] = []

    async def watched() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: raised.append(context))
        await coroutine

    uvloop.run(watched())
    assert raised == []


class Homes:
    """Homes of members, three if not told. Ports stay reserved by sockets that never listen."""

    def __init__(
        self,
        folder: Path,
        *,
        extra: str = "",
        groups: str = "2:n1:n2:n3",
        aliases: Sequence[str] = ALIASES,
        controllers: Sequence[str] = (),
        controller: str = "",
    ) -> None:
        """With controllers `controller` is what is added to their file."""
        self.folder = folder
        self._reserved = []
        self.ports: dict[str, int] = {}
        for alias in (*aliases, *controllers):
            reserved = socket.socket()
            reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            reserved.bind(("127.0.0.1", 0))
            self._reserved.append(reserved)
            self.ports[alias] = reserved.getsockname()[1]
        nodes = "".join(
            f"127.0.0.1:{port}:{a},{'controller' if a in controllers else 'datanode'}\n"
            for a, port in self.ports.items()
        )
        for alias in self.ports:
            config = self.home(alias) / "config"
            config.mkdir(parents=True)
            (config / "cluster.nodes").write_text("localSite,mode\n" + nodes)
            if controllers:
                (config / "controller.cfg").write_text("raftElectionTick=10\n" + controller)
            (config / "cluster.cfg").write_text(
                f"streamingHAMode=raft\nstreamingRaftGroups={groups}\npersistenceDir=data\n"
                "raftElectionTick=10\n"
                + (extra if "initialAdmin" in extra + controller else OPEN + extra)
            )

    def home(self, alias: str) -> Path:
        return self.folder / alias

    def config(self, alias: str) -> NodeConfig:
        home = self.home(alias)
        return load(str(home), alias, lambda path: RealDisk().read(str(home / path)))

    @property
    def sites(self) -> list[str]:
        return [f"127.0.0.1:{port}" for port in self.ports.values()]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """Give the ports back."""
        for reserved in self._reserved:
            reserved.close()


class Members:
    """Starts and stops data nodes in this event loop."""

    def __init__(self, homes: Homes, **changes: Any) -> None:
        self.homes = homes
        self._changes = changes
        self._tasks = asyncio.TaskGroup()
        self._running: dict[str, tuple[Node, asyncio.Task[NodeFailedError | None]]] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop(*self._running)
        await self._stack.aclose()
        await self._tasks.__aexit__(kind, error, trace)

    async def start(self, *aliases: str, disk: Disk | None = None) -> None:
        for alias in aliases:
            config = replace(self.homes.config(alias), **self._changes)
            node = assembled(config, real_runtime(disk or RealDisk()), reuse_port=True)
            await node.open()
            self._running[alias] = (node, self._tasks.create_task(self._until_end(node)))

    @staticmethod
    async def _until_end(node: Node) -> NodeFailedError | None:
        """A failure of one node must not take the others along."""
        try:
            await node.run()
        except NodeFailedError as error:
            return error
        return None

    async def ended(self, alias: str) -> None:
        """Wait until the node ends by itself; raises what it failed with."""
        _, task = self._running.pop(alias)
        failure = await asyncio.wait_for(task, 10)
        if failure is not None:
            raise failure

    async def stop(self, *aliases: str) -> None:
        for alias in list(aliases):
            node, task = self._running.pop(alias)
            node.stop()
            failure = await task
            if failure is not None:
                raise failure

    def node(self, alias: str) -> Node:
        return self._running[alias][0]

    def data_node(self, alias: str) -> DataNode:
        role = self.node(alias).role
        assert isinstance(role, DataNode)
        return role

    async def connect(self, alias: str) -> Connection:
        connection = await Connection.open("127.0.0.1", self.homes.ports[alias], timeout_s=5)
        self._stack.callback(connection.close)
        return connection

    def session(self, **options: Any) -> Session:
        session = Session(self.homes.sites, **options)
        self._stack.callback(session.close)
        return session

    async def leader(self) -> str:
        """Who leads, as soon as somebody does who has heard from a majority."""
        return await functions.get_streaming_leader(self.session(), GROUP, timeout_s=10)

    async def statuses_agree(self, group: int = GROUP) -> dict[str, Any]:
        """The tables, once all members that run hold the same."""
        connections = [await self.connect(alias) for alias in self._running]
        async with asyncio.timeout(10):
            while True:
                found = [await functions.raft_status(each, group) for each in connections]
                if all(status["tables"] == found[0]["tables"] for status in found):
                    tables: dict[str, Any] = found[0]["tables"]
                    return tables
