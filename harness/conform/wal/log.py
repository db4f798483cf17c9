"""A real log in a state of the model: how it gets there, and what the core has it write.

The model knows records, not terms and votes. `Live` keeps the images of the log with both, as they
must be, so that what a recovery finds is compared in full.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

from ....impl.bugs import ACK_BEFORE_FSYNC
from ....impl.raft.messages import HardState
from ....impl.raft.persister import Decision, Persister
from ....impl.raft.ready import Ready
from ....impl.raft.segment import Damage, unpack
from ....impl.raft.wal import SEGMENT_BYTES, Wal
from ....model.storage_types import Cached, Records
from .disk import ImageDisk
from .words import Image, entry_of, record_of

FOLDER = "/log"
GROUP = 2
NO_BUGS: frozenset[str] = frozenset()
EMPTY = Image(HardState(), ())


class Way(NamedTuple):
    """How a log comes to be in a state.

    `reopened`: what is durable was found by a recovery. `segment_bytes`: how much a segment takes.
    `together`: a cut and the records behind it are one write. `vote`: in the term of the durable
    records. `padding`: so long are the rows of a record.
    """

    reopened: bool = False
    segment_bytes: int = SEGMENT_BYTES
    together: bool = False
    vote: str | None = None
    padding: int = 0

    def __str__(self) -> str:
        found = "recovered" if self.reopened else "written"
        many = "one segment" if self.segment_bytes == SEGMENT_BYTES else "many segments"
        writes = "cut and records at once" if self.together else "a write a record"
        return f"{found}, {many}, {writes}"


WAYS = (
    Way(together=True),
    Way(segment_bytes=1, vote="n1"),
    Way(reopened=True, vote="n2"),
    Way(reopened=True, segment_bytes=1, together=True),
)

BYTES = Way()
"""Torn at every byte; with the other ways, at the ends of records and beside them."""

LONG = Way(together=True, padding=480), Way(segment_bytes=1, padding=480)
"""Records of about a sector: a crash may keep some sectors and lose others."""


class Save(NamedTuple):
    """What the core has written at once, in this order."""

    hard_state: HardState | None = None
    truncate_from: int | None = None
    records: Records = ()


Job = Callable[[], None]


class _HandWorker:
    """A worker whose jobs are done when it is told so."""

    def __init__(self) -> None:
        self.jobs: list[tuple[Job, Callable[[OSError | None], None]]] = []

    def submit(self, job: Job, done: Callable[[OSError | None], None]) -> None:
        self.jobs.append((job, done))

    def run(self) -> None:
        while self.jobs:
            self.end()

    def end(self, error: OSError | None = None) -> None:
        """The oldest job ends, or fails before it has done anything."""
        job, done = self.jobs.pop(0)
        if error is None:
            job()
        done(error)

    async def close(self) -> None:
        self.jobs.clear()


class Live:
    """A log in use, with what a crash may leave of it as it should be."""

    def __init__(
        self, disk: ImageDisk, way: Way, batch: int, bugs: frozenset[str], image: Image = EMPTY
    ) -> None:
        """Recover what is on the disk, which must be `image`. Raises WalCorruption."""
        self.disk = disk
        self.way = way
        self.expected = Cached((image,))
        self.acknowledged = self.due = 0
        """So many decisions were reported to be durable, and so many are."""
        self.failures: list[OSError] = []
        self._decided = 0
        self._batch = batch
        found = Wal.recover(disk, FOLDER, GROUP, segment_bytes=way.segment_bytes, bugs=bugs)
        self.wal = found.wal
        self.found = Image(
            found.hard_state,
            tuple(record_of(lsn, e) for lsn, e in enumerate(found.entries, start=1)),
        )
        self.worker = _HandWorker()
        self.persister = Persister(
            self.wal,
            self.worker,
            durable=self._became_durable,
            failed=self._failed,
            early=ACK_BEFORE_FSYNC in bugs,
        )

    def write(self, saves: Sequence[Save]) -> None:
        """Write all of it; a sync is due."""
        for save in saves:
            now = self.expected.now.records
            cut = len(now) if save.truncate_from is None else save.truncate_from - 1
            entries = tuple(entry_of(r, self._batch, self.way.padding) for r in save.records)
            ready = Ready(save.hard_state, save.truncate_from, cut + 1, entries)
            self._expect(save, cut)
            if self.worker.jobs:
                # The persister would wait for the sync, which has not begun.
                self.wal.save(save.hard_state, save.truncate_from, cut + 1, entries)
            else:
                self._decide(ready)
        self.persister.kick()
        if self.failures:
            raise self.failures[-1]

    def sync(self) -> None:
        """Make what was written durable."""
        self.worker.run()
        self.expected, self.due = self.expected.synced(), self._decided

    def vote_meanwhile(self, error: OSError | None = None) -> bool:
        """Vote while a sync is under way; then that ends, or fails. Whether nothing was written
        before.
        """
        hard_state = HardState(self.expected.now.hard_state.term + 1, "n3")
        before, synced = self.disk.now(), self._decided
        self._decide(Ready(hard_state))
        self.persister.kick()
        waits = self.disk.now() == before
        self.worker.end(error)
        if error is None:
            self.expected, self.due = self.expected.synced(), synced
            self._then(hard_state, self.expected.now.records)
        return waits

    def forget(self) -> None:
        """What was decided so far is no matter any more."""
        self.acknowledged = self.due = self._decided = 0

    def recovered(self, bugs: frozenset[str]) -> "Live":
        """The process that is started on the same disk, which lost nothing."""
        return Live(self.disk, self.way, self._batch, bugs, self.expected.now)

    def near_ends(self) -> frozenset[int]:
        """Where records of the newest file end, and a byte before and behind that."""
        if not self.disk.files:
            return frozenset()
        data, at = bytes(self.disk.files[max(self.disk.files)].now), 0
        near = {0, 1}
        while at < len(data):
            record = unpack(data, at)
            if isinstance(record, Damage):
                break
            at = record.end
            near |= {at - 1, at, at + 1}
        return frozenset(near)

    def _decide(self, ready: Ready) -> None:
        self.persister.add(Decision(0, ready, ()))
        self._decided += 1

    def _expect(self, save: Save, cut: int) -> None:
        if save.hard_state is not None:
            self._then(save.hard_state, self.expected.now.records)
        self._then(self.expected.now.hard_state, self.expected.now.records[:cut])
        for record in save.records:
            now = self.expected.now
            self._then(now.hard_state, (*now.records, record))

    def _then(self, hard_state: HardState, records: Records) -> None:
        self.expected = self.expected.written(Image(hard_state, records))

    def _became_durable(self, batch: list[Decision]) -> None:
        self.acknowledged += len(batch)

    def _failed(self, error: OSError) -> None:
        self.failures.append(error)


def following(before: Image, leader: Records, term: int) -> Save | None:
    """What a follower writes that is told of this log by a leader of this term (Raft §5.3)."""
    agree = 0
    for mine, theirs in zip(before.records, leader, strict=False):
        if mine != theirs:
            break
        agree += 1
    hard_state = HardState(term) if term > before.hard_state.term else None
    truncate_from = agree + 1 if agree < len(before.records) else None
    save = Save(hard_state, truncate_from, leader[agree:])
    return save if save != Save() else None


def saves_between(first: Image, images: Sequence[Records], way: Way) -> list[Save]:
    """Writes that leave the images of the model, one after the other."""
    saves: list[Save] = []
    hard_state = first.hard_state
    for before, after in pairwise(images):
        if len(after) < len(before):
            assert after == before[: len(after)]
            saves.append(Save(None, len(after) + 1))
            continue
        assert after[:-1] == before
        raised = None
        if after[-1].term > hard_state.term:
            raised = hard_state = HardState(after[-1].term)
        last = saves[-1] if saves else Save()
        comes_first = raised is None or (last.hard_state is None and not last.records)
        if saves and way.together and comes_first:
            kept = raised or last.hard_state
            saves[-1] = Save(kept, last.truncate_from, (*last.records, after[-1]))
        else:
            saves.append(Save(raised, None, after[-1:]))
    return saves


def concretize(
    images: Sequence[Records], way: Way, batch: int, bugs: frozenset[str] = NO_BUGS
) -> Live:
    """A log that is in this state of the model: the first image is durable, the rest is not."""
    disk = ImageDisk()
    durable = images[0]
    live = Live(disk, way, batch, NO_BUGS if way.reopened else bugs)
    term = max((record.term for record in durable), default=1)
    if durable or way.vote:
        live.write([Save(HardState(term, way.vote))])
        live.sync()
    size = 1 if way.segment_bytes == 1 else max(1, len(durable))
    for at in range(0, len(durable), size):
        live.write([Save(None, None, durable[at : at + size])])
        live.sync()
    if way.reopened:
        live.wal.close()
        live = live.recovered(bugs)
    live.forget()
    live.write(saves_between(live.expected.now, images, way))
    return live
