"""Task data on disk: whole or missing, whatever happens to the node."""

import logging
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from delphic.harness.simulate.disk import SimDisk
from delphic.harness.simulate.loop import SimLoop
from delphic.harness.simulate.process import Process
from delphic.harness.targets.faults import DiskState
from delphic.impl.replication.task_segment import HEAD_BYTES, SEGMENT_BYTES, packed, unpacked
from delphic.impl.replication.taskdata import (
    AGAIN_MAX_S,
    AGAIN_S,
    DELAY_S,
    TOGETHER_BYTES,
    TOGETHER_MAX,
    WAITING_BYTES_MAX,
    Lack,
    TaskDataStore,
)
from hand_clock import HandClock
from hypothesis import given
from hypothesis import strategies as st

FOLDER = "/node/replication"
FIRST, SECOND = "0000000001.tasks", "0000000002.tasks"


class HandWorker:
    """Jobs wait until the test lets them run."""

    def __init__(self) -> None:
        self.jobs: list[tuple[Callable[[], None], Callable[[OSError | None], None]]] = []

    def submit(self, job: Callable[[], None], done: Callable[[OSError | None], None]) -> None:
        self.jobs.append((job, done))

    async def close(self) -> None:
        assert not self.jobs

    def work(self, error: OSError | None = None) -> None:
        """Run one job, or let it fail."""
        job, done = self.jobs.pop(0)
        if error is None:
            job()
        done(error)


class Node:
    """A store on a simulated disk, and what savers were told."""

    def __init__(self) -> None:
        self.disk = SimDisk()
        self.told: list[OSError | None] = []
        self.bugs: frozenset[str] = frozenset()
        self.start()

    def start(self) -> None:
        """A new process on what the disk holds."""
        self.worker = HandWorker()
        self.clock = HandClock()
        handle = self.disk.handle(Process(SimLoop("1"), "d1", 1, "1"))
        self.store = TaskDataStore(handle, FOLDER, self.worker, self.clock, self.bugs)
        self.store.open()

    def save(self, tid: int, data: bytes = b"rows", *, at_once: bool = True) -> None:
        self.store.save(tid, data, self.told.append, at_once=at_once)

    def keep(self, tid: int, data: bytes = b"rows") -> None:
        """Durably."""
        self.save(tid, data)
        self.worker.work()

    def names(self) -> list[str]:
        return sorted(path.removeprefix(FOLDER + "/") for path in self.disk.tree())

    def spoil(self, name: str, change: Callable[[bytes], bytes]) -> None:
        """Let a file have other bytes."""
        self.disk.write_file(f"{FOLDER}/{name}", change(self.disk.content(f"{FOLDER}/{name}")))


def test_data_is_not_persisted_before_the_disk_has_it() -> None:
    node = Node()
    node.save(7)
    assert node.store.fetch(7) is Lack.NOT_PERSISTED
    assert node.told == []
    node.worker.work()
    assert node.told == [None]
    assert node.store.fetch(7) == b"rows"
    assert node.names() == [FIRST]


def test_what_is_announced_is_waited_for_until_it_is_saved_or_deleted() -> None:
    node = Node()
    for tid in (7, 8, 9):
        node.store.announce(tid)
    assert (node.store.fetch(7), node.store.tids) == (Lack.NOT_PERSISTED, [])
    node.keep(7)
    node.store.delete(8)
    assert node.store.fetch(7) == b"rows"
    assert node.store.fetch(8) is Lack.MISSING
    assert node.store.fetch(9) is Lack.NOT_PERSISTED
    node.store.delete(7)
    assert node.store.fetch(7) is Lack.MISSING
    node.start()
    assert node.store.fetch(9) is Lack.MISSING, "its coordinator is no more"


def test_what_comes_while_the_worker_writes_is_written_together() -> None:
    node = Node()
    for tid in (1, 2, 3):
        node.save(tid, b"%d" % tid)
    assert len(node.worker.jobs) == 1
    node.worker.work()
    assert (node.told, node.store.tids) == ([None], [1, 2, 3])
    assert node.store.fetch(2) is Lack.NOT_PERSISTED
    node.worker.work()
    assert node.told == [None] * 3
    assert node.worker.jobs == []
    assert node.names() == [FIRST]
    assert [node.store.fetch(tid) for tid in (1, 2, 3)] == [b"1", b"2", b"3"]


def test_what_nobody_waits_for_is_written_within_a_moment_together() -> None:
    node = Node()
    node.save(1, at_once=False)
    node.clock.advance(DELAY_S / 2)
    node.save(2, at_once=False)
    assert node.worker.jobs == []
    assert node.store.fetch(2) is Lack.NOT_PERSISTED
    node.clock.advance(DELAY_S / 2)
    node.worker.work()
    assert (node.told, node.worker.jobs) == ([None, None], [])
    node.save(3, at_once=False)
    assert node.worker.jobs == []
    node.clock.advance(DELAY_S)
    node.worker.work()
    assert node.store.fetch(3) == b"rows"


