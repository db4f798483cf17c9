"""What a transaction does to one chunk, and what that makes of the chunk's rows.

Computed the same wherever and whenever it is repeated: on recovery, and on every cluster that
executes the same task. Rows are never changed in place; what a change leaves alone is shared.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from .filters import compiled, field_of, literal, refused
from .operations import Filter, Scalar

BLOCK_ROWS = 65_536
"""Smaller blocks are merged, so that a chunk has few; none is longer, so that little is copied."""

Blocks = tuple[pa.RecordBatch, ...]
"""The rows of a chunk, in order; none of them empty."""


class Append(msgspec.Struct, frozen=True, array_like=True, tag=0):
    """Rows behind all others; `body` in Arrow IPC form without schema."""

    body: memoryview


class Upsert(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """Rows in the place of all that have the same values in the key columns.

    They go behind all others, the last one of each key. Nulls are equal here.
    """

    body: memoryview
    keys: tuple[str, ...]


class Update(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """These columns get these values, in the rows that are meant."""

    values: tuple[tuple[str, Scalar], ...]
    filter: Filter


class Delete(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """Without the rows that are meant."""

    filter: Filter


Change = Append | Upsert | Update | Delete


class Work(msgspec.Struct, frozen=True, array_like=True):
    """A transaction's part in one chunk of a table with that schema (Arrow IPC form)."""

    chunk: int
    schema: bytes
    change: Change


WORK_BYTES = 64
"""So many a part takes beside its schema and its change, and the change beside its rows."""

_encoder = msgspec.msgpack.Encoder()


def bytes_of(works: Iterable[Work]) -> int:
    """How many they take on the wire at most. A change that is shared is looked at once."""
    known: dict[int, int] = {}
    size = 0
    for work in works:
        change = work.change
        if id(change) not in known:
            known[id(change)] = _bytes_of(change)
        size += WORK_BYTES + len(work.schema) + known[id(change)]
    return size


def _bytes_of(change: Change) -> int:
    match change:
        case Append(body=body):
            return len(body)
        case Upsert(body=body, keys=keys):
            return len(body) + len(_encoder.encode(keys))
    return len(_encoder.encode(change))


class Changed(NamedTuple):
    """The rows after a change: how many it was about; at least `kept` first ones are as before."""

    blocks: Blocks
    affected: int
    kept: int


def rows_of(blocks: Blocks) -> int:
    """How many there are."""
    return sum([block.num_rows for block in blocks])


def apply(change: Change, schema: pa.Schema, blocks: Blocks) -> Changed:
    """Do it; raises RequestError where it makes no sense for these columns."""
    try:
        match change:
            case Append(body=body):
                batch = decoded(body, schema)
                return Changed(_grown(blocks, batch), batch.num_rows, rows_of(blocks))
            case Upsert(body=body, keys=keys):
                return _upsert(blocks, decoded(body, schema), keys)
            case Update(values=values, filter=conditions):
                return _update(blocks, schema, values, conditions)
            case Delete(filter=conditions):
                return _delete(blocks, schema, conditions)
    except (pa.ArrowException, OSError, EOFError) as error:
        raise refused(f"the rows do not allow it: {error}") from None


def decoded(body: bytes | memoryview, schema: pa.Schema) -> pa.RecordBatch:
    """A batch that a node of this cluster has checked."""
    return pa.ipc.read_record_batch(pa.py_buffer(body), schema)


def encoded(batch: pa.RecordBatch) -> memoryview:
    """Undo `decoded`."""
    return memoryview(batch.serialize()).cast("B")


def checked_values(values: tuple[tuple[str, Scalar], ...], schema: pa.Schema) -> dict[str, Any]:
    """What an update writes, as the columns hold it; raises RequestError."""
    if not values or len({column for column, _ in values}) < len(values):
        raise refused("an update names each of its columns once, and at least one")
    found = {}
    for column, value in values:
        field = field_of(schema, column)
        if value is None and not field.nullable:
            raise refused(f"column {column} holds no nulls")
        found[column] = literal(value, field)
    return found


