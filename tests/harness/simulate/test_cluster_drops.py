"""Writes, reads and metadata operations at once: what is dropped is dropped as a whole."""

import asyncio
from contextlib import suppress
from random import Random

import pyarrow as pa
import pytest
from cluster_story import CHUNKS, DATA_NODES, PATH, SCHEMA, TABLE, Crashing, prepared, settled
from delphic.impl.client import cluster as client
from delphic.impl.client.errors import RequestError
from delphic.impl.client.session import Session
from delphic.impl.data_node import DataNode

WRITES = 12


async def writing(world: Crashing, alias: str, first: int) -> None:
    session = world.session(alias)
    for number in range(first, first + WRITES):
        ids = [number * CHUNKS + at for at in range(CHUNKS)]
        batch = pa.record_batch([ids, [number] * CHUNKS], schema=SCHEMA)
        try:
            await client.table_insert(session, PATH, TABLE, batch, timeout_s=30)
        except RequestError as error:
            (world.refused if error.definite else world.unknown).add(number)
        else:
            world.acknowledged.add(number)


async def dropping(world: Crashing, chance: Random) -> None:
    session = world.session("n3")
    for _ in range(6):
        await asyncio.sleep(chance.uniform(0.0, 0.03))
        if chance.random() < 0.5:
            await client.truncate(session, PATH, TABLE, timeout_s=30)
        else:
            await client.drop_partitioned_table(session, PATH, TABLE, timeout_s=30)
            await client.create_partitioned_table(session, PATH, TABLE, SCHEMA, "id", timeout_s=30)


async def reading(world: Crashing, over: asyncio.Event) -> int:
    session, count = world.session("n2"), 0
    while not over.is_set():
        with suppress(RequestError):
            await whole(session)
            count += 1
        await asyncio.sleep(0.003)
    return count


async def whole(session: Session) -> set[int]:
    """Which transactions are seen: each in all chunks."""
    found = await client.sql_select(session, PATH, TABLE, timeout_s=30)
    rows = list(zip(found["id"].to_pylist(), found["n"].to_pylist(), strict=True))
    seen = {number for _, number in rows}
    expected = sorted((n * CHUNKS + at, n) for n in seen for at in range(CHUNKS))
    assert sorted(rows) == expected, "a transaction is seen in part, or twice"
    return seen


async def story(world: Crashing, chance: Random) -> None:
    await prepared(world)
    over = asyncio.Event()
    looking = asyncio.create_task(reading(world, over))
    await asyncio.gather(
        writing(world, "n1", 0), writing(world, "n2", WRITES), dropping(world, chance)
    )
    over.set()
    assert await looking > 3
    assert not world.unknown, "no node fails here"
    seen = await whole(world.session(*DATA_NODES))
    assert seen <= world.acknowledged
    await settled(world)
    living = world.catalog(await world.leader()).placement.living
    await asyncio.sleep(5)
    kept = set[int]()
    for alias in DATA_NODES:
        role = world.nodes[alias].role
        assert isinstance(role, DataNode)
        assert role.databases is not None
        kept |= set(role.databases.store.chunks)
    assert kept <= living, "what was dropped is still kept"


@pytest.mark.slow
def test_whoever_reads_while_tables_are_dropped_sees_transactions_whole() -> None:
    refused = 0
    for seed in range(15):
        with Crashing(seed, None) as world:
            world.run(story(world, Random(f"drops {seed}")))
            refused += len(world.refused)
    assert refused, "no write met a drop"
