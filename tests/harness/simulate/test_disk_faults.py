"""Disks that are full or fail, and processes that die in the middle of using one."""

import asyncio
import errno
from collections import Counter
from collections.abc import Callable
from random import Random

import pytest
from delphic.harness.simulate.disk import SimDisk
from delphic.harness.simulate.loop import SimLoop
from delphic.harness.simulate.process import Crashed, Process
from delphic.harness.simulate.worker import SimWorker
from delphic.harness.targets.faults import CutFile, DiskState

FOLDER = "/node"
PATH = f"{FOLDER}/log"
BEFORE_A_SYNC_ENDS_S = 0.0001

FULL = DiskState(full=True)
UNWRITABLE = DiskState(fail_write=True)
UNSYNCABLE = DiskState(fail_sync=True)


def host(seed: str = "1") -> tuple[SimDisk, Process]:
    disk, process = SimDisk(), Process(SimLoop(seed), "n1", 1, seed)
    disk.write_file(PATH, b"")
    return disk, process


def left(disk: Callable[[], SimDisk], seeds: int = 100) -> set[bytes | None]:
    """What power cuts leave in the file."""
    found: set[bytes | None] = set()
    for seed in range(seeds):
        made = disk()
        made.power_cut(Random(seed))
        found.add(made.tree().get(PATH))
    return found


def test_overlapping_syncs_of_a_folder_cover_no_name_that_neither_saw() -> None:
    kept = set()
    for seed in range(40):
        loop = SimLoop("1")
        disk = SimDisk()
        processes = [Process(loop, "n1", life, "1") for life in (1, 2)]

        async def work(disk: SimDisk = disk, processes: list[Process] = processes) -> None:
            workers = []
            for process, name in zip(processes, "ab", strict=True):
                handle, worker = disk.handle(process), SimWorker(process, disk)
                handle.open(f"{FOLDER}/{name}")
                worker.submit(lambda handle=handle: handle.sync_folder(FOLDER), lambda error: None)
                workers.append(worker)
                await asyncio.sleep(BEFORE_A_SYNC_ENDS_S)
            for name in "cd":
                disk.handle(processes[0]).open(f"{FOLDER}/{name}")
            for worker in workers:
                await worker.close()

        loop.run_until_complete(work())
        disk.power_cut(Random(seed))
        kept.add("".join(path[-1] for path in disk.tree()))
    assert kept == {"ab", "abc", "abcd"}


def test_a_folder_whose_sync_fails_says_so_and_its_names_may_be_lost() -> None:
    def make() -> SimDisk:
        disk, process = SimDisk(), Process(SimLoop("1"), "n1", 1, "1")
        disk.handle(process).open(PATH)
        disk.set(UNSYNCABLE)
        with pytest.raises(OSError, match="Input/output error") as raised:
            disk.handle(process).sync_folder(FOLDER)
        assert raised.value.errno == errno.EIO
        return disk

    assert left(make) == {None, b""}


def test_a_later_sync_of_a_folder_covers_what_a_failed_one_did_not() -> None:
    def make() -> SimDisk:
        disk, process = SimDisk(), Process(SimLoop("1"), "n1", 1, "1")
        handle = disk.handle(process)
        handle.open(PATH)
        disk.set(UNSYNCABLE)
        with pytest.raises(OSError, match="Input/output error"):
            handle.sync_folder(FOLDER)
        disk.set(DiskState())
        handle.sync_folder(FOLDER)
        return disk

    assert left(make) == {b""}


def test_a_failed_sync_keeps_what_was_written_after_it_began() -> None:
    def make() -> SimDisk:
        loop = SimLoop("1")
        disk, process = SimDisk(), Process(loop, "n1", 1, "1")

        async def work() -> None:
            disk.write_file(PATH, b"")
            file, worker = disk.handle(process).open(PATH), SimWorker(process, disk)
            file.append(b"ab")
            disk.set(UNSYNCABLE)
            ended: list[OSError | None] = []
            worker.submit(file.sync, ended.append)
            await asyncio.sleep(BEFORE_A_SYNC_ENDS_S)
            file.append(b"cd")
            await worker.close()
            assert [type(error) for error in ended] == [OSError]
            disk.set(DiskState())
            file.sync()

        loop.run_until_complete(work())
        return disk

    assert left(make) == {b"\0\0cd"}


