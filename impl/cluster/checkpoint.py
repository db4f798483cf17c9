"""When and how chunks are written to files, so that the redo log can begin anew behind them.

What is captured at one moment is written while transactions go on: first all records up to that
moment are durable, then the parts, then the manifest; only then does the log forget, and are old
parts removed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pyarrow as pa

from ..runtime import Alarm, Clock, Worker
from .chunk import Chunk
from .chunk_files import ChunkFiles, KeptChunk, Manifest, NewPart, Part, behind, stays
from .redo import Redo


@dataclass(frozen=True, slots=True)
class CheckpointPolicy:
    """A checkpoint begins when the log is so long, or so much time has passed."""

    log_bytes: int = 64 << 20
    interval_s: float = 300.0


@dataclass(slots=True)
class _Plan:
    """What becomes of one chunk: `new` stands behind `parts`."""

    chunk: Chunk
    cid: int
    schema: pa.Schema
    parts: tuple[Part, ...]
    new: NewPart | None


class Checkpoints:
    """At most one at a time. Calls belong to the node's event loop."""

    def __init__(
        self,
        files: ChunkFiles,
        redo: Redo,
        clock: Clock,
        worker: Worker,
        chunks: Mapping[int, Chunk],
        first_needed: Callable[[], tuple[int, int]],
        failed: Callable[[OSError], None],
        policy: CheckpointPolicy,
    ) -> None:
        """`first_needed`: the first record that is not decided, and the bytes of all such ones."""
        self._files = files
        self._redo = redo
        self._clock = clock
        self._worker = worker
        self._chunks = chunks
        self._first_needed = first_needed
        self._failed = failed
        self._policy = policy
        self._manifest = Manifest()
        self._last = 0
        self._has_news = False
        self._is_busy = False
        self._is_closed = False
        self._alarm: Alarm | None = None
        self.count = 0
        """How many have ended."""

    def begin(self, manifest: Manifest) -> None:
        """Go on from what the disk holds."""
        self._manifest = manifest
        self._last = manifest.last
        self._has_news = self._redo.last > manifest.applied
        self._wait()

    def close(self) -> None:
        """Begin no more."""
        self._is_closed = True
        if self._alarm is not None:
            self._alarm.cancel()

    def changed(self) -> None:
        """Something is to be written; now, if the log is long."""
        self._has_news = True
        if self._redo.size >= self._policy.log_bytes:
            self.start()

    def start(self) -> None:
        """Begin one, if there is anything to write and none under way."""
        if self._is_busy or self._is_closed or not self._has_news:
            return
        self._is_busy = True
        self._has_news = False
        applied, size = self._redo.last, self._redo.size
        first, needed = self._first_needed()
        known = {kept.id: kept.parts for kept in self._manifest.chunks}
        chunks = [self._chunks[chunk] for chunk in sorted(self._chunks)]
        plans = [self._plan(one, known.get(one.id, ())) for one in chunks if one.newest.cid]

        def durable() -> None:
            self._write(plans, 0, Manifest(applied, self._last), first - 1, size - needed)

        self._redo.settle(durable)

    def _plan(self, chunk: Chunk, parts: tuple[Part, ...]) -> _Plan:
        """Capture a chunk as it is now."""
        version = chunk.newest
        parts = stays(parts, chunk.stored, version.rows)
        start = sum(part.rows for part in parts)
        new = None
        if start < version.rows:
            self._last += 1
            new = NewPart(self._last, behind(version.blocks, start))
        chunk.unstored = version.rows
        return _Plan(chunk, version.cid, chunk.schema, parts, new)

    def _write(
        self, plans: list[_Plan], at: int, manifest: Manifest, base: int, forgotten: int
    ) -> None:
        """One part, then the next one, so that syncs of the log come between; then the manifest."""
        if self._is_closed:
            return
        while at < len(plans) and plans[at].new is None:
            at += 1

        def job() -> None:
            if at < len(plans):
                plan = plans[at]
                assert plan.new is not None
                plan.parts = (*plan.parts, self._files.write_part(plan.new, plan.schema))
            else:
                self._files.write_manifest(whole)
                self._files.remove_others(whole)

        def done(error: OSError | None) -> None:
            if self._is_closed:
                return
            if error is not None:
                self._failed(error)
            elif at < len(plans):
                self._write(plans, at + 1, manifest, base, forgotten)
            else:
                self._finish(plans, whole, base, forgotten)

        kept = (KeptChunk(p.chunk.id, p.cid, p.chunk.schema_bytes, p.parts) for p in plans)
        whole = (
            Manifest(manifest.applied, manifest.last, tuple(kept)) if at == len(plans) else manifest
        )
        self._worker.submit(job, done)

    def _finish(self, plans: list[_Plan], manifest: Manifest, base: int, forgotten: int) -> None:
        self._manifest = manifest
        for plan in plans:
            plan.chunk.stored = plan.chunk.unstored
        self._redo.forget(base, self._redo.size - forgotten)
        self._is_busy = False
        self.count += 1
        if self._redo.size >= self._policy.log_bytes:
            self.start()

    def _wait(self) -> None:
        def due() -> None:
            self.start()
            self._wait()

        self._alarm = self._clock.call_later(self._policy.interval_s, due)
