"""Crashes of every kind of node at every kind of moment: transactions are whole or not at all.

One node crashes at some effect of its, alone or with the power of all, and starts again.
"""

import pytest
from cluster_story import WRITES, Crashing, story
from delphic.harness.crash import CrashPoint


def told(crash: CrashPoint | None) -> Crashing:
    with Crashing(11, crash) as world:
        world.reads = world.run(story(world))
        return world


def test_without_a_crash_everything_is_acknowledged() -> None:
    world = told(None)
    assert world.acknowledged == set(range(2 * WRITES))
    assert world.crashes == []
    assert world.reads > 1


@pytest.mark.slow
@pytest.mark.parametrize("alias", ["n1", "n2", "c1", "c2", "c3"])
@pytest.mark.parametrize("power", [False, True])
def test_a_crash_leaves_no_transaction_in_part(alias: str, power: bool) -> None:
    effects = told(None).world.hosts[alias].first_effects()
    points, reads = 5, 0
    for number in range(points):
        effect = 1 + number * effects // points + number % 5
        world = told(CrashPoint(alias, effect, bool(number % 2), power))
        assert world.crashes, effect
        reads += world.reads
    assert reads > points
