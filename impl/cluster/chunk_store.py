"""The chunks of one data node: transactions prepared durably, then committed or aborted as decided.

A transaction holds its chunks from `prepare` to its end, so that there is one after another on a
chunk; who waits does so in order, and not for long. What it does is computed before it is logged:
once it is prepared nothing can go wrong any more, and every recovery computes the same. Whoever
reads meets versions that never change.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pyarrow as pa

from ..client.errors import ABORTED, BAD_REQUEST, OVERLOADED, RequestError
from ..raft.disk import Disk
from ..runtime import Alarm, Clock, Worker
from ..stream.schema import SchemaError, from_bytes
from .changes import Changed, Work, apply
from .checkpoint import CheckpointPolicy, Checkpoints
from .chunk import Chunk, Locks, Version, busy
from .chunk_files import ChunkFiles
from .chunk_records import Aborted, Committed, Dropped, Prepared, encode
from .chunk_recovery import recover
from .redo import Redo

LOCK_S = 5.0
"""A transaction waits at most so long for the chunks that others have."""

WAITING_MAX = 64
"""Transactions that wait for one chunk."""

OPEN_MAX = 10_000
OPEN_BYTES_MAX = 1 << 30
"""Transactions that are under way on this node; more are refused."""

Answer = Callable[[Any], None]
"""Called once with the result, or with the RequestError that it ended in."""

EVERY_NOW_AND_THEN = CheckpointPolicy()


@dataclass(slots=True, eq=False)
class Open:
    """A transaction's part here, from being asked for to its end."""

    prepared: Prepared
    size: int
    answer: Answer
    since_ns: int
    payload: bytes = b""
    """The record, until it is logged."""
    changed: dict[int, Changed] = field(default_factory=dict)
    index: int = 0
    """Of its record in the redo log; 0: it waits for chunks."""
    is_durable: bool = False
    patience: Alarm | None = None


