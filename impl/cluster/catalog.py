"""The catalog of a cluster: databases, tables, chunks, transactions, users; without I/O.

A deterministic machine: the same commands give the same catalog on every controller, and the same
answers. Rows never pass through it. A command that makes no sense is refused, and changes nothing
but what its refusal says.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from ..client.errors import BAD_REQUEST, NOT_AUTHORIZED, OVERLOADED, RequestError
from ..replication.tasks import TaskMeta
from .catalog_state import CatalogState, Database, Placed
from .commands import (
    Abort,
    Begin,
    Command,
    Commit,
    Complete,
    Ddl,
    FirstUser,
    RemoveUser,
    Replicate,
    Right,
    SetFlag,
    SetRight,
    SetUser,
    Statement,
    Swept,
    encode_statement,
)
from .introduced import Introduced
from .metadata import Metadata
from .operations import Operation, mark_of
from .placement import Placement
from .rights import Rights
from .seat import Nobody, Seat
from .transactions import Transactions, existing, makes_chunks

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(CatalogState)

SeatOf = Callable[[bytes], Seat]
"""Makes the part that replicates from what it dumped; from nothing at the beginning."""


class Catalog:
    """`apply` commands in the order of the log; `dump` and `load` are for checkpoints."""

    def __init__(self, state: CatalogState | None = None, seat: Seat | None = None) -> None:
        state = CatalogState() if state is None else state
        self.seat: Seat = Nobody() if seat is None else seat
        self.rights = Rights(state.users)
        self.placement = Placement(state)
        self.transactions = Transactions(state, self.seat)
        self.metadata = Metadata(state.databases, self.placement, self.transactions)
        self.introduced = Introduced(state.introduced)

    @classmethod
    def load(cls, data: bytes, seat_of: SeatOf) -> "Catalog":
        """Undo `dump`; raises msgspec.DecodeError or UnicodeDecodeError."""
        state = _decoder.decode(data)
        return cls(state, seat_of(state.seat))

    def dump(self) -> bytes:
        """All of it."""
        state = CatalogState(
            databases=self.metadata.databases,
            users=self.rights.users,
            introduced=self.introduced.names,
            seat=self.seat.dump(),
        )
        self.placement.save(state)
        self.transactions.save(state)
        return _encoder.encode(state)

    def apply(self, command: Command) -> Any:
        """Execute; gives what the proposer is told: a plain value, or a RequestError."""
        match command:
            case Begin():
                return self._begin(command)
            case Commit():
                return self.transactions.commit(command, self.placement.living)
            case Complete():
                return self.transactions.complete(command)
            case Abort(tid=tid):
                return self.transactions.abort(tid)
            case Ddl():
                return self._ddl(command)
            case SetFlag():
                return self._set_flag(command)
            case SetUser():
                return self.rights.set(command)
            case RemoveUser():
                return self.rights.remove(command)
            case SetRight():
                return self.rights.grant(command)
            case FirstUser():
                return self.rights.begin(command)
            case Swept(node=node, chunks=chunks):
                return self.placement.swept(node, chunks)
            case Replicate(entry=entry):
                return self.seat.step(entry)

    # What is asked of it, without a change. Raises RequestError.

    def snapshot(self, user: str | None, path: str, name: str) -> dict[str, Any]:
        """What a reader of a table needs; see docs/cluster.md."""
        self._refuse(user, Right.DB_READ, path)
        return self._seen(path, name)

    def _seen(self, path: str, name: str) -> dict[str, Any]:
        table = self.metadata.table(path, name)
        return {
            "cid": self.transactions.next_cid - 1,
            "excluded": self.transactions.excluded(path, name),
            "schema": table.schema,
            "column": table.column,
            "scheme": msgspec.to_builtins(self.metadata.database(path).scheme),
            "chunks": _told(table.chunks),
            "replicates": self.seat.replicates(path),
        }

    def layout(self, user: str | None, path: str, name: str) -> dict[str, Any]:
        """As `snapshot`, for somebody who wants to write."""
        self._refuse(user, Right.DB_WRITE, path)
        return self._seen(path, name)

    def listed_users(self, by: str | None) -> list[dict[str, Any]]:
        """For administrators."""
        if not self.rights.is_admin(by):
            raise RequestError(NOT_AUTHORIZED, True, "only for administrators")
        return self.rights.names()

    def described(self, user: str | None, path: str) -> dict[str, Any]:
        """A database with all its tables."""
        self._refuse(user, Right.DB_READ, path)
        database = self.metadata.database(path)
        return {
            "scheme": msgspec.to_builtins(database.scheme),
            "clusterReplicationEnabled": self.seat.replicates(path),
            "tables": {
                name: {
                    "schema": table.schema,
                    "column": table.column,
                    "chunks": _told(table.chunks),
                }
                for name, table in sorted(database.tables.items())
            },
        }

    def listed(self) -> list[dict[str, Any]]:
        """All databases."""
        return [
            {
                "dbName": path,
                "enabled": self.seat.replicates(path),
                "tables": sorted(database.tables),
                "chunks": sum(len(table.chunks) for table in database.tables.values()),
            }
            for path, database in sorted(self.metadata.databases.items())
        ]

    # Commands.

    def _refuse(self, user: str | None, right: Right, path: str) -> None:
        refusal = self.rights.refusal(user, right, path)
        if refusal is not None:
            raise refusal

    def _begin(self, command: Begin) -> Any:
        try:
            self._refuse(command.user, Right.DB_WRITE, command.database)
            table = self.metadata.table(command.database, command.table)
        except RequestError as error:
            return error
        if not command.operation.is_write:
            return RequestError(BAD_REQUEST, True, f"{command.operation} writes no rows")
        refusal = self.seat.refusal(command.database, command.applied)
        refusal = refusal or self.transactions.refuse_more()
        if refusal is not None:
            return refusal
        scheme = self.metadata.database(command.database).scheme
        if command.layout != mark_of(scheme, table.column):
            # Before chunks are made that no row of this table can be in.
            return RequestError(OVERLOADED, True, "the table has just been replaced")
        if command.keys is not None and makes_chunks(command.operation):
            chunks = self.placement.chunks_for(table, command.keys, command.nodes)
        else:
            chunks = existing(table, command.keys)
        txn = self.transactions.begin(command, chunks.values())
        return {
            "tid": txn.tid,
            "chunks": _told(chunks),
            "schema": table.schema,
            "column": table.column,
            "scheme": msgspec.to_builtins(scheme),
            "replicates": txn.flagged,
        }

    def _ddl(self, command: Ddl) -> Any:
        statement, applied = command.statement, command.applied
        path = statement.database
        refusal = self.rights.refusal(command.user, Right.DB_MANAGE, path)
        refusal = refusal or self.seat.refusal(path, applied)
        flagged = self.seat.replicates(path)
        if refusal is None and flagged:
            why = self.introduced.refuses(statement, is_told=self.seat.is_on())
            refusal = RequestError(BAD_REQUEST, True, why) if why else None
        refusal = refusal or self.metadata.execute(statement, is_again=applied is not None)
        if refusal is not None:
            return refusal
        if applied is not None:
            self.seat.recorded(applied)
            self.seat.finished(applied, command.node, command.at_ns)
        meta = self._meta(statement, command)
        task = self.seat.completed(meta, flagged)
        self.introduced.heard(statement, is_task=task > 0)
        return {"tid": meta.tid, "task": task}

    def _set_flag(self, command: SetFlag) -> Any:
        """On an empty database it becomes a task that makes it (U5)."""
        if not self.rights.is_admin(command.user):
            return RequestError(NOT_AUTHORIZED, True, "only for administrators")
        try:
            database = self.metadata.database(command.database)
        except RequestError as refusal:
            return refusal
        path, is_told = command.database, self.seat.is_on()
        why = self.introduced.refuses_on(path, database.tables, is_told=is_told)
        if command.on and why:
            return RequestError(BAD_REQUEST, True, why)
        self.seat.set_flag(path, command.on)
        if command.on and not self.introduced.has(path):
            self._introduce(database, command)
        return None

    def _introduce(self, database: Database, command: SetFlag) -> None:
        path = command.database
        statement = Statement(Operation.CREATE_DOMAIN, path, scheme=database.scheme)
        task = self.seat.completed(self._meta(statement, command), True)
        self.introduced.heard(statement, is_task=task > 0)

    def _meta(self, statement: Statement, command: Ddl | SetFlag) -> TaskMeta:
        """A metadata operation as slaves are told of it: it concerns the whole database (G4)."""
        return TaskMeta(
            self.transactions.take_tid(),
            statement.operation,
            statement.database,
            statement.table,
            (),
            command.host,
            command.port,
            command.at_ns,
            encode_statement(statement),
        )


def _told(chunks: Any) -> dict[str, list[Any]]:
    """Key → id and data node."""
    found: dict[str, Placed] = dict(chunks)
    return {key: [chunk.id, chunk.node] for key, chunk in found.items()}
