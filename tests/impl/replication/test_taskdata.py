"""Task data on disk: whole or missing, whatever happens to the node."""

import logging
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

import pytest
from delphic.harness.simulate.disk import SimDisk
from delphic.harness.simulate.loop import SimLoop
from delphic.harness.simulate.process import Process
from delphic.impl.replication.taskdata import (
    WAITING_BYTES_MAX,
    Lack,
    TaskDataStore,
    framed,
    unframed,
)
from hypothesis import given
from hypothesis import strategies as st

FOLDER = "/node/replication"


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
        handle = self.disk.handle(Process(SimLoop("1"), "d1", 1, "1"))
        self.store = TaskDataStore(handle, FOLDER, self.worker, self.bugs)
        self.store.open()

    def save(self, tid: int, data: bytes = b"rows") -> None:
        self.store.save(tid, data, self.told.append)

    def names(self) -> list[str]:
        return sorted(path.removeprefix(FOLDER + "/") for path in self.disk.tree())


def test_data_is_not_persisted_before_the_disk_has_it() -> None:
    node = Node()
    node.save(7)
    assert node.store.fetch(7) is Lack.NOT_PERSISTED
    assert node.told == []
    node.worker.work()
    assert node.told == [None]
    assert node.store.fetch(7) == b"rows"
    assert node.names() == ["7.task"]


def test_what_comes_while_the_worker_writes_is_written_together() -> None:
    node = Node()
    for tid in (1, 2, 3):
        node.save(tid)
    assert len(node.worker.jobs) == 1
    node.worker.work()
    assert (node.told, node.store.tids) == ([None], [1, 2, 3])
    assert node.store.fetch(2) is Lack.NOT_PERSISTED
    node.worker.work()
    assert node.told == [None] * 3
    assert node.worker.jobs == []
    assert node.names() == ["1.task", "2.task", "3.task"]


def test_a_file_that_cannot_be_written_spoils_no_other() -> None:
    class Spoilt:
        """A disk on which 2.task cannot be opened."""

        def __getattr__(self, name: str) -> Any:
            return getattr(handle, name)

        def open(self, path: str) -> Any:
            if "/2.task" in path:
                raise OSError(13, "no permission")
            return handle.open(path)

    handle = SimDisk().handle(Process(SimLoop("1"), "d1", 1, "1"))
    worker, told = HandWorker(), dict[int, OSError | None]()
    store = TaskDataStore(Spoilt(), FOLDER, worker)  # type: ignore[arg-type]
    store.open()
    for tid in (1, 2, 3):
        store.save(tid, b"rows", partial(told.__setitem__, tid))
    worker.work()
    worker.work()
    assert (told[1], told[3]) == (None, None)
    assert isinstance(told[2], OSError)
    assert [store.fetch(tid) for tid in (1, 2, 3)] == [b"rows", Lack.MISSING, b"rows"]


def test_what_nobody_saved_is_missing() -> None:
    assert Node().store.fetch(3) is Lack.MISSING


def test_what_was_told_to_be_durable_survives_a_power_cut() -> None:
    for seed in range(20):
        node = Node()
        node.save(7)
        node.worker.work()
        node.disk.power_cut(Random(seed))
        node.start()
        assert node.store.fetch(7) == b"rows"
        assert node.store.tids == [7]


def test_a_crash_before_that_loses_it_whole_and_leaves_nothing() -> None:
    node = Node()
    node.save(7)
    node.start()
    assert node.store.fetch(7) is Lack.MISSING
    assert node.names() == []


def test_a_file_that_was_never_finished_is_removed_at_the_start() -> None:
    node = Node()
    node.disk.write_file(f"{FOLDER}/7.task.new", b"half")
    node.start()
    assert node.names() == []


@pytest.mark.parametrize("spoil", [lambda f: f[:-1], lambda f: b"", lambda f: f + b"x"])
def test_a_damaged_file_is_missing_and_said_to_be(
    spoil: Callable[[bytes], bytes], caplog: pytest.LogCaptureFixture
) -> None:
    node = Node()
    node.disk.write_file(f"{FOLDER}/7.task", spoil(framed(7, b"rows")))
    node.start()
    with caplog.at_level(logging.ERROR):
        assert node.store.fetch(7) is Lack.MISSING
    assert "S01042" in caplog.text


def test_data_of_another_transaction_is_damaged_data() -> None:
    assert unframed(8, framed(7, b"rows")) is None


@given(st.integers(0, 2**40), st.binary(max_size=64), st.data())
def test_no_flipped_bit_passes(tid: int, data: bytes, choice: st.DataObject) -> None:
    frame = framed(tid, data)
    assert unframed(tid, frame) == data
    bit = choice.draw(st.integers(0, 8 * len(frame) - 1))
    flipped = bytearray(frame)
    flipped[bit // 8] ^= 1 << bit % 8
    assert unframed(tid, bytes(flipped)) is None


def test_deleted_data_is_gone_and_may_be_deleted_again() -> None:
    node = Node()
    node.save(7)
    node.worker.work()
    node.store.delete(7)
    node.store.delete(7)
    assert node.names() == []
    assert node.store.tids == []


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


def test_whoever_writes_faster_than_the_disk_is_told_that_there_is_no_room() -> None:
    node = Node()
    assert node.store.has_room
    node.save(1, bytes(WAITING_BYTES_MAX))
    assert not node.store.has_room
    node.worker.work(OSError(5, "failed"))
    assert node.store.has_room
