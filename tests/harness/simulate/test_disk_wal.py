"""The write-ahead log on a simulated disk: power cuts and failures leave promises HS-2, HS-9."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

import pytest
from delphic.harness.simulate.disk import SimDisk
from delphic.harness.simulate.loop import SimLoop
from delphic.harness.simulate.process import Process
from delphic.harness.simulate.worker import SimWorker
from delphic.harness.targets.faults import DiskState
from delphic.impl.raft.messages import Entry, HardState, Kind
from delphic.impl.raft.terms import Runs, Terms, end_of
from delphic.impl.raft.wal import Wal

FOLDER = "/node/log"
SEGMENT_BYTES = 2000
LIVES = 4
SYNC_MAX_S = 0.0035
"""Longer than a file and its folder take to sync."""

FAULTS = DiskState(full=True), DiskState(fail_write=True), DiskState(fail_sync=True)

State = tuple[HardState, Runs, tuple[Entry, ...]]
"""Term and vote, what the log begins behind, and the entries behind that."""


@dataclass(slots=True)
class Told:
    """Every state that the log was in, in order of writing, and which of them was durable."""

    states: list[State] = field(default_factory=lambda: [(HardState(), (), ())])
    durable: int = 0
    cut_in_sync: int = 0
    torn: int = 0
    refused: int = 0
    taken: int = 0
    """Writes that were refused, and those of them of which a part was taken nevertheless."""

    def recovered(self, state: State) -> None:
        """Go on from what a recovery found, which must be no older than what was durable."""
        possible = self.states[self.durable :]
        assert state in possible, "a recovery found what was never written, or lost what was synced"
        self.states = [state]
        self.durable = 0


def write(wal: Wal, told: Told, chance: Random) -> None:
    """Save something that Raft may; each record is a state that a power cut may leave."""
    hard_state, base, entries = told.states[-1]
    if chance.random() < 0.25 and forget(wal, told, chance):
        return
    before = end_of(base)[0]
    new_state = None
    if chance.random() < 0.3 or not hard_state.term:
        hard_state = new_state = HardState(hard_state.term + 1, chance.choice([None, "n1", "n2"]))
        told.states.append((hard_state, base, entries))
    truncate_from = None
    if entries and chance.random() < 0.2:
        truncate_from = before + chance.randint(1, len(entries))
        entries = entries[: truncate_from - 1 - before]
        told.states.append((hard_state, base, entries))
    first, added = before + len(entries) + 1, []
    for _ in range(chance.randint(0 if new_state or truncate_from else 1, 3)):
        payload = chance.randbytes(chance.choice([1, 30, 600, 1500]))
        added.append(Entry(hard_state.term, Kind.APPEND, payload))
        entries = (*entries, added[-1])
        told.states.append((hard_state, base, entries))
    wal.save(new_state, truncate_from, first, added)


def forget(wal: Wal, told: Told, chance: Random) -> bool:
    """Let the log begin behind some entry, or behind a snapshot; False if there is nothing to."""
    hard_state, base, entries = told.states[-1]
    before = end_of(base)[0]
    terms = Terms(base)
    for index, entry in enumerate(entries, start=before + 1):
        if not terms.values or entry.term != terms.values[-1]:
            terms.begin(index, entry.term)
    last = before + len(entries)
    is_newer = hard_state.term > (terms.values[-1] if terms.values else 0)
    if is_newer and chance.random() < 0.4:
        after = last + chance.randint(1, 5)
        terms.begin(last + 1, hard_state.term)
        told.states.append((hard_state, terms.until(after), ()))
        wal.save(None, None, 0, (), terms.until(after), installs=True)
        return True
    if not entries:
        return False
    count = chance.randint(1, len(entries))
    base = terms.until(before + count)
    told.states.append((hard_state, base, entries[count:]))
    wal.save(None, None, 0, (), base)
    return True


async def live(disk: SimDisk, process: Process, told: Told, chance: Random) -> None:
    """Recover, then write and sync as the persister does, until somewhere in it the life ends."""
    found = Wal.recover(disk.handle(process), FOLDER, 2, segment_bytes=SEGMENT_BYTES)
    told.torn += found.cut is not None
    told.recovered((found.hard_state, found.base, tuple(found.entries)))
    worker = SimWorker(process, disk)
    for _ in range(chance.randint(0, 8)):
        write(found.wal, told, chance)
        if chance.random() < 0.7:
            await sync(found.wal, worker, told)
    if chance.random() < 0.5:
        write(found.wal, told, chance)
        begun = len(told.states) - 1
        worker.submit(found.wal.sync, lambda error: setattr(told, "durable", begun))
        await asyncio.sleep(chance.uniform(0.0, SYNC_MAX_S))
        told.cut_in_sync += told.durable != begun


async def sync(wal: Wal, worker: SimWorker, told: Told) -> None:
    ended: list[OSError | None] = []
    worker.submit(wal.sync, ended.append)
    await worker.close()
    assert ended == [None]
    told.durable = len(told.states) - 1


@pytest.mark.slow
def test_a_log_that_loses_power_at_any_moment_is_what_was_synced_or_a_later_state() -> None:
    """Terms, votes, truncations and entries; over segments, and in the middle of a sync."""
    torn = cut_in_sync = segments = 0
    for seed in range(400):
        chance, disk, told = Random(f"wal {seed}"), SimDisk(), Told()
        loop = SimLoop(str(seed))

        async def lives(
            loop: SimLoop = loop, disk: SimDisk = disk, told: Told = told, chance: Random = chance
        ) -> None:
            for life in range(1, LIVES + 1):
                process = Process(loop, "n1", life, "1")
                await live(disk, process, told, chance)
                process.kill()
                if chance.random() < 0.8:
                    disk.power_cut(chance)

        loop.run_until_complete(lives())
        torn, cut_in_sync = torn + told.torn, cut_in_sync + told.cut_in_sync
        segments = max(segments, len(disk.tree()))
    # The test says something only where all of this happens.
    assert torn > 50
    assert cut_in_sync > 100
    assert segments > 3


async def fail(disk: SimDisk, wal: Wal, worker: SimWorker, told: Told, chance: Random) -> None:
    """Write and sync on a disk that fails; what the log was told after that it must not take."""
    disk.set(chance.choice(FAULTS))
    size = sum(map(len, disk.tree().values()))
    ended: list[OSError | None] = []
    try:
        write(wal, told, chance)
    except OSError:
        told.refused += 1
        told.taken += sum(map(len, disk.tree().values())) > size
    else:
        worker.submit(wal.sync, ended.append)
        await worker.close()
        assert isinstance(ended[0], OSError)
    disk.set(DiskState())
    with pytest.raises(OSError, match="the log failed before"):
        wal.save(HardState(99, None), None, 1, ())


async def fail_to_recover(disk: SimDisk, process: Process, chance: Random) -> None:
    """Begin a recovery on a disk that fails: whatever it does, a later one finds the same."""
    disk.set(chance.choice(FAULTS))
    with suppress(OSError):
        Wal.recover(disk.handle(process), FOLDER, 2, segment_bytes=SEGMENT_BYTES)
    disk.set(DiskState())


@pytest.mark.slow
def test_a_log_whose_disk_fails_and_then_loses_power_is_what_was_synced_or_a_later_state() -> None:
    """Full in the middle of a write, refused writes, failed syncs; in recovery, too."""
    refused = taken = torn = 0
    for seed in range(400):
        chance, disk, told = Random(f"fail {seed}"), SimDisk(), Told()
        loop = SimLoop(str(seed))

        async def lives(
            loop: SimLoop = loop, disk: SimDisk = disk, told: Told = told, chance: Random = chance
        ) -> None:
            for life in range(1, 2 * LIVES, 2):
                process = Process(loop, "n1", life, loop.seed)
                found = Wal.recover(disk.handle(process), FOLDER, 2, segment_bytes=SEGMENT_BYTES)
                told.torn += found.cut is not None
                told.recovered((found.hard_state, found.base, tuple(found.entries)))
                worker = SimWorker(process, disk)
                for _ in range(chance.randint(0, 4)):
                    write(found.wal, told, chance)
                    if chance.random() < 0.7:
                        await sync(found.wal, worker, told)
                await fail(disk, found.wal, worker, told, chance)
                process.kill()
                if chance.random() < 0.4:
                    disk.power_cut(chance)
                process = Process(loop, "n1", life + 1, loop.seed)
                await fail_to_recover(disk, process, chance)
                process.kill()
                if chance.random() < 0.4:
                    disk.power_cut(chance)

        loop.run_until_complete(lives())
        refused, taken = refused + told.refused, taken + told.taken
        torn += told.torn
    assert refused > 500
    assert taken > 200
    assert torn > 30
