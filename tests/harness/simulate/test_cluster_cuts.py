"""Cut links in a cluster: who cannot be heard leaves no transaction in part, and no lock."""

import asyncio
from random import Random

import pytest
from cluster_story import Crashing, story
from delphic.harness.targets.links import HEALED, cut, isolate
from delphic.impl.runtime import pause


async def cutting(world: Crashing, chance: Random) -> None:
    """Isolate one node after another, each for a while; some of them for long."""
    clock = world.world.client_runtime().clock
    while not world.acknowledged:
        await pause(clock, 0.001)
    for _ in range(3):
        await pause(clock, chance.uniform(0.0, 0.02))
        alone = chance.choice(world.aliases)
        world.world.net.set_links(cut(isolate([alone], world.aliases)))
        await pause(clock, chance.choice([0.05, 0.5, 9.0, 20.0]))
        world.world.net.set_links(HEALED)


@pytest.mark.slow
def test_cut_links_leave_no_transaction_in_part() -> None:
    unknown = refused = 0
    for seed in range(12):
        with Crashing(seed, None) as world:

            async def both(world: Crashing = world, seed: int = seed) -> None:
                await asyncio.gather(story(world), cutting(world, Random(seed)))

            world.run(both())
            unknown += len(world.unknown)
            refused += len(world.refused)
    assert unknown + refused, "nothing went wrong"