def test_whoever_waits_or_asks_hurries_what_waits_before_it() -> None:
    for hurry in (lambda node: node.save(2), lambda node: node.store.hurry()):
        node = Node()
        node.save(1, at_once=False)
        hurry(node)
        node.worker.work()
        assert node.store.fetch(1) == b"rows"
        assert set(node.told) == {None}
        node.clock.advance(2 * DELAY_S)
        assert node.worker.jobs == []


def test_much_data_waits_as_long_and_is_written_in_pieces() -> None:
    node = Node()
    node.save(1, bytes(TOGETHER_BYTES - 1), at_once=False)
    for tid in (2, 3):
        node.save(tid, bytes(TOGETHER_BYTES), at_once=False)
    assert node.worker.jobs == []
    node.clock.advance(DELAY_S)
    node.worker.work()
    assert node.told == [None, None]
    node.worker.work()
    assert node.told == [None] * 3
    assert node.worker.jobs == []


def test_small_data_is_written_so_many_at_once() -> None:
    node = Node()
    for tid in range(TOGETHER_MAX + 1):
        node.save(tid, at_once=False)
    node.clock.advance(DELAY_S)
    node.worker.work()
    assert len(node.told) == TOGETHER_MAX
    node.worker.work()
    assert len(node.told) == TOGETHER_MAX + 1


def test_what_waits_when_the_node_ends_is_written_without_an_answer_in_between() -> None:
    node = Node()
    node.save(0)
    for tid in range(1, TOGETHER_MAX + 2):
        node.save(tid, at_once=False)
    node.store.finish()
    jobs = [job for job, _ in node.worker.jobs]
    assert len(jobs) == 3
    for job in jobs:
        job()
    node.start()
    assert node.store.tids == [*range(TOGETHER_MAX + 2)]


def test_a_full_file_gets_no_more_and_goes_alone() -> None:
    node = Node()
    node.keep(1, bytes(SEGMENT_BYTES))
    node.keep(2)
    node.keep(3)
    assert node.names() == [FIRST, SECOND]
    node.store.delete(2)
    node.store.delete(1)
    assert node.names() == [SECOND]
    assert (node.store.tids, node.store.fetch(3)) == ([3], b"rows")


def test_every_process_begins_a_file_of_its_own() -> None:
    node = Node()
    node.keep(1)
    node.start()
    node.keep(2)
    assert node.names() == [FIRST, SECOND]
    node.start()
    assert [node.store.fetch(tid) for tid in (1, 2)] == [b"rows", b"rows"]


def test_what_nobody_saved_is_missing() -> None:
    assert Node().store.fetch(3) is Lack.MISSING


def test_what_was_told_to_be_durable_survives_a_power_cut() -> None:
    for seed in range(20):
        node = Node()
        node.keep(7)
        node.keep(8)
        node.disk.power_cut(Random(seed))
        node.start()
        assert (node.store.fetch(7), node.store.fetch(8)) == (b"rows", b"rows")
        assert node.store.tids == [7, 8]


def test_a_crash_before_that_loses_it_whole_and_leaves_nothing() -> None:
    node = Node()
    node.save(7)
    node.start()
    assert node.store.fetch(7) is Lack.MISSING
    assert node.names() == []


def test_what_a_crash_tore_off_is_missing_and_all_before_it_is_there() -> None:
    whole = len(b"".join(packed(7, 0, b"rows")))
    for left in range(whole + HEAD_BYTES + len(b"more")):
        node = Node()
        node.keep(7)
        node.keep(8, b"more")
        node.spoil(FIRST, lambda found, left=left: found[:left])
        node.start()
        kept = [7] if left >= whole else []
        assert node.store.tids == kept
        assert [node.store.fetch(tid) for tid in kept] == [b"rows"] * len(kept)
        assert node.store.fetch(8) is Lack.MISSING
        assert node.names() == ([FIRST] if kept else [])


@pytest.mark.parametrize("at", [0, 5, 13, 21, 29, 33, HEAD_BYTES])
def test_damage_costs_what_it_hit_and_no_more(at: int, caplog: pytest.LogCaptureFixture) -> None:
    def turned(found: bytes) -> bytes:
        return found[:at] + bytes([found[at] ^ 1]) + found[at + 1 :]

    node = Node()
    for tid in (7, 8, 9):
        node.keep(tid, b"rows %d" % tid)
    node.spoil(FIRST, turned)
    for _ in range(2):
        with caplog.at_level(logging.ERROR):
            assert node.store.fetch(7) is Lack.MISSING
        assert "S0104" in caplog.text
        assert [node.store.fetch(tid) for tid in (8, 9)] == [b"rows 8", b"rows 9"]
        node.start()


