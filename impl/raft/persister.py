"""Makes the core's decisions durable: one log write and one sync at a time, in order.

Whatever is decided while a sync runs goes into the next one (group commit): the busier the group,
the more decisions share a sync. What a decision may only release once it is durable waits here.
"""

from collections.abc import Callable, Sequence

import msgspec

from ..runtime import Worker
from ..wire import PeerMessage
from .ready import Ready
from .wal import Wal


class Decision(msgspec.Struct, frozen=True):
    """One step of the core that has to be durable before the rest of it may happen."""

    step: int
    ready: Ready
    held: Sequence[PeerMessage]

    @property
    def writes(self) -> bool:
        """Whether there is anything to write; if not, it only keeps its place in the queue."""
        return self.ready.writes


class Persister:
    """Queues decisions, writes them, and reports them in order when they are durable."""

    # Invariant: at most one sync is under way; decisions are reported in the order of `add`.

    def __init__(
        self,
        wal: Wal,
        worker: Worker,
        *,
        durable: Callable[[list[Decision]], None],
        failed: Callable[[OSError], None],
        early: bool,
    ) -> None:
        """`early` reports before the sync: the seeded bug ack-before-fsync."""
        self._wal = wal
        self._worker = worker
        self._durable = durable
        self._failed = failed
        self._early = early
        self._queue: list[Decision] = []
        self._syncing: list[Decision] | None = None
        self.sync_count = 0

    @property
    def waiting_count(self) -> int:
        """Decisions that are not durable yet."""
        return len(self._queue) + len(self._syncing or ())

    def add(self, decision: Decision) -> None:
        """Take a decision; nothing happens before `kick`."""
        self._queue.append(decision)

    def kick(self) -> None:
        """Write what is queued and start a sync, unless one runs."""
        if self._syncing is not None or not self._queue:
            return
        batch, self._queue = self._queue, []
        if not any(decision.writes for decision in batch):
            self._durable(batch)
            return
        try:
            for decision in batch:
                if decision.writes:
                    self._write(decision.ready)
        except OSError as error:
            self._failed(error)
            return
        self._syncing = batch
        self.sync_count += 1
        self._worker.submit(self._wal.sync, self._synced)
        if self._early:
            self._durable(batch)

    def _write(self, ready: Ready) -> None:
        self._wal.save(
            ready.hard_state,
            ready.truncate_from,
            ready.first_index,
            ready.entries,
            ready.base,
            installs=ready.installs,
        )

    def _synced(self, error: OSError | None) -> None:
        assert self._syncing is not None
        batch, self._syncing = self._syncing, None
        if error is not None:
            self._failed(error)
            return
        if not self._early:
            self._durable(batch)
        self.kick()
