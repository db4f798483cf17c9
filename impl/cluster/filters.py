"""Which rows are meant: conditions on columns, checked against a schema, as Arrow computes them.

A comparison with a null says nothing, so that the row is not chosen; `= null` and `!= null` ask for
the null itself. Texts stand for dates, times and decimals: "2023-01-08", "2023-01-08 09:30:00".
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from ..client.errors import BAD_REQUEST, RequestError
from ..stream.types import from_text
from .operations import Filter, Scalar

_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "=": pc.equal,
    "!=": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}

# Arrow looks for modules whenever it has to guess a type, which takes longer than the filter.
_ALL = pa.scalar(True, pa.bool_())

FILTERS = 256
"""So many are remembered as they were compiled."""

SCHEMAS = 64
"""Of so many there is a batch without rows to try filters on."""

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Filter)

Mask = Callable[[pa.RecordBatch], Any]
"""Says of each row of a batch whether it is chosen; without nulls."""


def compiled(conditions: Filter, schema: pa.Schema) -> Mask:
    """The filter for batches of that schema; raises RequestError where it makes no sense there.

    Remembered: who coordinates a write compiles it, and then everybody whose chunks it is about.
    """
    # By their bytes, for to Python 1 and true and 1.0 are equal.
    return _compiled(_encoder.encode(conditions), schema)


@lru_cache(FILTERS)
def _compiled(conditions: bytes, schema: pa.Schema) -> Mask:
    tests = [
        _test(condition.column, condition.op, condition.value, schema)
        for condition in _decoder.decode(conditions)
    ]

    def mask(batch: pa.RecordBatch) -> Any:
        found = None
        for test in tests:
            chosen = test(batch)
            if chosen.null_count:
                chosen = pc.fill_null(chosen, False)
            found = chosen if found is None else pc.and_(found, chosen)
        return pa.repeat(_ALL, batch.num_rows) if found is None else found

    try:
        mask(_no_rows(schema))
    except pa.ArrowException as error:
        raise refused(f"the filter cannot be computed: {error}") from None
    return mask


def literal(value: Scalar | tuple[Scalar, ...], field: pa.Field) -> Any:
    """A value as the column holds it; raises RequestError where it is none of that type."""
    kind = field.type
    if value is None:
        return pa.scalar(None, kind)
    if not isinstance(value, _wanted(kind)) or (isinstance(value, bool) and kind != pa.bool_()):
        raise refused(f"column {field.name} is {kind}; {value!r} is not")
    try:
        if isinstance(value, str) and not _is_text(kind):
            return from_text(pa.array([value], pa.string()), kind)[0]
        return pa.scalar(value, kind)
    except (pa.ArrowException, OverflowError, TypeError) as error:
        raise refused(f"column {field.name} is {kind}; {value!r} is not: {error}") from None


@lru_cache(SCHEMAS)
def _no_rows(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([], schema=schema)


def field_of(schema: pa.Schema, column: str) -> pa.Field:
    """The column of that name; raises RequestError."""
    at = schema.get_field_index(column)
    if at < 0:
        raise refused(f"there is no column {column}; there are {', '.join(schema.names)}")
    return schema.field(at)


def refused(message: str) -> RequestError:
    """The answer to who asked for what makes no sense."""
    return RequestError(BAD_REQUEST, True, message)


def _test(
    column: str, op: str, value: Scalar | tuple[Scalar, ...], schema: pa.Schema
) -> Callable[[pa.RecordBatch], Any]:
    field = field_of(schema, column)
    if op == "in":
        if not isinstance(value, tuple):
            raise refused(f"column {column}: `in` wants a list, got {value!r}")
        known = pa.array([literal(one, field) for one in value], field.type)
        if pa.types.is_floating(field.type):
            known = _as_compared(known)
        return lambda batch: pc.is_in(batch.column(column), value_set=known)
    if isinstance(value, tuple):
        raise refused(f"column {column}: {op} wants one value, got a list")
    if value is None:
        if op not in ("=", "!="):
            raise refused(f"column {column}: nothing is {op} null")
        test = pc.is_null if op == "=" else pc.is_valid
        return lambda batch: test(batch.column(column))
    compare, other = _COMPARISONS[op], literal(value, field)
    return lambda batch: compare(batch.column(column), other)


def _as_compared(numbers: Any) -> Any:
    """As a hash has to know them to find what `=` finds: both zeros, and no NaN."""
    found = [one for one in numbers.to_pylist() if one is None or one == one]
    return pa.array([*found, 0.0, -0.0] if 0.0 in found else found, numbers.type)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _wanted(kind: pa.DataType) -> tuple[type, ...]:
    """What stands for a value of the type in a call."""
    if kind == pa.bool_():
        return (bool,)
    if pa.types.is_integer(kind):
        return (int,)
    if pa.types.is_floating(kind):
        return (int, float)
    if _is_text(kind) or pa.types.is_temporal(kind) or pa.types.is_decimal(kind):
        return (str,)
    return ()
