"""Tables that are truncated, dropped and made again while others write to them and nodes crash.

In the end nothing is left over: no open transaction, no chunk that nobody knows, and writes go on.
"""

import asyncio
from contextlib import suppress
from random import Random

import pyarrow as pa
import pytest
from cluster_world import OPEN, ClusterWorld
from delphic.impl.client import cluster as client
from delphic.impl.client.errors import RequestError
from delphic.impl.client.session import Session
from delphic.impl.data_node import DataNode
from delphic.impl.runtime import pause

pytestmark = pytest.mark.slow

PATH, TABLE = "dfs://db", "t"
SCHEMA = pa.schema([("id", pa.int64()), ("n", pa.int64())])
DATA_NODES = ("n1", "n2", "n3")
CRASHES = 6
CALL_S = 30.0


def rows(number: int) -> pa.RecordBatch:
    """One for each of the four chunks."""
    return pa.record_batch([[number * 4 + at for at in range(4)], [number] * 4], schema=SCHEMA)


class Story:
    """One world, from its seed."""

    def __init__(self, seed: int, controllers: tuple[str, ...]) -> None:
        self.chance = Random(seed)
        often = OPEN + "dfsMetaPurgeInterval=1\n"
        self.world = ClusterWorld(
            seed, controllers=controllers, data_nodes=DATA_NODES, controller=often
        )
        self.runtime = self.world.world.client_runtime()
        self.written = 0
        self.dropped = 0
        self.is_over = False

    async def pause(self, low_s: float, high_s: float) -> None:
        await pause(self.runtime.clock, self.chance.uniform(low_s, high_s))

    def session(self, *aliases: str) -> Session:
        sites = [f"127.0.0.1:{self.world.ports[alias]}" for alias in aliases]
        return Session(sites, total_s=CALL_S, attempt_s=10, runtime=self.runtime)

    async def make(self, session: Session) -> None:
        """What is missing."""
        with suppress(RequestError):
            await client.create_database(session, PATH, "HASH", "LONG", 4, timeout_s=CALL_S)
        with suppress(RequestError):
            await client.create_partitioned_table(
                session, PATH, TABLE, SCHEMA, "id", timeout_s=CALL_S
            )

    async def write(self, session: Session, number: int) -> None:
        while not self.is_over:
            number += 1
            with suppress(RequestError):
                await client.table_insert(session, PATH, TABLE, rows(number), timeout_s=CALL_S)
                self.written += 1
            await self.pause(0, 0.05)

    async def drop(self, session: Session) -> None:
        while not self.is_over:
            await self.pause(0.1, 0.8)
            which = self.chance.random()
            with suppress(RequestError):
                if which < 0.3:
                    await client.truncate(session, PATH, TABLE, timeout_s=CALL_S)
                elif which < 0.6:
                    keys = [str(self.chance.randrange(4))]
                    await client.drop_partition(session, PATH, TABLE, keys, timeout_s=CALL_S)
                elif which < 0.9:
                    await client.drop_partitioned_table(session, PATH, TABLE, timeout_s=CALL_S)
                else:
                    await client.drop_database(session, PATH, timeout_s=CALL_S)
                self.dropped += 1
            await self.make(session)

    async def crash(self) -> None:
        world, controllers = self.world, self.world.controllers
        for _ in range(CRASHES):
            await self.pause(0.3, 1.5)
            pool = self.chance.choice((controllers, DATA_NODES, (*controllers, *DATA_NODES)))
            hit = self.chance.sample(pool, self.chance.randint(1, min(2, len(pool))))
            if self.chance.random() < 0.5:
                world.world.cut_power(hit)
            for alias in hit:
                world.kill(alias)
            await self.pause(0.0, 1.0)
            for alias in hit:
                world.start(alias)
        await self.pause(2, 2)
        self.is_over = True

    async def run(self) -> None:
        await self.make(self.session("n1"))
        pairs = (("n1", "n2"), ("n2", "n3"), ("n3", "n1"))
        async with asyncio.TaskGroup() as tasks:
            for at, pair in enumerate(pairs):
                tasks.create_task(self.write(self.session(*pair), at * 100_000))
            tasks.create_task(self.drop(self.session("n2", "n3")))
            tasks.create_task(self.crash())
        # Time for the leader to end what nobody ends, and to have dropped chunks deleted.
        await self.pause(20, 20)

    async def check(self) -> None:
        world = self.world
        catalogs = [world.catalog(alias) for alias in world.controllers]
        assert len({catalog.dump() for catalog in catalogs}) == 1
        assert catalogs[0].transactions.open == {}
        assert catalogs[0].placement.dropped == {}
        for alias in DATA_NODES:
            role = world.nodes[alias].role
            assert isinstance(role, DataNode)
            assert role.databases is not None
            assert set(role.databases.store.chunks) <= catalogs[0].placement.living
            assert role.databases.store.open_count == 0
        session = self.session(*DATA_NODES)
        await self.make(session)
        await client.truncate(session, PATH, TABLE, timeout_s=CALL_S)
        await client.table_insert(session, PATH, TABLE, rows(1), timeout_s=CALL_S)
        assert await client.sql_count(session, PATH, TABLE, timeout_s=CALL_S) == 4


@pytest.mark.parametrize(
    ("controllers", "seed"), [(("c1",), 12), (("c1", "c2", "c3"), 11), (("c1", "c2", "c3"), 13)]
)
def test_whatever_is_dropped_meanwhile_nothing_is_left_over(
    controllers: tuple[str, ...], seed: int
) -> None:
    story = Story(seed, controllers)
    with story.world as world:
        world.run(story.run())
        world.run(story.check())
    assert story.written > 50
    assert story.dropped > 3
