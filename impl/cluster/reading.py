"""Reads a table as it was at one moment, chunk by chunk, wherever the chunks are.

The moment is the controllers' (`snapshot`): after every transaction that was complete by then, and
before all others. What cannot be had at that moment any more is read again at a newer one.
"""

from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from ..client.errors import FRAME_TOO_LARGE, RequestError
from ..runtime import Clock
from ..service.forwarding import Ask
from ..stream.schema import from_bytes, to_bytes
from .chunk import SNAPSHOT_GONE
from .contract import Answer, Controllers, Place, Snapshot, definite, understood, unreachable
from .filters import compiled, field_of, refused
from .operations import Filter
from .participant import READ, Page, Wanted

READ_S = 10.0
"""A read may begin anew for so long."""

PAUSE_S = 0.02
PAGE_S = 5.0


@dataclass(frozen=True, slots=True)
class Query:
    """What is wanted: these columns, in partitions' order; none: all columns; None: a number.

    `limit` None: all rows. `user` None: where nobody has to log in.
    """

    user: str | None
    database: str
    table: str
    columns: tuple[str, ...] | None
    filter: Filter
    limit: int | None = None


@dataclass(slots=True, eq=False)
class _Read:
    """A read, from being asked for to its answer."""

    query: Query
    answer: Answer
    until_ns: int
    moment: Snapshot
    schema: pa.Schema
    """Of what is answered."""
    columns: tuple[str, ...] | None
    left: list[Place] = field(default_factory=list)
    """Chunks that are still to be read, the last one first."""
    count: int = 0
    batches: list[bytes] = field(default_factory=list)
    size: int = 0
    unknown: set[int] = field(default_factory=set)
    """Chunks in which nothing ever was, or which are no more."""

    @property
    def is_enough(self) -> bool:
        """Whether no more rows are wanted."""
        return self.query.limit is not None and self.count >= self.query.limit


class Reading:
    """Of one data node. Calls belong to its event loop. Errors of reads are definite."""

    def __init__(
        self, clock: Clock, controllers: Controllers, ask: Ask, answer_bytes_max: int
    ) -> None:
        self._clock = clock
        self._controllers = controllers
        self._ask = ask
        self._bytes_max = answer_bytes_max

    def read(self, query: Query, answer: Answer) -> None:
        """Answers `{schema, batches}` in Arrow IPC form, or the number of rows."""
        self._begin(query, answer, self._clock.now_ns() + int(READ_S * 1e9))

    def _begin(self, query: Query, answer: Answer, until_ns: int) -> None:
        def found(told: Any) -> None:
            moment = understood(Snapshot, told)
            if isinstance(moment, RequestError):
                answer(definite(moment))
                return
            try:
                schema, columns = _columns(query, from_bytes(moment.schema))
            except RequestError as error:
                answer(error)
                return
            self._start(_Read(query, answer, until_ns, moment, schema, columns))

        self._controllers.ask("snapshot", (query.user, query.database, query.table), found)

    def _start(self, read: _Read) -> None:
        """From the first chunk on, with nothing read yet."""
        chunks = read.moment.chunks
        read.left = [chunks[key] for key in sorted(chunks, reverse=True)]
        read.count = read.size = 0
        read.batches.clear()
        read.unknown.clear()
        self._next(read)

    def _next(self, read: _Read) -> None:
        if not read.left or read.is_enough:
            self._check(read)
            return
        chunk, _ = read.left[-1]
        self._page(read, Wanted(
            chunk=chunk,
            cid=read.moment.cid,
            excluded=read.moment.excluded,
            filter=read.query.filter,
            columns=read.columns,
        ))  # fmt: skip

    def _page(self, read: _Read, wanted: Wanted) -> None:
        """Some rows of the chunk that is last in `left`."""
        _, node = read.left[-1]

        def came(told: Any) -> None:
            page = understood(Page, told)
            if isinstance(page, RequestError):
                self._failed(read, page)
            else:
                self._took(read, wanted, page)

        self._ask(node, READ, (wanted,), came, unreachable(node), PAGE_S)

    def _took(self, read: _Read, wanted: Wanted, page: Page) -> None:
        if not page.is_known:
            read.unknown.add(wanted.chunk)
        read.count += page.count
        read.batches += page.batches
        read.size += sum(len(batch) for batch in page.batches)
        if read.size > self._bytes_max:
            message = "the rows are more than maxFrameSize; filter them, or give a limit"
            read.answer(RequestError(FRAME_TOO_LARGE, True, message))
            return
        if page.next is None or read.is_enough:
            read.left.pop()
            self._next(read)
            return
        # That version is the moment's: nothing has to be left out of it any more.
        self._page(read, Wanted(
            chunk=wanted.chunk,
            cid=page.version,
            excluded=(),
            filter=wanted.filter,
            columns=wanted.columns,
            start=page.next,
        ))  # fmt: skip

    def _failed(self, read: _Read, error: RequestError) -> None:
        if error.name != SNAPSHOT_GONE or self._clock.now_ns() > read.until_ns:
            read.answer(definite(error))
            return
        self._again(read)

    def _again(self, read: _Read) -> None:
        query, answer, until_ns = read.query, read.answer, read.until_ns
        self._clock.call_later(PAUSE_S, lambda: self._begin(query, answer, until_ns))

    def _check(self, read: _Read) -> None:
        """A chunk of which nobody knows anything may have been dropped meanwhile."""
        if not read.unknown:
            self._end(read)
            return

        def found(told: Any) -> None:
            now = understood(Snapshot, told)
            if isinstance(now, RequestError):
                read.answer(definite(now))
            elif read.unknown <= {chunk for chunk, _ in now.chunks.values()}:
                self._end(read)
            else:
                self._again(read)

        query = read.query
        self._controllers.ask("snapshot", (query.user, query.database, query.table), found)

    def _end(self, read: _Read) -> None:
        if read.columns is None:
            read.answer(read.count)
            return
        batches = read.batches
        limit = read.query.limit
        if limit is not None and read.count > limit:
            batches = _cut(batches, read.schema, limit)
        read.answer({"schema": to_bytes(read.schema), "batches": batches})


def _columns(query: Query, schema: pa.Schema) -> tuple[pa.Schema, tuple[str, ...] | None]:
    """What is answered; raises RequestError."""
    compiled(query.filter, schema)
    if query.limit is not None and query.limit < 0:
        raise refused("a limit is not negative")
    if query.columns is None:
        return schema, None
    names = query.columns or tuple(schema.names)
    if len(set(names)) < len(names):
        raise refused("each column is given once")
    return pa.schema([field_of(schema, name) for name in names]), names


def _cut(batches: list[bytes], schema: pa.Schema, limit: int) -> list[bytes]:
    """The first rows of them."""
    kept: list[bytes] = []
    for body in batches:
        batch = pa.ipc.read_record_batch(pa.py_buffer(body), schema)
        if batch.num_rows > limit:
            body = batch.slice(0, limit).serialize().to_pybytes()
        if limit:
            kept.append(body)
        limit = max(0, limit - batch.num_rows)
    return kept
