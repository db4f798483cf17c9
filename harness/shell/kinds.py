"""What an argument may be: from what was written to what a function takes."""

from collections.abc import Callable, Mapping
from typing import Any, cast

import pyarrow as pa

from ...impl.cluster.operations import OPS, Condition, Filter, Op
from ...impl.stream.types import TYPES, from_text, name_of
from ..errors import UsageError
from ..language.selector import closest
from .grammar import Name, Value


def _integer(value: Value) -> int | None:
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise ValueError(f"want a whole number, got {_shown(value)}")
    if value is not None and not -(2**63) <= value < 2**63:
        raise ValueError("the number is too large")
    return value


def _string(value: Value) -> str:
    if not isinstance(value, str):
        hint = f'; write "{value.word}"' if isinstance(value, Name) else ""
        raise ValueError(f"want a string, got {_shown(value)}{hint}")
    return value


def _names(value: Value) -> tuple[str, ...]:
    return tuple(_string(one) for one in (value if isinstance(value, tuple) else (value,)))


def _schema(value: Value) -> pa.Schema:
    if not isinstance(value, dict) or not value:
        raise ValueError(f"want columns, as in {{id: LONG, price: DOUBLE}}, got {_shown(value)}")
    return pa.schema([(column, _type(column, kind)) for column, kind in value.items()])


def _type(column: str, kind: Value) -> pa.DataType:
    word = kind.word if isinstance(kind, Name) else kind
    if not isinstance(word, str) or word not in TYPES:
        raise ValueError(f"column {column}: no type {_shown(kind)}{closest(str(word), TYPES)}")
    return TYPES[word]


def _rows(value: Value) -> tuple[tuple[Value, ...], ...]:
    if not isinstance(value, tuple) or not value:
        raise ValueError(f"want rows, as in [[1, 2.5], [2, 3.5]], got {_shown(value)}")
    rows: list[tuple[Value, ...]] = []
    for number, row in enumerate(value, start=1):
        if not isinstance(row, tuple) or len(row) != len(rows[0] if rows else row):
            raise ValueError(f"row {number} is no list as long as the first: {_shown(row)}")
        rows.append(row)
    return tuple(rows)


def _condition(value: Value) -> Condition:
    match value:
        case (str(column), str(op), one) if op in OPS:
            return Condition(column, cast(Op, op), _scalar(one))
    raise ValueError(f'want conditions, as in [["id", ">", 5]], got {_shown(value)}')


def _filter(value: Value) -> Filter:
    if not isinstance(value, tuple):
        raise ValueError(f'want conditions, as in [["id", ">", 5]], got {_shown(value)}')
    return tuple(_condition(one) for one in value)


def _scalar(value: Value) -> Any:
    if isinstance(value, tuple):
        return tuple(_scalar(one) for one in value)
    if isinstance(value, Name | dict):
        raise ValueError(f"want a number, a string, true, false or null, got {_shown(value)}")
    if isinstance(value, int) and not isinstance(value, bool):
        return _integer(value)
    return value


def _values(value: Value) -> dict[str, Any]:
    if not isinstance(value, dict) or not value:
        raise ValueError(f"want values, as in {{price: 2.5}}, got {_shown(value)}")
    return {column: _scalar(one) for column, one in value.items()}


def _list(value: Value) -> tuple[Any, ...] | None:
    return None if value is None else tuple(_scalar(v) for v in _several(value))


def _several(value: Value) -> tuple[Value, ...]:
    return value if isinstance(value, tuple) else (value,)


def _word(value: Value) -> str:
    return value.word if isinstance(value, Name) else _string(value)


def _truth(value: Value) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"want true or false, got {_shown(value)}")
    return value


def _partitions(value: Value) -> int | tuple[int | str, ...]:
    """A number of buckets, values, or borders."""
    if isinstance(value, tuple):
        return tuple(one if isinstance(one, str) else _number(one) for one in value)
    return _number(value)


def _numbers(value: Value) -> tuple[int, ...]:
    return tuple(_number(one) for one in (value if isinstance(value, tuple) else (value,)))


def _number(value: Value) -> int:
    number = _integer(value)
    if number is None:
        raise ValueError("want a whole number, got null")
    return number


def _count(value: Value) -> int:
    number = _number(value)
    if number < 1:
        raise ValueError(f"want 1 or more, got {number}")
    return number


KINDS: Mapping[str, Callable[[Value], Any]] = {
    "INT": _integer,
    "STRING": _string,
    "NAMES": _names,
    "SCHEMA": _schema,
    "ROWS": _rows,
    "FILTER": _filter,
    "VALUES": _values,
    "LIST": _list,
    "WORD": _word,
    "BOOL": _truth,
    "PARTITIONS": _partitions,
    "INTS": _numbers,
    "COUNT": _count,
}
"""By the names that signatures show. Each raises ValueError with what would be right."""


def row_batch(rows: tuple[tuple[Value, ...], ...], schema: pa.Schema) -> pa.RecordBatch:
    """Rows as a batch of a table; raises UsageError, naming the column that does not fit."""
    if len(rows[0]) != len(schema):
        want = ", ".join(f"{field.name} {name_of(field.type)}" for field in schema)
        raise UsageError(f"the table has {len(schema)} columns, a row {len(rows[0])}: {want}")
    columns = zip(schema, zip(*rows, strict=True), strict=True)
    arrays = [_column(field, list(values)) for field, values in columns]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _column(field: pa.Field, values: list[Value]) -> pa.Array:
    try:
        written = [value for value in values if value is not None]
        if pa.types.is_temporal(field.type) and all(isinstance(value, str) for value in written):
            return from_text(pa.array(values, pa.string()), field.type)
        if pa.types.is_integer(field.type):
            # Arrow would cut a fraction off.
            for value in written:
                _integer(value)
        return pa.array(values, field.type)
    except (pa.ArrowException, OverflowError, TypeError, ValueError) as error:
        kind = name_of(field.type)
        raise UsageError(f"column {field.name} is {kind}: {error}") from None


def _shown(value: Value) -> str:
    match value:
        case Name(word=word):
            return word
        case None:
            return "null"
        case tuple():
            return f"[{', '.join(_shown(one) for one in value)}]"
    return repr(value)
