"""A data node's part in transactions: what their coordinators ask, and what is in doubt."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import msgspec
import pyarrow as pa

from ..client.errors import RequestError
from ..runtime import Alarm, Clock
from ..service.call import Answer, Call, Function
from ..stream.table import fitting
from .changes import Work
from .chunk_store import ChunkStore
from .contract import is_forgotten, outcome_of
from .filters import compiled, field_of, refused
from .operations import Filter

PREPARE, COMMIT, ABORT = "chunkPrepare", "chunkCommit", "chunkAbort"
READ, DROP = "chunkRead", "chunkDrop"

DOUBT_S = 2.0
"""Who has been prepared for so long asks what was decided; and asks again."""

PAGE_ROWS = 65_536

Id = Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)]

AskOutcome = Callable[[int, Answer], None]
"""Ask the controllers what became of a transaction; see `outcome_of`."""


class Page(msgspec.Struct, frozen=True):
    """Some rows of a chunk, as they were at a moment; or how many there are.

    `version`: read on at that moment, from the row `next` on; None: that was all. `is_known`:
    whether there ever was anything.
    """

    is_known: bool
    version: int = 0
    count: int = 0
    batches: tuple[bytes, ...] = ()
    next: int | None = None


class Wanted(msgspec.Struct, frozen=True, array_like=True):
    """Which rows of a chunk: see ChunkStore.seen.

    `columns` None: none, only how many rows there are. `start` counts all rows of the chunk.
    """

    chunk: Id
    cid: Id
    excluded: tuple[Id, ...]
    filter: Filter
    columns: tuple[str, ...] | None
    start: Id = 0


class Participant:
    """Serves the peers of one data node."""

    def __init__(
        self, store: ChunkStore, clock: Clock, ask_outcome: AskOutcome, page_bytes: int
    ) -> None:
        """At most so many bytes of rows go into one answer, or one row."""
        self._store = store
        self._clock = clock
        self._ask_outcome = ask_outcome
        self._page_bytes = page_bytes
        self._asking: set[int] = set()
        self._alarm: Alarm | None = None

    def start(self) -> None:
        """Ask about what is in doubt, from now on."""
        self._resolve(0.0)

    def close(self) -> None:
        """Ask no more."""
        if self._alarm is not None:
            self._alarm.cancel()

    def functions(self) -> dict[str, Function]:
        """What peers call."""
        return {
            PREPARE: (tuple[Id, tuple[Work, ...]], self._prepare),
            COMMIT: (tuple[Id, Id], self._commit),
            ABORT: (tuple[Id], self._abort),
            READ: (tuple[Wanted], self._read),
            DROP: (tuple[tuple[Id, ...]], self._drop),
        }

    def _prepare(self, call: Call, tid: int, works: tuple[Work, ...]) -> None:
        self._store.prepare(tid, call.peer, works, call.answer)

    def _commit(self, call: Call, tid: int, cid: int) -> None:
        self._store.commit(tid, cid, call.answer)

    def _abort(self, call: Call, tid: int) -> None:
        self._store.abort(tid, call.answer)

    def _drop(self, call: Call, chunks: tuple[int, ...]) -> None:
        self._store.drop(chunks, call.answer)

    def _read(self, call: Call, wanted: Wanted) -> None:
        try:
            call.answer(self.read(wanted))
        except RequestError as error:
            call.answer(error)
        except pa.ArrowException as error:
            call.answer(refused(f"the filter cannot be computed: {error}"))

    def read(self, wanted: Wanted) -> Page:
        """One page; raises RequestError."""
        version = self._store.seen(wanted.chunk, wanted.cid, wanted.excluded)
        if version is None:
            return Page(is_known=False)
        schema = self._store.schema(wanted.chunk)
        mask = compiled(wanted.filter, schema)
        if wanted.columns is None:
            count = version.rows
            if wanted.filter:
                count = sum([mask(block).true_count for block in version.blocks])
            return Page(True, version.cid, count)
        for column in wanted.columns:
            field_of(schema, column)
        columns = list(wanted.columns)
        found: list[bytes] = []
        count = size = at = 0
        for block in version.blocks:
            start = max(0, wanted.start - at)
            while start < block.num_rows:
                ahead = block.slice(start, PAGE_ROWS)
                piece, _ = fitting(ahead.select(columns), self._page_bytes)
                piece = ahead.slice(0, max(1, piece.num_rows))
                chosen = piece.filter(mask(piece)) if wanted.filter else piece
                chosen = chosen.select(columns)
                body = b"" if not chosen.num_rows else _bytes(chosen)
                if found and size + len(body) > self._page_bytes:
                    following = at + start
                    return Page(True, version.cid, count, tuple(found), following)
                if body:
                    found.append(body)
                    count += chosen.num_rows
                    size += len(body)
                start += piece.num_rows
            at += block.num_rows
        return Page(True, version.cid, count, tuple(found))

    # What is in doubt.

    def _resolve(self, older_s: float = DOUBT_S) -> None:
        for prepared in self._store.in_doubt(older_s):
            tid = prepared.tid
            if tid not in self._asking:
                self._asking.add(tid)
                self._ask_outcome(tid, partial(self._decided, tid))
        self._alarm = self._clock.call_later(DOUBT_S / 2, self._resolve)

    def _decided(self, tid: int, told: Any) -> None:
        self._asking.discard(tid)
        cid = outcome_of(told)
        if cid:
            self._store.commit(tid, cid, _ignore)
        elif cid == 0 or is_forgotten(told):
            self._store.abort(tid, _ignore)


def _ignore(_: Any) -> None:
    """Nobody waits for it."""


def _bytes(batch: pa.RecordBatch) -> bytes:
    body: bytes = batch.serialize().to_pybytes()
    return body
