"""What a write says, as its coordinator keeps it for slaves; and what that is in each partition.

A slave that executes the same write does the same to the same partitions: a filter is about those
that the master's table had when it was executed there.
"""

from collections.abc import Callable

import msgspec
import pyarrow as pa

from ..client.errors import SCHEMA_MISMATCH, RequestError
from ..stream import batch_bytes
from ..stream.schema import fingerprint
from .changes import Append, Change, Delete, Update, Upsert, checked_values, encoded
from .filters import compiled, field_of, refused
from .operations import Operation, Scheme, mark_of
from .partitions import split

OPERATIONS: dict[type, Operation] = {
    Append: Operation.APPEND,
    Upsert: Operation.UPSERT,
    Update: Operation.SQL_UPDATE,
    Delete: Operation.SQL_DELETE,
}


class Write(msgspec.Struct, frozen=True, array_like=True):
    """A write of one table. `fingerprint`: of the columns of its rows, if it has some.

    `keys`: the partitions that a filter is about; None before anybody has looked.
    """

    change: Change
    fingerprint: bytes = b""
    keys: tuple[str, ...] | None = None


class Layout(msgspec.Struct, frozen=True):
    """How a table is made: what `checked` and `parts` need to know of it."""

    schema: pa.Schema
    scheme: Scheme
    column: str

    @property
    def mark(self) -> int:
        """Tells schemes apart (`mark_of`)."""
        return mark_of(self.scheme, self.column)


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Write)


def encode(write: Write) -> bytes:
    """Its bytes: the data of a task."""
    return _encoder.encode(write)


def decode(payload: bytes | memoryview) -> Write:
    """Undo `encode`; raises RequestError. Bodies are views of the payload, not copies."""
    try:
        return _decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise refused(f"no write: {error}") from None


def with_keys(write: Write, layout: Layout) -> Write:
    """An upsert whose keys tell the partition: in another one is another row."""
    change = write.change
    if isinstance(change, Upsert) and layout.column not in change.keys:
        change = Upsert(change.body, (*change.keys, layout.column))
        return Write(change, write.fingerprint, write.keys)
    return write


def parts(write: Write, layout: Layout) -> dict[str, Change] | None:
    """What is to be done in each partition, by key; None: the same in each that there is.

    Raises RequestError where it makes no sense.
    """
    schema, change = layout.schema, write.change
    match change:
        case Append():
            return _divided(write, change.body, layout, Append)
        case Upsert(keys=keys):
            if len(set(keys)) < len(keys):
                raise refused("an upsert names each of its key columns once")
            for key in keys:
                field_of(schema, key)
            return _divided(write, change.body, layout, lambda body: Upsert(body, keys))
        case Update(values=values, filter=conditions):
            if layout.column in checked_values(values, schema):
                raise refused(f"{layout.column} tells the partition: a row cannot leave its own")
            compiled(conditions, schema)
        case Delete(filter=conditions):
            compiled(conditions, schema)
    return None if write.keys is None else dict.fromkeys(write.keys, change)


def checked_rows(body: bytes | memoryview, given: bytes, schema: pa.Schema) -> pa.RecordBatch:
    """A batch of a table's rows, every value checked; raises RequestError (W7)."""
    if given != fingerprint(schema):
        columns = ", ".join(f"{field.name} {field.type}" for field in schema)
        raise RequestError(SCHEMA_MISMATCH, True, f"the table has the columns {columns}")
    complaint = batch_bytes.complaint(body)
    if complaint is not None:
        raise refused(f"no rows: {complaint}")
    try:
        batch = pa.ipc.read_record_batch(pa.py_buffer(body), schema)
        batch.validate(full=True)
    except (pa.ArrowException, OSError, EOFError) as error:
        raise refused(f"no rows: {error}") from None
    for field, column in zip(schema, batch.columns, strict=True):
        if column.null_count and not field.nullable:
            raise refused(f"column {field.name} holds no nulls")
    return batch


def _divided(
    write: Write,
    body: memoryview,
    layout: Layout,
    change: Callable[[memoryview], Change],
) -> dict[str, Change]:
    batch = checked_rows(body, write.fingerprint, layout.schema)
    divided = split(layout.scheme, batch, layout.column)
    if len(divided) == 1:
        return {key: change(body) for key in divided}
    return {key: change(encoded(part)) for key, part in divided.items()}
