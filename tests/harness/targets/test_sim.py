"""What the simulated target says of its faults."""

import pytest
from delphic.harness.system import Setup
from delphic.harness.systems import SYSTEMS
from delphic.harness.targets.sim import HOME, SimCluster

MEMBER = "n1"


def is_writable_once_locked(of: str | None, *names: str) -> bool:
    """A member that has such folders, of which those called `of` are locked."""
    cluster = SimCluster(Setup((MEMBER,)), SYSTEMS["hastream"], 1)
    for name in names:
        cluster.world.hosts[MEMBER].disk.make_folder(f"{HOME}/{name}")

    async def work() -> bool:
        await cluster.set_writable(MEMBER, False, of)
        return await cluster.is_writable(MEMBER, of)

    try:
        return bool(cluster.world.loop.run_until_complete(work()))
    finally:
        cluster.world.end()
        cluster.world.loop.close()


@pytest.mark.parametrize(
    ("of", "names"),
    [
        ("task-data", ["data", "log"]),  # The system has no such folder.
        ("log", ["data"]),  # This member has not.
        (None, []),
    ],
)
def test_a_lock_of_nothing_locks_nothing(of: str | None, names: list[str]) -> None:
    assert is_writable_once_locked(of, *names)


@pytest.mark.parametrize(("of", "names"), [("log", ["data", "log"]), (None, ["data"])])
def test_what_is_there_is_locked(of: str | None, names: list[str]) -> None:
    assert not is_writable_once_locked(of, *names)
