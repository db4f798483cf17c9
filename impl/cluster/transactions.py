"""Transactions as the catalog knows them: begun, decided once, complete (two-phase commit).

The decision is an entry of the controllers' log, and nothing else is. An entry commits all of a
transaction or nothing, and cids grow in the order of commits. While a committed transaction is not
complete, no other one commits on its chunks: whoever reads leaves it out, and would otherwise leave
out a part of what came after it.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from msgspec.structs import replace

from ..client.errors import ABORTED, BAD_REQUEST, BUSY, FORGOTTEN, OVERLOADED, RequestError
from .catalog_state import CatalogState, Placed, Table, Transaction
from .commands import Begin, Commit, Complete
from .operations import Operation
from .seat import Seat

OPEN_MAX = 10_000
"""Transactions that are not over; more are refused as Overloaded."""

DECIDED_MAX = 10_000
"""How many that are over are remembered; who asks later about one is told that it is forgotten."""


class Transactions:
    """A part of the catalog.

    # Invariant: `open` holds the transactions that are not over, by tid, in that order.
    """

    def __init__(self, state: CatalogState, seat: Seat) -> None:
        self.next_tid = state.next_tid
        self.next_cid = state.next_cid
        self.open = state.transactions
        self._decided = state.decided
        self._seat = seat
        # Chunks of committed transactions that are not complete, with their tids.
        self._held = {
            chunk.id: txn.tid for txn in self.open.values() if txn.cid for chunk in txn.chunks
        }

    def take_tid(self) -> int:
        """The next number."""
        tid, self.next_tid = self.next_tid, self.next_tid + 1
        return tid

    def refuse_more(self) -> RequestError | None:
        """Whether there are too many already."""
        if len(self.open) < OPEN_MAX:
            return None
        return RequestError(OVERLOADED, True, f"{len(self.open)} transactions are not over")

    def begin(self, command: Begin, chunks: Iterable[Placed]) -> Transaction:
        """One more."""
        txn = Transaction(
            self.take_tid(),
            command.coordinator,
            command.operation,
            command.database,
            command.table,
            tuple(chunks),
            self._seat.replicates(command.database),
            command.applied,
        )
        self.open[txn.tid] = txn
        return txn

    def commit(self, command: Commit, living: Collection[int]) -> int | RequestError:
        """Decide; gives the cid. `living`: the chunks that there are."""
        txn = self.open.get(command.tid)
        if txn is None:
            return self._decided.get(command.tid, 0) or self._no_cid(command.tid)
        if txn.cid:
            return txn.cid
        if any(chunk.id not in living for chunk in txn.chunks):
            self._end(txn)
            return RequestError(ABORTED, True, f"what transaction {txn.tid} writes was dropped")
        holder = self.holder(chunk.id for chunk in txn.chunks)
        if holder:
            return RequestError(BUSY, True, f"transaction {holder} is not complete")
        meta = command.meta
        if meta is not None and not _fits(txn, meta.tid, meta.database, meta.table):
            return RequestError(BAD_REQUEST, True, f"that is not about transaction {txn.tid}")
        if txn.applied is None:
            # Replication may have been started, or have reached this database, since it began.
            refusal = self._seat.refusal(txn.database, None)
        else:
            refusal = self._seat.recorded(txn.applied)
        if refusal is not None:
            self._end(txn)
            return refusal
        cid, self.next_cid = self.next_cid, self.next_cid + 1
        # Nothing was written without chunks: there is nothing to repeat.
        self.open[txn.tid] = replace(txn, cid=cid, meta=meta if txn.chunks else None)
        self._held.update({chunk.id: txn.tid for chunk in txn.chunks})
        return cid

    def complete(self, command: Complete) -> int | RequestError:
        """All participants have it; gives the id of the task that it becomes, or 0."""
        txn = self.open.get(command.tid)
        if txn is None:
            return 0 if self._decided.get(command.tid) else self._no_cid(command.tid)
        if not txn.cid:
            return RequestError(BAD_REQUEST, True, f"transaction {txn.tid} is not committed")
        self._end(txn)
        if txn.applied is not None:
            self._seat.finished(txn.applied, txn.coordinator, command.at_ns)
        return 0 if txn.meta is None else self._seat.completed(txn.meta, txn.flagged)

    def abort(self, tid: int) -> RequestError | None:
        """Decide that it never happens; nothing for one of which that is known."""
        if self._is_forgotten(tid):
            return self._no_cid(tid)
        txn = self.open.get(tid)
        if (txn is not None and txn.cid) or self._decided.get(tid):
            return RequestError(BAD_REQUEST, True, f"transaction {tid} is committed")
        if txn is not None:
            self._end(txn)
        return None

    def outcome(self, tid: int) -> list[Any]:
        """What coordinators are told, and participants that hold a prepared transaction.

        A forgotten one may have been committed, so that its coordinator knows no more than before.
        For a participant it was aborted: a committed one is complete before it is forgotten, and
        complete once all participants hold it no more, who never prepare anything twice.
        """
        if self._is_forgotten(tid):
            return ["forgotten"]
        txn = self.open.get(tid)
        cid = self._decided.get(tid, 0) if txn is None else txn.cid
        if cid:
            return ["committed", cid]
        return ["aborted"] if txn is None else ["open"]

    def holder(self, chunks: Iterable[int]) -> int:
        """A transaction that is committed, not complete, and has one of these; 0 if none is."""
        return next((self._held[chunk] for chunk in chunks if chunk in self._held), 0)

    def excluded(self, database: str, table: str) -> list[int]:
        """The cids in a table that no reader may see yet."""
        return sorted(
            txn.cid
            for txn in self.open.values()
            if txn.cid and (txn.database, txn.table) == (database, table)
        )

    def save(self, state: CatalogState) -> None:
        """Put it into a checkpoint."""
        state.next_tid, state.next_cid = self.next_tid, self.next_cid
        state.transactions, state.decided = self.open, self._decided

    def _is_forgotten(self, tid: int) -> bool:
        """Whether it was decided, and nobody knows how."""
        return tid < self.next_tid and tid not in self.open and tid not in self._decided

    def _no_cid(self, tid: int) -> RequestError:
        """Of a transaction that is not open, and has no cid that is known."""
        if self._is_forgotten(tid):
            message = f"transaction {tid} was decided long ago, and is forgotten"
            return RequestError(FORGOTTEN, False, message)
        return RequestError(ABORTED, True, f"transaction {tid} was aborted")

    def _end(self, txn: Transaction) -> None:
        """It is over; `txn.cid` says how."""
        del self.open[txn.tid]
        if txn.cid:
            for chunk in txn.chunks:
                del self._held[chunk.id]
        self._decided[txn.tid] = txn.cid
        while len(self._decided) > DECIDED_MAX:
            del self._decided[next(iter(self._decided))]


def existing(table: Table, keys: Iterable[str] | None) -> Mapping[str, Placed]:
    """The chunks of these partitions that there are; with None, of all."""
    names = sorted(table.chunks) if keys is None else [key for key in keys if key in table.chunks]
    return {name: table.chunks[name] for name in names}


def makes_chunks(operation: Operation) -> bool:
    """Whether rows may come to partitions that have none."""
    return operation in (Operation.APPEND, Operation.UPSERT)


def _fits(txn: Transaction, tid: int, database: str, table: str) -> bool:
    return (txn.tid, txn.database, txn.table) == (tid, database, table)
