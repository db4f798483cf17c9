"""Commands for catalogs in tests, with what does not matter filled in."""

from typing import Any

from delphic.impl.client.errors import RequestError
from delphic.impl.cluster.catalog import Catalog
from delphic.impl.cluster.commands import Begin, Command, Ddl, Statement
from delphic.impl.cluster.operations import Operation, Scheme, mark_of
from delphic.impl.hashing import NOBODY
from delphic.impl.replication.tasks import TaskMeta

DB = "dfs://db"
NODES = ("n1", "n2")
SCHEME = Scheme("VALUE", "int64", (1, 2))
LAYOUT = mark_of(SCHEME, "k")
HASH = NOBODY


def ddl(
    operation: Operation,
    database: str = DB,
    table: str = "",
    *,
    user: str | None = None,
    applied: int | None = None,
    keys: tuple[str, ...] = (),
) -> Ddl:
    makes = operation in (Operation.CREATE_DOMAIN, Operation.CREATE_PARTITIONED_TABLE)
    scheme = SCHEME if makes else None
    statement = Statement(operation, database, table, scheme, b"schema", "k", keys)
    return Ddl(user, "n1", "127.0.0.1", 1, statement, applied, 7)


def begin(
    *keys: str,
    table: str = "t",
    user: str | None = None,
    applied: int | None = None,
    operation: Operation = Operation.APPEND,
    every: bool = False,
    layout: int = LAYOUT,
) -> Begin:
    wanted = None if every else keys
    return Begin(user, "n1", operation, DB, table, wanted, layout, applied, NODES)


def meta(tid: int, *chunks: str, table: str = "t") -> TaskMeta:
    return TaskMeta(tid, Operation.APPEND, DB, table, chunks, "127.0.0.1", 1, 7)


def do(catalog: Catalog, command: Command) -> Any:
    """Apply what is not refused."""
    told = catalog.apply(command)
    assert not isinstance(told, RequestError), told
    return told


def refusal(catalog: Catalog, command: Command) -> str:
    """The name of the refusal of what is refused; it is definite."""
    told = catalog.apply(command)
    assert isinstance(told, RequestError), told
    assert told.definite
    return told.name


def made(**options: Any) -> Catalog:
    """A catalog with a database and a table."""
    catalog = Catalog(**options)
    do(catalog, ddl(Operation.CREATE_DOMAIN))
    do(catalog, ddl(Operation.CREATE_PARTITIONED_TABLE, table="t"))
    return catalog
