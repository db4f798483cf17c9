"""What a sync of a simulated disk covers, and what a power cut may make of the rest."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random

from delphic.harness.simulate.disk import SimDisk
from delphic.harness.simulate.loop import SimLoop
from delphic.harness.simulate.process import Process
from delphic.harness.simulate.worker import SimWorker
from delphic.impl.raft.disk import Disk

PATH = "/node/log"
BEFORE_A_SYNC_ENDS_S = 0.0001

Work = Callable[[SimDisk, Process, SimWorker], Awaitable[None]]


def run(work: Work) -> SimDisk:
    """The disk after work in a process of its own."""
    loop = SimLoop("1")
    disk, process = SimDisk(), Process(loop, "n1", 1, "1")

    async def begin() -> None:
        await work(disk, process, SimWorker(process, disk))

    loop.run_until_complete(begin())
    return disk


def left(work: Work, seeds: int = 100) -> list[dict[str, bytes]]:
    """What power cuts after the work leave."""
    found = []
    for seed in range(seeds):
        disk = run(work)
        disk.power_cut(Random(seed))
        found.append(disk.tree())
    return found


def with_log(disk: SimDisk, process: Process) -> Disk:
    disk.write_file(PATH, b"")
    return disk.handle(process)


def test_what_is_written_while_a_sync_runs_is_not_covered_by_it() -> None:
    async def work(disk: SimDisk, process: Process, worker: SimWorker) -> None:
        file = with_log(disk, process).open(PATH)
        file.append(b"a")
        worker.submit(file.sync, lambda error: None)
        await asyncio.sleep(BEFORE_A_SYNC_ENDS_S)
        file.append(b"b")
        await worker.close()

    found = {tree[PATH] for tree in left(work)}
    assert {b"a", b"ab"} <= found
    assert all(data.startswith(b"a") for data in found)


def test_names_made_while_a_folder_is_synced_are_not_covered_by_it() -> None:
    async def work(disk: SimDisk, process: Process, worker: SimWorker) -> None:
        handle = disk.handle(process)
        handle.open("/node/a")
        worker.submit(lambda: handle.sync_folder("/node"), lambda error: None)
        await asyncio.sleep(BEFORE_A_SYNC_ENDS_S)
        handle.open("/node/b")
        await worker.close()

    assert {tuple(tree) for tree in left(work)} == {("/node/a",), ("/node/a", "/node/b")}


def test_only_a_job_waits_for_a_sync() -> None:
    async def work(disk: SimDisk, process: Process, worker: SimWorker) -> None:
        file = with_log(disk, process).open(PATH)
        file.append(b"a")
        ended: list[OSError | None] = []
        worker.submit(file.sync, ended.append)
        await asyncio.sleep(BEFORE_A_SYNC_ENDS_S)
        file.append(b"b")
        began_ns = process.loop.now_ns
        file.sync()
        assert (process.loop.now_ns, ended) == (began_ns, [])
        await worker.close()
        assert ended == [None]

    assert {tree[PATH] for tree in left(work, 20)} == {b"ab"}


def test_a_job_in_the_middle_of_a_sync_dies_with_its_process() -> None:
    told: list[str] = []

    async def work(disk: SimDisk, process: Process, worker: SimWorker) -> None:
        file = with_log(disk, process).open(PATH)

        def job() -> None:
            try:
                file.sync()
                told.append("synced")
            finally:
                told.append("gone")

        worker.submit(job, lambda error: told.append("done"))
        await asyncio.sleep(BEFORE_A_SYNC_ENDS_S)
        assert told == []
        process.kill()
        assert told == ["gone"]
        await asyncio.sleep(1)

    run(work)
    assert told == ["gone"]


def test_lost_sectors_begin_and_end_at_borders_of_sectors() -> None:
    async def work(disk: SimDisk, process: Process, worker: SimWorker) -> None:
        disk.write_file(PATH, b"x" * 700)
        disk.handle(process).open(PATH).append(b"y" * 1348)

    holes = set()
    for tree in left(work, 400):
        data = tree[PATH]
        assert data[:700] == b"x" * 700
        written = data.rstrip(b"\0")
        if b"\0" in written and set(written) <= set(b"xy\0"):
            holes.add((written.index(b"\0"), written.rindex(b"\0") + 1))
    assert holes == {(700, 1024), (700, 1536), (1024, 1536)}


def test_a_torn_piece_may_end_in_rubbish() -> None:
    async def work(disk: SimDisk, process: Process, worker: SimWorker) -> None:
        file = with_log(disk, process).open(PATH)
        file.append(b"a" * 20)

    found = [tree[PATH] for tree in left(work)]
    assert any(set(data) - set(b"a\0") for data in found)
    assert all(len(data) <= 20 for data in found)


def test_a_bit_flipped_before_a_sync_is_flipped_after_it() -> None:
    async def work(disk: SimDisk, process: Process, worker: SimWorker) -> None:
        file = with_log(disk, process).open(PATH)
        file.append(b"\0\0\0\0")
        disk.flip(Random(1), ["/node"])
        flipped = disk.tree()[PATH]
        file.sync()
        disk.power_cut(Random(1))
        assert disk.tree()[PATH] == flipped != b"\0\0\0\0"

    run(work)
