"""Which partition each row belongs to, by one column; and a batch split accordingly.

A partition has a key, a text that names it: the value itself (VALUE), the number of the bucket
(HASH), or "low_high" (RANGE: [low, high)). The bucket of a whole number, a date or a moment is its
number modulo the count, never negative; that of a text the CRC-32 of its UTF-8 bytes modulo the
count. Neither depends on machine, process or version. A column of moments may be partitioned by
dates: the date of the moment counts.
"""

import zlib
from bisect import bisect_right
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from .filters import field_of, literal, refused
from .operations import Scheme

_OUT_OF_RANGE = "<value out of range"
"""How Arrow writes a date that no calendar has."""

CALENDAR = ("0001-01-01 00:00:00", "9999-12-31 23:59:59")
FIRST_DAY_NS = "1677-09-22 00:00:00"
"""Nanoseconds begin within the day before, whose midnight they cannot tell."""

FEW_ROWS = 64
"""Up to so many are dealt with one by one."""

SCHEMES = 64
"""Of so many it is remembered what `_begun` makes of them: every write asks for it."""

BUCKETS_MAX = 10_000
KEY_CHARACTERS_MAX = 200

TYPES = {
    str(kind): kind
    for kind in (
        *(pa.int8(), pa.int16(), pa.int32(), pa.int64()),
        *(pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
        *(pa.string(), pa.date32()),
        *(pa.timestamp(unit) for unit in ("s", "ms", "us", "ns")),
    )
}
"""What a table can be partitioned by, as Arrow spells it."""


def check_scheme(scheme: Scheme) -> None:
    """Refuse what is no way to partition; raises RequestError."""
    if scheme.type not in TYPES:
        raise refused(f"no partitions by {scheme.type}; there are {', '.join(sorted(TYPES))}")
    if scheme.kind == "HASH":
        if not 0 < scheme.buckets <= BUCKETS_MAX or scheme.values:
            raise refused(f"HASH wants 1 to {BUCKETS_MAX} buckets and no values")
        return
    if scheme.buckets:
        raise refused(f"{scheme.kind} has no buckets")
    values = _values(scheme)
    if pc.count_distinct(values).as_py() < len(values):
        raise refused(f"{scheme.kind}: a value is given twice")
    if scheme.kind == "RANGE":
        if len(values) < 2:
            raise refused("RANGE wants at least two borders")
        if not pc.all(pc.less(values[:-1], values[1:])).as_py():
            raise refused("RANGE wants ascending borders")
    keys = initial_keys(scheme)
    if len(set(keys)) < len(keys):
        raise refused(f"{scheme.kind}: two partitions have the same name")
    for key in keys:
        _check_key(key)


def check_column(scheme: Scheme, schema: pa.Schema, column: str) -> None:
    """Refuse a column that cannot tell the partition; raises RequestError."""
    kind, wanted = field_of(schema, column).type, TYPES[scheme.type]
    is_moment = pa.types.is_timestamp(kind) and kind.tz is None
    if kind != wanted and not (wanted == pa.date32() and is_moment):
        raise refused(f"the database is partitioned by {wanted}; column {column} is {kind}")


def initial_keys(scheme: Scheme) -> list[str]:
    """The partitions that there are before there are rows; with VALUE more may be added."""
    if scheme.kind == "HASH":
        return [str(bucket) for bucket in range(scheme.buckets)]
    texts: list[str] = pc.cast(_values(scheme), pa.string()).to_pylist()
    if scheme.kind == "VALUE":
        return texts
    return [f"{low}_{high}" for low, high in pairwise(texts)]


def split(scheme: Scheme, batch: pa.RecordBatch, column: str) -> dict[str, pa.RecordBatch]:
    """The rows of each partition that has some, by key in the order of keys; rows keep their order.

    Raises RequestError for a row that belongs nowhere.
    """
    try:
        codes, keys = _codes(scheme, batch, column)
    except pa.ArrowException as error:
        raise refused(f"{column}: no partition can be told: {error}") from None
    if batch.num_rows <= FEW_ROWS:
        return _split_few(batch, codes.to_pylist(), keys)
    order = pc.array_sort_indices(codes)
    counted = pc.value_counts(codes.take(order))
    sorted_rows = batch if len(counted) == 1 else batch.take(order)
    parts: dict[str, pa.RecordBatch] = {}
    start = 0
    for code, count in zip(*(counted.field(i).to_pylist() for i in (0, 1)), strict=True):
        parts[keys[code]] = sorted_rows.slice(start, count)
        start += count
    return {key: parts[key] for key in sorted(parts)}


def _split_few(
    batch: pa.RecordBatch, codes: list[int], keys: list[str]
) -> dict[str, pa.RecordBatch]:
    """As `split` goes on: to call Arrow costs more than to go through so few rows."""
    found = sorted(set(codes))
    sorted_rows = batch
    if len(found) > 1:
        order = sorted(range(len(codes)), key=codes.__getitem__)
        sorted_rows = batch.take(pa.array(order, pa.uint64()))
    parts: dict[str, pa.RecordBatch] = {}
    start = 0
    for code in found:
        count = codes.count(code)
        parts[keys[code]] = sorted_rows.slice(start, count)
        start += count
    return {key: parts[key] for key in sorted(parts)}


def _codes(scheme: Scheme, batch: pa.RecordBatch, column: str) -> tuple[Any, list[str]]:
    """A number for each row, and the key that each number stands for."""
    kind = TYPES[scheme.type]
    values = batch.column(column)
    if values.null_count:
        raise refused(f"a row with a null in {column} belongs to no partition")
    if values.type != kind:
        values = _dates(values, column)
    if scheme.kind == "HASH":
        return _buckets(values, scheme.buckets), _begun(scheme).keys
    if scheme.kind == "RANGE":
        begun = _begun(scheme)
        return _ranges(values, begun, column), begun.keys
    encoded = values.dictionary_encode()
    keys: list[str] = pc.cast(encoded.dictionary, pa.string()).to_pylist()
    for key in keys:
        _check_key(key)
    return encoded.indices, keys


def _int64(value: int) -> Any:
    """Arrow looks for modules whenever it has to guess a type."""
    return pa.scalar(value, pa.int64())


def _dates(moments: Any, column: str) -> Any:
    if moments.type.unit != "ns":
        # Arrow does not mind what is too far away for a date.
        low, high = (pc.cast(pa.scalar(text), moments.type) for text in CALENDAR)
        is_far = pc.or_(pc.less(moments, low), pc.greater(moments, high))
    else:
        is_far = pc.less(moments, pc.cast(pa.scalar(FIRST_DAY_NS), moments.type))
    if pc.any(is_far).as_py():
        raise refused(f"{column}: a moment is too far away to have a date")
    return pc.cast(pc.floor_temporal(moments, unit="day"), pa.date32())


def _buckets(values: Any, count: int) -> Any:
    kind = values.type
    if pa.types.is_string(kind):
        encoded = values.dictionary_encode()
        hashes = [zlib.crc32(text.encode()) % count for text in encoded.dictionary.to_pylist()]
        return pa.array(hashes, pa.int32()).take(encoded.indices)
    if pa.types.is_temporal(kind):
        values = values.view(pa.int32() if pa.types.is_date32(kind) else pa.int64())
    if len(values) <= FEW_ROWS:
        return pa.array([value % count for value in values.to_pylist()], pa.int64())
    wide = pa.uint64() if pa.types.is_unsigned_integer(values.type) else pa.int64()
    values, divisor = pc.cast(values, wide), pa.scalar(count, wide)
    # Division goes towards zero.
    rest = pc.cast(
        pc.subtract(values, pc.multiply(pc.divide(values, divisor), divisor)), pa.int64()
    )
    return pc.if_else(pc.less(rest, _int64(0)), pc.add(rest, _int64(count)), rest)


def _ranges(values: Any, begun: "_Begun", column: str) -> Any:
    borders, known = begun.values, begun.known
    if len(values) <= FEW_ROWS and pa.types.is_integer(values.type):
        few = [bisect_right(known, value) - 1 for value in values.to_pylist()]
        if all(0 <= code < len(known) - 1 for code in few):
            return pa.array(few, pa.int64())
    codes = pa.repeat(_int64(-1), len(values))
    for border in borders:
        codes = pc.add(codes, pc.cast(pc.greater_equal(values, border), pa.int64()))
    outside = pc.or_(pc.less(codes, _int64(0)), pc.greater_equal(codes, _int64(len(borders) - 1)))
    if pc.any(outside).as_py():
        first = values.filter(outside)[0].as_py()
        raise refused(f"{column} {first} lies in no range of {borders[0]} to {borders[-1]}")
    return codes


class _Begun(NamedTuple):
    """A scheme's values, for Arrow and for Python, and its first keys; not to be changed."""

    values: Any
    known: list[Any]
    keys: list[str]


@lru_cache(SCHEMES)
def _begun(scheme: Scheme) -> _Begun:
    """What there is to know of a scheme that was checked."""
    values = _values(scheme)
    return _Begun(values, values.to_pylist(), initial_keys(scheme))


def _values(scheme: Scheme) -> Any:
    kind = TYPES[scheme.type]
    field = pa.field("partition", kind)
    return pa.array([literal(value, field) for value in scheme.values], kind)


def _check_key(key: str) -> None:
    is_text = 0 < len(key) <= KEY_CHARACTERS_MAX and key.isprintable()
    if not is_text or key.startswith(_OUT_OF_RANGE):
        raise refused(f"{key!r} names no partition: want 1 to {KEY_CHARACTERS_MAX} characters")
