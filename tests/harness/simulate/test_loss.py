"""A power cut that leaves nothing of what was not synced: no write, no name, no piece."""

from delphic.harness.simulate.disk import SimDisk
from delphic.harness.simulate.loop import SimLoop
from delphic.harness.simulate.loss import NothingKept
from delphic.harness.simulate.process import Process
from delphic.harness.simulate.world import World
from delphic.impl.raft.disk import Disk

PATH = "/node/log"


def write(disk: Disk) -> None:
    """Some writes to a file that is there, one of them long, and a new file."""
    file = disk.open(PATH)
    for piece in (b"a", b"b" * 10_000, b"c"):
        file.append(piece)
    disk.open("/node/new").append(b"d")


def test_nothing_is_left_of_what_was_not_synced() -> None:
    for seed in range(20):
        disk = SimDisk()
        disk.write_file(PATH, b"kept")
        write(disk.handle(Process(SimLoop("1"), "n1", 1, "1")))
        assert len(disk.tree()) == 2
        disk.power_cut(NothingKept(seed))
        assert disk.tree() == {PATH: b"kept"}


def test_it_is_asked_for_and_else_chance_decides() -> None:
    def left(seed: int, *, keeps_nothing: bool) -> dict[str, bytes]:
        world = World(str(seed), ["n1"])
        disk = world.hosts["n1"].disk
        disk.write_file(PATH, b"kept")
        write(disk.handle(Process(world.loop, "n1", 1, "1")))
        world.cut_power(["n1"], keeps_nothing=keeps_nothing)
        world.loop.close()
        return disk.tree()

    kept = {PATH: b"kept"}
    assert all(left(seed, keeps_nothing=True) == kept for seed in range(20))
    assert any(left(seed, keeps_nothing=False) != kept for seed in range(20))
