"""What slaves have been told to make, so that no task is about what they cannot have or make."""

from collections.abc import Iterable

from .commands import Statement
from .operations import Operation


class Introduced:
    """A part of the catalog.

    `names`: databases and tables (`dfs://db/t`) that slaves have, or will; whether that is the one
    of this name here, or one that was dropped here without them.
    """

    def __init__(self, names: dict[str, bool]) -> None:
        self.names = names

    def heard(self, statement: Statement, *, is_task: bool) -> None:
        """A metadata operation was executed here; slaves hear of it if it is a task."""
        match statement.operation:
            case Operation.CREATE_DOMAIN if is_task:
                self.names[statement.database] = True
            case Operation.CREATE_PARTITIONED_TABLE if is_task:
                self.names[_name(statement.database, statement.table)] = True
            case Operation.DROP_TABLE:
                self._dropped((_name(statement.database, statement.table),), is_task)
            case Operation.DROP_DB:
                inside = _name(statement.database, "")
                tables = [name for name in self.names if name.startswith(inside)]
                self._dropped((statement.database, *tables), is_task)

    def _dropped(self, names: Iterable[str], is_task: bool) -> None:
        for name in names:
            if is_task:
                self.names.pop(name, None)
            elif name in self.names:
                self.names[name] = False

    def has(self, database: str) -> bool:
        """Whether slaves have a database of this name."""
        return database in self.names

    def refuses_on(self, database: str, tables: Iterable[str], *, is_told: bool) -> str:
        """Why a database with these tables cannot be switched on; empty if it can (U5).

        `is_told`: slaves would be told to make it.
        """
        if self.names.get(database) is False:
            return _left(database)
        for table in tables:
            known = self.names.get(_name(database, table))
            if known is False:
                return _left(_name(database, table))
            if known is None or not self.has(database):
                return f"{database} has tables already, which nothing would copy: {table}"
        return "" if is_told or self.has(database) else _untold(database)

    def refuses(self, statement: Statement, *, is_told: bool) -> str:
        """Why a metadata operation is none for a database that is on; empty if it is.

        What slaves cannot repeat, or are not told although what comes after it needs it.
        """
        if statement.operation is not Operation.CREATE_PARTITIONED_TABLE:
            return ""
        name = _name(statement.database, statement.table)
        if self.names.get(name) is False:
            return _left(name)
        return "" if is_told else _untold(name)


def _name(database: str, table: str) -> str:
    return f"{database}/{table}"


def _left(name: str) -> str:
    return f"slaves still have the {name} that was dropped here without them: take another name"


def _untold(name: str) -> str:
    return (
        f"slaves would never be told of {name}: replication is stopped on this master; call "
        "startClusterReplication first"
    )
