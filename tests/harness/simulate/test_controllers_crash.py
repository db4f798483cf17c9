"""Controllers that are killed and lose power, again and again, while transactions go on.

What was acknowledged stays decided, the controllers end with the same catalog, and every step of
the Raft cores of three is one of the model's.
"""

import asyncio
from random import Random

import pytest
from cluster_world import OPEN, ClusterWorld
from delphic.harness.conform.trace.validator import validate
from delphic.harness.traces import Trace
from delphic.impl.client.errors import RequestError
from delphic.impl.cluster.commands import Statement
from delphic.impl.cluster.operations import Operation, Scheme, mark_of
from delphic.impl.runtime import pause

pytestmark = pytest.mark.slow

DB = "dfs://db"
SCHEME = Scheme("HASH", "int64", (), 4)
OFTEN = OPEN + "dfsMetaPurgeInterval=1\ntraceFile=trace.jsonl\n"
CRASHES = 5
PATIENCE_S = 8.0


class Campaign:
    """One world, from its seed."""

    def __init__(self, seed: int, controllers: tuple[str, ...]) -> None:
        self.chance = Random(seed)
        self.world = ClusterWorld(seed, controllers=controllers, controller=OFTEN)
        self.acknowledged: dict[int, int] = {}
        self.is_over = False

    async def pause(self, low_s: float, high_s: float) -> None:
        await pause(self.world.world.client_runtime().clock, self.chance.uniform(low_s, high_s))

    async def story(self) -> None:
        world = self.world
        for operation in (Operation.CREATE_DOMAIN, Operation.CREATE_PARTITIONED_TABLE):
            statement = Statement(operation, DB, "t", SCHEME, b"schema", "k")
            await world.ask("n1", "ddl", None, statement, None)
        async with asyncio.TaskGroup() as tasks:
            for node, key in (("n1", "0"), ("n2", "1"), ("n2", "2")):
                tasks.create_task(self.write(node, key))
            tasks.create_task(self.crash())
        for tid, cid in self.acknowledged.items():
            assert await world.ask("n1", "txnOutcome", tid) == ["committed", cid]
        # Time for the leader to resolve the rest, and for all to hear of it.
        await self.pause(12, 12)

    async def write(self, node: str, key: str) -> None:
        ask = self.world.ask
        while not self.is_over:
            await self.pause(0.01, 0.1)
            args = (None, DB, "t", "APPEND", [key, "3"], mark_of(SCHEME, "k"), None)
            try:
                tid = (await ask(node, "txnBegin", *args, patience_s=PATIENCE_S))["tid"]
                cid = await ask(node, "txnCommit", tid, None, patience_s=PATIENCE_S)
                self.acknowledged[tid] = cid
                await ask(node, "txnComplete", tid, patience_s=PATIENCE_S)
            except RequestError as error:
                if error.name not in ("Aborted", "Indeterminate", "Timeout", "Busy"):
                    raise

    async def crash(self) -> None:
        world, controllers = self.world, self.world.controllers
        for _ in range(CRASHES):
            await self.pause(0.2, 1.5)
            hit = self.chance.sample(controllers, self.chance.randint(1, len(controllers)))
            if self.chance.random() < 0.5:
                world.world.cut_power(hit)
            for alias in hit:
                world.kill(alias)
            await self.pause(0.0, 1.0)
            for alias in hit:
                world.start(alias)
        self.is_over = True


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("controllers", [("c1",), ("c1", "c2", "c3")], ids=["one", "three"])
def test_nothing_that_was_acknowledged_is_lost(controllers: tuple[str, ...], seed: int) -> None:
    campaign = Campaign(seed, controllers)
    with campaign.world as world:
        world.run(campaign.story())
        catalogs = [world.catalog(alias) for alias in controllers]
        traces = {alias: Trace(bytes(world.world.hosts[alias].trace)) for alias in controllers}
    cids = list(campaign.acknowledged.values())
    assert len(cids) > 20
    assert len(set(cids)) == len(cids)
    assert len({catalog.dump() for catalog in catalogs}) == 1
    assert catalogs[0].transactions.open == {}
    if len(controllers) > 1:
        # The model knows no groups of one, where who votes for itself is elected.
        found = validate(controllers, traces)
        assert found.steps > 500
        assert (found.rejected, found.undecided) == ((), ())