class ChunkStore:
    """All chunks of a node. `open` it first; calls belong to the node's event loop."""

    # Invariant: who is logged (`index`) holds all its chunks.

    def __init__(
        self,
        disk: Disk,
        folder: str,
        clock: Clock,
        worker: Worker,
        failed: Callable[[str], None],
        policy: CheckpointPolicy = EVERY_NOW_AND_THEN,
    ) -> None:
        """`failed` is told when the disk is not to be trusted any more."""
        self._clock = clock
        self._failed = failed
        self._files = ChunkFiles(disk, f"{folder}/chunks")
        self.redo = Redo(disk, f"{folder}/redo", clock, worker, self._fail)
        self._chunks: dict[int, Chunk] = {}
        self._open: dict[int, Open] = {}
        self._open_bytes = 0
        self._locks: Locks[Open] = Locks(WAITING_MAX)
        self.checkpoints = Checkpoints(
            self._files,
            self.redo,
            clock,
            worker,
            self._chunks,
            self._first_needed,
            self._fail,
            policy,
        )
        self._is_closed = False

    def open(self) -> None:
        """Recover; raises OSError, WalCorruption, ChunkFileError, or RecordError.

        What is prepared and not decided stays so until somebody tells (`in_doubt`).
        """
        manifest = self._files.open()
        self._files.remove_others(manifest)
        found = recover(manifest, self._files, self.redo.open())
        self._chunks.update(found.chunks)
        self.checkpoints.begin(manifest)
        now_ns = self._clock.now_ns()
        for index, prepared, size in found.prepared.values():
            kept = Open(prepared, size, _nobody, now_ns, index=index, is_durable=True)
            self._open[prepared.tid] = kept
            self._open_bytes += size
            for work in prepared.works:
                taken = self._locks.take(work.chunk, kept)
                assert taken, "two transactions were prepared on one chunk"
            refusal = self._compute(kept)
            assert refusal is None, f"what was prepared cannot be done: {refusal}"

    def close(self) -> None:
        """Give the files back; calls under way are not answered, their connections end."""
        self._is_closed = True
        self.checkpoints.close()
        self.redo.close()

    @property
    def chunks(self) -> list[int]:
        """All that there is something of."""
        return sorted(self._chunks)

    def rows(self, chunk: int) -> int:
        """How many the newest version has."""
        return self._chunks[chunk].newest.rows if chunk in self._chunks else 0

    def in_doubt(self, older_s: float = 0.0) -> list[Prepared]:
        """What has been prepared for so long, and not been decided; by tid."""
        limit_ns = self._clock.now_ns() - int(older_s * 1e9)
        kept = (self._open[tid] for tid in sorted(self._open))
        return [one.prepared for one in kept if one.is_durable and one.since_ns <= limit_ns]

    @property
    def open_count(self) -> int:
        """Transactions that wait or are prepared."""
        return len(self._open)

    # Transactions.

    def prepare(self, tid: int, coordinator: str, works: Sequence[Work], answer: Answer) -> None:
        """Answers with the number of rows that each work is about, once the node can do them all.

        Until its end nobody else changes these chunks. Every failure is definite.
        """
        ordered = tuple(sorted(works, key=lambda work: work.chunk))
        if not ordered or len({work.chunk for work in ordered}) < len(ordered) or tid in self._open:
            message = f"transaction {tid} is known here, or does nothing, or two things to a chunk"
            answer(RequestError(BAD_REQUEST, True, message))
            return
        prepared = Prepared(tid, coordinator, ordered)
        payload = encode(prepared)
        if len(self._open) >= OPEN_MAX or self._open_bytes + len(payload) > OPEN_BYTES_MAX:
            answer(RequestError(OVERLOADED, True, "too many transactions are under way here"))
            return
        asked = Open(prepared, len(payload), answer, self._clock.now_ns(), payload)
        self._open[tid] = asked
        self._open_bytes += len(payload)
        self._go_on(asked)

    def commit(self, tid: int, cid: int, answer: Answer) -> None:
        """It was decided: the part is done. Answers None once that is durable, each time."""
        known = self._open.get(tid)
        if known is not None and not known.index:
            answer(RequestError(BAD_REQUEST, True, f"transaction {tid} is not prepared here"))
            return
        if known is None:
            self.redo.settle(lambda: answer(None))
            return
        now_ns = self._clock.now_ns()
        for chunk, changed in known.changed.items():
            self._chunks[chunk].install(cid, changed, now_ns)
        self.redo.append(encode(Committed(tid, cid)), lambda: answer(None))
        self._end(known)
        self.checkpoints.changed()

    def abort(self, tid: int, answer: Answer) -> None:
        """It was decided: the part is not done. Answers None, each time."""
        known = self._open.get(tid)
        if known is None:
            self.redo.settle(lambda: answer(None))
            return
        if known.index:
            self.redo.append(encode(Aborted(tid)), lambda: answer(None))
        else:
            answer(None)
        is_unanswered = not known.is_durable
        self._end(known)
        if is_unanswered:
            known.answer(RequestError(ABORTED, True, f"transaction {tid} was aborted"))
        if known.index:
            self.checkpoints.changed()

    def drop(self, chunks: Collection[int], answer: Answer) -> None:
        """These are no more, nor will be; answers None once that is durable, each time."""
        known = tuple(sorted(set(chunks) & self._chunks.keys()))
        if not known:
            self.redo.settle(lambda: answer(None))
            return
        for chunk in known:
            del self._chunks[chunk]
            holder = self._locks.holder(chunk)
            if holder is not None:
                holder.changed.pop(chunk, None)
        self.redo.append(encode(Dropped(known)), lambda: answer(None))
        self.checkpoints.changed()

    # Readers.

    def seen(self, chunk: int, cid: int, excluded: Collection[int]) -> Version | None:
        """What a reader sees of a moment; None where nothing ever was. Raises RequestError.

        A chunk in which nothing was committed may be a dropped one that a late write made anew.
        """
        known = self._chunks.get(chunk)
        return None if known is None or not known.newest.cid else known.seen(cid, excluded)

    def schema(self, chunk: int) -> pa.Schema:
        """The columns of a chunk that there is."""
        return self._chunks[chunk].schema

    # One after another.

    def _go_on(self, asked: Open) -> None:
        """Take the chunks that are still missing, then do the work."""
        try:
            for work in asked.prepared.works:
                if not self._locks.take(work.chunk, asked):
                    if asked.patience is None:
                        late = partial(self._refuse, asked, busy(work.chunk))
                        asked.patience = self._clock.call_later(LOCK_S, late)
                    return
        except RequestError as error:
            self._refuse(asked, error)
            return
        refusal = self._compute(asked)
        if refusal is not None:
            self._refuse(asked, refusal)
            return
        if asked.patience is not None:
            asked.patience.cancel()
        asked.index = self.redo.append(asked.payload, partial(self._voted, asked))
        asked.payload = b""

    def _compute(self, asked: Open) -> RequestError | None:
        """What the works make of their chunks; the reason where that cannot be."""
        try:
            for work in asked.prepared.works:
                known = self._chunks.get(work.chunk)
                if known is None:
                    known = Chunk(work.chunk, bytes(work.schema), from_bytes(bytes(work.schema)))
                    self._chunks[work.chunk] = known
                elif known.schema_bytes != work.schema:
                    message = f"chunk {work.chunk} has other columns"
                    return RequestError(BAD_REQUEST, True, message)
                asked.changed[work.chunk] = apply(work.change, known.schema, known.newest.blocks)
        except SchemaError as error:
            return RequestError(BAD_REQUEST, True, str(error))
        except RequestError as error:
            return error
        return None

    def _voted(self, asked: Open) -> None:
        asked.is_durable = True
        asked.since_ns = self._clock.now_ns()
        tid, works = asked.prepared.tid, asked.prepared.works
        if self._open.get(tid) is not asked:
            return
        if all(work.chunk in asked.changed for work in works):
            asked.answer([asked.changed[work.chunk].affected for work in works])
        else:
            # It was logged, and its coordinator aborts it.
            message = f"what transaction {tid} writes was dropped"
            asked.answer(RequestError(ABORTED, True, message))

    def _refuse(self, asked: Open, error: RequestError) -> None:
        self._end(asked)
        asked.answer(error)

    def _end(self, ended: Open) -> None:
        """Let others have its chunks; those in which nothing ever was are forgotten."""
        if ended.patience is not None:
            ended.patience.cancel()
        del self._open[ended.prepared.tid]
        self._open_bytes -= ended.size
        heirs: list[Open] = []
        for work in ended.prepared.works:
            heir = self._locks.leave(work.chunk, ended)
            known = self._chunks.get(work.chunk)
            if known is not None and not known.newest.cid and self._locks.holder(known.id) is None:
                del self._chunks[work.chunk]
            if heir is not None:
                heirs.append(heir)
        for heir in heirs:
            if self._open.get(heir.prepared.tid) is heir:
                self._go_on(heir)

    def _first_needed(self) -> tuple[int, int]:
        """The first record of the log that is not decided, or behind all; and their bytes."""
        logged = [one for one in self._open.values() if one.index]
        first = min([one.index for one in logged], default=self.redo.last + 1)
        return first, sum([one.size for one in logged])

    def _fail(self, error: OSError) -> None:
        self._is_closed = True
        self._failed(f"chunks: {error}")


def _nobody(_: Any) -> None:
    """Whoever asked has gone with the process that was asked."""
