"""The schema of a stream table: what it may hold, its bytes, its fingerprint."""

import hashlib
from functools import lru_cache

import pyarrow as pa

FINGERPRINT_BYTES = 8


class SchemaError(Exception):
    """A schema that no stream table can have."""


def plain(schema: pa.Schema) -> pa.Schema:
    """The schema without metadata, which is no part of a table's structure."""
    return pa.schema([field.remove_metadata() for field in schema])


@lru_cache(maxsize=256)
def fingerprint(schema: pa.Schema) -> bytes:
    """Equal for equal names, types and nullability, whatever the metadata."""
    digest = hashlib.sha256(to_bytes(plain(schema))).digest()
    return digest[:FINGERPRINT_BYTES]


def to_bytes(schema: pa.Schema) -> bytes:
    """The Arrow IPC form."""
    data: bytes = schema.serialize().to_pybytes()
    return data


@lru_cache(maxsize=256)
def from_bytes(data: bytes) -> pa.Schema:
    """Read the Arrow IPC form; raises SchemaError for what no table can have.

    Remembered, for every answer to a read carries its schema.
    """
    try:
        schema = plain(pa.ipc.read_schema(pa.py_buffer(data)))
        for field in schema:
            _check_text(field)
    except (pa.ArrowException, UnicodeDecodeError, OSError, EOFError) as error:
        raise SchemaError(f"no Arrow schema: {error}") from None
    if len(schema) == 0:
        raise SchemaError("a table has at least one column")
    if len(set(schema.names)) < len(schema):
        raise SchemaError("two columns have the same name")
    for field in schema:
        _check_type(field.name, field.type)
    return schema


def _check_text(field: pa.Field) -> None:
    """Read every text in a field once: Arrow does not mind bytes that are no UTF-8."""
    _, kind = field.name, field.type
    if pa.types.is_timestamp(kind):
        _ = kind.tz
    for i in range(kind.num_fields):
        _check_text(kind.field(i))


def _check_type(column: str, kind: pa.DataType) -> None:
    """Refuse what a batch's bytes alone do not carry, and of what Arrow cannot pick rows."""
    if not _is_carried(kind) or not _is_picked(kind):
        raise SchemaError(f"column {column}: {kind} is not supported; cast it to a plain type")


def _is_carried(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind) or isinstance(kind, pa.BaseExtensionType):
        return False
    return all(_is_carried(kind.field(i).type) for i in range(kind.num_fields))


def _is_picked(kind: pa.DataType) -> bool:
    """Whether filters of keys and of subscribers can leave rows out; Arrow has that for most."""
    none = pa.nulls(0, kind)
    try:
        none.take(pa.array([], pa.int64()))
        none.filter(pa.array([], pa.bool_()))
    except pa.ArrowException:
        return False
    return True
