"""What a master keeps of its writes until all slaves have it: in files of many, by tid.

Who waits for it (sync persistence) has it written at once, together with all that waits; else it is
written within a moment, so that many transactions share a sync, and nobody's log waits for theirs.
A worker writes; what comes meanwhile it writes next. Until that is done the data is in memory only,
and a slave that asks is told to wait (F5), as it is while a coordinator has yet to hear whether its
transaction has happened; a crash takes it, and the next process knows nothing of it. What the disk
refuses its saver is told, if that waits; else it is tried again, because the transaction has
happened. A file is removed when none of its data is needed any more.
"""

import logging
import posixpath
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from ..bugs_of_replication import TASK_DATA_UNCHECKED
from ..raft.disk import Disk
from ..runtime import Alarm, Clock, Worker
from .task_segment import (
    HEAD_BYTES,
    SEGMENT_BYTES,
    Place,
    SegmentWriter,
    records,
    segment_name,
    unpacked,
)

DELAY_S = 0.1
"""What nobody waits for is written after this time, however much it is: its client is answered
before, and has the disk for the commit.
"""

AGAIN_S, AGAIN_MAX_S = 0.5, 8.0
"""What a disk refused it is asked for again after this time, and each time twice as long."""

TOGETHER_MAX = 256
TOGETHER_BYTES = SEGMENT_BYTES
"""So much is written before its savers are told."""

WAITING_BYTES_MAX = 256 << 20
"""Data that is not written yet; beyond, `has_room` says no."""

_NAME = re.compile(r"([0-9]{10,18})\.tasks\Z")

Done = Callable[[OSError | None], None]

log = logging.getLogger("delphic.replication")


class Lack(Enum):
    """Why there is no data."""

    NOT_PERSISTED = "not persisted yet"
    MISSING = "Missing taskData"


@dataclass(frozen=True, slots=True)
class _Save:
    """Data on its way to the disk. `at_once`: whoever brought it waits to be told."""

    tid: int
    data: bytes
    done: Done
    at_once: bool


