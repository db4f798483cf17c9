"""A simulated disk keeps what was synced, and of the rest what chance leaves."""

import asyncio
import errno
import posixpath
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from random import Random

import pytest
from delphic.harness.simulate.disk import SimDisk
from delphic.harness.simulate.inode import Inode
from delphic.harness.simulate.loop import SimLoop
from delphic.harness.simulate.process import Crashed, Process
from delphic.harness.simulate.worker import SimWorker
from delphic.harness.targets.faults import DiskState
from delphic.impl.raft.messages import Entry, HardState
from delphic.impl.raft.wal import Wal
from hypothesis import given, settings
from hypothesis import strategies as st

PATH = "/node/log"


def host() -> tuple[SimDisk, Process]:
    return SimDisk(), Process(SimLoop("1"), "n1", 1, "1")


def run(work: Callable[[SimDisk, Process], Awaitable[None]]) -> None:
    loop = SimLoop("1")
    loop.run_until_complete(work(SimDisk(), Process(loop, "n1", 1, "1")))


def left(make: Callable[[SimDisk, Process], None], seeds: int = 300) -> set[bytes | None]:
    """Everything that a power cut was seen to leave in the file."""
    found: set[bytes | None] = set()
    for seed in range(seeds):
        disk, process = host()
        make(disk, process)
        disk.power_cut(Random(seed))
        found.add(disk.tree().get(PATH))
    return found


def test_a_kill_loses_nothing() -> None:
    disk, process = host()
    disk.handle(process).open(PATH).append(b"ab")
    process.kill()
    assert disk.tree() == {PATH: b"ab"}


def test_what_somebody_removed_for_good_no_sync_brings_back() -> None:
    disk, process = host()
    handle = disk.handle(process)
    handle.open(PATH).append(b"ab")
    handle.open(f"{PATH}.new").append(b"cd")
    handle.rename(f"{PATH}.new", f"{PATH}.old")
    assert disk.clear(posixpath.dirname(PATH)) == 2
    handle.open(f"{PATH}.later").sync()
    handle.sync_folder(posixpath.dirname(PATH))
    disk.power_cut(Random(1))
    assert disk.tree() == {f"{PATH}.later": b""}


def test_a_dead_process_changes_nothing() -> None:
    disk, process = host()
    file = disk.handle(process).open(PATH)
    process.kill()
    with pytest.raises(Crashed):
        file.append(b"ab")
    assert disk.tree() == {PATH: b""}


def test_what_a_sync_covered_survives_and_the_rest_may_be_torn() -> None:
    def make(disk: SimDisk, process: Process) -> None:
        handle = disk.handle(process)
        file = handle.open(PATH)
        handle.sync_folder("/node")
        file.append(b"ab")
        file.sync()
        file.append(b"cd")
        file.append(b"ef")

    found = left(make)
    assert {b"ab", b"abc", b"abcd", b"abcde", b"abcdef", b"abc\0"} <= found
    assert all(one is not None and one[:2] == b"ab" for one in found)


def test_what_a_sync_covered_survives_while_the_same_bytes_are_written_again() -> None:
    """As `Wal._reopen` and `DataFile._write_again` do at a start; before, only behind the end."""
    known = b"known" * 300
    for seed in range(2000):
        inode = Inode(known)
        inode.rewrite(0, known)
        inode.append(b"new")
        inode.power_cut(Random(seed))
        assert bytes(inode.now[: len(known)]) == known
        assert inode.durable == inode.now


def test_what_is_torn_while_it_is_written_anew_has_new_bytes_and_then_old_ones() -> None:
    found = set()
    for seed in range(200):
        inode = Inode(b"old" * 300)
        inode.rewrite(0, b"new" * 400)
        inode.power_cut(Random(seed))
        found.add(bytes(inode.now[300:303]))
    assert found == {b"old", b"new"}


def test_a_name_survives_only_a_sync_of_its_folder() -> None:
    def make(disk: SimDisk, process: Process) -> None:
        file = disk.handle(process).open(PATH)
        file.append(b"ab")
        file.sync()

    assert left(make) == {None, b"ab"}


def test_a_rename_happens_as_a_whole_or_not_at_all() -> None:
    found = set()
    for seed in range(50):
        disk, process = host()
        disk.write_file("/node/a", b"old")
        disk.write_file("/node/b", b"new")
        disk.handle(process).rename("/node/b", "/node/a")
        disk.power_cut(Random(seed))
        found.add(tuple(sorted(disk.tree().items())))
    assert found == {(("/node/a", b"new"),), (("/node/a", b"old"), ("/node/b", b"new"))}