def test_a_dying_job_that_still_wants_to_do_something_ends_quietly() -> None:
    loop = SimLoop("1")
    disk, process = SimDisk(), Process(loop, "n1", 1, "1")
    disk.write_file(PATH, b"")
    told: list[str] = []

    async def work() -> None:
        file, worker = disk.handle(process).open(PATH), SimWorker(process, disk)

        def job() -> None:
            try:
                file.sync()
            finally:
                told.append("dying")
                file.append(b"farewell")

        worker.submit(job, lambda error: told.append("done"))
        await asyncio.sleep(BEFORE_A_SYNC_ENDS_S)
        process.kill()
        await asyncio.sleep(1)

    loop.run_until_complete(work())
    assert told == ["dying"]
    assert disk.tree() == {PATH: b""}


def test_what_may_not_be_written_can_be_written_by_who_has_it_open_alone() -> None:
    disk, process = host()
    handle = disk.handle(process)
    file = handle.open(PATH)
    disk.lock([FOLDER])
    file.append(b"a")
    for act in (
        lambda: handle.open(PATH),
        lambda: handle.open(f"{FOLDER}/new"),
        lambda: handle.make_folder(f"{FOLDER}/more"),
        lambda: handle.rename(PATH, "/elsewhere"),
        lambda: handle.remove(PATH),
        lambda: file.rewrite(0, b"b"),
    ):
        with pytest.raises(PermissionError):
            act()
    handle.open(f"{FOLDER}-beside").append(b"c")
    assert disk.tree() == {PATH: b"a", f"{FOLDER}-beside": b"c"}
    disk.lock([])
    handle.open(PATH).append(b"b")
    assert disk.content(PATH) == b"ab"


@pytest.mark.parametrize("state", [FULL, UNWRITABLE])
def test_to_the_dead_a_disk_is_neither_full_nor_broken(state: DiskState) -> None:
    disk, process = host()
    handle = disk.handle(process)
    file = handle.open(PATH)
    disk.set(state)
    process.kill()
    for act in (
        lambda: file.append(b"a"),
        lambda: file.rewrite(0, b""),
        lambda: handle.open(f"{FOLDER}/new"),
        lambda: handle.rename(f"{FOLDER}/none", PATH),
        lambda: handle.remove(f"{FOLDER}/none"),
    ):
        with pytest.raises(Crashed):
            act()
    assert disk.tree() == {PATH: b""}


def test_who_crashes_right_after_a_write_that_fails_does_not_hear_of_it() -> None:
    disk, process = host()
    file = disk.handle(process).open(PATH)
    disk.set(FULL)
    process.crash_at, process.crash_after = 1, True
    with pytest.raises(Crashed):
        file.append(b"ab")
    assert not process.is_alive


@pytest.mark.parametrize("state", [FULL, UNWRITABLE])
def test_a_disk_that_refuses_a_write_may_have_taken_a_part_of_it(state: DiskState) -> None:
    found = set()
    for seed in range(60):
        disk, process = host(str(seed))
        file = disk.handle(process).open(PATH)
        file.append(b"-")
        disk.set(state)
        with pytest.raises(OSError, match=r"\[Errno"):
            file.append(b"abc")
        found.add(disk.tree()[PATH])
    assert found == {b"-", b"-a", b"-ab"}


def test_a_torn_write_may_leave_nothing_but_its_length() -> None:
    def make(*parts: bytes) -> Callable[[], SimDisk]:
        def made() -> SimDisk:
            disk, process = host()
            file = disk.handle(process).open(PATH)
            file.append(b"ab")
            file.sync()
            for part in parts:
                file.append(part)
            return disk

        return made

    assert b"ab\0\0\0" in left(make(b"cde"))
    # The length of the file may have been written before the content of several writes.
    assert b"ab" + bytes(6) in left(make(b"cde", b"fgh"), 300)
    assert b"ab" + bytes(1500) in left(make(b"c" * 1500), 300)


def test_a_power_cut_writes_no_sector_that_a_failed_sync_gave_up() -> None:
    def make() -> SimDisk:
        disk, process = host()
        file = disk.handle(process).open(PATH)
        file.append(b"a" * 1024)
        disk.set(UNSYNCABLE)
        with pytest.raises(OSError, match="Input/output error"):
            file.sync()
        disk.set(DiskState())
        file.append(b"b" * 512)
        return disk

    assert all(b"a" * 9 not in (data or b"") for data in left(make, 200))


