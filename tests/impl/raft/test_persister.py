"""Nothing is released before its sync, and what arrives during a sync shares the next one."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest
from delphic.impl.raft.messages import Entry, HardState, Kind
from delphic.impl.raft.persister import Decision, Persister
from delphic.impl.raft.ready import Ready
from delphic.impl.raft.terms import Runs
from delphic.impl.raft.wal import Wal

ENTRY = Entry(1, Kind.APPEND, b"x")


class Disk:
    """Records what is written and synced; the test decides when a sync ends, and how."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self._done: Callable[[OSError | None], None] | None = None
        self.full = False

    def save(
        self,
        state: HardState | None,
        cut: int | None,
        first: int,
        entries: Sequence[Entry],
        base: Runs | None,
        *,
        installs: bool,
    ) -> None:
        if self.full:
            raise OSError(28, "No space left on device")
        self.events.append(f"write {first}+{len(entries)}")
        if base is not None:
            self.events.append(f"{'install' if installs else 'begin behind'} {base[-1][1]}")

    def sync(self) -> None:
        self.events.append("sync")

    def submit(self, job: Callable[[], None], done: Callable[[OSError | None], None]) -> None:
        assert self._done is None
        job()
        self._done = done

    async def close(self) -> None:
        self.events.append("close")

    @property
    def is_syncing(self) -> bool:
        return self._done is not None

    def end_sync(self, error: OSError | None = None) -> None:
        assert self._done is not None
        done, self._done = self._done, None
        done(error)


def persister(*, early: bool = False) -> tuple[Disk, Persister, list[OSError]]:
    disk = Disk()
    failures: list[OSError] = []

    def durable(batch: list[Decision]) -> None:
        disk.events.append("durable " + ",".join(str(decision.step) for decision in batch))

    made = Persister(cast(Wal, disk), disk, durable=durable, failed=failures.append, early=early)
    return disk, made, failures


def entry(step: int, index: int) -> Decision:
    return Decision(step, Ready(first_index=index, entries=(ENTRY,)), [])


def held(step: int) -> Decision:
    return Decision(step, Ready(), cast(Any, ["message"]))


def test_a_decision_is_released_after_its_write_and_its_sync() -> None:
    disk, made, _ = persister()
    made.add(entry(1, 5))
    made.kick()
    assert disk.events == ["write 5+1", "sync"]
    disk.end_sync()
    assert disk.events == ["write 5+1", "sync", "durable 1"]


def test_decisions_that_arrive_during_a_sync_share_the_next_one() -> None:
    disk, made, _ = persister()
    made.add(entry(1, 1))
    made.kick()
    for step in (2, 3, 4):
        made.add(entry(step, step))
        made.kick()
    assert disk.events == ["write 1+1", "sync"]
    disk.end_sync()
    assert disk.events[2:] == ["durable 1", "write 2+1", "write 3+1", "write 4+1", "sync"]
    disk.end_sync()
    assert disk.events[-1] == "durable 2,3,4"
    assert made.sync_count == 2
    assert not disk.is_syncing


def test_a_message_without_a_write_keeps_its_place_behind_earlier_writes() -> None:
    """A follower must not confirm entries that an earlier step is still writing."""
    disk, made, _ = persister()
    made.add(entry(1, 1))
    made.kick()
    made.add(held(2))
    made.kick()
    assert "durable 2" not in disk.events
    disk.end_sync()
    assert disk.events == ["write 1+1", "sync", "durable 1", "durable 2"]


def test_a_message_without_a_write_needs_no_sync_when_nothing_is_written() -> None:
    disk, made, _ = persister()
    made.add(held(1))
    made.kick()
    assert disk.events == ["durable 1"]
    assert made.sync_count == 0


def test_a_failed_sync_releases_nothing() -> None:
    disk, made, failures = persister()
    made.add(entry(1, 1))
    made.kick()
    disk.end_sync(OSError(5, "Input/output error"))
    assert disk.events == ["write 1+1", "sync"]
    assert [error.errno for error in failures] == [5]


def test_a_failed_write_releases_nothing_and_syncs_nothing() -> None:
    disk, made, failures = persister()
    disk.full = True
    made.add(entry(1, 1))
    made.kick()
    assert disk.events == []
    assert [error.errno for error in failures] == [28]


@pytest.mark.parametrize("early", [False, True])
def test_the_seeded_bug_releases_before_the_sync_ends_and_nothing_else_does(early: bool) -> None:
    disk, made, _ = persister(early=early)
    made.add(entry(1, 1))
    made.kick()
    assert ("durable 1" in disk.events) == early
    disk.end_sync()
    assert disk.events.count("durable 1") == 1
