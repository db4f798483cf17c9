"""What a catalog is made of, as a checkpoint holds it."""

import msgspec

from ..hashing import Hash
from ..replication.tasks import TaskMeta
from .commands import Right
from .operations import Operation, Scheme


class Placed(msgspec.Struct, frozen=True, array_like=True):
    """A chunk: the rows of one partition of one table, on one data node."""

    id: int
    node: str


class Table(msgspec.Struct, array_like=True):
    """A partitioned table: `column` tells a row's partition; `chunks` by the partition's key."""

    schema: bytes
    column: str
    chunks: dict[str, Placed]


class Database(msgspec.Struct, array_like=True):
    """`scheme` tells how its tables are partitioned."""

    scheme: Scheme
    tables: dict[str, Table]


class Transaction(msgspec.Struct, frozen=True, array_like=True):
    """One that writes and is not over. `cid` 0: undecided; then it is committed.

    `flagged`: its database was replicated when it began. `applied`: the task that it executes.
    """

    tid: int
    coordinator: str
    operation: Operation
    database: str
    table: str
    chunks: tuple[Placed, ...]
    flagged: bool
    applied: int | None
    cid: int = 0
    meta: TaskMeta | None = None


class User(msgspec.Struct, array_like=True):
    """`rights`: each with the database that it is about, or `*`."""

    hash: Hash
    admin: bool
    rights: dict[Right, list[str]]


class CatalogState(msgspec.Struct, array_like=True):
    """Everything. `decided`: transactions that are over, with their cid or 0; the newest ones.

    `dropped`: chunks that their data nodes have still to delete. `introduced`: see introduced.py.
    """

    next_tid: int = 1
    next_cid: int = 1
    next_chunk: int = 1
    databases: dict[str, Database] = {}
    transactions: dict[int, Transaction] = {}
    decided: dict[int, int] = {}
    dropped: dict[str, list[int]] = {}
    users: dict[str, User] = {}
    introduced: dict[str, bool] = {}
    seat: bytes = b""
