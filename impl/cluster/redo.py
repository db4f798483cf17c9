"""The redo log of a data node's chunks: what was asked is durable before it is answered.

It is written as a Raft log is. What arrives while a sync runs goes into the next one (group
commit).
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..raft.disk import Disk
from ..raft.messages import Entry, HardState, Kind
from ..raft.terms import end_of
from ..raft.wal import SEGMENT_BYTES, Wal
from ..runtime import Clock, Worker

TERM = 1
GROUP = 0
"""What the log says of term and group: no group has this id (HS-19)."""

Done = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Logged:
    """A record, and the index that tells its place."""

    index: int
    payload: bytes


class Redo:
    """`open` it first; calls belong to the node's event loop."""

    # Invariant: at most one sync is under way, and nothing is written meanwhile.

    def __init__(
        self,
        disk: Disk,
        folder: str,
        clock: Clock,
        worker: Worker,
        failed: Callable[[OSError], None],
        *,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> None:
        """`failed` is told when the disk is not to be trusted any more."""
        self._disk = disk
        self._folder = folder
        self._clock = clock
        self._worker = worker
        self._failed = failed
        self._segment_bytes = segment_bytes
        self._wal: Wal | None = None
        self._is_new = True
        self._waiting: deque[tuple[bytes, Done]] = deque()
        self._syncing: Sequence[Done] | None = None
        self._base: int | None = None
        self._is_scheduled = False
        self._is_closed = False
        self.last = 0
        """The index of the newest record."""
        self.size = 0
        """Bytes of records that a recovery would read, more or less."""
        self.sync_count = 0

    def open(self) -> list[Logged]:
        """Recover what the disk holds; raises OSError or WalCorruption."""
        found = Wal.recover(self._disk, self._folder, GROUP, segment_bytes=self._segment_bytes)
        self._wal = found.wal
        self._is_new = not found.hard_state.term
        first = end_of(found.base)[0] + 1
        records = [Logged(i, entry.payload) for i, entry in enumerate(found.entries, start=first)]
        self.last = first - 1 + len(records)
        self.size = sum(len(record.payload) for record in records)
        return records

    def close(self) -> None:
        """Give the files back; nobody who waits is told anything."""
        self._is_closed = True
        if self._wal is not None:
            self._wal.close()

    @property
    def waiting_count(self) -> int:
        """Records that are not durable yet."""
        return len(self._waiting) + len(self._syncing or ())

    def append(self, payload: bytes, done: Done) -> int:
        """Write a record; `done` once it is durable, in the order of asking. Gives its index."""
        assert payload
        self.last += 1
        self.size += len(payload)
        self._ask(payload, done)
        return self.last

    def settle(self, done: Done) -> None:
        """Call `done` once all is durable that was appended before."""
        if self._waiting or self._syncing is not None:
            self._ask(b"", done)
        else:
            self._clock.call_soon(done)

    def forget(self, index: int, size: int) -> None:
        """Records up to this one, which is durable, are not needed any more; so many bytes are."""
        self._base = index
        self.size = size
        self._schedule()

    def _ask(self, payload: bytes, done: Done) -> None:
        self._waiting.append((payload, done))
        self._schedule()

    def _schedule(self) -> None:
        if self._syncing is None and not self._is_scheduled:
            # Whatever else arrives in this turn of the loop shares the sync.
            self._is_scheduled = True
            self._clock.call_soon(self._turn)

    def _turn(self) -> None:
        self._is_scheduled = False
        if self._is_closed or self._syncing is not None:
            return
        if not self._waiting and self._base is None:
            return
        assert self._wal is not None
        asked = list(self._waiting)
        self._waiting.clear()
        entries = [Entry(TERM, Kind.APPEND, payload) for payload, _ in asked if payload]
        base, self._base = self._base, None
        first = self.last - len(entries) + 1
        state = HardState(TERM) if self._is_new else None
        self._is_new = False
        runs = None if base is None else ((TERM, base),)
        self._syncing = [done for _, done in asked]
        try:
            self._wal.save(state, None, first, entries, runs)
        except OSError as error:
            self._fail(error)
            return
        self.sync_count += 1
        self._worker.submit(self._wal.sync, self._synced)

    def _synced(self, error: OSError | None) -> None:
        if self._is_closed:
            return
        if error is not None:
            self._fail(error)
            return
        assert self._syncing is not None
        synced, self._syncing = self._syncing, None
        for done in synced:
            done()
        self._turn()

    def _fail(self, error: OSError) -> None:
        self._is_closed = True
        self._failed(error)