def test_data_that_looks_like_a_record_is_not_taken_for_one() -> None:
    node = Node()
    node.keep(7, b"".join(packed(66, at, b"evil")[0] for at in (0, HEAD_BYTES, 1 << 40)))
    node.keep(8)
    node.spoil(FIRST, lambda found: b"x" + found[1:])
    node.start()
    # None of those begins where it says.
    assert node.store.tids == [8]


@pytest.mark.parametrize("spoil", [lambda f: f[:-1], lambda f: b"", lambda f: f[:-1] + b"x"])
def test_a_damaged_file_is_missing_and_said_to_be(
    spoil: Callable[[bytes], bytes], caplog: pytest.LogCaptureFixture
) -> None:
    node = Node()
    node.keep(7)
    node.spoil(FIRST, spoil)
    with caplog.at_level(logging.ERROR):
        assert node.store.fetch(7) is Lack.MISSING
    assert "S01042" in caplog.text


def test_data_of_another_transaction_is_damaged_data() -> None:
    assert unpacked(8, 0, b"".join(packed(7, 0, b"rows"))) is None
    assert unpacked(7, 1, b"".join(packed(7, 0, b"rows"))) is None


@given(st.integers(0, 2**40), st.integers(0, 2**40), st.binary(max_size=64), st.data())
def test_no_flipped_bit_passes(tid: int, at: int, data: bytes, choice: st.DataObject) -> None:
    record = b"".join(packed(tid, at, data))
    assert unpacked(tid, at, record) == data
    bit = choice.draw(st.integers(0, 8 * len(record) - 1))
    flipped = bytearray(record)
    flipped[bit // 8] ^= 1 << bit % 8
    assert unpacked(tid, at, bytes(flipped)) is None


def test_data_in_a_file_that_somebody_removes_is_missing_and_what_follows_is_kept() -> None:
    node = Node()
    node.keep(7)
    assert node.disk.clear(FOLDER) == 1
    assert node.store.fetch(7) is Lack.MISSING
    assert node.names() == []
    node.keep(8)
    assert node.told == [None, None]
    node.start()
    assert (node.store.tids, node.store.fetch(8)) == ([8], b"rows")


def test_deleted_data_is_gone_and_may_be_deleted_again() -> None:
    node = Node()
    node.keep(7)
    node.store.delete(7)
    node.store.delete(7)
    assert node.names() == []
    assert node.store.tids == []
    node.keep(8)
    assert (node.names(), node.store.fetch(8)) == ([SECOND], b"rows")


def test_a_file_is_there_as_long_as_one_task_needs_it() -> None:
    node = Node()
    node.keep(7)
    node.keep(8)
    node.store.delete(7)
    assert (node.names(), node.store.tids) == ([FIRST], [8])
    assert node.store.fetch(7) is Lack.MISSING
    node.save(9)
    node.store.delete(8)
    assert node.names() == [FIRST]
    node.worker.work()
    assert node.store.fetch(9) == b"rows"
    node.store.delete(9)
    assert node.names() == []


def test_a_file_that_cannot_be_removed_is_tried_again() -> None:
    class Stubborn:
        """A disk that removes nothing the first time."""

        refused = 0

        def __getattr__(self, name: str) -> Any:
            return getattr(handle, name)

        def remove(self, path: str) -> None:
            if not self.refused:
                self.refused += 1
                raise OSError(13, "no permission")
            handle.remove(path)

    node = Node()
    handle = node.disk.handle(Process(SimLoop("1"), "d1", 1, "1"))
    disk: Any = Stubborn()
    node.store = TaskDataStore(disk, FOLDER, node.worker, node.clock)
    node.store.open()
    node.keep(7)
    node.store.delete(7)
    assert (node.names(), node.store.tids) == ([FIRST], [])
    node.keep(8)
    node.store.delete(8)
    assert node.names() == []


def test_data_deleted_while_it_is_written_does_not_come_back() -> None:
    node = Node()
    node.save(7)
    node.store.delete(7)
    node.worker.work()
    assert node.names() == []
    assert node.told == [None]


def test_a_failed_write_is_told_and_leaves_nothing(caplog: pytest.LogCaptureFixture) -> None:
    node = Node()
    node.save(7)
    error = OSError(28, "no space left")
    with caplog.at_level(logging.ERROR):
        node.worker.work(error)
    assert node.told == [error]
    assert node.store.fetch(7) is Lack.MISSING
    assert "S01035" in caplog.text


def refused(node: Node) -> None:
    """The next job meets a disk that is full."""
    node.worker.work(OSError(28, "no space left"))


def test_what_nobody_waits_for_is_tried_again_until_there_is_room(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """PR-18: its transaction has happened, so that some slave will ask for it."""
    node = Node()
    node.save(7, at_once=False)
    node.clock.advance(DELAY_S)
    refused(node)
    for wait_s in (AGAIN_S, 2 * AGAIN_S, 4 * AGAIN_S):
        assert (node.told, node.store.fetch(7)) == ([], Lack.NOT_PERSISTED)
        node.clock.advance(wait_s - 0.01)
        assert node.worker.jobs == []
        node.clock.advance(0.01)
        refused(node)
    assert caplog.text.count("S01035") == 4
    node.clock.advance(AGAIN_MAX_S)
    node.worker.work()
    assert (node.told, node.store.fetch(7)) == ([None], b"rows")
    node.save(8, at_once=False)
    node.clock.advance(DELAY_S)
    refused(node)
    node.clock.advance(AGAIN_S)
    assert len(node.worker.jobs) == 1


def test_no_slave_hurries_what_the_disk_has_just_refused_and_what_comes_goes_with_it() -> None:
    node = Node()
    node.save(7, at_once=False)
    node.store.hurry()
    refused(node)
    node.save(8, at_once=False)
    heard: list[int] = []
    assert node.store.watch(7, lambda: heard.append(7))
    node.store.hurry()
    node.clock.advance(AGAIN_S - 0.01)
    assert node.worker.jobs == []
    node.clock.advance(0.01)
    node.worker.work()
    assert (node.told, heard) == ([None, None], [7])
    assert node.names() == [FIRST]


def test_who_waits_is_told_at_once_whatever_is_tried_again() -> None:
    node = Node()
    node.save(7, at_once=False)
    node.store.hurry()
    refused(node)
    node.save(8)
    assert len(node.worker.jobs) == 1
    refused(node)
    assert [str(error) for error in node.told] == ["[Errno 28] no space left"]
    assert node.store.fetch(8) is Lack.MISSING
    assert node.store.fetch(7) is Lack.NOT_PERSISTED


def test_who_came_while_the_disk_refused_others_is_told_at_once_too() -> None:
    node = Node()
    node.save(7, at_once=False)
    node.store.hurry()
    node.save(8)
    refused(node)
    node.worker.work()
    assert node.told == [None, None]
    assert node.store.tids == [7, 8]


def test_what_nobody_needs_any_more_is_not_tried_again() -> None:
    node = Node()
    node.save(7, at_once=False)
    node.store.hurry()
    node.store.delete(7)
    refused(node)
    node.clock.advance(AGAIN_MAX_S)
    assert (node.worker.jobs, node.store.tids, len(node.told)) == ([], [], 1)


def test_a_node_that_ends_tries_a_last_time_and_never_again() -> None:
    node = Node()
    node.save(7, at_once=False)
    node.store.hurry()
    refused(node)
    node.store.finish()
    node.store.close()
    refused(node)
    node.clock.advance(2 * AGAIN_MAX_S)
    assert node.worker.jobs == []


@pytest.mark.parametrize("state", [DiskState(full=True), DiskState(fail_sync=True)])
def test_what_a_bad_disk_took_in_part_spoils_nothing_that_follows(state: DiskState) -> None:
    for first in (True, False):
        node = Node()
        if not first:
            node.keep(1)
        node.save(7)
        node.disk.set(state)
        job, done = node.worker.jobs.pop(0)
        with pytest.raises(OSError) as failed:
            job()
        done(failed.value)
        node.disk.set(DiskState())
        node.keep(8)
        assert node.store.fetch(7) is Lack.MISSING
        assert node.store.fetch(8) == b"rows"
        node.start()
        assert node.store.fetch(8) == b"rows"
        assert first or node.store.fetch(1) == b"rows"


def test_whoever_waits_for_data_hears_when_it_is_written_or_has_failed() -> None:
    node = Node()
    heard: list[int] = []
    assert not node.store.watch(7, lambda: heard.append(0))
    node.save(7)
    assert node.store.watch(7, lambda: heard.append(7))
    node.save(8)
    assert node.store.watch(8, lambda: heard.append(8))
    node.worker.work()
    assert heard == [7]
    node.worker.work(OSError(28, "no space left"))
    assert heard == [7, 8]


def test_whoever_writes_faster_than_the_disk_is_told_that_there_is_no_room() -> None:
    node = Node()
    assert node.store.has_room
    node.save(1, bytes(WAITING_BYTES_MAX))
    assert not node.store.has_room
    node.worker.work(OSError(5, "failed"))
    assert node.store.has_room