def _upsert(blocks: Blocks, batch: pa.RecordBatch, keys: tuple[str, ...]) -> Changed:
    old, new = _key_codes(blocks, batch, keys)
    last: dict[int, int] = {code: at for at, code in enumerate(new.to_pylist())}
    if len(last) < batch.num_rows:
        batch = batch.take(pa.array(sorted(last.values()), pa.int64()))
    stays = pc.invert(pc.is_in(old, value_set=new))
    left, kept = _left(blocks, stays)
    return Changed(_grown(left, batch), len(new), kept)


def _key_codes(blocks: Blocks, batch: pa.RecordBatch, keys: tuple[str, ...]) -> tuple[Any, Any]:
    """A number for each old and each new row; equal where all key columns are."""
    size = rows_of(blocks)
    codes = pa.repeat(pa.scalar(0, pa.int64()), size + batch.num_rows)
    for key in keys:
        field = field_of(batch.schema, key)
        pieces = [block.column(key) for block in (*blocks, batch)]
        column = pa.chunked_array(pieces, field.type)
        if pa.types.is_floating(field.type):
            # -0.0 becomes 0.0: they are equal, and their hashes are not.
            column = pc.add(column, pa.scalar(0.0, field.type))
        values = column.unique()
        at = pc.cast(pc.index_in(column, value_set=values), pa.int64()).combine_chunks()
        count = pa.scalar(max(1, len(values)), pa.int64())
        mixed = pc.add(pc.multiply(codes, count), at)
        # Small again, so that no number of columns makes the next product overflow.
        codes = pc.cast(pc.index_in(mixed, value_set=mixed.unique()), pa.int64())
    return codes.slice(0, size), codes.slice(size)


def _update(
    blocks: Blocks, schema: pa.Schema, values: tuple[tuple[str, Scalar], ...], conditions: Filter
) -> Changed:
    wanted, mask = checked_values(values, schema), compiled(conditions, schema)
    changed: list[pa.RecordBatch] = []
    affected = kept = 0
    for block in blocks:
        meant = mask(block)
        count = meant.true_count
        if not count:
            changed.append(block)
            kept += 0 if affected else block.num_rows
            continue
        affected += count
        columns = [
            pc.if_else(meant, wanted[name], block.column(name)) if name in wanted else column
            for name, column in zip(schema.names, block.columns, strict=True)
        ]
        changed.append(pa.RecordBatch.from_arrays(columns, schema=schema))
    return Changed(tuple(changed), affected, kept)


def _delete(blocks: Blocks, schema: pa.Schema, conditions: Filter) -> Changed:
    mask = compiled(conditions, schema)
    stays = [pc.invert(mask(block)) for block in blocks]
    left, kept = _left(blocks, pa.chunked_array(stays, pa.bool_()))
    return Changed(left, rows_of(blocks) - rows_of(left), kept)


def _left(blocks: Blocks, stays: Any) -> tuple[Blocks, int]:
    """The rows that stay, and how many come before the first one that does not."""
    left: list[pa.RecordBatch] = []
    at = kept = 0
    is_whole = True
    for block in blocks:
        chosen = stays.slice(at, block.num_rows)
        if isinstance(chosen, pa.ChunkedArray):
            chosen = chosen.combine_chunks()
        at += block.num_rows
        if chosen.true_count == block.num_rows:
            left.append(block)
            kept += block.num_rows if is_whole else 0
            continue
        is_whole = False
        rest = block.filter(chosen)
        if rest.num_rows:
            left.append(rest)
    return tuple(left), kept


def _grown(blocks: Blocks, batch: pa.RecordBatch) -> Blocks:
    """With a batch behind; small blocks are merged by size, like a binary counter."""
    while batch.num_rows > BLOCK_ROWS:
        blocks = (*blocks, batch.slice(0, BLOCK_ROWS))
        batch = batch.slice(BLOCK_ROWS)
    if not batch.num_rows:
        return blocks
    rows, first = batch.num_rows, len(blocks)
    while first:
        older = blocks[first - 1].num_rows
        if older > rows or older + rows > BLOCK_ROWS:
            break
        rows += older
        first -= 1
    if first == len(blocks):
        return (*blocks, batch)
    try:
        return (*blocks[:first], pa.concat_batches([*blocks[first:], batch]))
    except pa.ArrowInvalid:
        # A column would outgrow its offsets.
        return (*blocks, batch)
