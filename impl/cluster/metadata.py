"""Metadata operations: databases and tables that are made, and what is dropped of them."""

import re
from collections.abc import Mapping

from ..client.errors import (
    BAD_REQUEST,
    BUSY,
    DATABASE_EXISTS,
    NO_SUCH_DATABASE,
    NO_SUCH_TABLE,
    TABLE_EXISTS,
    RequestError,
)
from .catalog_state import Database, Placed, Table
from .commands import Statement
from .operations import Operation
from .placement import Placement
from .transactions import Transactions, existing

PATH = re.compile(r"dfs://[^\s/\\]{1,180}")
TABLE_NAME = re.compile(r"[^\W\d]\w{0,99}")


class Metadata:
    """A part of the catalog: `execute` changes all or nothing."""

    def __init__(
        self, databases: dict[str, Database], placement: Placement, transactions: Transactions
    ) -> None:
        self.databases = databases
        self._placement = placement
        self._transactions = transactions

    def execute(self, statement: Statement, *, is_again: bool = False) -> RequestError | None:
        """Do it, or say why not. `is_again`: a master did it before.

        Partitions that a master drops may be missing here: those of transactions that it aborted.
        """
        try:
            match statement.operation:
                case Operation.CREATE_DOMAIN:
                    self._create_database(statement)
                case Operation.CREATE_PARTITIONED_TABLE:
                    self._create_table(statement)
                case Operation.DROP_DB:
                    self._drop_database(statement.database)
                case Operation.DROP_TABLE:
                    tables = self.database(statement.database).tables
                    self._drop(self.table(statement.database, statement.table).chunks)
                    del tables[statement.table]
                case Operation.TRUNCATE_TABLE:
                    table = self.table(statement.database, statement.table)
                    self._drop(table.chunks)
                    table.chunks = {}
                case Operation.DROP_PARTITION:
                    self._drop_partitions(statement, is_again=is_again)
                case _:
                    raise _refused(f"{statement.operation} is no metadata operation")
        except RequestError as refusal:
            return refusal
        return None

    def database(self, path: str) -> Database:
        """Raises RequestError if there is none."""
        found = self.databases.get(path)
        if found is None:
            raise RequestError(NO_SUCH_DATABASE, True, f"there is no database {path}")
        return found

    def table(self, path: str, name: str) -> Table:
        """Raises RequestError if there is none."""
        found = self.database(path).tables.get(name)
        if found is None:
            raise RequestError(NO_SUCH_TABLE, True, f"{path} has no table {name}")
        return found

    def _create_database(self, statement: Statement) -> None:
        path = statement.database
        if not PATH.fullmatch(path):
            raise _refused(f"want dfs:// and a name without spaces and slashes, got {path!r}")
        if statement.scheme is None:
            raise _refused(f"{path}: it is not said how it is partitioned")
        if path in self.databases:
            raise RequestError(DATABASE_EXISTS, True, f"there is already a database {path}")
        self.databases[path] = Database(statement.scheme, {})

    def _create_table(self, statement: Statement) -> None:
        path, name = statement.database, statement.table
        database = self.database(path)
        tables = database.tables
        if not TABLE_NAME.fullmatch(name):
            raise _refused(f"want a letter or _, then letters, digits or _, got {name!r}")
        if name in tables:
            raise RequestError(TABLE_EXISTS, True, f"{path} has already a table {name}")
        if statement.scheme != database.scheme:
            raise _refused(f"{path} is partitioned in another way than {name} was made for")
        tables[name] = Table(statement.schema, statement.column, {})

    def _drop_database(self, path: str) -> None:
        tables = self.database(path).tables.values()
        self._drop({chunk.id: chunk for table in tables for chunk in table.chunks.values()})
        del self.databases[path]

    def _drop_partitions(self, statement: Statement, *, is_again: bool) -> None:
        table = self.table(statement.database, statement.table)
        missing = [key for key in statement.keys if key not in table.chunks]
        if not statement.keys or (missing and not is_again):
            raise _refused(f"{statement.table} has no partition {', '.join(missing[:10])}")
        found = existing(table, dict.fromkeys(statement.keys))
        self._drop(found)
        for key in found:
            del table.chunks[key]

    def _drop(self, chunks: Mapping[str, Placed] | Mapping[int, Placed]) -> None:
        """Refuses while something that is committed is on its way to them."""
        holder = self._transactions.holder(chunk.id for chunk in chunks.values())
        if holder:
            raise RequestError(BUSY, True, f"transaction {holder} is not complete")
        self._placement.drop(chunks.values())


def _refused(message: str) -> RequestError:
    return RequestError(BAD_REQUEST, True, message)
