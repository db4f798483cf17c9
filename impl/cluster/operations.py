"""What a transaction can do, by the documented names (semantics §1.12), and how a row is chosen."""

import zlib
from enum import StrEnum
from typing import Literal, get_args

import msgspec


class Operation(StrEnum):
    """What the columns `operationType` say."""

    CREATE_DOMAIN = "CREATE_DOMAIN"
    CREATE_PARTITIONED_TABLE = "CREATE_PARTITIONED_TABLE"
    DROP_TABLE = "DROP_TABLE"
    DROP_PARTITION = "DROP_PARTITION"
    DROP_DB = "DROP_DB"
    TRUNCATE_TABLE = "TRUNCATE_TABLE"
    APPEND = "APPEND"
    UPSERT = "UPSERT"
    SQL_UPDATE = "SQL_UPDATE"
    SQL_DELETE = "SQL_DELETE"

    @property
    def is_write(self) -> bool:
        """Whether it has data on its coordinator (U11); the others are metadata only."""
        return self in _WRITES


_WRITES = frozenset(
    (Operation.APPEND, Operation.UPSERT, Operation.SQL_UPDATE, Operation.SQL_DELETE)
)

Scalar = int | float | str | bool | None


Op = Literal["=", "!=", "<", "<=", ">", ">=", "in"]
OPS: tuple[str, ...] = get_args(Op)


class Condition(msgspec.Struct, frozen=True, array_like=True):
    """`column op value`; for `in` the value is a list. A filter is a conjunction of these."""

    column: str
    op: Op
    value: Scalar | tuple[Scalar, ...]


Filter = tuple[Condition, ...]


class Scheme(msgspec.Struct, frozen=True, array_like=True):
    """How a database's tables are partitioned, by one column of each.

    VALUE: `values` that exist from the start; others are added when a row needs them. HASH: a
    number of buckets. RANGE: ascending borders; a partition is [low, high), what lies outside is
    refused. `type` is that of the column, as Arrow spells it.
    """

    kind: Literal["VALUE", "HASH", "RANGE"]
    type: str
    values: tuple[int | str, ...] = ()
    buckets: int = 0


def mark_of(scheme: Scheme, column: str) -> int:
    """CRC-32 of how a table's rows are divided: partitions made by another one are of no use."""
    return zlib.crc32(msgspec.msgpack.encode((scheme, column)))