def test_a_cut_that_was_not_synced_may_not_have_happened() -> None:
    def make(disk: SimDisk, process: Process) -> None:
        disk.write_file(PATH, b"abcd")
        disk.handle(process).open(PATH).truncate(1)

    assert left(make) == {b"a", b"abcd"}


def test_sectors_may_arrive_in_any_order() -> None:
    def make(disk: SimDisk, process: Process) -> None:
        disk.write_file(PATH, b"")
        disk.handle(process).open(PATH).append(b"x" * 1024)

    assert bytes(512) + b"x" * 512 in left(make)


def test_a_sync_in_a_job_covers_what_was_written_before_it_began() -> None:
    async def work(disk: SimDisk, process: Process) -> None:
        disk.write_file(PATH, b"")
        file = disk.handle(process).open(PATH)
        worker = SimWorker(process, disk)
        ended: list[OSError | None] = []
        file.append(b"a")
        worker.submit(file.sync, ended.append)
        await asyncio.sleep(0.0001)
        file.append(b"b")
        assert ended == []
        await worker.close()
        assert ended == [None]
        disk.power_cut(Random(3))
        assert disk.tree()[PATH][:1] == b"a"

    run(work)


def test_a_power_cut_before_a_sync_is_complete_may_lose_what_it_covers() -> None:
    lost = set()
    for seed in range(20):
        loop = SimLoop("1")
        disk, process = SimDisk(), Process(loop, "n1", 1, "1")

        async def work(disk: SimDisk = disk, process: Process = process) -> None:
            disk.write_file(PATH, b"")
            file = disk.handle(process).open(PATH)
            file.append(b"a")
            SimWorker(process, disk).submit(file.sync, lambda error: pytest.fail("it ended"))
            await asyncio.sleep(0.0001)
            process.kill()
            await asyncio.sleep(1)

        loop.run_until_complete(work())
        disk.power_cut(Random(seed))
        lost.add(disk.tree()[PATH])
    assert {b"", b"a"} <= lost


def test_jobs_take_turns_and_as_long_as_the_disk_is_slow() -> None:
    async def work(disk: SimDisk, process: Process) -> None:
        disk.write_file(PATH, b"")
        disk.set(DiskState(slow=1000.0))
        file = disk.handle(process).open(PATH)
        worker, told = SimWorker(process, disk), []

        def job(word: str) -> None:
            told.append(f"begin {word}")
            file.sync()
            told.append(f"synced {word}")

        for word in "ab":
            worker.submit(partial(job, word), lambda _: told.append("done"))
        await worker.close()
        assert told == ["begin a", "synced a", "done", "begin b", "synced b", "done"]
        assert process.loop.now_ns >= 2 * 200_000_000

    run(work)


@pytest.mark.parametrize(
    ("state", "number"),
    [
        (DiskState(full=True), errno.ENOSPC),
        (DiskState(fail_write=True), errno.EIO),
        (DiskState(read_only=True), errno.EROFS),
    ],
)
def test_a_disk_that_takes_nothing_says_so(state: DiskState, number: int) -> None:
    disk, process = host()
    file = disk.handle(process).open(PATH)
    disk.set(state)
    with pytest.raises(OSError, match=r"\[Errno") as raised:
        file.append(b"a")
    assert raised.value.errno == number
    assert disk.tree() == {PATH: b""}


def test_a_later_sync_does_not_cover_what_a_failed_one_lost() -> None:
    disk, process = host()
    disk.write_file(PATH, b"")
    file = disk.handle(process).open(PATH)
    file.append(b"ab")
    disk.set(DiskState(fail_sync=True))
    with pytest.raises(OSError, match=r"\[Errno 5\]"):
        file.sync()
    disk.set(DiskState())
    file.append(b"cd")
    file.sync()
    assert disk.tree() == {PATH: b"abcd"}
    disk.power_cut(Random(1))
    assert disk.tree() == {PATH: b"\0\0cd"}


