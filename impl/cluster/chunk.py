"""One chunk in memory: versions that never change, and who may change it next.

A version is what the transactions up to one commit id (cid) made of it. On a chunk they follow one
another, so that a version holds what all earlier ones did.
"""

from collections import deque
from collections.abc import Collection, Iterator
from typing import Generic, NamedTuple, TypeVar

import pyarrow as pa

from ..client.errors import OVERLOADED, RequestError
from .changes import Blocks, Changed, rows_of

KEPT_S = 10.0
"""A version is there this long after the next one."""

KEPT_MAX = 256
KEPT_BYTES = 64 << 20
"""At most so many versions, and so many bytes that the newer ones do not share; but always two."""

SNAPSHOT_GONE = "SnapshotGone"
"""The reader's moment is too long ago: read again, at a newer one."""

T = TypeVar("T")


class Version(NamedTuple):
    """The rows after the transaction of that cid, and until when they were the newest."""

    cid: int
    blocks: Blocks
    rows: int
    replaced_ns: int | None = None
    own_bytes: int = 0
    """Of its blocks that the version after it does not share."""


class Chunk:
    """The versions of a chunk. `stored` of its first rows are in the files of a checkpoint."""

    # Invariant: cids ascend; the last version is the newest; stored <= its rows.
    # Invariant: _own_bytes is the sum of those of all versions.

    def __init__(self, chunk: int, schema_bytes: bytes, schema: pa.Schema) -> None:
        self.id = chunk
        self.schema_bytes = schema_bytes
        self.schema = schema
        self.versions: list[Version] = [Version(0, (), 0)]
        self._own_bytes = 0
        self.stored = 0
        self.unstored = 0
        """As `stored`, for the checkpoint that is under way."""

    @property
    def newest(self) -> Version:
        """What the next transaction builds upon."""
        return self.versions[-1]

    def restore(self, cid: int, blocks: Blocks) -> None:
        """Begin with what a checkpoint holds."""
        rows = rows_of(blocks)
        self.versions = [Version(cid, blocks, rows)]
        self._own_bytes = 0
        self.stored = rows

    def install(self, cid: int, changed: Changed, now_ns: int) -> None:
        """A transaction is committed."""
        last = self.versions[-1]
        assert cid > last.cid
        own_bytes = _own_bytes(last.blocks, changed.blocks)
        self._own_bytes += own_bytes
        self.versions[-1] = Version(last.cid, last.blocks, last.rows, now_ns, own_bytes)
        self.versions.append(Version(cid, changed.blocks, rows_of(changed.blocks)))
        self.stored = min(self.stored, changed.kept)
        self.unstored = min(self.unstored, changed.kept)
        self._forget(now_ns)

    def seen(self, cid: int, excluded: Collection[int]) -> Version:
        """What a reader sees of the moment after `cid`, without what was not complete by then.

        No transaction commits on a chunk of another one that is not complete, so that nothing is
        built upon what is left out. Raises RequestError where the version is not kept any more.
        """
        newest_first: Iterator[Version] = reversed(self.versions)
        for version in newest_first:
            if version.cid <= cid and version.cid not in excluded:
                return version
        raise gone(f"chunk {self.id} keeps nothing of moment {cid}")

    def _forget(self, now_ns: int) -> None:
        """The newest version may not be complete yet: the one before is needed, too."""
        kept = self.versions
        limit_ns = now_ns - int(KEPT_S * 1e9)
        first = 0
        while first < len(kept) - 2:
            version = kept[first]
            is_old = version.replaced_ns is not None and version.replaced_ns <= limit_ns
            if not is_old and len(kept) - first <= KEPT_MAX and self._own_bytes <= KEPT_BYTES:
                break
            self._own_bytes -= version.own_bytes
            first += 1
        if first:
            del kept[:first]


def _own_bytes(blocks: Blocks, newer: Blocks) -> int:
    shared = {id(block) for block in newer}
    return sum([block.nbytes for block in blocks if id(block) not in shared])


class Locks(Generic[T]):
    """Who holds which chunk, and who waits for it in which order."""

    def __init__(self, waiting_max: int) -> None:
        self._waiting_max = waiting_max
        self._holders: dict[int, T] = {}
        self._queues: dict[int, deque[T]] = {}

    def holder(self, chunk: int) -> T | None:
        """Whose it is."""
        return self._holders.get(chunk)

    def take(self, chunk: int, who: T) -> bool:
        """Have it, or wait for it; false: wait. Raises RequestError where too many do."""
        holder = self._holders.setdefault(chunk, who)
        if holder is who:
            return True
        queue = self._queues.setdefault(chunk, deque())
        if len(queue) >= self._waiting_max:
            raise busy(chunk)
        queue.append(who)
        return False

    def leave(self, chunk: int, who: T) -> T | None:
        """Neither have it nor wait for it; gives who has it now and had to wait."""
        queue = self._queues.get(chunk)
        if self._holders.get(chunk) is not who:
            if queue is not None and who in queue:
                queue.remove(who)
            return None
        del self._holders[chunk]
        if not queue:
            self._queues.pop(chunk, None)
            return None
        heir = queue.popleft()
        self._holders[chunk] = heir
        return heir


def busy(chunk: int) -> RequestError:
    """The answer where others have had the chunk for too long."""
    message = f"other transactions are under way on chunk {chunk}; nothing was done"
    return RequestError(OVERLOADED, True, message)


def gone(message: str) -> RequestError:
    """The answer to who has to read at another moment."""
    return RequestError(SNAPSHOT_GONE, True, message)
