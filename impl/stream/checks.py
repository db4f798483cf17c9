"""What is asked of any table's name, columns and batches, before anything is written."""

import re

import msgspec
import pyarrow as pa

from ..client.errors import (
    BAD_REQUEST,
    FRAME_TOO_LARGE,
    NO_SUCH_TABLE,
    OVERLOADED,
    SCHEMA_MISMATCH,
    TABLE_EXISTS,
    RequestError,
)
from .commands import TableOptions
from .schema import SchemaError, from_bytes
from .table import BatchError, StreamTable

CACHE_LIMIT_MIN = 1000
"""Rows; a positive limit below is raised to it (C1)."""

NUMBER_MAX = 2**31 - 1

COLUMNS_SHARE = 2
"""A table's columns take at most one part of so many of a frame: each answer has them, and rows."""

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
"""A table's name begins its folder's."""


def checked_schema(name: str, schema_bytes: bytes) -> pa.Schema:
    """The columns of a new table of that name; raises RequestError."""
    if not NAME.fullmatch(name):
        message = f"a table's name is a letter or _, then letters, digits, _; got '{name}'"
        raise RequestError(BAD_REQUEST, True, message)
    try:
        return from_bytes(schema_bytes)
    except SchemaError as error:
        raise RequestError(BAD_REQUEST, True, str(error)) from None


def checked_batch(table: StreamTable, fingerprint: bytes, body: bytes) -> pa.RecordBatch:
    """A batch that fits the table (W7); raises RequestError."""
    if fingerprint != table.fingerprint:
        columns = ", ".join(f"{field.name} {field.type}" for field in table.schema)
        raise RequestError(SCHEMA_MISMATCH, True, f"table {table.name} has the columns {columns}")
    try:
        batch = table.decode(body)
    except BatchError as error:
        raise RequestError(BAD_REQUEST, True, str(error)) from None
    if not batch.num_rows:
        raise RequestError(BAD_REQUEST, True, "a batch has at least one row")
    return batch


def check_fits(what: str, size: int, room: int) -> None:
    """Refuse what no frame could hold, in the log or in an answer; raises RequestError."""
    if size > room:
        message = f"{what} of {size} bytes does not fit into a frame: at most {room} do here"
        raise RequestError(FRAME_TOO_LARGE, True, message)


def check_range(start: int, limit: int | None) -> None:
    """Refuse offsets and limits that mean nothing; raises RequestError."""
    if start < 0 or (limit is not None and limit < 0):
        raise RequestError(BAD_REQUEST, True, "offsets and limits are not negative")


def checked_options(options: TableOptions) -> TableOptions:
    """As the table will have them; raises RequestError."""
    if not 0 <= options.cache_limit <= NUMBER_MAX:
        message = f"cacheLimit is a number of rows, or 0 for all; got {options.cache_limit}"
        raise RequestError(BAD_REQUEST, True, message)
    if not 1 <= options.retention_minutes <= NUMBER_MAX:
        message = f"retentionMinutes is at least 1; got {options.retention_minutes}"
        raise RequestError(BAD_REQUEST, True, message)
    if 0 < options.cache_limit < CACHE_LIMIT_MIN:
        return msgspec.structs.replace(options, cache_limit=CACHE_LIMIT_MIN)
    return options


def missing(name: str) -> RequestError:
    """The answer where there is no such table."""
    return RequestError(NO_SUCH_TABLE, True, f"there is no table {name}")


def being_replaced(name: str) -> RequestError:
    """The answer where a snapshot is taking the place of the rows on disk."""
    message = f"table {name}: a snapshot is taking the place of the rows on disk"
    return RequestError(OVERLOADED, True, message)


def exists(name: str) -> RequestError:
    """The answer where the name is taken."""
    return RequestError(TABLE_EXISTS, True, f"there is already a table {name}")