def test_a_flipped_bit_is_flipped_for_good() -> None:
    disk, process = host()
    disk.write_file(PATH, b"\0\0")
    disk.handle(process).open(PATH).append(b"\0\0")
    path, at = disk.flip(Random(1), ["/node"]) or ("", -1)
    assert (path, sum(disk.tree()[PATH])) == (PATH, disk.tree()[PATH][at])
    assert disk.flip(Random(1), ["/elsewhere"]) is None
    flipped = disk.tree()[PATH]
    disk.handle(process).open(PATH).sync()
    disk.power_cut(Random(1))
    assert disk.tree()[PATH] == flipped


def test_folders_and_names(tmp_path: Path) -> None:
    disk, process = host()
    handle = disk.handle(process)
    handle.make_folder("/node/deep")
    handle.open("/node/deep/a").append(b"1")
    handle.open("/node/b")
    assert handle.names("/node") == ["b", "deep"]
    assert handle.read("/node/deep/a") == b"1"
    assert handle.read("/node/none") is None
    handle.remove("/node/b")
    with pytest.raises(FileNotFoundError):
        handle.remove("/node/b")
    with pytest.raises(FileNotFoundError):
        handle.rename("/node/b", "/node/c")
    disk.export("/node", tmp_path)
    assert (tmp_path / "deep" / "a").read_bytes() == b"1"


writes = st.lists(
    st.one_of(
        st.binary(min_size=1, max_size=1500),
        st.floats(0, 1),
        st.just("sync"),
    ),
    max_size=12,
)


@settings(deadline=None, derandomize=True)
@given(writes, st.integers(0, 1000))
def test_after_a_power_cut_the_file_begins_with_all_that_was_synced(
    acts: list[bytes | float | str], seed: int
) -> None:
    """Whatever was cut off after the sync may be there again, or not."""
    disk, process = host()
    disk.write_file(PATH, b"")
    file = disk.handle(process).open(PATH)
    kept = b""
    for act in acts:
        if act == "sync":
            file.sync()
            kept = disk.tree()[PATH]
        elif isinstance(act, float):
            size = int(act * file.size())
            file.truncate(size)
            kept = kept[:size]
        elif isinstance(act, bytes):
            file.append(act)
    disk.power_cut(Random(seed))
    assert disk.tree()[PATH][: len(kept)] == kept


@pytest.mark.slow
def test_the_log_survives_any_power_cut() -> None:
    """Promises HS-2, HS-9: no synced entry is lost, and none is served that was not written."""
    for seed in range(400):
        chance = Random(seed)
        disk, process = host()
        written: list[Entry] = []
        synced = 0
        for life in range(4):
            process = Process(process.loop, "n1", life + 1, "1")
            found = Wal.recover(disk.handle(process), "/node/log", 2)
            assert len(found.entries) >= synced, (seed, life)
            assert list(found.entries) == written[: len(found.entries)], (seed, life)
            del written[len(found.entries) :]
            for _ in range(chance.randint(0, 8)):
                entry = Entry(life + 1, 1, chance.randbytes(chance.choice([1, 30, 900])))
                hard_state = HardState(life + 1, None)
                found.wal.save(hard_state, None, len(written) + 1, (entry,))
                written.append(entry)
                if chance.random() < 0.5:
                    found.wal.sync()
                    synced = len(written)
            process.kill()
            disk.power_cut(Random(f"{seed} {life}"))


@pytest.mark.slow
def test_what_a_log_found_after_a_failed_sync_is_on_disk_before_it_is_believed() -> None:
    """A kernel shows what it failed to write, and never tries again: promises HS-2, HS-9."""
    for seed in range(200):
        chance = Random(seed)
        disk, process = host()
        written: list[Entry] = []
        for life in range(3):
            process = Process(process.loop, "n1", life + 1, "1")
            found = Wal.recover(disk.handle(process), "/node/log", 2)
            believed = len(found.entries)
            assert list(found.entries) == written[:believed], (seed, life)
            disk.power_cut(Random(f"{seed} {life}"))
            found = Wal.recover(disk.handle(process), "/node/log", 2)
            assert len(found.entries) == believed, (seed, life)
            del written[believed:]
            for _ in range(chance.randint(1, 5)):
                entry = Entry(life + 1, 1, chance.randbytes(chance.choice([1, 30, 900])))
                found.wal.save(HardState(life + 1, None), None, len(written) + 1, (entry,))
                written.append(entry)
                if chance.random() < 0.3:
                    found.wal.sync()
            disk.set(DiskState(fail_sync=True))
            with pytest.raises(OSError, match="Input/output error"):
                found.wal.sync()
            disk.set(DiskState())
            process.kill()
