"""Two writers and a reader on a cluster in which things go wrong, and what must hold in the end.

Each transaction appends a row to every chunk. What was acknowledged is there, what was refused is
not, nothing is there in part, no chunk is locked, no transaction is open.
"""

import asyncio
from contextlib import suppress
from functools import partial
from typing import Any

import pyarrow as pa
from cluster_world import OPEN, ClusterWorld
from delphic.harness.crash import CrashPoint
from delphic.impl.client import cluster as client
from delphic.impl.client.errors import RequestError
from delphic.impl.client.session import Session
from delphic.impl.cluster.operations import Condition
from delphic.impl.config import load
from delphic.impl.data_node import DataNode
from delphic.impl.launch import run_node
from delphic.impl.runtime import Runtime

PATH, TABLE = "dfs://db", "t"
SCHEMA = pa.schema([("id", pa.int64()), ("n", pa.int64())])
OFTEN = "streamingHAPurgeInterval=1\nstreamingHAPurgeSize=2000\n"
"""Chunks are written to files every now and then."""

CHUNKS = 4
WRITES = 5
DOWN_S = 0.4
DATA_NODES = ("n1", "n2", "n3")


class Crashing(ClusterWorld):
    """One of its nodes crashes, at its first life, and all that are down start again."""

    def __init__(self, seed: int, crash: CrashPoint | None) -> None:
        super().__init__(seed, data_nodes=DATA_NODES, cluster=OPEN + OFTEN)
        self.crash = crash
        self.crashes: list[str] = []
        self.world.crashed = self._crashed
        self.refused: set[int] = set()
        self.acknowledged: set[int] = set()
        self.unknown: set[int] = set()
        self.reads = 0

    def start(self, alias: str) -> None:
        async def program(runtime: Runtime) -> None:
            config = load(f"/home/{alias}", alias, lambda path: self.files[path].encode())
            await run_node(config, runtime, started=partial(self.nodes.__setitem__, alias))

        crash, host = self.crash, self.world.hosts[alias]
        meant = crash if crash is not None and crash.node == alias and not host.starts else None
        self.world.boot(alias, program, meant)

    def _crashed(self, names: Any, where: str) -> None:
        self.crashes.append(where)
        down = [name for name in names if name in self.aliases]
        for alias in down:
            self.nodes.pop(alias, None)
        main = self.world.loop.main
        main.call_after(int(DOWN_S * 1e9), lambda: [self.start(alias) for alias in down])

    def session(self, *aliases: str) -> Session:
        sites = [f"127.0.0.1:{self.ports[alias]}" for alias in aliases]
        runtime = self.world.client_runtime()
        return Session(sites, total_s=30, attempt_s=10, runtime=runtime)


async def prepared(world: Crashing) -> None:
    """The table, whatever crashes meanwhile: a name that is taken was taken by us."""
    session = world.session(*DATA_NODES)
    for _ in range(20):
        with suppress(RequestError):
            await client.create_database(session, PATH, "HASH", "LONG", CHUNKS, timeout_s=30)
        with suppress(RequestError):
            await client.create_partitioned_table(session, PATH, TABLE, SCHEMA, "id", timeout_s=30)
        with suppress(RequestError):
            if await client.exists_table(session, PATH, TABLE, timeout_s=30):
                return
    raise AssertionError("the table cannot be made")


async def writing(world: Crashing, aliases: tuple[str, ...], first: int) -> None:
    session = world.session(*aliases)
    for number in range(first, first + WRITES):
        ids = [number * CHUNKS + at for at in range(CHUNKS)]
        batch = pa.record_batch([ids, [number] * CHUNKS], schema=SCHEMA)
        try:
            written = await client.table_insert(session, PATH, TABLE, batch, timeout_s=30)
        except RequestError as error:
            (world.refused if error.definite else world.unknown).add(number)
        else:
            assert written.rows == CHUNKS
            world.acknowledged.add(number)


async def reading(world: Crashing, over: asyncio.Event) -> int:
    """Look on until it is over; gives how often something was seen."""
    session, count = world.session("n3", "n2"), 0
    last: set[int] = set()
    while not over.is_set():
        known = set(world.acknowledged)
        with suppress(RequestError):
            seen = await whole(session)
            assert known <= seen, "what was acknowledged is not seen"
            assert last <= seen, "what was seen is not seen any more"
            last, count = seen, count + 1
        await asyncio.sleep(0.02)
    return count


async def whole(session: Session) -> set[int]:
    """Which transactions are seen: each in all chunks."""
    found = await client.sql_select(session, PATH, TABLE, timeout_s=30)
    rows = list(zip(found["id"].to_pylist(), found["n"].to_pylist(), strict=True))
    seen = {number for _, number in rows}
    expected = sorted((n * CHUNKS + at, n) for n in seen for at in range(CHUNKS))
    assert sorted(rows) == expected, "a transaction is seen in part, or twice"
    return seen


async def story(world: Crashing) -> int:
    await prepared(world)
    over = asyncio.Event()
    watching = asyncio.create_task(reading(world, over))
    first = asyncio.create_task(writing(world, ("n1", "n2"), 0))
    await asyncio.gather(first, writing(world, ("n2", "n3"), WRITES))
    over.set()
    count = await watching
    await settled(world)
    seen = await whole(world.session(*DATA_NODES))
    assert world.acknowledged <= seen
    assert not world.refused & seen
    assert seen <= world.acknowledged | world.unknown
    # Nobody holds anything any more: one more transaction is at once where all chunks are.
    assert await updated(world) == CHUNKS * len(seen)
    await settled(world)
    return count


async def updated(world: Crashing) -> int:
    """Write something to all rows, twice if need be; gives how many there are."""
    session = world.session("n1")
    everywhere = [Condition("id", ">=", 0)]
    for _ in range(10):
        with suppress(RequestError):
            done = await client.sql_update(session, PATH, TABLE, {"n": -1}, everywhere)
            return done.rows
    raise AssertionError("nothing can be written any more")


async def settled(world: Crashing) -> None:
    """Wait until everything that was left behind is resolved."""
    for _ in range(100):
        # Whoever is asked may crash over it, and never answer.
        with suppress(TimeoutError, RequestError):
            async with asyncio.timeout(30):
                if await is_quiet(world):
                    return
        await asyncio.sleep(0.1)
    raise AssertionError("something is still under way")


async def is_quiet(world: Crashing) -> bool:
    """Whether no node holds a lock, coordinates something, or knows of an open transaction."""
    for alias in DATA_NODES:
        await world.up(alias)
        role = world.nodes[alias].role
        assert isinstance(role, DataNode)
        assert role.databases is not None
        if role.databases.store.open_count or role.databases.coordinator.tids:
            return False
    leader = await world.leader()
    return leader in world.nodes and not world.catalog(leader).transactions.open