def test_that_a_file_was_cut_survives_a_failed_sync_and_the_next_one_covers_it() -> None:
    def make() -> SimDisk:
        disk, process = host()
        file = disk.handle(process).open(PATH)
        file.append(b"abcd")
        file.sync()
        file.append(b"ef")
        file.truncate(3)
        file.append(b"gh")
        disk.set(UNSYNCABLE)
        with pytest.raises(OSError, match="Input/output error"):
            file.sync()
        disk.set(DiskState())
        file.append(b"i")
        file.sync()
        return disk

    assert left(make) == {b"abc\0\0i"}


def test_a_read_only_disk_refuses_even_who_has_a_file_open_and_shows_what_is_there() -> None:
    disk, process = host()
    handle = disk.handle(process)
    file = handle.open(PATH)
    file.append(b"ab")
    file.sync()
    file.append(b"cd")
    disk.set(DiskState(read_only=True))
    attempts: list[Callable[[], object]] = [
        lambda: file.append(b"e"),
        lambda: file.rewrite(0, b"x"),
        lambda: file.truncate(1),
        file.sync,
        lambda: handle.sync_folder(FOLDER),
        lambda: handle.open(PATH),
        lambda: handle.open(f"{FOLDER}/new"),
        lambda: handle.rename(PATH, f"{FOLDER}/old"),
        lambda: handle.remove(PATH),
        lambda: handle.make_folder(f"{FOLDER}/folder"),
    ]
    for attempt in attempts:
        with pytest.raises(OSError, match="Read-only") as raised:
            attempt()
        assert raised.value.errno == errno.EROFS
    assert (disk.tree(), handle.read(PATH)) == ({PATH: b"abcd"}, b"abcd")
    disk.power_cut(Random(1))
    assert disk.content(PATH).startswith(b"ab")
    disk.set(DiskState())
    handle.open(PATH).append(b"e")


def test_a_tail_that_was_cut_off_is_gone_for_good_whatever_was_still_to_be_written() -> None:
    def cut() -> SimDisk:
        disk, process = host()
        file = disk.handle(process).open(PATH)
        file.append(b"abcd")
        file.sync()
        file.append(b"efgh")
        file.append(b"ijkl")
        found = disk.cut_tail(Random(1), [FOLDER], 6)
        assert found == CutFile(PATH, 12, 6)
        assert disk.tree() == {PATH: b"abcdef"}
        return disk

    kept = left(cut)
    assert {b"abcd", b"abcde", b"abcdef"} <= kept
    assert all(data is not None and len(data) <= 6 for data in kept)
    assert all(data is not None and data.startswith(b"abcd") for data in kept)


def test_chance_says_which_file_is_cut_and_by_how_much_where_nobody_does() -> None:
    disk, _ = host()
    assert disk.cut_tail(Random(1), [FOLDER], None) is None
    disk.write_file(f"{FOLDER}/a", bytes(10))
    disk.write_file(f"{FOLDER}/b", bytes(90))
    assert disk.cut_tail(Random(1), ["/elsewhere"], None) is None
    cuts = {disk_cut(seed) for seed in range(50)}
    assert {path for path, _ in cuts} == {f"{FOLDER}/a", f"{FOLDER}/b"}
    assert len(cuts) > 20
    assert all(gone >= 1 for _, gone in cuts)


def disk_cut(seed: int) -> tuple[str, int]:
    disk, _ = host()
    disk.write_file(f"{FOLDER}/a", bytes(10))
    disk.write_file(f"{FOLDER}/b", bytes(90))
    found = disk.cut_tail(Random(seed), [FOLDER], None)
    assert found is not None
    assert len(disk.tree()[found.path]) == found.left
    return found.path, found.was - found.left


def test_a_bit_turns_wherever_there_is_one() -> None:
    """However many of the folders are empty; and the longer a file is, the more often it is it."""
    folders = [f"/node/{name}" for name in ("empty", "log", "data", "none")]
    found: Counter[str] = Counter()
    for seed in range(300):
        disk = SimDisk()
        disk.write_file("/node/log/a", b"a" * 30)
        disk.write_file("/node/data/b", b"b" * 10)
        flipped = disk.flip(Random(seed), folders)
        assert flipped is not None
        found[flipped[0]] += 1
    assert found["/node/log/a"] + found["/node/data/b"] == 300
    assert 40 < found["/node/data/b"] < 110
    assert SimDisk().flip(Random(1), folders) is None