class TaskDataStore:
    """The files of one data node. All calls belong to the node's event loop."""

    # Invariant: `_live` counts the tids of `_places` by file.

    def __init__(
        self,
        disk: Disk,
        folder: str,
        worker: Worker,
        clock: Clock,
        bugs: frozenset[str] = frozenset(),
    ) -> None:
        self._bugs = bugs
        self._disk = disk
        self._folder = folder
        self._worker = worker
        self._clock = clock
        self._writer = SegmentWriter(disk, folder, 0)
        self._announced: set[int] = set()
        self._waiting: dict[int, bytes] = {}
        self._next: list[_Save] = []
        """Those of the waiting that nobody writes yet."""
        self._alarm: Alarm | None = None
        self._is_due = False
        """Whether the next are to be written as soon as nobody writes."""
        self._again_s = AGAIN_S
        self._is_resting = False
        """Whether the disk has refused something, and is asked again when the alarm says so."""
        self._is_closed = False
        self._writing_count = 0
        self._waiting_bytes = 0
        self._watched: dict[int, list[Callable[[], None]]] = {}
        self._deleted: dict[int, None] = {}
        self._places: dict[int, Place] = {}
        self._live: dict[int, int] = {}
        self._useless: dict[int, None] = {}
        """Files that are to be removed."""

    def open(self) -> None:
        """Find what there is. Raises OSError."""
        self._disk.make_folder(self._folder)
        numbers = [
            int(match[1])
            for name in self._disk.names(self._folder)
            if (match := _NAME.match(name)) is not None
        ]
        for number in numbers:
            self._live[number] = 0
            file = self._disk.open(self._path(number))
            try:
                for tid, place in records(file, number):
                    self._put(tid, place)
            finally:
                file.close()
        self._useless = {number: None for number, count in self._live.items() if not count}
        self._writer = SegmentWriter(self._disk, self._folder, max(numbers, default=0))
        self._clear()

    def close(self) -> None:
        """Write nothing more."""
        self._is_due, self._is_closed = False, True
        self._disarm()
        self._writer.close()

    @property
    def has_room(self) -> bool:
        """Whether more may be saved; otherwise whoever writes waits."""
        return self._waiting_bytes < WAITING_BYTES_MAX

    @property
    def tids(self) -> list[int]:
        """Of what there are data, durable ones and others, in order."""
        return sorted(self._places.keys() | self._waiting.keys())

    def announce(self, tid: int) -> None:
        """It will be saved or deleted, and slaves may ask for it before."""
        self._announced.add(tid)

    def save(self, tid: int, data: bytes, done: Done, *, at_once: bool) -> None:
        """Keep it; `done` is told when it is durable.

        `at_once`: somebody waits for that, and is told as well what went wrong (S01035). Without,
        nothing ever goes wrong for good.
        """
        assert tid not in self._waiting
        self._announced.discard(tid)
        self._waiting[tid] = data
        self._waiting_bytes += len(data)
        self._next.append(_Save(tid, data, done, at_once))
        if at_once:
            self._begin()
        elif self._alarm is None and not self._is_due:
            self._alarm = self._clock.call_later(DELAY_S, self.hurry)

    def hurry(self) -> None:
        """Write what waits without waiting for more, unless the disk has just refused it."""
        if not self._is_resting:
            self._begin()

    def _begin(self) -> None:
        self._disarm()
        self._is_resting = False
        self._is_due = bool(self._next)
        if not self._writing_count:
            self._write()

    def _disarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def finish(self) -> None:
        """Let the worker write all that waits: the node ends, and asks it for nothing more."""
        self._begin()
        while self._is_due:
            self._write()

    def watch(self, tid: int, then: Callable[[], None]) -> bool:
        """Tell when this is durable or has failed; False if it waits for nothing."""
        if tid in self._waiting:
            self._watched.setdefault(tid, []).append(then)
        return tid in self._waiting

    def fetch(self, tid: int) -> bytes | Lack:
        """What was saved. Raises OSError where a file cannot be read (S01037)."""
        if tid in self._waiting or tid in self._announced:
            return Lack.NOT_PERSISTED
        place = self._places.get(tid)
        if place is None:
            log.error("S01040 there is no task data of transaction %d", tid)
            return Lack.MISSING
        path = self._path(place.segment)
        try:
            found = self._read(path, place)
        except OSError as error:
            log.error("S01037 task data %s cannot be opened: %s", path, error)
            raise
        if found is None:
            log.error("S01040 task data %s is absent", path)
            return Lack.MISSING
        if TASK_DATA_UNCHECKED in self._bugs:
            return found[HEAD_BYTES:]
        data = unpacked(tid, place.at, found)
        if data is None:
            log.error("S01042 task data %s is damaged, of transaction %d", path, tid)
            return Lack.MISSING
        return data

    def delete(self, tid: int) -> None:
        """No slave needs it any more. A file that cannot be removed is tried again at the next."""
        self._announced.discard(tid)
        if tid in self._waiting:
            self._deleted[tid] = None
        elif (place := self._places.pop(tid, None)) is not None:
            self._leave(place)
            self._clear()

    # What is where.

    def _put(self, tid: int, place: Place) -> None:
        before = self._places.get(tid)
        self._places[tid] = place
        self._live[place.segment] = self._live.get(place.segment, 0) + 1
        if before is not None:
            self._leave(before)

    def _leave(self, place: Place) -> None:
        self._live[place.segment] -= 1
        if not self._live[place.segment]:
            self._useless[place.segment] = None

    def _clear(self) -> None:
        """Remove files of which nobody needs anything, if nobody can be writing there."""
        if self._writing_count:
            return
        for number in list(self._useless):
            if self._live[number]:
                # More has been written there.
                del self._useless[number]
                continue
            self._writer.leave(number)
            path = self._path(number)
            try:
                self._disk.remove(path)
            except FileNotFoundError:
                pass
            except OSError as error:
                log.warning("S01036 task data %s cannot be removed: %s", path, error)
                continue
            del self._useless[number], self._live[number]

    def _read(self, path: str, place: Place) -> bytes | None:
        """A record as it is now; None if its file is not there."""
        if posixpath.basename(path) not in self._disk.names(self._folder):
            return None
        file = self._disk.open(path)
        try:
            return file.read(place.at, HEAD_BYTES + place.size)
        finally:
            file.close()

    def _path(self, number: int) -> str:
        return posixpath.join(self._folder, segment_name(number))

    # Writing.

    def _write(self) -> None:
        """Let the worker write what is due, as much as goes together."""
        if not self._is_due:
            return
        batch = self._taken()
        places: list[Place] = []
        self._writing_count += 1

        def write() -> None:
            places.extend(self._writer.write([(save.tid, save.data) for save in batch]))

        def written(error: OSError | None) -> None:
            self._writing_count -= 1
            self._saved(batch, places, error)
            self._clear()
            if not self._writing_count:
                self._write()

        self._worker.submit(write, written)

    def _taken(self) -> list[_Save]:
        """The next that are to be written."""
        size = count = 0
        for save in self._next[:TOGETHER_MAX]:
            size += len(save.data)
            count += 1
            if size >= TOGETHER_BYTES:
                break
        batch, self._next = self._next[:count], self._next[count:]
        self._is_due = bool(self._next)
        return batch

    def _saved(
        self, batch: Sequence[_Save], places: Sequence[Place], error: OSError | None
    ) -> None:
        """Durable, or (no places) refused: tell all who wait for it, and try the others again."""
        for place, save in zip(places, batch, strict=False):
            self._put(save.tid, place)
        refused: list[_Save] = []
        for save in batch:
            is_deleted = self._deleted.pop(save.tid, 0) is None
            if error is not None and not (save.at_once or is_deleted):
                refused.append(save)
                continue
            del self._waiting[save.tid]
            self._waiting_bytes -= len(save.data)
            if is_deleted:
                self.delete(save.tid)
            save.done(error)
            for then in self._watched.pop(save.tid, ()):
                then()
        if error is not None:
            tids = [save.tid for save in batch]
            log.error("S01035 task data of transactions %s cannot be written: %s", tids, error)
            self._try_again(refused)
        elif self._again_s > AGAIN_S:
            self._again_s = AGAIN_S
            log.info("task data can be written again")

    def _try_again(self, refused: list[_Save]) -> None:
        """Later, before all that came meanwhile."""
        self._next[:0] = refused
        if not refused or self._is_closed:
            return
        if any(save.at_once for save in self._next):
            return
        self._disarm()
        self._is_due, self._is_resting = False, True
        self._alarm = self._clock.call_later(self._again_s, self._begin)
        self._again_s = min(2 * self._again_s, AGAIN_MAX_S)
